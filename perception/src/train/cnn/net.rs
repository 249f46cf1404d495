//! Convolutions, feature layer and steering output on plain arrays: forward, and the gradient of a few frames.

use super::super::product::{Matrix, product};
use super::convolution::Convolution;
use crate::augment::normal;
use crate::config::PerceptionConfig;
use crate::trunk::layout::{self, CONVOLUTIONS, MapSize};
use crate::weights::NamedTensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::ops::Range;

/// The shapes. Parameters lie in one array: each convolution's weights and biases, then the feature layer's
/// `weight[features][cells]` and `bias[features]`, then the steering output's `weight[features]` and `bias`.
#[derive(Debug, Clone)]
pub(super) struct Net {
    convolutions: Vec<Convolution>,
    features: usize,
}

/// What the forward pass of some frames leaves for the backward pass.
pub(super) struct Pass {
    /// For each frame the picture, then the output of each convolution.
    maps: Vec<Vec<Vec<f32>>>,
    /// `[frames][cells]`
    cells: Vec<f32>,
    /// `[frames][features]`, not negative.
    pub features: Vec<f32>,
}

impl Net {
    pub fn new(config: &PerceptionConfig) -> Self {
        let sizes = layout::strided_sizes(config);
        let convolutions = CONVOLUTIONS.iter().zip(&sizes).map(|(spec, size)| Convolution::new(*spec, *size)).collect();
        Self { convolutions, features: config.feature_count }
    }

    pub fn features(&self) -> usize {
        self.features
    }

    fn cells(&self) -> MapSize {
        self.convolutions[self.convolutions.len() - 1].output()
    }

    /// Where each convolution's parameters lie, then feature layer and steering output.
    fn places(&self) -> Vec<Range<usize>> {
        let layer = (self.cells().len() + 1) * self.features;
        let lengths = self.convolutions.iter().map(Convolution::parameter_count).chain([layer, self.features + 1]);
        let mut end = 0;
        let place = |length| {
            end += length;
            end - length..end
        };
        lengths.map(place).collect()
    }

    pub fn parameter_count(&self) -> usize {
        self.places().last().map_or(0, |place| place.end)
    }

    /// Which parameters may decay: weights, not biases.
    pub fn decays(&self) -> Vec<bool> {
        let mut decays = vec![false; self.parameter_count()];
        let layer = self.cells().len() * self.features;
        let counts = self.convolutions.iter().map(Convolution::weight_count).chain([layer, self.features]);
        for (place, weights) in self.places().into_iter().zip(counts) {
            decays[place.start..place.start + weights].fill(true);
        }
        decays
    }

    /// He's start for the layers behind a ReLU, small alternating weights for the steering output, zero biases.
    pub fn start(&self, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut parameters = vec![0.0; self.parameter_count()];
        let places = self.places();
        let mut fill = |from: usize, count: usize, inputs: usize| {
            let deviation = (2.0 / inputs as f32).sqrt();
            parameters[from..from + count].iter_mut().for_each(|weight| *weight = deviation * normal(&mut rng));
        };
        for (convolution, place) in self.convolutions.iter().zip(&places) {
            fill(place.start, convolution.weight_count(), convolution.patch());
        }
        let (layer, head) = (places[places.len() - 2].start, places[places.len() - 1].start);
        fill(layer, self.cells().len() * self.features, self.cells().len());
        for (i, weight) in parameters[head..head + self.features].iter_mut().enumerate() {
            *weight = if i % 2 == 0 { 0.02 } else { -0.02 };
        }
        parameters
    }

    /// Runs normalised pictures `[input_height][input_width][3]`.
    pub fn forward(&self, parameters: &[f32], pictures: Vec<Vec<f32>>) -> Pass {
        let places = self.places();
        let (rows, count) = (pictures.len(), self.cells().len());
        let mut patches: Vec<Vec<f32>> =
            self.convolutions.iter().map(|convolution| vec![0.0; convolution.patches_len()]).collect();
        let (mut maps, mut cells) = (Vec::with_capacity(rows), Vec::with_capacity(rows * count));
        for picture in pictures {
            let mut frame = vec![picture];
            for ((convolution, place), patches) in self.convolutions.iter().zip(&places).zip(&mut patches) {
                let mut output = vec![0.0; convolution.output().len()];
                convolution.gather(&frame[frame.len() - 1], patches);
                convolution.forward(&parameters[place.clone()], patches, &mut output);
                frame.push(output);
            }
            cells.extend_from_slice(&frame[frame.len() - 1]);
            maps.push(frame);
        }
        let (weight, bias) = parameters[places[self.convolutions.len()].clone()].split_at(count * self.features);
        let mut features = vec![0.0; rows * self.features];
        let weight = Matrix::new(weight, self.features, count);
        product(Matrix::new(&cells, rows, count), weight.t(), false, &mut features);
        for row in features.chunks_exact_mut(self.features) {
            row.iter_mut().zip(bias).for_each(|(value, bias)| *value = (*value + bias).max(0.0));
        }
        Pass { maps, cells, features }
    }

    /// The angle that one row of features suggests, radians.
    pub fn steering_rad(&self, parameters: &[f32], features: &[f32]) -> f32 {
        let head = &parameters[parameters.len() - self.features - 1..];
        let (weight, bias) = head.split_at(self.features);
        weight.iter().zip(features).map(|(w, f)| w * f).sum::<f32>() + bias[0]
    }

