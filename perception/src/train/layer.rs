//! The feature layer as it is trained: over principal components of the backbone's cells.

use super::pca::Pca;
use super::variables::{OptimiserStep, Variables};
use crate::augment::normal;
use crate::error::{PerceptionError, check_shape};
use crate::weights::NamedTensors;
use candle_core::backprop::GradStore;
use candle_core::{Device, Result as CandleResult, Tensor, Var};
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// `feature = max(weight * coordinates + bias, 0)` with weights over the coordinates of a [`Pca`].
pub struct TrainableLayer {
    components: usize,
    features: usize,
    /// `weight [features, components]`, `bias [features]`.
    variables: Variables,
    /// The features of the last [`TrainableLayer::forward`], with the graph behind them.
    output: Option<Tensor>,
    gradients: Option<GradStore>,
}

const WEIGHT: usize = 0;
const BIAS: usize = 1;

impl TrainableLayer {
    /// Small random weights (deviation 0.05), zero bias.
    ///
    /// # Errors
    /// [`PerceptionError::Candle`].
    pub fn random(components: usize, features: usize, seed: u64) -> Result<Self, PerceptionError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let weight: Vec<f32> = (0..components * features).map(|_| 0.05 * normal(&mut rng)).collect();
        let weight = Var::from_vec(weight, (features, components), &Device::Cpu)?;
        let bias = Var::zeros(features, candle_core::DType::F32, &Device::Cpu)?;
        let variables = Variables::new(vec![("weight".into(), weight), ("bias".into(), bias)])?;
        Ok(Self { components, features, variables, output: None, gradients: None })
    }

    /// Coordinates a row.
    pub fn components(&self) -> usize {
        self.components
    }

    /// Features a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Features `[frames, windows, features]` of `coordinates [frames, windows, components]`, remembered for
    /// [`TrainableLayer::backward`].
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] or [`PerceptionError::Candle`].
    pub fn forward(&mut self, coordinates: Array3<f32>) -> Result<Array3<f32>, PerceptionError> {
        let (frames, windows, components) = coordinates.dim();
        check_shape("the coordinates", coordinates.shape(), &[frames, windows, self.components])?;
        let rows = Tensor::from_vec(values(coordinates), (frames * windows, components), &Device::Cpu)?;
        let (weight, bias) = (self.variables.get(WEIGHT).as_tensor(), self.variables.get(BIAS).as_tensor());
        let output = layer(&rows, weight, bias)?.reshape((frames, windows, self.features))?;
        let features = output.flatten_all()?.to_vec1()?;
        self.output = Some(output);
        Ok(Array3::from_shape_vec((frames, windows, self.features), features).unwrap_or_default())
    }

    /// The gradient by the parameters of `sum(dx * features)` plus `smoothness_l1 * mean |features(t) - features(t - 1)|`, for
    /// the features of the last [`TrainableLayer::forward`]; returns the square of its norm.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] where `dx` has another shape than those features, or [`PerceptionError::Candle`].
    pub fn backward(&mut self, dx: ArrayView3<'_, f32>, smoothness_l1: f32) -> Result<f64, PerceptionError> {
        let Some(output) = self.output.take() else {
            check_shape("the gradient by features that were not computed", dx.shape(), &[0, 0, 0])?;
            return Ok(0.0);
        };
        check_shape("the gradient by the features", dx.shape(), output.dims())?;
        let weights = Tensor::from_iter(dx.iter().copied(), &Device::Cpu)?.reshape(output.dims())?;
        let mut cost = (&output * weights)?.sum_all()?;
        let frames = output.dim(0)?;
        if smoothness_l1 > 0.0 && frames > 1 {
            let change = (output.narrow(0, 1, frames - 1)? - output.narrow(0, 0, frames - 1)?)?;
            cost = (cost + (change.abs()?.mean_all()? * f64::from(smoothness_l1))?)?;
        }
        let gradients = cost.backward()?;
        let square = self.variables.gradient_square(&gradients)?;
        self.gradients = Some(gradients);
        Ok(square)
    }

    /// One optimiser step along the gradient of the last [`TrainableLayer::backward`].
    ///
    /// # Errors
    /// [`PerceptionError::Candle`].
    pub fn update(&mut self, step: OptimiserStep) -> Result<(), PerceptionError> {
        match self.gradients.take() {
            Some(gradients) => self.variables.update(gradients, step),
            None => Ok(()),
        }
    }

    /// Features `[rows, features]` of `coordinates [rows, components]` with the averaged parameters.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] or [`PerceptionError::Candle`].
    pub fn evaluate(&self, coordinates: ArrayView2<'_, f32>) -> Result<Array2<f32>, PerceptionError> {
        let (rows, components) = coordinates.dim();
        check_shape("the coordinates", &[rows, components], &[rows, self.components])?;
        let coordinates = Tensor::from_iter(coordinates.iter().copied(), &Device::Cpu)?.reshape((rows, components))?;
        let features = layer(&coordinates, self.variables.average(WEIGHT), self.variables.average(BIAS))?;
        let features = features.flatten_all()?.to_vec1()?;
        Ok(Array2::from_shape_vec((rows, self.features), features).unwrap_or_default())
    }

    /// Goes on from the averaged parameters, divided by `divisor`.
    ///
    /// # Errors
    /// [`PerceptionError::Candle`].
    pub fn continue_from_average(&mut self, divisor: f32) -> Result<(), PerceptionError> {
        let averages = [WEIGHT, BIAS].map(|index| self.variables.average(index).clone());
        self.variables.set(|index, _| &averages[index] / f64::from(divisor))
    }

    /// Parameters and averages as bytes; the optimiser's moments start anew.
    ///
    /// # Errors
    /// [`PerceptionError::NotSafetensors`] or [`PerceptionError::Candle`].
    pub fn save(&mut self) -> Result<Vec<u8>, PerceptionError> {
        self.variables.save()
    }

    /// Takes back what [`TrainableLayer::save`] gave.
    ///
    /// # Errors
    /// [`PerceptionError::MissingTensor`], [`PerceptionError::WrongShape`] or [`PerceptionError::Candle`].
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), PerceptionError> {
        self.variables.restore(bytes)
    }

    /// The averaged layer as the tensors `feature.*` of a model, over the backbone's cells; `std` divides each feature.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] where `pca` or `std` belong to another layer, or [`PerceptionError::Candle`].
    pub fn tensors(&self, pca: &Pca, std: Array1<f32>) -> Result<NamedTensors, PerceptionError> {
        check_shape("the principal components", &[pca.components()], &[self.components])?;
        check_shape("the features' deviations", std.shape(), &[self.features])?;
        let (weight, bias) = pca.fold(self.variables.average(WEIGHT), self.variables.average(BIAS))?;
        Ok(NamedTensors::from([
            ("feature.weight".into(), weight.into_dyn()),
            ("feature.bias".into(), bias.into_dyn()),
            ("feature.std".into(), std.into_dyn()),
        ]))
    }
}

