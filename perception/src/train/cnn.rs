//! The delta network paper's front end from scratch on single frames: three strided convolutions, a feature layer and a
//! linear steering output, in candle.

use super::variables::{OptimiserStep, Variables};
use crate::augment::{View, WidePicture, normal};
use crate::backbone::{BackboneName, CONVOLUTIONS, SameConv, StridedConvolutions};
use crate::config::PerceptionConfig;
use crate::error::{PerceptionError, check_shape};
use crate::weights::NamedTensors;
use candle_core::{DType, Device, Result as CandleResult, Tensor, Var};
use candle_nn::Module;
use ndarray::{Array1, Array2, ArrayD, ArrayView1, ArrayView2};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The network with its optimiser. Variables: weight and bias of each convolution, of the feature layer and of the output.
pub struct TrainableCnn {
    config: PerceptionConfig,
    variables: Variables,
}

/// Index of the feature layer's weight among the variables.
const FEATURE: usize = 2 * CONVOLUTIONS.len();

impl TrainableCnn {
    /// He's start for the layers behind a ReLU, small alternating weights for the output, zero biases.
    ///
    /// # Errors
    /// [`PerceptionError::Config`] where `config` is not one of [`PerceptionConfig::strided`].
    pub fn new(config: &PerceptionConfig, seed: u64) -> Result<Self, PerceptionError> {
        config.validate()?;
        if config.trunk != BackboneName::StridedConvolutions || config.trunk_blocks != CONVOLUTIONS.len() {
            let (field, found) = ("trunk", format!("{:?}", config.trunk));
            let expected = "all of strided-convolutions, the only network that is trained from scratch".into();
            return Err(PerceptionError::Config { field, found, expected });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut variables = Vec::new();
        let mut add = |name: String, shape: &[usize], start: &mut dyn FnMut(usize) -> f32| -> CandleResult<()> {
            let weight: Vec<f32> = (0..shape.iter().product()).map(start).collect();
            variables.push((format!("{name}.weight"), Var::from_vec(weight, shape, &Device::Cpu)?));
            variables.push((format!("{name}.bias"), Var::zeros(shape[0], DType::F32, &Device::Cpu)?));
            Ok(())
        };
        for (index, spec) in CONVOLUTIONS.iter().enumerate() {
            let fan_in = spec.input * spec.kernel * spec.kernel;
            let deviation = (2.0 / fan_in as f32).sqrt();
            let shape = [spec.output, spec.input, spec.kernel, spec.kernel];
            add(format!("trunk.conv{index}"), &shape, &mut |_| deviation * normal(&mut rng))?;
        }
        let (features, cells) = (config.feature_count, config.map_size().len());
        let deviation = (2.0 / cells as f32).sqrt();
        add("feature".into(), &[features, cells], &mut |_| deviation * normal(&mut rng))?;
        let output = 0.1 / (features as f32).sqrt();
        add("single_frame".into(), &[1, features], &mut |i| if i % 2 == 0 { output } else { -output })?;
        Ok(Self { config: config.clone(), variables: Variables::new(variables)? })
    }

    /// A frame in a view, as [`TrainableCnn::step`] and [`TrainableCnn::features`] want it: `[input_height][input_width][3]`.
    pub fn picture(&self, wide: &WidePicture, view: &View) -> Vec<f32> {
        self.config.normalised(wide.render(view))
    }

    /// One optimiser step on a batch of pictures: the squared error of each counts `weights` times, `dropout [batch, features]`
    /// multiplies the features. Returns the loss.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] or [`PerceptionError::Candle`].
    pub fn step(
        &mut self,
        pictures: &[Vec<f32>],
        steering_rad: ArrayView1<'_, f32>,
        weights: ArrayView1<'_, f32>,
        dropout: ArrayView2<'_, f32>,
        step: OptimiserStep,
    ) -> Result<f32, PerceptionError> {
        let (batch, features) = (pictures.len(), self.config.feature_count);
        check_shape("the angles", steering_rad.shape(), &[batch])?;
        check_shape("the weights", weights.shape(), &[batch])?;
        check_shape("the dropout", dropout.shape(), &[batch, features])?;
        let column = |values: ArrayView1<'_, f32>| Tensor::from_iter(values.iter().copied(), &Device::Cpu);
        let dropout = Tensor::from_iter(dropout.iter().copied(), &Device::Cpu)?.reshape((batch, features))?;
        let of = |index: usize| self.variables.get(index).as_tensor().clone();
        let kept = (net(&self.batch(pictures)?, of)? * dropout)?;
        let miss = (output(&kept, of)? - column(steering_rad)?)?;
        let loss = (miss.sqr()? * column(weights)?)?.sum_all()?;
        let value = loss.to_scalar::<f32>()?;
        if value.is_finite() {
            self.variables.update(loss.backward()?, step)?;
        }
        Ok(value)
    }

    /// Features `[batch, features]` and angles `[batch]` of pictures with the averaged weights.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] or [`PerceptionError::Candle`].
    pub fn features(&self, pictures: &[Vec<f32>]) -> Result<(Array2<f32>, Array1<f32>), PerceptionError> {
        let of = |index: usize| self.variables.average(index).clone();
        let features = net(&self.batch(pictures)?, of)?;
        let steering_rad: Vec<f32> = output(&features, of)?.to_vec1()?;
        let shape = (pictures.len(), self.config.feature_count);
        let features = Array2::from_shape_vec(shape, features.flatten_all()?.to_vec1()?).unwrap_or_default();
        Ok((features, steering_rad.into()))
    }

    /// Weights and averages as bytes; the optimiser's moments start anew.
    ///
    /// # Errors
    /// [`PerceptionError::NotSafetensors`] or [`PerceptionError::Candle`].
    pub fn save(&mut self) -> Result<Vec<u8>, PerceptionError> {
        self.variables.save()
    }

    /// Takes back what [`TrainableCnn::save`] gave.
    ///
    /// # Errors
    /// [`PerceptionError::MissingTensor`], [`PerceptionError::WrongShape`] or [`PerceptionError::Candle`].
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), PerceptionError> {
        self.variables.restore(bytes)
    }

