//! From the published PyTorch files of EfficientNet-Lite to the tensors `trunk.*`, batch norm folded in.

mod pth;

use crate::backbone::{BackboneName, STEM_CHANNELS};
use crate::error::PerceptionError;
use crate::weights::{NamedTensors, Storage, to_safetensors};
use ndarray::{ArrayD, Axis};
use std::path::Path;

/// The batch norm's epsilon in EfficientNet.
const EPSILON: f32 = 1e-3;

/// Reads a PyTorch `.pth` file of an EfficientNet-Lite (either of PyTorch's two file formats) and returns `trunk.*` for its
/// first `blocks` blocks, shaped as in PyTorch (`[output, input, row, column]`), with the batch norms folded into weight and
/// bias.
///
/// # Errors
/// [`PerceptionError::File`] where the file cannot be read as PyTorch's, else the first tensor that is missing or wrong;
/// [`PerceptionError::Option`] for a backbone without published weights or more blocks than it has.
pub fn trunk_from_pth(path: &Path, backbone: BackboneName, blocks: usize) -> Result<NamedTensors, PerceptionError> {
    let specs = backbone.specs();
    if specs.is_empty() {
        let (field, found) = ("backbone", format!("{backbone:?}"));
        return Err(PerceptionError::Option { field, found, expected: "an EfficientNet-Lite" });
    }
    if blocks == 0 || blocks > specs.len() {
        let (field, found) = ("blocks", format!("{blocks} of {}", specs.len()));
        return Err(PerceptionError::Option { field, found, expected: "at least 1 and no more than the backbone has" });
    }
    let mut trunk = Trunk { file: pth::read(path)?, tensors: NamedTensors::new() };
    trunk.fold("trunk.stem", "_conv_stem", "_bn0", [STEM_CHANNELS, 3, 3, 3])?;
    for (index, block) in specs[..blocks].iter().enumerate() {
        let mut fold = |to: &str, convolution: &str, norm: &str, shape| {
            let of = |layer: &str| format!("_blocks.{index}.{layer}");
            trunk.fold(&format!("trunk.block{index}.{to}"), &of(convolution), &of(norm), shape)
        };
        if block.expands() {
            fold("expand", "_expand_conv", "_bn0", [block.expanded, block.input, 1, 1])?;
        }
        fold("depthwise", "_depthwise_conv", "_bn1", [block.expanded, 1, block.kernel, block.kernel])?;
        fold("project", "_project_conv", "_bn2", [block.output, block.expanded, 1, 1])?;
    }
    Ok(trunk.tensors)
}

/// Converts the `.pth` file `from` and writes the trunk as safetensors with 16-bit floats to `to`; the file appears under
/// its name only when complete.
///
/// # Errors
/// As [`trunk_from_pth`], or [`PerceptionError::File`] where `to` cannot be written.
pub fn write_trunk(from: &Path, backbone: BackboneName, blocks: usize, to: &Path) -> Result<(), PerceptionError> {
    let bytes = to_safetensors(&trunk_from_pth(from, backbone, blocks)?, Storage::F16)?;
    crate::files::write_whole(to, &bytes)
}

/// A checkpoint and what was converted so far.
struct Trunk {
    file: NamedTensors,
    tensors: NamedTensors,
}

impl Trunk {
    fn get(&self, name: &str, shape: &[usize]) -> Result<&ArrayD<f32>, PerceptionError> {
        let expected = shape.to_vec();
        let array = self.file.get(name);
        let array =
            array.ok_or_else(|| PerceptionError::MissingTensor { name: name.into(), expected: expected.clone() })?;
        if array.shape() != shape {
            return Err(PerceptionError::WrongShape { name: name.into(), found: array.shape().to_vec(), expected });
        }
        match array.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(PerceptionError::NotFinite { name: name.into(), index, value: f32::NAN }),
            None => Ok(array),
        }
    }

    /// `norm(convolution(x)) = weight * g * x + (beta - mean * g)` with `g = gamma / sqrt(variance + epsilon)`.
    fn fold(&mut self, name: &str, convolution: &str, norm: &str, shape: [usize; 4]) -> Result<(), PerceptionError> {
        let statistic = |field: &str| self.get(&format!("{norm}.{field}"), &shape[..1]);
        let (gamma, beta) = (statistic("weight")?, statistic("bias")?);
        let (mean, variance) = (statistic("running_mean")?, statistic("running_var")?);
        let gain = gamma / &(variance + EPSILON).mapv(f32::sqrt);
        let mut weight = self.get(&format!("{convolution}.weight"), &shape)?.clone();
        weight.axis_iter_mut(Axis(0)).zip(&gain).for_each(|(mut channel, gain)| channel *= *gain);
        let bias = beta - &(mean * &gain);
        self.tensors.insert(format!("{name}.weight"), weight);
        self.tensors.insert(format!("{name}.bias"), bias);
        Ok(())
    }
}
