//! The delta network paper's front end from scratch on single frames; every frame is drawn in a view of its own.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use deltasteer_perception::augment::{DriveAugmentation, View, WidePicture};
use deltasteer_perception::train::{OptimiserStep, TrainableCnn};
use deltasteer_perception::{CellExtractor, NamedTensors, PerceptionConfig};
use deltasteer_temporal::train::stream_of;
use ndarray::{Array1, Array2};
use rand::Rng;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::part::Part;
use crate::output;
use crate::session::read_frames;

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
    /// Decay of weights, not of biases, per unit of learning rate.
    pub weight_decay: f32,
    /// Share of features that are dropped.
    pub dropout: f32,
    /// Share of the averaged weights that stays at each step.
    pub ema_decay: f32,
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
            ema_decay: 0.99,
            validate_every: 25,
        }
    }
}

impl CnnSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> anyhow::Result<()> {
        for (field, value) in [
            ("features", self.features as u64),
            ("steps", self.steps),
            ("batch", self.batch as u64),
            ("versions", u64::from(self.versions)),
            ("validate_every", self.validate_every),
        ] {
            anyhow::ensure!(value >= 1, "{field} is {value}; expected at least 1");
        }
        for (field, value) in [("dropout", self.dropout), ("ema_decay", self.ema_decay)] {
            anyhow::ensure!((0.0..1.0).contains(&value), "{field} is {value}; expected 0 or more and below 1");
        }
        for (field, value) in [
            ("rad_per_px", self.rad_per_px),
            ("learning_rate", self.learning_rate),
            ("weight_decay", self.weight_decay),
        ] {
            let good = value.is_finite() && value >= 0.0;
            anyhow::ensure!(good, "{field} is {value}; expected a finite number, 0 or more");
        }
        Ok(())
    }

    /// Linear warm-up over 50 steps, then a cosine down to zero.
    fn rate(&self, step: u64) -> f32 {
        let warm_up = 50.min(self.steps / 2);
        if step < warm_up {
            return self.learning_rate * (step + 1) as f32 / warm_up as f32;
        }
        let done = (step - warm_up) as f64 / (self.steps - warm_up).max(1) as f64;
        self.learning_rate * (0.5 * (1.0 + (std::f64::consts::PI * done).cos())) as f32
    }
}

/// The frames of a drive in memory, resized as the network sees them with the margin that altered views need.
pub struct PictureDrive {
    frames: Vec<WidePicture>,
    /// One angle a frame, radians, positive to the left; NaN where there is none.
    steering_rad: Vec<f32>,
}

impl PictureDrive {
    /// Reads the frames of a part of a drive.
    ///
    /// # Errors
    /// A source that fails or holds no readable frame, or an interruption.
    pub fn read(
        mut part: Part,
        extractor: &mut CellExtractor,
        stop: &AtomicBool,
        mut read: impl FnMut(),
    ) -> anyhow::Result<Self> {
        let mut drive = Self { frames: Vec::new(), steering_rad: Vec::new() };
        let stop = (stop, "interrupted while frames were read");
        read_frames(part.source.as_mut(), part.range, stop, |frame| {
            drive.frames.push(extractor.wide_picture(frame.image.view())?);
            let angle = part.info.steering_true_rad.get(frame.index).copied().flatten();
            drive.steering_rad.push(angle.unwrap_or(f32::NAN));
            read();
            Ok(true)
        })
        .with_context(|| part.name.clone())?;
        anyhow::ensure!(!drive.frames.is_empty(), "{}: not one frame could be read", part.name);
        Ok(drive)
    }
}

/// The error after some steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Optimiser steps taken.
    pub step: u64,
    /// Over all labelled frames of the validation drives, radians.
    pub rmse_rad: f64,
}

/// Everything of a training besides the weights, kept in its checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    settings: CnnSettings,
    /// Frames and a hash of the angles.
    data: (usize, u64),
    step: u64,
    best: Option<Validation>,
}

/// A training on single frames.
pub struct CnnTraining<'a> {
    settings: &'a CnnSettings,
    training: &'a [PictureDrive],
    validation: &'a [PictureDrive],
    /// `[drive][version]`
    views: Vec<Vec<DriveAugmentation>>,
    /// Labelled frames, as drive and frame.
    labelled: Vec<(usize, usize)>,
    cnn: TrainableCnn,
    record: Record,
    /// The weights of the best validation.
    best: Vec<u8>,
}

