//! One strided convolution with ReLU6: forward and the hand-written gradient, as matrix products over patches.
//!
//! candle's own backward pass refuses strides whose remainders differ between height and width, and is ten times slower.

use super::super::product::{Matrix, product};
use crate::trunk::layout::{ConvSpec, MapSize, pad_before};

/// Its shapes; parameters come from outside: `weight[kernel][kernel][input][output]`, then `bias[output]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    spec: ConvSpec,
    input: MapSize,
    output: MapSize,
}

impl Convolution {
    pub fn new(spec: ConvSpec, input: MapSize) -> Self {
        let (height, width) = (input.height / spec.stride, input.width / spec.stride);
        Self { spec, input, output: MapSize { height, width, channels: spec.output } }
    }

    pub fn spec(&self) -> ConvSpec {
        self.spec
    }

    pub fn input(&self) -> MapSize {
        self.input
    }

    pub fn output(&self) -> MapSize {
        self.output
    }

    /// Inputs of one output value.
    pub fn patch(&self) -> usize {
        self.spec.kernel * self.spec.kernel * self.spec.input
    }

    pub fn weight_count(&self) -> usize {
        self.patch() * self.spec.output
    }

    pub fn parameter_count(&self) -> usize {
        self.weight_count() + self.spec.output
    }

    /// Values in the patches of a whole map.
    pub fn patches_len(&self) -> usize {
        self.positions() * self.patch()
    }

    fn positions(&self) -> usize {
        self.output.height * self.output.width
    }

    /// Calls `run(place in the patches, place in the map, length)` for each run of values inside the map; patches are
    /// `[position][kernel row][kernel column][channel]`.
    fn runs(&self, mut run: impl FnMut(usize, usize, usize)) {
        let ConvSpec { kernel, stride, input: channels, .. } = self.spec;
        let pad = pad_before(kernel, stride);
        for y in 0..self.output.height {
            for x in 0..self.output.width {
                let left = (x * stride).max(pad);
                let right = (x * stride + kernel).min(pad + self.input.width);
                for row in 0..kernel {
                    let from = y * stride + row;
                    if !(pad..pad + self.input.height).contains(&from) {
                        continue;
                    }
                    let patch = ((y * self.output.width + x) * kernel + row) * kernel + left - x * stride;
                    let map = (from - pad) * self.input.width + left - pad;
                    run(patch * channels, map * channels, (right - left) * channels);
                }
            }
        }
    }

    /// The patches of `map`, zeros beyond its edges.
    pub fn gather(&self, map: &[f32], patches: &mut [f32]) {
        patches.fill(0.0);
        self.runs(|patch, from, length| patches[patch..patch + length].copy_from_slice(&map[from..from + length]));
    }

    /// Adds what each patch holds to the value of `map` that it was gathered from.
    pub fn scatter(&self, patches: &[f32], map: &mut [f32]) {
        self.runs(|patch, to, length| {
            map[to..to + length].iter_mut().zip(&patches[patch..]).for_each(|(to, from)| *to += from);
        });
    }

    /// `output[position][channel] = min(max(patches * weight + bias, 0), 6)`
    pub fn forward(&self, parameters: &[f32], patches: &[f32], output: &mut [f32]) {
        let (weight, bias) = parameters.split_at(self.weight_count());
        let patches = Matrix::new(patches, self.positions(), self.patch());
        product(patches, Matrix::new(weight, self.patch(), self.spec.output), false, output);
        for pixel in output.chunks_exact_mut(self.spec.output) {
            pixel.iter_mut().zip(bias).for_each(|(value, bias)| *value = (*value + bias).clamp(0.0, 6.0));
        }
    }

