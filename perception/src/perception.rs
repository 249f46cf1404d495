//! Frames to features: pre-processing, trunk and feature layer behind one door.

use crate::augment::{View, WidePicture};
use crate::config::PerceptionConfig;
use crate::delta::{DeltaCnn, LayerWork};
use crate::error::{PerceptionError, check_length};
use crate::feature::{self, FeatureLayer};
use crate::kernels::InstructionSet;
use crate::preprocess::Preprocessor;
use crate::trunk::{Meter, Trunk, layout};
use crate::weights::Weights;

/// The exact work of one frame, in multiply-accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CnnWork {
    /// What a dense network does.
    pub macs_dense: u64,
    /// What was done.
    pub macs: u64,
}

/// A loaded front end with its scratch memory; one instance a thread.
#[derive(Debug)]
pub struct Perception {
    config: PerceptionConfig,
    front: Front,
    layer: FeatureLayer,
    pooled: Vec<f32>,
}

/// Pre-processing, trunk and averaging alone: what the caches for training need, before there is a feature layer.
#[derive(Debug)]
pub struct Front {
    config: PerceptionConfig,
    preprocessor: Preprocessor,
    trunk: Trunk,
    /// Runs instead of the trunk where frames are worked on by their changes.
    delta: Option<DeltaCnn>,
    picture: Vec<f32>,
    /// Frames seen since the last reset.
    frames: usize,
    /// Work on the last frame.
    macs: u64,
}

impl Front {
    /// Loads `trunk.*` from safetensors bytes.
    ///
    /// # Errors
    /// A field of `config`, or a tensor that is missing, has another shape or holds a value that is not finite.
    pub fn load(tensors: &[u8], config: &PerceptionConfig) -> Result<Self, PerceptionError> {
        Self::load_for(tensors, config, InstructionSet::best())
    }

    /// As [`Front::load`], for a given instruction set of this CPU.
    ///
    /// # Errors
    /// As [`Front::load`].
    pub fn load_for(tensors: &[u8], config: &PerceptionConfig, set: InstructionSet) -> Result<Self, PerceptionError> {
        config.validate()?;
        let trunk = Trunk::load(&Weights::parse(tensors)?, config, set)?;
        let macs = layout::macs_by_layer(config).iter().map(|(_, macs)| macs).sum();
        let preprocessor = Preprocessor::new(config, set);
        Ok(Self { config: config.clone(), preprocessor, trunk, delta: None, picture: Vec::new(), frames: 0, macs })
    }

    /// As [`Front::load`], to be run on changes between frames with the configuration's `delta_thresholds` (all zero where
    /// it has none) and `delta_every`. Frames must then come in order, with [`Front::reset`] before each drive.
    ///
    /// # Errors
    /// As [`Front::load`], and [`PerceptionError::Config`] where the trunk cannot run so.
    pub fn load_delta(tensors: &[u8], config: &PerceptionConfig) -> Result<Self, PerceptionError> {
        config.check_runs_on_changes()?;
        let mut front = Self::load(tensors, config)?;
        front.use_delta(tensors, false)?;
        Ok(front)
    }

    fn use_delta(&mut self, tensors: &[u8], with_features: bool) -> Result<(), PerceptionError> {
        let weights = Weights::parse(tensors)?;
        self.delta = Some(DeltaCnn::load(&weights, &self.config, InstructionSet::best(), with_features)?);
        self.picture = vec![0.0; self.config.input_width * self.config.input_height * 3];
        Ok(())
    }

    /// Forgets earlier frames; only a CNN that runs on changes has any.
    pub fn reset(&mut self) {
        self.frames = 0;
        if let Some(delta) = &mut self.delta {
            delta.reset();
        }
    }

    /// Work of each layer since loading or the last reset; empty unless it runs on changes.
    pub fn delta_work(&self) -> Vec<LayerWork> {
        self.delta.as_ref().map_or_else(Vec::new, DeltaCnn::work)
    }

    /// The configuration it was loaded with.
    pub fn config(&self) -> &PerceptionConfig {
        &self.config
    }

    /// Runs the trunk on one thread (as it does after loading) or on two.
    ///
    /// # Errors
    /// [`PerceptionError::Option`] where `threads` is neither 1 nor 2 or the system refuses another thread.
    pub fn set_threads(&mut self, threads: usize) -> Result<(), PerceptionError> {
        let bad =
            |found| PerceptionError::Option { field: "threads", found, expected: "1, or 2 where the system has room" };
        if !(1..=2).contains(&threads) {
            return Err(bad(threads.to_string()));
        }
        self.trunk.set_threads(threads).map_err(|error| bad(format!("{threads} ({error})")))
    }

