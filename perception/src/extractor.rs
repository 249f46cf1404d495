//! Frames to features: pre-processing, backbone and feature layer as one candle module.

use crate::augment::{View, WidePicture};
use crate::backbone::Backbone;
use crate::config::PerceptionConfig;
use crate::device::Device;
use crate::error::{PerceptionError, check_shape};
use crate::feature_layer::FeatureLayer;
use crate::kernels::InstructionSet;
use crate::preprocess::Preprocessor;
use crate::weights::var_builder;
use candle_core::{Result as CandleResult, Tensor};
use candle_nn::Module;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayView3};

/// The exact work of one frame, in multiply-accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CnnWork {
    /// What a dense network does.
    pub macs_dense: u64,
    /// What was done.
    pub macs: u64,
}

/// Pre-processing and the frozen network alone: what the caches for training need, before there is a feature layer.
pub struct CellExtractor {
    config: PerceptionConfig,
    preprocessor: Preprocessor,
    backbone: Backbone,
    device: candle_core::Device,
}

/// A loaded front end; one instance a thread.
pub struct FeatureExtractor {
    cells: CellExtractor,
    layer: FeatureLayer,
}

impl CellExtractor {
    /// Loads `trunk.*` from safetensors bytes.
    ///
    /// # Errors
    /// [`PerceptionError::Config`], [`PerceptionError::Device`], or the first tensor that is missing, has another shape or holds
    /// a value that is not finite.
    pub fn load(tensors: &[u8], config: &PerceptionConfig, device: Device) -> Result<Self, PerceptionError> {
        Self::load_for(tensors, config, device, device.instruction_set()?)
    }

    /// As [`CellExtractor::load`], for a given instruction set of this CPU.
    ///
    /// # Errors
    /// As [`CellExtractor::load`].
    pub fn load_for(
        tensors: &[u8],
        config: &PerceptionConfig,
        device: Device,
        set: InstructionSet,
    ) -> Result<Self, PerceptionError> {
        config.validate()?;
        let device = device.open()?;
        let backbone = Backbone::load(var_builder(tensors, &device)?.pp("trunk"), config, set)?;
        Ok(Self { config: config.clone(), preprocessor: Preprocessor::new(config, set), backbone, device })
    }

    /// Takes a frozen candle module instead of a known backbone. It maps `[batch, 3, input_height, input_width]` to
    /// `[batch, channels, height, width]` or to `[batch, channels]`; `config.trunk` is [`BackboneName::Custom`].
    ///
    /// [`BackboneName::Custom`]: crate::BackboneName::Custom
    ///
    /// # Errors
    /// [`PerceptionError::Config`] where cells do not divide the module's output, [`PerceptionError::Candle`] where it fails.
    pub fn with_module(
        module: Box<dyn Module + Send + Sync>,
        config: &PerceptionConfig,
        device: Device,
    ) -> Result<Self, PerceptionError> {
        config.validate()?;
        let device = device.open()?;
        let backbone = Backbone::custom(module, config, &device)?;
        let preprocessor = Preprocessor::new(config, InstructionSet::best());
        Ok(Self { config: config.clone(), preprocessor, backbone, device })
    }

    /// Adds the feature layer `feature.*` and `single_frame.*` of safetensors bytes.
    ///
    /// # Errors
    /// The first tensor that is missing, has another shape or holds a value that is not finite.
    pub fn with_feature_layer(self, tensors: &[u8]) -> Result<FeatureExtractor, PerceptionError> {
        let vb = var_builder(tensors, &self.device)?;
        let layer = FeatureLayer::load(&vb, &self.config, self.backbone.cell_count(), InstructionSet::best())?;
        Ok(FeatureExtractor { cells: self, layer })
    }

    /// The configuration it was loaded with.
    pub fn config(&self) -> &PerceptionConfig {
        &self.config
    }

    /// Length of a row of cells.
    pub fn cell_count(&self) -> usize {
        self.backbone.cell_count()
    }

    /// Multiply-accumulates of each layer for one frame; empty for a module that was brought.
    pub fn macs_by_layer(&self) -> &[(String, u64)] {
        self.backbone.macs_by_layer()
    }

    /// Cells `[channels * cells_down * cells_across]` of a frame `[height, width, 3]`.
    ///
    /// # Errors
    /// [`PerceptionError::Image`] or [`PerceptionError::Candle`].
    pub fn cells(&mut self, frame: ArrayView3<'_, u8>) -> Result<Array1<f32>, PerceptionError> {
        let picture = self.picture(frame)?;
        array1(&self.backbone.forward(&picture)?)
    }

    /// The frame resized with a margin above and below, from which any number of altered frames can be rendered.
    ///
    /// # Errors
    /// [`PerceptionError::Image`].
    pub fn wide_picture(&mut self, frame: ArrayView3<'_, u8>) -> Result<WidePicture, PerceptionError> {
        WidePicture::of(&mut self.preprocessor, &self.config, frame)
    }

    /// Cells of the frame as seen through `view`; see [`CellExtractor::cells`].
    ///
    /// # Errors
    /// [`PerceptionError::Candle`].
    pub fn cells_altered(&mut self, wide: &WidePicture, view: &View) -> Result<Array1<f32>, PerceptionError> {
        let picture = self.config.normalised(wide.render(view));
        self.cells_of_picture(picture)
    }

