//! The averaging to cells, the trained feature layer, and the steering output of a single frame.

use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::{self, Finish, Gather, InstructionSet, PackedMatrix};
use crate::trunk::layout::MapSize;
use crate::weights::Weights;

/// Averages a map `[row][column][channel]` to cells; `pooled` is `[channel][cell row][cell column]`.
pub(crate) fn pool(map: &[f32], size: MapSize, cells_down: usize, cells_across: usize, pooled: &mut [f32]) {
    let (tall, wide) = (size.height / cells_down, size.width / cells_across);
    let share = 1.0 / (tall * wide) as f32;
    let cells = cells_down * cells_across;
    pooled.fill(0.0);
    for (row, columns) in map.chunks_exact(size.width * size.channels).enumerate() {
        for (column, channels) in columns.chunks_exact(size.channels).enumerate() {
            let cell = row / tall * cells_across + column / wide;
            for (channel, value) in channels.iter().enumerate() {
                pooled[channel * cells + cell] += value * share;
            }
        }
    }
}

/// `features = max(weight * pooled + bias, 0) / std`, and `steering = weight * features + bias` from a single frame.
#[derive(Debug, Clone)]
pub(crate) struct FeatureLayer {
    set: InstructionSet,
    /// Padded with zero outputs to a multiple of eight.
    matrix: PackedMatrix,
    std: Vec<f32>,
    sums: Vec<f32>,
    steering: Vec<f32>,
    steering_bias: f32,
}

impl FeatureLayer {
    /// Reads `feature.weight [features][pooled]`, `feature.bias`, `feature.std`, `single_frame.weight` and `.bias`.
    pub fn load(
        weights: &Weights<'_>,
        config: &PerceptionConfig,
        set: InstructionSet,
    ) -> Result<Self, PerceptionError> {
        let (inputs, outputs) = (config.pooled_count(), config.feature_count);
        let weight = weights.get("feature.weight", &[outputs, inputs])?;
        let std = weights.get("feature.std", &[outputs])?;
        if let Some(index) = std.iter().position(|std| *std <= 0.0) {
            let (name, value) = ("feature.std".into(), std[index]);
            return Err(PerceptionError::OutOfRange { name, index, value, expected: "standard deviations above 0" });
        }
        let padded = outputs.next_multiple_of(8);
        let mut turned = vec![0.0; inputs * padded];
        for (output, row) in weight.chunks_exact(inputs).enumerate() {
            row.iter().enumerate().for_each(|(input, value)| turned[input * padded + output] = *value);
        }
        let mut bias = weights.get("feature.bias", &[outputs])?;
        bias.resize(padded, 0.0);
        Ok(Self {
            set,
            matrix: PackedMatrix::new(&turned, &bias, set.lanes()),
            std,
            sums: vec![0.0; padded],
            steering: weights.get("single_frame.weight", &[1, outputs])?,
            steering_bias: weights.get("single_frame.bias", &[1])?[0],
        })
    }

    /// Fills `features` from `pooled`; both lengths are already checked.
    pub fn run(&mut self, pooled: &[f32], features: &mut [f32]) {
        let gather = Gather::pointwise(pooled.len());
        kernels::matmul(self.set, &self.matrix, pooled, gather, 1, &mut self.sums, Finish::Linear, None);
        self.finish(features);
    }

    /// As [`FeatureLayer::run`], from sums `weight * pooled + bias` that were made elsewhere.
    pub fn run_from_sums(&mut self, sums: &[f32], features: &mut [f32]) {
        self.sums[..sums.len()].copy_from_slice(sums);
        self.finish(features);
    }

    fn finish(&self, features: &mut [f32]) {
        for ((feature, sum), std) in features.iter_mut().zip(&self.sums).zip(&self.std) {
            *feature = sum.max(0.0) / std;
        }
    }

    /// The angle that a single frame suggests, in radians, positive to the left.
    pub fn steering_rad(&self, features: &[f32]) -> f32 {
        self.steering.iter().zip(features).map(|(weight, feature)| weight * feature).sum::<f32>() + self.steering_bias
    }

    /// Weights and biases, the single-frame output included.
    pub fn weight_count(&self) -> u64 {
        (self.std.len() * (self.matrix.inputs + 1) + self.steering.len() + 1) as u64
    }

    /// Multiply-accumulates of the feature layer.
    pub fn macs(&self) -> u64 {
        (self.std.len() * self.matrix.inputs) as u64
    }
}
