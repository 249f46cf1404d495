//! A whole CNN from scratch on single frames: three strided convolutions, a feature layer and a linear steering output, the
//! front end of the delta network paper. Every frame is drawn in a view of its own (see `augment`).

mod convolution;
mod net;
mod pictures;

pub use pictures::PictureDrive;

use super::checkpoint::State;
use super::optimiser::learning_rate;
use super::single_frame::{Control, FeatureProgress, Validation};
use crate::augment::{DriveAugmentation, View, uniform};
use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::weights::NamedTensor;
use net::Net;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;

/// Threads, and parts of a batch: always the same number, so that sums come out the same on every machine.
const PARTS: usize = 2;
/// Every n-th training frame tells the features' standard deviations.
const STD_STRIDE: usize = 5;
/// Frames in one forward pass outside training.
const BLOCK: usize = 32;

/// Settings of `train cnn`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CnnSettings {
    /// Seed of the start, the order of frames, their views and dropout.
    pub seed: u64,
    /// Outputs of the feature layer.
    pub features: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// Frames a step.
    pub batch: usize,
    /// Versions of each training drive: 1 is as recorded, 2 adds its mirror image, more are altered at random.
    pub versions: u32,
    /// An altered frame's angle turns right by this for each pixel by which the picture was moved to the right.
    pub rad_per_px: f32,
    /// Highest learning rate.
    pub learning_rate: f32,
    /// Decay of all weights, not of biases.
    pub weight_decay: f32,
    /// Share of features that are dropped.
    pub dropout: f32,
    /// An error at angle a counts `1 + curve_weight * |a|` times.
    pub curve_weight: f32,
    /// Share of the averaged weights that stays at each step.
    pub averaging: f32,
    /// Steps between two validations.
    pub validate_every: u64,
}

impl Default for CnnSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            features: 512,
            steps: 300,
            batch: 64,
            versions: 24,
            rad_per_px: 0.003,
            learning_rate: 2e-4,
            weight_decay: 1.0,
            dropout: 0.5,
            curve_weight: 0.0,
            averaging: 0.99,
            validate_every: 25,
        }
    }
}

impl CnnSettings {
    fn check(&self) -> Result<(), PerceptionError> {
        let bad = |field, found: String, expected| Err(PerceptionError::Option { field, found, expected });
        if !(1..=4096).contains(&self.features) {
            return bad("features", self.features.to_string(), "1 to 4096");
        }
        if self.steps == 0 || self.batch == 0 || self.versions == 0 || self.validate_every == 0 {
            let found = format!("{}/{}/{}/{}", self.steps, self.batch, self.versions, self.validate_every);
            return bad("steps/batch/versions/validate_every", found, "at least 1 each");
        }
        for (field, value) in [("dropout", self.dropout), ("averaging", self.averaging)] {
            if !(0.0..1.0).contains(&value) {
                return bad(field, value.to_string(), "0 or more and below 1");
            }
        }
        for (field, value) in [
            ("rad_per_px", self.rad_per_px),
            ("learning_rate", self.learning_rate),
            ("weight_decay", self.weight_decay),
            ("curve_weight", self.curve_weight),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return bad(field, value.to_string(), "a finite number, 0 or more");
            }
        }
        Ok(())
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct CnnTraining {
    /// `trunk.*`, `feature.*` and `single_frame.*` of the best validation; of the last step where there are no validation
    /// drives. They belong to [`PerceptionConfig::strided`].
    pub tensors: Vec<NamedTensor>,
    /// The best validation.
    pub best: Option<Validation>,
    /// Whether all steps were taken; false after an interruption.
    pub finished: bool,
}

/// Trains the CNN on single frames of `training`, and keeps the weights that do best on the `validation` drives as recorded.
/// The drives were made with [`PerceptionConfig::strided`], whose feature count is that of `settings`.
///
/// # Errors
/// [`PerceptionError::Option`] for a setting or where no frame has an angle, [`PerceptionError::File`] for a checkpoint of
/// another run, [`PerceptionError::Diverged`].
pub fn train_cnn(
    training: &[PictureDrive],
    validation: &[PictureDrive],
    settings: &CnnSettings,
    control: Control<'_>,
    mut progress: impl FnMut(FeatureProgress),
) -> Result<CnnTraining, PerceptionError> {
    settings.check()?;
    let config = PerceptionConfig::strided(settings.features);
    let trainer = Trainer::new(training, &config, settings)?;
    let data = fingerprint(training.iter().chain(validation));
    let mut state = match control.checkpoint.filter(|path| path.exists()) {
        Some(path) => State::load(path, settings, data, trainer.net.parameter_count())?,
        None => State::start(settings.clone(), data, trainer.net.start(settings.seed)),
    };
    let decays = trainer.net.decays();
    let interrupted = || control.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed));
    while state.record.step < settings.steps && !interrupted() {
        let step = state.record.step;
        let (gradient, loss) = trainer.gradient(&state.parameters, step);
        if !loss.is_finite() {
            return Err(PerceptionError::Diverged { step, loss });
        }
        let rate = learning_rate(settings.learning_rate, step, settings.steps);
        state.descend(rate, settings.weight_decay, |i| decays[i], settings.averaging, &gradient);
        let done = state.record.step;
        let due = done % settings.validate_every == 0 || done == settings.steps;
        let validated = due.then(|| trainer.validate(&state.average, done, validation)).flatten();
        if let Some(validation) = validated {
            state.keep_if_best(validation);
        }
        if let (true, Some(path)) = (due, control.checkpoint) {
            state.save(path)?;
        }
        let best = state.record.best;
        progress(FeatureProgress { step: done, steps: settings.steps, loss, validation: validated, best });
    }
    let finished = state.record.step >= settings.steps;
    if let (false, Some(path)) = (finished, control.checkpoint) {
        state.save(path)?;
    }
    let kept = if state.record.best.is_some() { &state.best } else { &state.average };
    let std = if finished { trainer.deviations(kept) } else { vec![1.0; settings.features] };
    Ok(CnnTraining { tensors: trainer.net.tensors(kept, &std), best: state.record.best, finished })
}