    /// The averaged weights as the tensors of a model; `std` are the features' standard deviations.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] or [`PerceptionError::Candle`].
    pub fn tensors(&self, std: Array1<f32>) -> Result<NamedTensors, PerceptionError> {
        check_shape("the features' deviations", std.shape(), &[self.config.feature_count])?;
        let mut tensors = NamedTensors::new();
        for index in 0..FEATURE + 4 {
            let (name, mut tensor) = (self.variables.name(index), self.variables.average(index).clone());
            if name == "single_frame.weight" {
                // The stored layer divides its features by `std`.
                tensor = tensor.broadcast_mul(&Tensor::from_iter(std.iter().copied(), &Device::Cpu)?)?;
            }
            let values = tensor.flatten_all()?.to_vec1()?;
            tensors.insert(name.into(), ArrayD::from_shape_vec(tensor.dims(), values).unwrap_or_default());
        }
        tensors.insert("feature.std".into(), std.into_dyn());
        Ok(tensors)
    }

    fn batch(&self, pictures: &[Vec<f32>]) -> Result<Tensor, PerceptionError> {
        let (height, width) = (self.config.input_height, self.config.input_width);
        for picture in pictures {
            check_shape("a picture", &[picture.len()], &[height * width * 3])?;
        }
        let values = pictures.concat();
        let batch = Tensor::from_vec(values, (pictures.len(), height, width, 3), &Device::Cpu)?;
        Ok(batch.permute((0, 3, 1, 2))?.contiguous()?)
    }
}

/// Pictures `[batch, 3, height, width]` to features `[batch, features]`; `of` gives the parameters by index.
fn net(pictures: &Tensor, of: impl Fn(usize) -> Tensor) -> CandleResult<Tensor> {
    let convolution = |(index, spec): (usize, &crate::backbone::ConvSpec)| {
        SameConv::new(of(2 * index), of(2 * index + 1), (spec.stride, 1), true)
    };
    let convolutions = StridedConvolutions(CONVOLUTIONS.iter().enumerate().map(convolution).collect());
    let cells = convolutions.forward(pictures)?.flatten_from(1)?;
    cells.matmul(&of(FEATURE).t()?)?.broadcast_add(&of(FEATURE + 1))?.relu()
}

/// Features `[batch, features]` to angles `[batch]`.
fn output(features: &Tensor, of: impl Fn(usize) -> Tensor) -> CandleResult<Tensor> {
    features.matmul(&of(FEATURE + 2).t()?)?.broadcast_add(&of(FEATURE + 3))?.squeeze(1)
}
