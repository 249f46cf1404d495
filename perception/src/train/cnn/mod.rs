//! A whole CNN from scratch on single frames: three strided convolutions, a feature layer and a linear steering output, the
//! front end of the delta network paper. Every frame is drawn in a view of its own (see `augment`).

mod convolution;
mod net;
mod pictures;

pub use pictures::PictureDrive;

use super::checkpoint::State;
use super::descent::{Objective, Pace, Score, descend, fingerprint};
use super::deviations::Deviations;
use super::single_frame::{Control, FeatureProgress, Validation};
use crate::augment::{DriveAugmentation, View, uniform};
use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::weights::NamedTensor;
use net::Net;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

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
    progress: impl FnMut(FeatureProgress),
) -> Result<CnnTraining, PerceptionError> {
    settings.check()?;
    let config = PerceptionConfig::strided(settings.features);
    let trainer = Trainer::new(training, validation, &config, settings)?;
    // Frames and angles.
    let angles = training.iter().chain(validation).flat_map(PictureDrive::steering_rad);
    let data = fingerprint(angles.map(|angle| u64::from(angle.to_bits())));
    let start = trainer.net.start(settings.seed);
    let mut state = State::open(control.checkpoint, settings, data, start)?;
    let pace = Pace {
        steps: settings.steps,
        learning_rate: settings.learning_rate,
        weight_decay: settings.weight_decay,
        averaging: settings.averaging,
        validate_every: settings.validate_every,
    };
    descend(&mut state, &trainer, pace, control, progress)?;
    let (kept, finished) = (state.kept(), state.record.step >= settings.steps);
    let std = if finished { trainer.deviations(kept) } else { vec![1.0; settings.features] };
    Ok(CnnTraining { tensors: trainer.net.tensors(kept, &std), best: state.record.best, finished })
}

/// The net with what it learns from.
struct Trainer<'a> {
    net: Net,
    decays: Vec<bool>,
    config: &'a PerceptionConfig,
    settings: &'a CnnSettings,
    drives: &'a [PictureDrive],
    validation: &'a [PictureDrive],
    /// `[drive][version]`
    views: Vec<Vec<DriveAugmentation>>,
    /// Labelled frames, as drive and frame.
    labelled: Vec<(usize, usize)>,
}

impl<'a> Trainer<'a> {
    fn new(
        drives: &'a [PictureDrive],
        validation: &'a [PictureDrive],
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
        let net = Net::new(config);
        let decays = net.decays();
        Ok(Self { net, decays, config, settings, drives, validation, views, labelled })
    }

    /// A frame in a view, normalised.
    fn picture(&self, drive: &PictureDrive, frame: usize, view: &View) -> Vec<f32> {
        let (mean, scale) = (self.config.pixel_mean, self.config.pixel_scale);
        drive.wide(frame).render(view).into_iter().map(|value| (value - mean) / scale).collect()
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

    /// Standard deviation of each feature over training frames as recorded; 1 where a feature never moves.
    fn deviations(&self, parameters: &[f32]) -> Vec<f32> {
        let mut deviations = Deviations::new(self.net.features());
        for drive in self.drives {
            let frames: Vec<usize> = (0..drive.frames()).step_by(STD_STRIDE).collect();
            self.features(parameters, drive, &frames, |rows| deviations.add(rows));
        }
        deviations.std()
    }
}

impl Objective for Trainer<'_> {
    fn gradient(&self, parameters: &[f32], step: u64, gradient: &mut [f32]) -> f32 {
        let parts: Vec<(Vec<f32>, f32)> = std::thread::scope(|scope| {
            let work = |part| scope.spawn(move || self.part(parameters, step, part));
            let threads: Vec<_> = (0..PARTS).map(work).collect();
            // A fault in a thread is one here.
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        assert!(parts.len() == PARTS, "a thread of the training stopped by a fault");
        for (part, _) in &parts {
            gradient.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        }
        parts.iter().map(|(_, loss)| loss).sum()
    }

    fn decays(&self, parameter: usize) -> bool {
        self.decays[parameter]
    }

    fn validate(&self, parameters: &[f32], step: u64) -> Option<Validation> {
        let mut score = Score::default();
        for drive in self.validation {
            let frames: Vec<usize> = (0..drive.frames()).collect();
            let mut features = Vec::with_capacity(frames.len() * self.net.features());
            self.features(parameters, drive, &frames, |rows| features.extend_from_slice(rows));
            let steering_rad = |row: &[f32]| self.net.steering_rad(parameters, row);
            score.add(&features, self.net.features(), drive.steering_rad(), steering_rad);
        }
        score.after(step)
    }
}