/// The net with what it learns from.
struct Trainer<'a> {
    net: Net,
    config: &'a PerceptionConfig,
    settings: &'a CnnSettings,
    drives: &'a [PictureDrive],
    /// `[drive][version]`
    views: Vec<Vec<DriveAugmentation>>,
    /// Labelled frames, as drive and frame.
    labelled: Vec<(usize, usize)>,
}

impl<'a> Trainer<'a> {
    fn new(
        drives: &'a [PictureDrive],
        config: &'a PerceptionConfig,
        settings: &'a CnnSettings,
    ) -> Result<Self, PerceptionError> {
        let mut labelled = Vec::new();
        for (d, drive) in drives.iter().enumerate() {
            let known = (0..drive.frames()).filter(|frame| drive.steering_rad()[*frame].is_finite());
            labelled.extend(known.map(|frame| (d, frame)));
        }
        if labelled.is_empty() {
            let (field, found) = ("training drives", "without a steering angle".into());
            return Err(PerceptionError::Option { field, found, expected: "at least one frame with an angle" });
        }
        let views = |(d, drive): (usize, &PictureDrive)| {
            let seed = settings.seed ^ (d as u64) << 32;
            (0..settings.versions).map(|version| DriveAugmentation::new(seed, version, drive.frames())).collect()
        };
        let views = drives.iter().enumerate().map(views).collect();
        Ok(Self { net: Net::new(config), config, settings, drives, views, labelled })
    }

    /// A frame in a view, normalised.
    fn picture(&self, drive: &PictureDrive, frame: usize, view: &View) -> Vec<f32> {
        let (mean, scale) = (self.config.pixel_mean, self.config.pixel_scale);
        drive.wide(frame).render(view).into_iter().map(|value| (value - mean) / scale).collect()
    }

