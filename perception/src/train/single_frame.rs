//! Training of feature layer and single-frame output on shuffled frames.

use super::checkpoint::State;
use super::head::SingleFrameHead;
use super::joint::features_of;
use super::layer::TrainableLayer;
use super::optimiser::learning_rate;
use super::settings::{Drive, FeatureSettings};
use crate::augment::{normal, uniform};
use crate::error::PerceptionError;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a run is stopped and resumed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Control<'a> {
    /// Read if it exists (the run goes on exactly where it stopped), written at every validation and on interruption.
    pub checkpoint: Option<&'a Path>,
    /// Set it from anywhere to stop after the current step.
    pub interrupt: Option<&'a AtomicBool>,
}

/// The error after some steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Optimiser steps taken.
    pub step: u64,
    /// Over all labelled frames of the validation drives, radians.
    pub rmse_rad: f64,
    /// Mean absolute change of a feature from frame to frame, over the mean feature.
    pub change: f64,
}

/// What the progress callback sees after every step.
#[derive(Debug, Clone, Copy)]
pub struct FeatureProgress {
    /// Steps taken.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// This step's weighted mean squared error, square radians.
    pub loss: f32,
    /// The validation after this step, if there was one.
    pub validation: Option<Validation>,
    /// The best one so far.
    pub best: Option<Validation>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureTraining {
    /// The layer of the best validation; of the last step where there are no validation drives.
    pub layer: TrainableLayer,
    /// Its single-frame output.
    pub head: SingleFrameHead,
    /// The best validation.
    pub best: Option<Validation>,
    /// All validations.
    pub history: Vec<Validation>,
    /// Whether all steps were taken; false after an interruption.
    pub finished: bool,
}

/// Trains a feature layer with a linear steering output on single frames of `training`, and keeps the weights that do best
/// on version 0 of the `validation` drives.
///
/// # Errors
/// [`PerceptionError::Option`] for a setting or where no frame has an angle, [`PerceptionError::Length`] for rows that do
/// not fit, [`PerceptionError::File`] for a checkpoint of another run, [`PerceptionError::Diverged`].
pub fn train_features(
    training: &[Drive],
    validation: &[Drive],
    components: usize,
    settings: &FeatureSettings,
    control: Control<'_>,
    mut progress: impl FnMut(FeatureProgress),
) -> Result<FeatureTraining, PerceptionError> {
    settings.check()?;
    training.iter().chain(validation).try_for_each(|drive| drive.check(components))?;
    let frames = Frames::new(training, settings)?;
    let fingerprint = fingerprint(training, validation);
    let mut net = Net::new(components, settings);
    let mut state = match control.checkpoint.filter(|path| path.exists()) {
        Some(path) => State::load(path, settings, fingerprint, net.parameters.len())?,
        None => net.start(settings, fingerprint),
    };
    let interrupted = || control.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed));
    while state.record.step < settings.steps && !interrupted() {
        let step = state.record.step;
        net.parameters.clone_from(&state.parameters);
        let loss = net.gradient(&frames.draw(step), step, settings);
        if !loss.is_finite() {
            return Err(PerceptionError::Diverged { step, loss });
        }
        state.step(&net, settings);
        let done = state.record.step;
        let due = done % settings.validate_every == 0 || done == settings.steps;
        let validated = due.then(|| net.validate(&mut state, validation)).flatten();
        if let (true, Some(path)) = (due, control.checkpoint) {
            state.save(path)?;
        }
        let best = state.record.best;
        progress(FeatureProgress { step: done, steps: settings.steps, loss, validation: validated, best });
    }
    if let (true, Some(path)) = (interrupted(), control.checkpoint) {
        state.save(path)?;
    }
    let kept = if state.record.best.is_some() { &state.best } else { &state.average };
    let (layer, head) = net.parts(kept);
    let finished = state.record.step >= settings.steps;
    Ok(FeatureTraining { layer, head, best: state.record.best, history: state.record.history, finished })
}

impl State<FeatureSettings> {
    fn step(&mut self, net: &Net, settings: &FeatureSettings) {
        let step = self.record.step;
        let rate = learning_rate(settings.learning_rate, step, settings.steps);
        let (weights, head) = (net.layer.weight_count(), net.layer.parameters().len());
        let decays = |i: usize| i < weights || (head..head + net.layer.features()).contains(&i);
        self.descend(rate, settings.weight_decay, decays, settings.averaging, &net.gradient);
    }
}

