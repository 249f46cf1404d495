//! The trainable feature layer on plain arrays: forward, and the hand-written gradient.

use super::basis::Basis;
use super::product::{Matrix, product};
use crate::augment::normal;
use crate::weights::NamedTensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// `feature = max(weight * coordinates + bias, 0)` with weights in a subspace (see [`Basis`]).
#[derive(Debug, Clone, PartialEq)]
pub struct TrainableLayer {
    components: usize,
    features: usize,
    /// `weight[features][components]`, then `bias[features]`.
    parameters: Vec<f32>,
}

impl TrainableLayer {
    /// Small random weights (deviation 0.05), zero bias.
    pub fn random(components: usize, features: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut parameters: Vec<f32> = (0..components * features).map(|_| 0.05 * normal(&mut rng)).collect();
        parameters.resize((components + 1) * features, 0.0);
        Self { components, features, parameters }
    }

    /// Coordinates a row.
    pub fn components(&self) -> usize {
        self.components
    }

    /// Features a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// `weight[features][components]`, then `bias[features]`.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// The same, to be changed by an optimiser.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    /// How many of the leading parameters are weights, which may decay; the rest are biases.
    pub fn weight_count(&self) -> usize {
        self.components * self.features
    }

    /// Features `[rows][features]` of `coordinates[rows][components]`.
    ///
    /// # Panics
    /// Where a length does not fit.
    pub fn forward(&self, coordinates: &[f32], features: &mut [f32]) {
        let rows = coordinates.len() / self.components;
        let (weight, bias) = self.parameters.split_at(self.weight_count());
        let weight = Matrix::new(weight, self.features, self.components);
        product(Matrix::new(coordinates, rows, self.components), weight.t(), false, features);
        for row in features.chunks_exact_mut(self.features) {
            row.iter_mut().zip(bias).for_each(|(value, bias)| *value = (*value + bias).max(0.0));
        }
    }

    /// Adds the loss's gradient by the parameters to `gradient`, given that by the features (`[rows][features]`, consumed:
    /// it is zeroed where the ReLU was off) and what [`TrainableLayer::forward`] was given and gave.
    ///
    /// # Panics
    /// Where a length does not fit.
    pub fn backward(&self, coordinates: &[f32], features: &[f32], feature_gradient: &mut [f32], gradient: &mut [f32]) {
        let rows = coordinates.len() / self.components;
        feature_gradient.iter_mut().zip(features).for_each(|(g, f)| *g = if *f > 0.0 { *g } else { 0.0 });
        let (weight, bias) = gradient.split_at_mut(self.weight_count());
        let by_feature = Matrix::new(feature_gradient, rows, self.features);
        product(by_feature.t(), Matrix::new(coordinates, rows, self.components), true, weight);
        for row in feature_gradient.chunks_exact(self.features) {
            bias.iter_mut().zip(row).for_each(|(bias, g)| *bias += g);
        }
    }

    /// The layer as the tensors `feature.*` that `Perception::load` reads; `std` divides each feature.
    ///
    /// # Panics
    /// Where `basis` has another number of components, or `std` another length.
    pub fn tensors(&self, basis: &Basis, std: &[f32]) -> Vec<NamedTensor> {
        assert!(basis.components() == self.components && std.len() == self.features, "another layer's basis");
        let (weight, bias) = self.parameters.split_at(self.weight_count());
        let (weight, bias) = basis.fold(weight, bias);
        vec![
            NamedTensor::new("feature.weight", &[self.features, basis.inputs()], weight),
            NamedTensor::new("feature.bias", &[self.features], bias),
            NamedTensor::new("feature.std", &[self.features], std.to_vec()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let mut layer = TrainableLayer::random(5, 4, 3);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let coordinates: Vec<f32> = (0..35).map(|_| normal(&mut rng)).collect();
        let weights: Vec<f32> = (0..28).map(|_| normal(&mut rng)).collect();
        let mut features = vec![0.0; 28];
        // The loss: a fixed weighting of all features.
        let mut loss = |layer: &TrainableLayer| -> f32 {
            layer.forward(&coordinates, &mut features);
            features.iter().zip(&weights).map(|(f, w)| f * w).sum()
        };
        let mut gradient = vec![0.0; 24];
        let mut forward = vec![0.0; 28];
        layer.forward(&coordinates, &mut forward);
        layer.backward(&coordinates, &forward, &mut weights.clone(), &mut gradient);
        for i in 0..24 {
            let step = 1e-3;
            layer.parameters_mut()[i] += step;
            let above = loss(&layer);
            layer.parameters_mut()[i] -= 2.0 * step;
            let below = loss(&layer);
            layer.parameters_mut()[i] += step;
            let slope = (above - below) / (2.0 * step);
            assert!((slope - gradient[i]).abs() < 2e-2 * slope.abs().max(1.0), "{i}: {slope} {}", gradient[i]);
        }
    }
}