    /// Gradient and weighted mean squared error of one batch.
    fn gradient(&self, parameters: &[f32], step: u64) -> (Vec<f32>, f32) {
        let mut parts: Vec<(Vec<f32>, f32)> = std::thread::scope(|scope| {
            let work = |part| scope.spawn(move || self.part(parameters, step, part));
            let threads: Vec<_> = (0..PARTS).map(work).collect();
            // A fault in a thread is one here.
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        assert!(parts.len() == PARTS, "a thread of the training stopped by a fault");
        let (mut gradient, mut loss) = parts.swap_remove(0);
        for (more, part_loss) in &parts {
            gradient.iter_mut().zip(more).for_each(|(sum, value)| *sum += value);
            loss += part_loss;
        }
        (gradient, loss)
    }

    /// One part of a batch.
    fn part(&self, parameters: &[f32], step: u64, part: usize) -> (Vec<f32>, f32) {
        let (net, settings) = (&self.net, self.settings);
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        rng.set_stream(step * PARTS as u64 + part as u64);
        let rows = (settings.batch + part) / PARTS;
        let (mut pictures, mut angles) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for _ in 0..rows {
            let (drive, frame) = self.labelled[rng.next_u64() as usize % self.labelled.len()];
            let version = rng.next_u64() as usize % self.views[drive].len();
            let view = self.views[drive][version].view(frame);
            let recorded = self.drives[drive].steering_rad()[frame];
            angles.push(view.steering_rad(recorded, settings.rad_per_px));
            pictures.push(self.picture(&self.drives[drive], frame, &view));
        }
        let pass = net.forward(parameters, pictures);
        let keep: Vec<f32> = (0..pass.features.len())
            .map(|_| if uniform(&mut rng) < settings.dropout { 0.0 } else { 1.0 / (1.0 - settings.dropout) })
            .collect();
        let (mut loss, mut slopes) = (0.0, Vec::with_capacity(rows));
        let width = net.features();
        for ((features, keep), angle) in pass.features.chunks_exact(width).zip(keep.chunks_exact(width)).zip(&angles) {
            let kept: Vec<f32> = features.iter().zip(keep).map(|(feature, keep)| feature * keep).collect();
            let miss = net.steering_rad(parameters, &kept) - angle;
            let weight = (1.0 + settings.curve_weight * angle.abs()) / settings.batch as f32;
            loss += weight * miss * miss;
            slopes.push(2.0 * weight * miss);
        }
        let mut gradient = vec![0.0; parameters.len()];
        net.backward(parameters, &pass, &keep, &slopes, &mut gradient);
        (gradient, loss)
    }

    /// Features of the chosen frames of a drive as recorded, a block of rows at a time.
    fn features(&self, parameters: &[f32], drive: &PictureDrive, frames: &[usize], mut use_rows: impl FnMut(&[f32])) {
        for block in frames.chunks(BLOCK) {
            let pictures = block.iter().map(|&frame| self.picture(drive, frame, &View::default())).collect();
            use_rows(&self.net.forward(parameters, pictures).features);
        }
    }

    /// Error of `parameters` on all labelled frames; `None` without any.
    fn validate(&self, parameters: &[f32], step: u64, drives: &[PictureDrive]) -> Option<Validation> {
        let width = self.net.features();
        let (mut squares, mut count, mut change, mut size) = (0.0f64, 0u64, 0.0f64, 0.0f64);
        for drive in drives {
            let frames: Vec<usize> = (0..drive.frames()).collect();
            let mut features = Vec::with_capacity(frames.len() * width);
            self.features(parameters, drive, &frames, |rows| features.extend_from_slice(rows));
            for (row, angle) in features.chunks_exact(width).zip(drive.steering_rad()) {
                if angle.is_finite() {
                    squares += f64::from(self.net.steering_rad(parameters, row) - angle).powi(2);
                    count += 1;
                }
            }
            let later = features.get(width..).unwrap_or_default();
            size += later.iter().map(|value| f64::from(*value)).sum::<f64>();
            change += features.iter().zip(later).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
        }
        let rmse_rad = (squares / count as f64).sqrt();
        (count > 0).then(|| Validation { step, rmse_rad, change: change / size.max(1e-12) })
    }

    /// Standard deviation of each feature over training frames as recorded; 1 where a feature never moves.
    fn deviations(&self, parameters: &[f32]) -> Vec<f32> {
        let width = self.net.features();
        let (mut sums, mut squares, mut count) = (vec![0.0f64; width], vec![0.0f64; width], 0.0f64);
        for drive in self.drives {
            let frames: Vec<usize> = (0..drive.frames()).step_by(STD_STRIDE).collect();
            self.features(parameters, drive, &frames, |rows| {
                for row in rows.chunks_exact(width) {
                    count += 1.0;
                    for (i, value) in row.iter().enumerate() {
                        sums[i] += f64::from(*value);
                        squares[i] += f64::from(*value).powi(2);
                    }
                }
            });
        }
        let std = |(sum, square): (&f64, &f64)| (square / count - (sum / count).powi(2)).max(0.0).sqrt() as f32;
        sums.iter().zip(&squares).map(std).map(|std| if std > 1e-6 { std } else { 1.0 }).collect()
    }
}

/// FNV-1a over frames and angles: enough to notice other data.
fn fingerprint<'a>(drives: impl Iterator<Item = &'a PictureDrive>) -> u64 {
    let angles = drives.flat_map(|drive| drive.steering_rad().iter().map(|angle| u64::from(angle.to_bits())));
    angles.fold(0xcbf2_9ce4_8422_2325u64, |hash, value| (hash ^ value).wrapping_mul(0x0100_0000_01b3))
}