/// What is told after every step: the step, its loss, and its validation if there was one.
pub type OnStep<'a> = dyn FnMut(u64, f32, Option<Validation>) + 'a;

impl<'a> CnnTraining<'a> {
    /// A training from the start, or from what `checkpoint` holds if it exists.
    ///
    /// # Errors
    /// Drives without an angle, or a checkpoint of other settings or drives.
    pub fn open(
        settings: &'a CnnSettings,
        training: &'a [PictureDrive],
        validation: &'a [PictureDrive],
        checkpoint: &Path,
    ) -> anyhow::Result<Self> {
        let mut labelled = Vec::new();
        for (d, drive) in training.iter().enumerate() {
            let known = (0..drive.frames.len()).filter(|&frame| drive.steering_rad[frame].is_finite());
            labelled.extend(known.map(|frame| (d, frame)));
        }
        anyhow::ensure!(!labelled.is_empty(), "the training drives hold no frame with an angle");
        let views = |(d, drive): (usize, &PictureDrive)| {
            let seed = settings.seed ^ (d as u64) << 32;
            (0..settings.versions).map(|version| DriveAugmentation::new(seed, version, drive.frames.len())).collect()
        };
        let angles = training.iter().chain(validation).flat_map(|drive| &drive.steering_rad);
        // FNV-1a: enough to notice other drives.
        let hash = |hash: u64, angle: &f32| (hash ^ u64::from(angle.to_bits())).wrapping_mul(0x0100_0000_01b3);
        let data = (angles.clone().count(), angles.fold(0xcbf2_9ce4_8422_2325, hash));
        let mut opened = Self {
            settings,
            training,
            validation,
            views: training.iter().enumerate().map(views).collect(),
            labelled,
            cnn: TrainableCnn::new(&PerceptionConfig::strided(settings.features), settings.seed)?,
            record: Record { settings: settings.clone(), data, step: 0, best: None },
            best: Vec::new(),
        };
        if checkpoint.exists() {
            opened.load(checkpoint).with_context(|| checkpoint.display().to_string())?;
        }
        Ok(opened)
    }

    /// Takes the steps that are left; writes the checkpoint at every validation. False after an interruption.
    ///
    /// # Errors
    /// A loss that is no longer finite (the checkpoint holds the last good state), or a checkpoint that cannot be written.
    pub fn run(&mut self, checkpoint: &Path, stop: &AtomicBool, on_step: &mut OnStep<'_>) -> anyhow::Result<bool> {
        while self.record.step < self.settings.steps {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let loss = self.step()?;
            anyhow::ensure!(loss.is_finite(), "the loss of step {} is {loss}: the training diverged", self.record.step);
            self.record.step += 1;
            let step = self.record.step;
            let due = step.is_multiple_of(self.settings.validate_every) || step == self.settings.steps;
            let validation = if due { self.validate()? } else { None };
            if due {
                self.save(checkpoint, validation)?;
            }
            on_step(step, loss, validation);
        }
        Ok(true)
    }

    /// The tensors of the best validation (of the last step where there are no validation drives), and that validation.
    ///
    /// # Errors
    /// candle's.
    pub fn finish(mut self) -> anyhow::Result<(NamedTensors, Option<Validation>)> {
        if self.record.best.is_some() {
            self.cnn.restore(&self.best)?;
        }
        let (mut sums, mut squares) =
            (Array1::<f64>::zeros(self.settings.features), Array1::zeros(self.settings.features));
        let mut count = 0.0;
        for drive in self.training {
            let frames: Vec<usize> = (0..drive.frames.len()).step_by(STD_STRIDE).collect();
            self.over(drive, &frames, |features, _| {
                let features = features.mapv(f64::from);
                sums += &features.sum_axis(ndarray::Axis(0));
                squares += &features.mapv(|value| value * value).sum_axis(ndarray::Axis(0));
                count += features.nrows() as f64;
            })?;
        }
        // A feature that never moves is not divided.
        let variance = squares / count - (sums / count).mapv(|mean| mean * mean);
        let std = variance.mapv(|variance: f64| if variance > 1e-12 { variance.sqrt() as f32 } else { 1.0 });
        Ok((self.cnn.tensors(std)?, self.record.best))
    }