    /// Adds the loss's gradient by the parameters to `gradient`, given that by the output (consumed: zeroed where ReLU6 is
    /// flat), and leaves that by the patches in `by_patches`, where it is asked for.
    pub fn backward(
        &self,
        parameters: &[f32],
        patches: &[f32],
        output: &[f32],
        by_output: &mut [f32],
        gradient: &mut [f32],
        by_patches: Option<&mut [f32]>,
    ) {
        let (positions, patch, channels) = (self.positions(), self.patch(), self.spec.output);
        by_output
            .iter_mut()
            .zip(output)
            .for_each(|(g, value)| *g = if *value > 0.0 && *value < 6.0 { *g } else { 0.0 });
        let (weight, bias) = gradient.split_at_mut(self.weight_count());
        let by = Matrix::new(by_output, positions, channels);
        product(Matrix::new(patches, positions, patch).t(), by, true, weight);
        for pixel in by_output.chunks_exact(channels) {
            bias.iter_mut().zip(pixel).for_each(|(bias, g)| *bias += g);
        }
        if let Some(by_patches) = by_patches {
            let weight = Matrix::new(&parameters[..self.weight_count()], patch, channels);
            product(Matrix::new(by_output, positions, channels), weight.t(), false, by_patches);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::normal;
    use candle_core::{Device, Tensor};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    const SPEC: ConvSpec = ConvSpec { input: 2, output: 3, kernel: 5, stride: 2 };

    fn random(count: usize, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| 0.4 * normal(&mut rng)).collect()
    }

    fn forward(conv: &Convolution, parameters: &[f32], map: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (mut patches, mut output) = (vec![0.0; conv.patches_len()], vec![0.0; conv.output().len()]);
        conv.gather(map, &mut patches);
        conv.forward(parameters, &patches, &mut output);
        (patches, output)
    }

    #[test]
    fn equals_candle() {
        for (height, width) in [(8, 12), (2, 2), (6, 4)] {
            let conv = Convolution::new(SPEC, MapSize { height, width, channels: 2 });
            let (parameters, map) = (random(conv.parameter_count(), 1), random(conv.input().len(), 2));
            let (_, output) = forward(&conv, &parameters, &map);
            let weight = Tensor::from_slice(&parameters[..150], (5, 5, 2, 3), &Device::Cpu).unwrap();
            let weight = weight.permute((3, 2, 0, 1)).unwrap().contiguous().unwrap();
            let bias = Tensor::from_slice(&parameters[150..], (1, 3, 1, 1), &Device::Cpu).unwrap();
            let map = Tensor::from_slice(&map, (1, height, width, 2), &Device::Cpu).unwrap();
            let map = map.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            // One row and column before, two after.
            let map = map.pad_with_zeros(2, 1, 2).unwrap().pad_with_zeros(3, 1, 2).unwrap();
            let expected = map.conv2d(&weight, 0, 2, 1, 1).unwrap().broadcast_add(&bias).unwrap();
            let expected = expected.clamp(0.0f32, 6.0f32).unwrap().permute((0, 2, 3, 1)).unwrap();
            let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(output.len(), expected.len());
            assert!(output.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{output:?} {expected:?}");
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let conv = Convolution::new(SPEC, MapSize { height: 4, width: 6, channels: 2 });
        let (parameters, map) = (random(conv.parameter_count(), 3), random(conv.input().len(), 4));
        // The loss: a fixed weighting of all outputs.
        let weights = random(conv.output().len(), 5);
        let loss = |parameters: &[f32], map: &[f32]| -> f64 {
            let (_, output) = forward(&conv, parameters, map);
            output.iter().zip(&weights).map(|(a, b)| f64::from(a * b)).sum()
        };
        let (patches, output) = forward(&conv, &parameters, &map);
        let mut gradient = vec![0.0; parameters.len()];
        let mut by_patches = vec![0.0; patches.len()];
        let mut by_output = weights.clone();
        conv.backward(&parameters, &patches, &output, &mut by_output, &mut gradient, Some(&mut by_patches));
        let mut by_map = vec![0.0; map.len()];
        conv.scatter(&by_patches, &mut by_map);
        let check = |found: &[f32], values: &[f32], loss: &dyn Fn(&[f32]) -> f64| {
            for i in 0..values.len() {
                let mut moved = values.to_vec();
                moved[i] += 1e-3;
                let above = loss(&moved);
                moved[i] -= 2e-3;
                let slope = (above - loss(&moved)) / 2e-3;
                assert!((slope - f64::from(found[i])).abs() < 2e-2 * slope.abs().max(0.5), "{i}: {slope} {}", found[i]);
            }
        };
        check(&gradient, &parameters, &|parameters| loss(parameters, &map));
        check(&by_map, &map, &|map| loss(&parameters, map));
    }
}