    /// Adds the gradient by all parameters to `gradient`. `slopes` are the loss's derivatives by each frame's angle, `keep`
    /// the factors `[frames][features]` between features and steering output.
    pub fn backward(&self, parameters: &[f32], pass: &Pass, keep: &[f32], slopes: &[f32], gradient: &mut [f32]) {
        let places = self.places();
        let (count, features, last) = (self.cells().len(), self.features, self.convolutions.len());
        let head = &parameters[places[last + 1].clone()];
        let mut by_feature = vec![0.0; pass.features.len()];
        let outer = &mut gradient[places[last + 1].clone()];
        for (row, slope) in slopes.iter().enumerate() {
            for i in 0..features {
                let (at, on) = (row * features + i, pass.features[row * features + i] > 0.0);
                outer[i] += slope * pass.features[at] * keep[at];
                by_feature[at] = if on { slope * head[i] * keep[at] } else { 0.0 };
            }
            outer[features] += slope;
        }
        let by = Matrix::new(&by_feature, slopes.len(), features);
        let (weight, bias) = gradient[places[last].clone()].split_at_mut(count * features);
        product(by.t(), Matrix::new(&pass.cells, slopes.len(), count), true, weight);
        for row in by_feature.chunks_exact(features) {
            bias.iter_mut().zip(row).for_each(|(bias, g)| *bias += g);
        }
        let mut by_cells = vec![0.0; pass.cells.len()];
        let weight = &parameters[places[last].clone()][..count * features];
        product(by, Matrix::new(weight, features, count), false, &mut by_cells);
        self.backward_maps(parameters, pass, &by_cells, gradient);
    }

    /// The convolutions' part of [`Net::backward`].
    fn backward_maps(&self, parameters: &[f32], pass: &Pass, by_cells: &[f32], gradient: &mut [f32]) {
        let places = self.places();
        let buffers = || self.convolutions.iter().map(|convolution| vec![0.0; convolution.patches_len()]);
        let (mut patches, mut by_patches): (Vec<Vec<f32>>, Vec<Vec<f32>>) = (buffers().collect(), buffers().collect());
        for (frame, by_cells) in pass.maps.iter().zip(by_cells.chunks_exact(self.cells().len())) {
            let mut by_output = by_cells.to_vec();
            for (at, convolution) in self.convolutions.iter().enumerate().rev() {
                convolution.gather(&frame[at], &mut patches[at]);
                let (place, output) = (places[at].clone(), &frame[at + 1]);
                let asked = (at > 0).then_some(by_patches[at].as_mut_slice());
                let (parameters, gradient) = (&parameters[place.clone()], &mut gradient[place]);
                convolution.backward(parameters, &patches[at], output, &mut by_output, gradient, asked);
                if at > 0 {
                    by_output = vec![0.0; convolution.input().len()];
                    convolution.scatter(&by_patches[at], &mut by_output);
                }
            }
        }
    }

    /// The tensors `trunk.*`, `feature.*` and `single_frame.*` that `Perception::load` reads; `std` divides each feature.
    pub fn tensors(&self, parameters: &[f32], std: &[f32]) -> Vec<NamedTensor> {
        let places = self.places();
        let mut tensors = Vec::new();
        for (at, (convolution, place)) in self.convolutions.iter().zip(&places).enumerate() {
            let spec = convolution.spec();
            let (weight, bias) = parameters[place.clone()].split_at(convolution.weight_count());
            let shape = [spec.output, spec.input, spec.kernel, spec.kernel];
            let weight = outputs_first(weight, spec.input, spec.output);
            tensors.push(NamedTensor::new(format!("trunk.conv{at}.weight"), &shape, weight));
            tensors.push(NamedTensor::new(format!("trunk.conv{at}.bias"), &[spec.output], bias.to_vec()));
        }
        let (cells, last) = (self.cells(), self.convolutions.len());
        let (weight, bias) = parameters[places[last].clone()].split_at(cells.len() * self.features);
        // Cells are `[row][column][channel]` here and `[channel][row][column]` behind the trunk.
        let turned = weight.chunks_exact(cells.len()).flat_map(|row| {
            (0..cells.channels).flat_map(move |channel| row[channel..].iter().step_by(cells.channels).copied())
        });
        tensors.push(NamedTensor::new("feature.weight", &[self.features, cells.len()], turned.collect()));
        tensors.push(NamedTensor::new("feature.bias", &[self.features], bias.to_vec()));
        tensors.push(NamedTensor::new("feature.std", &[self.features], std.to_vec()));
        let (weight, bias) = parameters[places[last + 1].clone()].split_at(self.features);
        let weight: Vec<f32> = weight.iter().zip(std).map(|(weight, std)| weight * std).collect();
        tensors.push(NamedTensor::new("single_frame.weight", &[1, self.features], weight));
        tensors.push(NamedTensor::new("single_frame.bias", &[1], bias.to_vec()));
        tensors
    }
}

/// `[row][column][input][output]` as PyTorch's `[output][input][row][column]`.
fn outputs_first(values: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for output in 0..outputs {
        for input in 0..inputs {
            turned.extend(values[input * outputs + output..].iter().step_by(inputs * outputs));
        }
    }
    turned
}