    /// Cells of one frame, `[channel][cells_down][cells_across]`; `rgb` is `[height][width][3]`.
    ///
    /// # Errors
    /// [`PerceptionError::Image`] or [`PerceptionError::Length`].
    pub fn pooled(
        &mut self,
        rgb: &[u8],
        width: usize,
        height: usize,
        pooled: &mut [f32],
    ) -> Result<(), PerceptionError> {
        check_length("the pooled buffer", pooled.len(), self.config.pooled_count())?;
        if let Some(delta) = &mut self.delta {
            if self.frames.is_multiple_of(self.config.delta_every) {
                self.preprocessor.run(rgb, width, height, &mut self.picture, self.config.input_width * 3)?;
                self.macs = delta.run(&self.picture);
            } else {
                self.macs = 0;
            }
            self.frames += 1;
            pooled.copy_from_slice(delta.pooled());
            return Ok(());
        }
        let (picture, stride) = self.trunk.picture_mut();
        self.preprocessor.run(rgb, width, height, picture, stride)?;
        self.pool_picture(pooled);
        Ok(())
    }

    /// As [`Front::pooled`] for a picture that is already cropped, resized and normalised:
    /// `[input_height][input_width][3]`.
    ///
    /// # Errors
    /// [`PerceptionError::Length`].
    pub fn pooled_from_picture(&mut self, picture: &[f32], pooled: &mut [f32]) -> Result<(), PerceptionError> {
        let row = self.config.input_width * 3;
        check_length("the pooled buffer", pooled.len(), self.config.pooled_count())?;
        check_length("the picture", picture.len(), row * self.config.input_height)?;
        if let Some(delta) = &mut self.delta {
            self.macs = if self.frames.is_multiple_of(self.config.delta_every) { delta.run(picture) } else { 0 };
            self.frames += 1;
            pooled.copy_from_slice(delta.pooled());
            return Ok(());
        }
        let (buffer, stride) = self.trunk.picture_mut();
        for (to, from) in buffer.chunks_exact_mut(stride).zip(picture.chunks_exact(row)) {
            to[..row].copy_from_slice(from);
        }
        self.pool_picture(pooled);
        Ok(())
    }

    /// The frame resized with a margin above and below, from which any number of altered frames can be rendered.
    ///
    /// # Errors
    /// [`PerceptionError::Image`].
    pub fn wide_picture(&mut self, rgb: &[u8], width: usize, height: usize) -> Result<WidePicture, PerceptionError> {
        let mut wide = WidePicture::new(self.config.input_width, self.config.input_height);
        self.preprocessor.run_wide(rgb, width, height, wide.margin, &mut wide.pixels)?;
        Ok(wide)
    }

    /// Cells of the frame as seen through `view`; see [`Front::pooled`].
    ///
    /// # Errors
    /// [`PerceptionError::Length`].
    pub fn pooled_altered(
        &mut self,
        wide: &WidePicture,
        view: &View,
        pooled: &mut [f32],
    ) -> Result<(), PerceptionError> {
        let (mean, scale) = (self.config.pixel_mean, self.config.pixel_scale);
        let picture: Vec<f32> = wide.render(view).into_iter().map(|value| (value - mean) / scale).collect();
        self.pooled_from_picture(&picture, pooled)
    }

    /// Runs the trunk on whatever its picture holds, telling `meter` where the time goes.
    pub(crate) fn run_metered<M: Meter>(&mut self, meter: &M) {
        self.trunk.run_metered(meter);
    }

    fn pool_picture(&mut self, pooled: &mut [f32]) {
        let (down, across) = (self.config.cells_down, self.config.cells_across);
        feature::pool(self.trunk.run(), layout::output_size(&self.config), down, across, pooled);
    }
}

impl Perception {
    /// Loads all layers from safetensors bytes.
    ///
    /// # Errors
    /// A field of `config`, or a tensor that is missing, has another shape or holds a value that is not finite.
    pub fn load(tensors: &[u8], config: &PerceptionConfig) -> Result<Self, PerceptionError> {
        Self::load_for(tensors, config, InstructionSet::best())
    }

    /// As [`Perception::load`], for a given instruction set of this CPU.
    ///
    /// # Errors
    /// As [`Perception::load`].
    pub fn load_for(tensors: &[u8], config: &PerceptionConfig, set: InstructionSet) -> Result<Self, PerceptionError> {
        let front = Front::load_for(tensors, config, set)?;
        let layer = FeatureLayer::load(&Weights::parse(tensors)?, config, set)?;
        Ok(Self { config: config.clone(), front, layer, pooled: vec![0.0; config.pooled_count()] })
    }