    fn step(&mut self) -> anyhow::Result<f32> {
        let (settings, step) = (self.settings, self.record.step);
        let mut rng = stream_of(settings.seed, step);
        let (mut pictures, mut angles) = (Vec::with_capacity(settings.batch), Vec::with_capacity(settings.batch));
        for _ in 0..settings.batch {
            let (d, frame) = self.labelled[rng.random_range(0..self.labelled.len())];
            let drive = &self.training[d];
            let version = rng.random_range(0..self.views[d].len());
            let view = self.views[d][version].view(frame);
            angles.push(view.steering_rad(drive.steering_rad[frame], settings.rad_per_px));
            pictures.push(self.cnn.picture(&drive.frames[frame], &view));
        }
        let kept = 1.0 / (1.0 - settings.dropout);
        let keep = |_| if rng.random::<f32>() < settings.dropout { 0.0 } else { kept };
        let dropout = Array2::from_shape_fn((settings.batch, settings.features), keep);
        let weights = Array1::from_elem(settings.batch, 1.0 / settings.batch as f32);
        // Early steps weigh more in the average, so that it does not remember the random start.
        let keep = settings.ema_decay.min((1.0 + step as f32) / (10.0 + step as f32));
        let optimiser = OptimiserStep { rate: settings.rate(step), decay: settings.weight_decay, scale: 1.0, keep };
        let angles = Array1::from(angles);
        Ok(self.cnn.step(&pictures, angles.view(), weights.view(), dropout.view(), optimiser)?)
    }

    fn validate(&mut self) -> anyhow::Result<Option<Validation>> {
        let (mut squares, mut count) = (0.0, 0u64);
        for drive in self.validation {
            let frames: Vec<usize> =
                (0..drive.frames.len()).filter(|&frame| drive.steering_rad[frame].is_finite()).collect();
            let mut labels = frames.iter().map(|&frame| f64::from(drive.steering_rad[frame]));
            self.over(drive, &frames, |_, angles| {
                for (angle, label) in angles.iter().zip(labels.by_ref().take(angles.len())) {
                    squares += (f64::from(*angle) - label).powi(2);
                    count += 1;
                }
            })?;
        }
        let validation = Validation { step: self.record.step, rmse_rad: (squares / count.max(1) as f64).sqrt() };
        Ok((count > 0).then_some(validation))
    }

    /// Features and angles of the chosen frames of a drive as recorded, a block at a time.
    fn over(
        &self,
        drive: &PictureDrive,
        frames: &[usize],
        mut take: impl FnMut(Array2<f32>, Array1<f32>),
    ) -> anyhow::Result<()> {
        for block in frames.chunks(BLOCK) {
            let picture = |&frame: &usize| self.cnn.picture(&drive.frames[frame], &View::default());
            let (features, angles) = self.cnn.features(&block.iter().map(picture).collect::<Vec<_>>())?;
            take(features, angles);
        }
        Ok(())
    }

    fn save(&mut self, path: &Path, validation: Option<Validation>) -> anyhow::Result<()> {
        let weights = self.cnn.save()?;
        let before = self.record.best.map_or(f64::INFINITY, |best| best.rmse_rad);
        if let Some(better) = validation.filter(|validation| validation.rmse_rad < before) {
            self.record.best = Some(better);
            self.best.clone_from(&weights);
        }
        let views = [("weights", &weights), ("best", &self.best)];
        let views = views.map(|(name, bytes)| Ok((name, TensorView::new(Dtype::U8, vec![bytes.len()], bytes)?)));
        let views = views.into_iter().collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        let header = [("training".to_owned(), serde_json::to_string(&self.record)?)].into();
        output::write_whole(path, &safetensors::serialize(views, Some(header))?)
    }

    fn load(&mut self, path: &Path) -> anyhow::Result<()> {
        let bytes = std::fs::read(path)?;
        let (_, header) = SafeTensors::read_metadata(&bytes)?;
        let json = header.metadata().as_ref().and_then(|header| header.get("training"));
        let record: Record = serde_json::from_str(json.context("holds no training record")?)?;
        if record.settings != self.record.settings {
            bail!("was written with other settings; give the same ones or another folder");
        }
        if record.data != self.record.data {
            bail!("was written for other drives; give the same ones or another folder");
        }
        let tensors = SafeTensors::deserialize(&bytes)?;
        self.cnn.restore(tensors.tensor("weights")?.data())?;
        self.best = tensors.tensor("best")?.data().to_vec();
        self.record = record;
        Ok(())
    }
}