fn layer(rows: &Tensor, weight: &Tensor, bias: &Tensor) -> CandleResult<Tensor> {
    rows.matmul(&weight.t()?)?.broadcast_add(bias)?.relu()
}

/// The values of an array, row after row.
fn values(array: Array3<f32>) -> Vec<f32> {
    let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
    array.into_raw_vec_and_offset().0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(shape: (usize, usize, usize), step: f32) -> Array3<f32> {
        Array3::from_shape_vec(shape, (0..shape.0 * shape.1 * shape.2).map(|i| (i as f32 * step).sin()).collect())
            .unwrap()
    }

    /// The cost whose gradient `backward` computes.
    fn cost(layer: &mut TrainableLayer, x: &Array3<f32>, dx: &Array3<f32>) -> f32 {
        let features = layer.forward(x.clone()).unwrap();
        let change = &features.slice(ndarray::s![1.., .., ..]) - &features.slice(ndarray::s![..-1, .., ..]);
        (&features * dx).sum() + 0.5 * change.mapv(f32::abs).mean().unwrap()
    }

    #[test]
    fn a_step_goes_down_and_its_norm_is_that_of_finite_differences() {
        let mut layer = TrainableLayer::random(5, 4, 3).unwrap();
        let (x, dx) = (wave((6, 2, 5), 0.7), wave((6, 2, 4), 1.3));
        layer.forward(x.clone()).unwrap();
        let square = layer.backward(dx.view(), 0.5).unwrap();
        let before: Vec<Tensor> =
            [WEIGHT, BIAS].map(|i| layer.variables.get(i).as_detached_tensor().copy().unwrap()).into();
        let mut found = 0.0;
        for (index, size) in [(WEIGHT, 20), (BIAS, 4)] {
            for at in 0..size {
                let mut moved = |by: f32| {
                    let mut values: Vec<f32> = before[index].flatten_all().unwrap().to_vec1().unwrap();
                    values[at] += by;
                    let moved = Tensor::from_vec(values, before[index].dims(), &Device::Cpu).unwrap();
                    layer.variables.get(index).set(&moved).unwrap();
                    let cost = cost(&mut layer, &x, &dx);
                    layer.variables.get(index).set(&before[index]).unwrap();
                    cost
                };
                found += f64::from((moved(1e-3) - moved(-1e-3)) / 2e-3).powi(2);
            }
        }
        assert!((found / square - 1.0).abs() < 0.02, "{found} {square}");
        let start = cost(&mut layer, &x, &dx);
        layer.backward(dx.view(), 0.5).unwrap();
        layer.update(OptimiserStep { rate: 0.01, decay: 0.0, scale: 0.5, keep: 0.9 }).unwrap();
        assert!(cost(&mut layer, &x, &dx) < start);
    }

    #[test]
    fn a_restored_layer_goes_on_as_the_saved_one() {
        let (x, dx) = (wave((3, 2, 5), 0.7), wave((3, 2, 4), 1.3));
        let mut layer = TrainableLayer::random(5, 4, 3).unwrap();
        let step = |layer: &mut TrainableLayer| {
            layer.forward(x.clone()).unwrap();
            layer.backward(dx.view(), 0.0).unwrap();
            layer.update(OptimiserStep { rate: 0.01, decay: 0.1, scale: 1.0, keep: 0.5 }).unwrap();
        };
        step(&mut layer);
        let saved = layer.save().unwrap();
        let mut other = TrainableLayer::random(5, 4, 8).unwrap();
        other.restore(&saved).unwrap();
        step(&mut layer);
        step(&mut other);
        assert_eq!(layer.save().unwrap(), other.save().unwrap());
        assert!(TrainableLayer::random(5, 3, 1).unwrap().restore(&saved).is_err());
    }
}