    /// Cells of a picture that is already cropped, resized and normalised: `[input_height][input_width][3]`.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] or [`PerceptionError::Candle`].
    pub fn cells_of_picture(&mut self, picture: Vec<f32>) -> Result<Array1<f32>, PerceptionError> {
        let picture = self.tensor(picture)?;
        array1(&self.backbone.forward(&picture)?)
    }

    /// The frame as the network's input: `[1, 3, input_height, input_width]`, the colours of a pixel side by side in memory.
    fn picture(&mut self, frame: ArrayView3<'_, u8>) -> Result<Tensor, PerceptionError> {
        let picture = self.preprocessor.run(frame)?;
        self.tensor(picture)
    }

    fn tensor(&self, picture: Vec<f32>) -> Result<Tensor, PerceptionError> {
        let shape = [1, self.config.input_height, self.config.input_width, 3];
        check_shape("the picture", &[picture.len()], &[shape.iter().product()])?;
        Ok(Tensor::from_vec(picture, &shape, &self.device)?.permute((0, 3, 1, 2))?)
    }
}

impl FeatureExtractor {
    /// Loads all layers from safetensors bytes.
    ///
    /// # Errors
    /// As [`CellExtractor::load`].
    pub fn load(tensors: &[u8], config: &PerceptionConfig, device: Device) -> Result<Self, PerceptionError> {
        Self::load_for(tensors, config, device, device.instruction_set()?)
    }

    /// As [`FeatureExtractor::load`], for a given instruction set of this CPU.
    ///
    /// # Errors
    /// As [`CellExtractor::load`].
    pub fn load_for(
        tensors: &[u8],
        config: &PerceptionConfig,
        device: Device,
        set: InstructionSet,
    ) -> Result<Self, PerceptionError> {
        let cells = CellExtractor::load_for(tensors, config, device, set)?;
        let vb = var_builder(tensors, &cells.device)?;
        let layer = FeatureLayer::load(&vb, config, cells.cell_count(), set)?;
        Ok(Self { cells, layer })
    }

    /// The configuration it was loaded with.
    pub fn config(&self) -> &PerceptionConfig {
        &self.cells.config
    }

    /// Pre-processing and network without the feature layer.
    pub fn cell_extractor(&mut self) -> &mut CellExtractor {
        &mut self.cells
    }

    /// Length of a feature vector.
    pub fn feature_count(&self) -> usize {
        self.cells.config.feature_count
    }

    /// Features of one frame `[height, width, 3]`: `[feature_count]`, all >= 0, scaled to unit deviation.
    ///
    /// # Errors
    /// [`PerceptionError::Image`] or [`PerceptionError::Candle`].
    pub fn features(&mut self, frame: ArrayView3<'_, u8>) -> Result<Array1<f32>, PerceptionError> {
        let picture = self.cells.picture(frame)?;
        array1(&self.forward(&picture)?)
    }

    /// The feature layer alone: cells `[frames, cell_count]` to features `[frames, feature_count]`.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] or [`PerceptionError::Candle`].
    pub fn features_from_cells(&self, cells: ArrayView2<'_, f32>) -> Result<Array2<f32>, PerceptionError> {
        let (frames, inputs) = cells.dim();
        check_shape("the cells", &[frames, inputs], &[frames, self.layer.inputs()])?;
        let cells = Tensor::from_iter(cells.iter().copied(), &self.cells.device)?.reshape((frames, inputs))?;
        let features = self.layer.forward(&cells)?.flatten_all()?.to_vec1()?;
        Ok(Array2::from_shape_vec((frames, self.feature_count()), features).unwrap_or_default())
    }

    /// The steering-wheel angle that a single frame's features suggest, in radians, positive to the left.
    pub fn single_frame_steering_rad(&self, features: ArrayView1<'_, f32>) -> f32 {
        self.layer.steering_rad(features)
    }

    /// The part of a `width` x `height` image that the network sees: `[x, y, width, height]` in pixels.
    pub fn crop_rect(&self, width: usize, height: usize) -> [usize; 4] {
        self.cells.config.crop_rect(width, height)
    }

    /// Multiply-accumulates of network and feature layer for one frame.
    pub fn macs_per_frame(&self) -> u64 {
        self.cells.macs_by_layer().iter().map(|(_, macs)| macs).sum::<u64>() + self.layer.macs()
    }

    /// Weights and biases of all layers.
    pub fn weight_count(&self) -> u64 {
        self.cells.backbone.weight_count() + self.layer.weight_count()
    }

    /// As [`Module::forward`], in candle's own operations on any device: the oracle of the fused ones.
    ///
    /// # Errors
    /// candle's, such as a picture of another shape.
    #[cfg(test)]
    pub(crate) fn forward_plain(&self, picture: &Tensor) -> CandleResult<Tensor> {
        self.layer.forward_plain(&self.cells.backbone.forward_plain(picture)?)
    }
}

impl Module for FeatureExtractor {
    /// `[batch, 3, input_height, input_width]`, normalised, to `[batch, feature_count]`.
    fn forward(&self, picture: &Tensor) -> CandleResult<Tensor> {
        self.layer.forward(&self.cells.backbone.forward(picture)?)
    }
}

/// The values of `[1, n]`.
fn array1(tensor: &Tensor) -> Result<Array1<f32>, PerceptionError> {
    Ok(tensor.flatten_all()?.to_vec1()?.into())
}
