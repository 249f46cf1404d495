//! What the trainings on single frames share: the optimiser's loop, the error on validation drives, and a fingerprint of the data.

use super::checkpoint::State;
use super::optimiser::learning_rate;
use super::single_frame::{Control, FeatureProgress, Validation};
use crate::error::PerceptionError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::Ordering;

/// How far and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub steps: u64,
    pub learning_rate: f32,
    pub weight_decay: f32,
    pub averaging: f32,
    pub validate_every: u64,
}

/// What is to become small.
pub(super) trait Objective {
    /// Adds the gradient of step `step`'s batch to `gradient`, which is zero; returns the weighted mean squared error.
    fn gradient(&self, parameters: &[f32], step: u64, gradient: &mut [f32]) -> f32;
    /// Whether the weight decay holds for a parameter.
    fn decays(&self, parameter: usize) -> bool;
    /// The error of `parameters` after `step` steps; `None` without labelled frames.
    fn validate(&self, parameters: &[f32], step: u64) -> Option<Validation>;
}

/// Goes on from `state` until all steps are taken or somebody interrupts; writes the checkpoint at every validation and
/// then.
pub(super) fn descend<S: Clone + Serialize + DeserializeOwned>(
    state: &mut State<S>,
    objective: &impl Objective,
    pace: Pace,
    control: Control<'_>,
    mut progress: impl FnMut(FeatureProgress),
) -> Result<(), PerceptionError> {
    let mut gradient = vec![0.0; state.parameters.len()];
    let interrupted = || control.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed));
    while state.record.step < pace.steps && !interrupted() {
        let step = state.record.step;
        gradient.fill(0.0);
        let loss = objective.gradient(&state.parameters, step, &mut gradient);
        if !loss.is_finite() {
            return Err(PerceptionError::Diverged { step, loss });
        }
        let rate = learning_rate(pace.learning_rate, step, pace.steps);
        state.descend(rate, pace.weight_decay, |i| objective.decays(i), pace.averaging, &gradient);
        let done = state.record.step;
        let due = done.is_multiple_of(pace.validate_every) || done == pace.steps;
        let validation = due.then(|| objective.validate(&state.average, done)).flatten();
        if let Some(validation) = validation {
            state.keep_if_best(validation);
        }
        if let (true, Some(path)) = (due, control.checkpoint) {
            state.save(path)?;
        }
        let best = state.record.best;
        progress(FeatureProgress { step: done, steps: pace.steps, loss, validation, best });
    }
    if let (true, Some(path)) = (interrupted(), control.checkpoint) {
        state.save(path)?;
    }
    Ok(())
}

/// Error and quietness, gathered drive by drive.
#[derive(Debug, Default)]
pub(super) struct Score {
    squares: f64,
    count: u64,
    change: f64,
    size: f64,
}

impl Score {
    /// Adds a drive's `features[frames][width]` with its angles, of which NaN does not count.
    pub fn add(&mut self, features: &[f32], width: usize, angles: &[f32], steering_rad: impl Fn(&[f32]) -> f32) {
        for (row, angle) in features.chunks_exact(width).zip(angles) {
            if angle.is_finite() {
                self.squares += f64::from(steering_rad(row) - angle).powi(2);
                self.count += 1;
            }
        }
        let later = features.get(width..).unwrap_or_default();
        self.size += later.iter().map(|value| f64::from(*value)).sum::<f64>();
        self.change += features.iter().zip(later).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
    }

    /// `None` where no frame had an angle.
    pub fn after(self, step: u64) -> Option<Validation> {
        let rmse_rad = (self.squares / self.count as f64).sqrt();
        (self.count > 0).then(|| Validation { step, rmse_rad, change: self.change / self.size.max(1e-12) })
    }
}

/// FNV-1a: enough to notice other data.
pub(super) fn fingerprint(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |hash, value| (hash ^ value).wrapping_mul(0x0100_0000_01b3))
}
