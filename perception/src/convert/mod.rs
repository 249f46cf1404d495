//! From the published PyTorch file of EfficientNet-Lite0 to the tensors `trunk.*`, batch norm folded in.

mod pth;

use crate::error::PerceptionError;
use crate::trunk::layout::{BLOCKS, STEM_CHANNELS};
use crate::weights::{NamedTensor, Storage, to_safetensors};
use std::collections::HashMap;
use std::path::Path;

/// The batch norm's epsilon in EfficientNet.
const EPSILON: f32 = 1e-3;

/// Reads a PyTorch `.pth` file of EfficientNet-Lite0 (either of PyTorch's two file formats) and returns `trunk.*` for all
/// known blocks, shaped as in PyTorch (`[output][input][row][column]`), with the batch norms folded into weight and bias.
///
/// # Errors
/// [`PerceptionError::File`] where the file cannot be read as PyTorch's, else the first tensor that is missing or wrong.
pub fn trunk_from_pth(path: &Path) -> Result<Vec<NamedTensor>, PerceptionError> {
    let file = Checkpoint(pth::read(path)?);
    let mut tensors = file.folded("trunk.stem", "_conv_stem", "_bn0", [STEM_CHANNELS, 3, 3, 3])?.to_vec();
    for (index, block) in BLOCKS.iter().enumerate() {
        let (from, to) = (format!("_blocks.{index}"), format!("trunk.block{index}"));
        let mut fold = |to_layer: &str, convolution: &str, norm: &str, shape| {
            let (convolution, norm) = (format!("{from}.{convolution}"), format!("{from}.{norm}"));
            file.folded(&format!("{to}.{to_layer}"), &convolution, &norm, shape).map(|pair| tensors.extend(pair))
        };
        if block.expands() {
            fold("expand", "_expand_conv", "_bn0", [block.expanded, block.input, 1, 1])?;
        }
        fold("depthwise", "_depthwise_conv", "_bn1", [block.expanded, 1, block.kernel, block.kernel])?;
        fold("project", "_project_conv", "_bn2", [block.output, block.expanded, 1, 1])?;
    }
    Ok(tensors)
}

/// Converts the `.pth` file `from` and writes the trunk as safetensors with 16-bit floats to `to`; the file appears under
/// its name only when complete.
///
/// # Errors
/// As [`trunk_from_pth`], or [`PerceptionError::File`] where `to` cannot be written.
pub fn write_trunk(from: &Path, to: &Path) -> Result<(), PerceptionError> {
    let bytes = to_safetensors(&trunk_from_pth(from)?, Storage::F16)?;
    crate::files::write_whole(to, &bytes)
}

struct Checkpoint(HashMap<String, (Vec<usize>, Vec<f32>)>);

impl Checkpoint {
    fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], PerceptionError> {
        let (found, values) = self
            .0
            .get(name)
            .ok_or_else(|| PerceptionError::MissingTensor { name: name.into(), expected: shape.to_vec() })?;
        if found != shape {
            let (found, expected) = (found.clone(), shape.to_vec());
            return Err(PerceptionError::WrongShape { name: name.into(), found, expected });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(PerceptionError::NotFinite { name: name.into(), index, value: values[index] }),
            None => Ok(values),
        }
    }

    /// `norm(convolution(x)) = weight * g * x + (beta - mean * g)` with `g = gamma / sqrt(variance + epsilon)`.
    fn folded(
        &self,
        name: &str,
        convolution: &str,
        norm: &str,
        shape: [usize; 4],
    ) -> Result<[NamedTensor; 2], PerceptionError> {
        let statistic = |field: &str| self.get(&format!("{norm}.{field}"), &shape[..1]);
        let (gamma, beta) = (statistic("weight")?, statistic("bias")?);
        let (mean, variance) = (statistic("running_mean")?, statistic("running_var")?);
        let mut weight = self.get(&format!("{convolution}.weight"), &shape)?.to_vec();
        let mut bias = vec![0.0; shape[0]];
        for (channel, values) in weight.chunks_exact_mut(shape[1..].iter().product()).enumerate() {
            let gain = gamma[channel] / (variance[channel] + EPSILON).sqrt();
            values.iter_mut().for_each(|value| *value *= gain);
            bias[channel] = beta[channel] - mean[channel] * gain;
        }
        Ok([
            NamedTensor::new(format!("{name}.weight"), &shape, weight),
            NamedTensor::new(format!("{name}.bias"), &shape[..1], bias),
        ])
    }
}