/// A training frame's place.
#[derive(Debug, Clone, Copy)]
struct Place {
    drive: usize,
    version: usize,
    frame: usize,
}

/// Draws frames evenly from all labelled frames of all versions.
struct Frames<'a> {
    drives: &'a [Drive],
    seed: u64,
    batch: usize,
    pairs: bool,
    /// Labelled frames, as drive and frame.
    labelled: Vec<(u32, u32)>,
}

impl<'a> Frames<'a> {
    fn new(drives: &'a [Drive], settings: &FeatureSettings) -> Result<Self, PerceptionError> {
        let pairs = settings.quiet_cost > 0.0;
        let mut labelled = Vec::new();
        for (d, drive) in drives.iter().enumerate() {
            let last = drive.frames().saturating_sub(usize::from(pairs));
            let known = (0..last).filter(|frame| drive.versions[0].steering_rad[*frame].is_finite());
            labelled.extend(known.map(|frame| (d as u32, frame as u32)));
        }
        if labelled.is_empty() {
            let (field, found) = ("training drives", "without a steering angle".into());
            return Err(PerceptionError::Option { field, found, expected: "at least one frame with an angle" });
        }
        Ok(Self { drives, seed: settings.seed, batch: settings.batch, pairs, labelled })
    }

    /// The frames of step `step`; with a quiet cost, each is followed by its successor.
    fn draw(&self, step: u64) -> Batch<'a> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(step << 1);
        let mut places = Vec::with_capacity(self.batch);
        while places.len() < self.batch / 2 * 2 {
            let (drive, frame) = self.labelled[rng.next_u64() as usize % self.labelled.len()];
            let (drive, frame) = (drive as usize, frame as usize);
            let version = rng.next_u64() as usize % self.drives[drive].versions.len();
            places.push(Place { drive, version, frame });
            if self.pairs {
                places.push(Place { drive, version, frame: frame + 1 });
            }
        }
        Batch { drives: self.drives, places }
    }
}

struct Batch<'a> {
    drives: &'a [Drive],
    places: Vec<Place>,
}

/// Layer and head with the buffers of a step.
struct Net {
    layer: TrainableLayer,
    /// The layer's parameters, then the head's weights and bias.
    parameters: Vec<f32>,
    gradient: Vec<f32>,
}

impl Net {
    fn new(components: usize, settings: &FeatureSettings) -> Self {
        let layer = TrainableLayer::random(components, settings.features, settings.seed);
        let mut parameters = layer.parameters().to_vec();
        parameters.resize(parameters.len() + settings.features + 1, 0.0);
        Self { layer, gradient: vec![0.0; parameters.len()], parameters }
    }

    fn start(&self, settings: &FeatureSettings, data: u64) -> State<FeatureSettings> {
        let mut parameters = self.parameters.clone();
        // A head of zeros would keep the layer's gradient at zero; small alternating weights do not.
        let head = self.layer.parameters().len();
        for (i, weight) in parameters[head..head + settings.features].iter_mut().enumerate() {
            *weight = if i % 2 == 0 { 0.02 } else { -0.02 };
        }
        State::start(settings.clone(), data, parameters)
    }

    /// Layer and head with the given parameters.
    fn parts(&self, parameters: &[f32]) -> (TrainableLayer, SingleFrameHead) {
        let mut layer = self.layer.clone();
        let (inner, head) = parameters.split_at(layer.parameters().len());
        layer.parameters_mut().copy_from_slice(inner);
        let (weight, bias) = head.split_at(layer.features());
        (layer, SingleFrameHead { weight: weight.to_vec(), bias: bias[0] })
    }

