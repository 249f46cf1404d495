//! Training of feature layer and single-frame output on shuffled frames.

use super::checkpoint::State;
use super::descent::{self, Objective, Pace, Score, descend};
use super::head::SingleFrameHead;
use super::joint::features_of;
use super::layer::TrainableLayer;
use super::settings::{Drive, FeatureSettings};
use crate::augment::{normal, uniform};
use crate::error::PerceptionError;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::AtomicBool;

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
    progress: impl FnMut(FeatureProgress),
) -> Result<FeatureTraining, PerceptionError> {
    settings.check()?;
    training.iter().chain(validation).try_for_each(|drive| drive.check(components))?;
    let frames = Frames::new(training, settings)?;
    let net = Net::new(components, settings);
    let data = fingerprint(training, validation);
    let mut state = State::open(control.checkpoint, settings, data, net.start())?;
    let pace = Pace {
        steps: settings.steps,
        learning_rate: settings.learning_rate,
        weight_decay: settings.weight_decay,
        averaging: settings.averaging,
        validate_every: settings.validate_every,
    };
    descend(&mut state, &Trainer { net: &net, frames, validation, settings }, pace, control, progress)?;
    let (layer, head) = net.parts(state.kept());
    let finished = state.record.step >= settings.steps;
    Ok(FeatureTraining { layer, head, best: state.record.best, history: state.record.history, finished })
}

/// Layer and head with what they learn from.
struct Trainer<'a> {
    net: &'a Net,
    frames: Frames<'a>,
    validation: &'a [Drive],
    settings: &'a FeatureSettings,
}

impl Objective for Trainer<'_> {
    fn gradient(&self, parameters: &[f32], step: u64, gradient: &mut [f32]) -> f32 {
        self.net.gradient(parameters, &self.frames.draw(step), step, self.settings, gradient)
    }

    fn decays(&self, parameter: usize) -> bool {
        let layer = &self.net.layer;
        let head = layer.parameters().len();
        parameter < layer.weight_count() || (head..head + layer.features()).contains(&parameter)
    }

    fn validate(&self, parameters: &[f32], step: u64) -> Option<Validation> {
        let (layer, head) = self.net.parts(parameters);
        let mut score = Score::default();
        for drive in self.validation.iter().filter(|drive| drive.frames() > 0) {
            let (features, angles) = (features_of(&layer, drive, 0), &drive.versions[0].steering_rad);
            score.add(&features, layer.features(), angles, |row| head.steering_rad(row));
        }
        score.after(step)
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

/// The shapes of layer and head. Parameters are the layer's, then the head's weights and bias.
struct Net {
    /// As it starts.
    layer: TrainableLayer,
}

impl Net {
    fn new(components: usize, settings: &FeatureSettings) -> Self {
        Self { layer: TrainableLayer::random(components, settings.features, settings.seed) }
    }

    /// A head of zeros would keep the layer's gradient at zero; small alternating weights do not.
    fn start(&self) -> Vec<f32> {
        let head = (0..self.layer.features()).map(|i| if i % 2 == 0 { 0.02 } else { -0.02 });
        self.layer.parameters().iter().copied().chain(head).chain([0.0]).collect()
    }

    /// Layer and head with the given parameters.
    fn parts(&self, parameters: &[f32]) -> (TrainableLayer, SingleFrameHead) {
        let mut layer = self.layer.clone();
        let (inner, head) = parameters.split_at(layer.parameters().len());
        layer.parameters_mut().copy_from_slice(inner);
        let (weight, bias) = head.split_at(layer.features());
        (layer, SingleFrameHead { weight: weight.to_vec(), bias: bias[0] })
    }

    /// Adds the gradient of one batch to `gradient`; returns the weighted mean squared error.
    fn gradient(
        &self,
        parameters: &[f32],
        batch: &Batch<'_>,
        step: u64,
        settings: &FeatureSettings,
        gradient: &mut [f32],
    ) -> f32 {
        let (layer, head) = self.parts(parameters);
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
        let (inner, outer) = gradient.split_at_mut(layer.parameters().len());
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

/// Over sizes, angles and some coordinates.
fn fingerprint(training: &[Drive], validation: &[Drive]) -> u64 {
    let versions = training.iter().chain(validation).flat_map(|drive| &drive.versions);
    descent::fingerprint(versions.flat_map(|version| {
        let angles = version.steering_rad.iter().map(|angle| u64::from(angle.to_bits()));
        let coordinates = version.coordinates.iter().step_by(97).map(|value| u64::from(value.to_bits()));
        std::iter::once(version.coordinates.len() as u64).chain(angles).chain(coordinates)
    }))
}
