//! The trained feature layer behind the backbone, and the steering output of a single frame.

use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::{self, Finish, Gather, InstructionSet, PackedMatrix};
use crate::weights::get;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use ndarray::{Array1, ArrayView1};

/// `features = max(weight * cells + bias, 0) / std`, and `steering = weight * features + bias` from a single frame.
pub(crate) struct FeatureLayer {
    linear: Linear,
    std: Tensor,
    /// The same on the CPU as one operation.
    fused: Option<FusedLayer>,
    steering: Array1<f32>,
    steering_bias: f32,
    inputs: usize,
}

impl FeatureLayer {
    /// Reads `feature.weight [features, inputs]`, `feature.bias`, `feature.std`, `single_frame.weight` and `.bias`.
    pub fn load(
        vb: &VarBuilder<'_>,
        config: &PerceptionConfig,
        inputs: usize,
        set: InstructionSet,
    ) -> std::result::Result<Self, PerceptionError> {
        let outputs = config.feature_count;
        let (feature, single_frame) = (vb.pp("feature"), vb.pp("single_frame"));
        let weight = get(&feature, "weight", &[outputs, inputs])?;
        let bias = get(&feature, "bias", &[outputs])?;
        let std = get(&feature, "std", &[outputs])?;
        let deviations: Vec<f32> = std.to_vec1()?;
        if let Some(index) = deviations.iter().position(|std| *std <= 0.0) {
            let (name, value) = ("feature.std".into(), deviations[index]);
            return Err(PerceptionError::OutOfRange { name, index, value, expected: "standard deviations above 0" });
        }
        let fused = match vb.device().is_cpu() {
            true => Some(FusedLayer::new(&weight, &bias, deviations, set)?),
            false => None,
        };
        let steering: Vec<f32> = get(&single_frame, "weight", &[1, outputs])?.flatten_all()?.to_vec1()?;
        let steering_bias = get(&single_frame, "bias", &[1])?.to_vec1::<f32>()?[0];
        let linear = Linear::new(weight, Some(bias));
        Ok(Self { linear, std, fused, steering: steering.into(), steering_bias, inputs })
    }

    /// Length of a row of cells.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The angle that a single frame suggests, in radians, positive to the left.
    pub fn steering_rad(&self, features: ArrayView1<'_, f32>) -> f32 {
        self.steering.dot(&features) + self.steering_bias
    }

    /// Weights and biases, the single-frame output included.
    pub fn weight_count(&self) -> u64 {
        (self.steering.len() * (self.inputs + 2) + 1) as u64
    }

    /// Multiply-accumulates of the feature layer.
    pub fn macs(&self) -> u64 {
        (self.steering.len() * self.inputs) as u64
    }

    /// As [`Module::forward`], in candle's own operations on any device.
    pub fn forward_plain(&self, cells: &Tensor) -> Result<Tensor> {
        self.linear.forward(cells)?.relu()?.broadcast_div(&self.std)
    }
}

impl Module for FeatureLayer {
    /// `[batch, inputs]` to `[batch, features]`.
    fn forward(&self, cells: &Tensor) -> Result<Tensor> {
        match &self.fused {
            Some(fused) => cells.apply_op1_no_bwd(fused),
            None => self.forward_plain(cells),
        }
    }
}

/// The layer on this crate's kernels: a matrix product with one row is bound by the weights it fetches.
#[derive(Debug)]
struct FusedLayer {
    set: InstructionSet,
    /// Padded with zero outputs to a multiple of eight.
    matrix: PackedMatrix,
    std: Vec<f32>,
}

impl FusedLayer {
    fn new(weight: &Tensor, bias: &Tensor, std: Vec<f32>, set: InstructionSet) -> Result<Self> {
        let padding = std.len().next_multiple_of(8) - std.len();
        let inputs_first: Vec<f32> = weight.t()?.pad_with_zeros(1, 0, padding)?.flatten_all()?.to_vec1()?;
        let bias: Vec<f32> = bias.pad_with_zeros(0, 0, padding)?.to_vec1()?;
        let inputs = weight.dim(1)?;
        Ok(Self { set, matrix: PackedMatrix::new(&inputs_first, &bias, inputs, set), std })
    }
}

impl CustomOp1 for FusedLayer {
    fn name(&self) -> &'static str {
        "fused-feature-layer"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, inputs) = layout.shape().dims2()?;
        let Some((from, to)) = layout.contiguous_offsets() else { candle_core::bail!("cells that are not contiguous") };
        if inputs != self.matrix.inputs {
            candle_core::bail!("cells of shape [{batch}, {inputs}], expected [_, {}]", self.matrix.inputs)
        }
        let (cells, padded) = (&storage.as_slice::<f32>()?[from..to], self.matrix.outputs);
        let mut sums = vec![0.0; batch * padded];
        let gather = Gather::pointwise(inputs);
        kernels::matmul(self.set, &self.matrix, cells, gather, batch, &mut sums, Finish::Linear, None);
        let mut features = Vec::with_capacity(batch * self.std.len());
        for sums in sums.chunks_exact(padded) {
            features.extend(sums.iter().zip(&self.std).map(|(sum, std)| sum.max(0.0) / std));
        }
        Ok((CpuStorage::F32(features), Shape::from((batch, self.std.len()))))
    }
}