    /// Leaves the gradient of one batch in `self.gradient`; returns the weighted mean squared error.
    fn gradient(&mut self, batch: &Batch<'_>, step: u64, settings: &FeatureSettings) -> f32 {
        let (layer, head) = self.parts(&self.parameters);
        let (components, features, rows) = (layer.components(), layer.features(), batch.places.len());
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        rng.set_stream(step << 1 | 1);
        let mut coordinates = Vec::with_capacity(rows * components);
        let mut angles = Vec::with_capacity(rows);
        for place in &batch.places {
            let (row, angle) = batch.drives[place.drive].row(place.version, place.frame, components);
            angles.push(angle);
            coordinates.extend(row.iter().map(|value| value.to_f32()));
        }
        if settings.input_noise > 0.0 {
            coordinates.iter_mut().for_each(|value| *value += settings.input_noise * normal(&mut rng));
        }
        let mut values = vec![0.0; rows * features];
        layer.forward(&coordinates, &mut values);
        let keep: Vec<f32> = (0..values.len())
            .map(|_| if uniform(&mut rng) < settings.dropout { 0.0 } else { 1.0 / (1.0 - settings.dropout) })
            .collect();
        let mut by_feature = vec![0.0; values.len()];
        self.gradient.fill(0.0);
        let (inner, outer) = self.gradient.split_at_mut(layer.parameters().len());
        let mut loss = 0.0;
        for (row, angle) in angles.iter().enumerate().filter(|(_, angle)| angle.is_finite()) {
            let range = row * features..(row + 1) * features;
            let (values, keep) = (&values[range.clone()], &keep[range.clone()]);
            let found: f32 = (0..features).map(|i| head.weight[i] * values[i] * keep[i]).sum::<f32>() + head.bias;
            let weight = (1.0 + settings.curve_weight * angle.abs()) / rows as f32;
            loss += weight * (found - angle).powi(2);
            let slope = 2.0 * weight * (found - angle);
            for (i, by_feature) in by_feature[range].iter_mut().enumerate() {
                outer[i] += slope * values[i] * keep[i];
                *by_feature = slope * head.weight[i] * keep[i];
            }
            outer[features] += slope;
        }
        if settings.quiet_cost > 0.0 {
            add_quiet_gradient(&values, features, settings.quiet_cost, &mut by_feature);
        }
        layer.backward(&coordinates, &values, &mut by_feature, inner);
        loss
    }

    /// Error of the averaged weights; keeps them where they are the best so far. `None` without labelled frames.
    fn validate(&self, state: &mut State<FeatureSettings>, drives: &[Drive]) -> Option<Validation> {
        let (layer, head) = self.parts(&state.average);
        let (mut squares, mut count, mut change, mut size) = (0.0f64, 0u64, 0.0f64, 0.0f64);
        for drive in drives.iter().filter(|drive| drive.frames() > 0) {
            let features = features_of(&layer, drive, 0);
            let width = layer.features();
            for (row, angle) in features.chunks_exact(width).zip(&drive.versions[0].steering_rad) {
                if angle.is_finite() {
                    squares += f64::from(head.steering_rad(row) - angle).powi(2);
                    count += 1;
                }
            }
            size += features[width..].iter().map(|value| f64::from(*value)).sum::<f64>();
            change += features.iter().zip(&features[width..]).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
        }
        if count == 0 {
            return None;
        }
        let rmse_rad = (squares / count as f64).sqrt();
        let validation = Validation { step: state.record.step, rmse_rad, change: change / size.max(1e-12) };
        state.keep_if_best(validation);
        Some(validation)
    }
}

/// Gradient of `cost * sum |second - first| / sum (first + second)` over pairs of rows; the denominator, which keeps the
/// layer from being quiet by being small, counts as a constant.
fn add_quiet_gradient(values: &[f32], features: usize, cost: f32, by_feature: &mut [f32]) {
    let size: f32 = values.iter().sum::<f32>().max(1e-6);
    for (values, by_feature) in values.chunks_exact(2 * features).zip(by_feature.chunks_exact_mut(2 * features)) {
        for i in 0..features {
            let change = values[features + i] - values[i];
            if change != 0.0 {
                by_feature[features + i] += cost / size * change.signum();
                by_feature[i] -= cost / size * change.signum();
            }
        }
    }
}

/// FNV-1a over sizes and angles: enough to notice other data.
fn fingerprint(training: &[Drive], validation: &[Drive]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |value: u64| hash = (hash ^ value).wrapping_mul(0x0100_0000_01b3);
    for drive in training.iter().chain(validation) {
        for version in &drive.versions {
            add(version.coordinates.len() as u64);
            version.steering_rad.iter().for_each(|angle| add(u64::from(angle.to_bits())));
            version.coordinates.iter().step_by(97).for_each(|value| add(u64::from(value.to_bits())));
        }
    }
    hash
}