    /// As [`Perception::load`], with trunk and feature layer run on changes between frames. Frames must come in order, with
    /// [`Perception::reset`] before each drive.
    ///
    /// # Errors
    /// As [`Perception::load`] and [`PerceptionConfig::prepared_for_delta`].
    pub fn load_delta(tensors: &[u8], config: &PerceptionConfig) -> Result<Self, PerceptionError> {
        let config = &config.prepared_for_delta()?;
        let mut perception = Self::load(tensors, config)?;
        perception.front.use_delta(tensors, true)?;
        Ok(perception)
    }

    /// Forgets earlier frames; only a CNN that runs on changes has any.
    pub fn reset(&mut self) {
        self.front.reset();
    }

    /// Work of each layer since loading or the last reset; empty unless the CNN runs on changes.
    pub fn delta_work(&self) -> Vec<LayerWork> {
        self.front.delta_work()
    }

    /// The configuration it was loaded with.
    pub fn config(&self) -> &PerceptionConfig {
        &self.config
    }

    /// Runs the trunk on one thread (as it does after loading) or on two.
    ///
    /// # Errors
    /// As [`Front::set_threads`].
    pub fn set_threads(&mut self, threads: usize) -> Result<(), PerceptionError> {
        self.front.set_threads(threads)
    }

    /// Length of a feature vector.
    pub fn feature_count(&self) -> usize {
        self.config.feature_count
    }

    /// Length of the trunk's averaged output.
    pub fn pooled_count(&self) -> usize {
        self.config.pooled_count()
    }

    /// The trunk's averaged output of one frame; see [`Front::pooled`].
    ///
    /// # Errors
    /// As [`Front::pooled`].
    pub fn pooled(
        &mut self,
        rgb: &[u8],
        width: usize,
        height: usize,
        pooled: &mut [f32],
    ) -> Result<(), PerceptionError> {
        self.front.pooled(rgb, width, height, pooled)
    }

    /// The feature layer alone: `pooled_count()` values in, `feature_count()` out, all >= 0, scaled to unit deviation.
    ///
    /// # Errors
    /// [`PerceptionError::Length`].
    pub fn features_from_pooled(&mut self, pooled: &[f32], features: &mut [f32]) -> Result<(), PerceptionError> {
        check_length("the pooled values", pooled.len(), self.config.pooled_count())?;
        check_length("the feature buffer", features.len(), self.config.feature_count)?;
        self.layer.run(pooled, features);
        Ok(())
    }

    /// Features of one frame, `feature_count()` values >= 0 scaled to unit deviation; `rgb` is `[height][width][3]`.
    ///
    /// # Errors
    /// [`PerceptionError::Image`] or [`PerceptionError::Length`].
    pub fn features(
        &mut self,
        rgb: &[u8],
        width: usize,
        height: usize,
        features: &mut [f32],
    ) -> Result<CnnWork, PerceptionError> {
        check_length("the feature buffer", features.len(), self.config.feature_count)?;
        self.front.pooled(rgb, width, height, &mut self.pooled)?;
        let macs_dense = self.macs_per_frame();
        let trunk = self.front.macs;
        if let Some((sums, macs)) = self.front.delta.as_mut().and_then(DeltaCnn::feature_sums) {
            self.layer.run_from_sums(sums, features);
            return Ok(CnnWork { macs_dense, macs: trunk + macs });
        }
        self.layer.run(&self.pooled, features);
        Ok(CnnWork { macs_dense, macs: macs_dense })
    }

    /// The steering-wheel angle that a single frame's features suggest, in radians, positive to the left.
    pub fn single_frame_steering_rad(&self, features: &[f32]) -> f32 {
        self.layer.steering_rad(features)
    }

    /// The part of a `width` x `height` image that the trunk sees: `[x, y, width, height]` in pixels.
    pub fn crop_rect(&self, width: usize, height: usize) -> [usize; 4] {
        self.config.crop_rect(width, height)
    }

    /// Multiply-accumulates of trunk and feature layer for one frame.
    pub fn macs_per_frame(&self) -> u64 {
        layout::macs_by_layer(&self.config).iter().map(|(_, macs)| macs).sum::<u64>() + self.layer.macs()
    }

    /// Weights and biases of all layers.
    pub fn weight_count(&self) -> u64 {
        self.front.trunk.weight_count() + self.layer.weight_count()
    }
}
