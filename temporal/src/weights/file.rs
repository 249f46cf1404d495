//! Weights from and to safetensors: `rnn.w_x`, `rnn.w_h`, `rnn.b_x`, `rnn.b_h`, `head.weight`, `head.bias`.

use std::{collections::HashMap, fs, path::Path};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::gru::{GruWeights, check_finite};
use crate::{Head, TemporalConfig, TemporalError};

/// The key of the metadata that records how the weights were trained.
const METADATA: &str = "temporal";

/// Reads the layer and the head from the bytes of a safetensors file; tensors of other names are left alone.
///
/// # Errors
/// The tensor that is missing, has another shape than `config` asks for, or holds NaN or an infinity is named; so is
/// the first field of `config` that differs from the training recorded in the file.
pub fn load(bytes: &[u8], config: &TemporalConfig) -> Result<(GruWeights, Head), TemporalError> {
    config.check()?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
    if let Some(fingerprint) = header.metadata().as_ref().and_then(|m| m.get(METADATA)) {
        config.compare(fingerprint)?;
    }
    let file = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
    let (inputs, hidden) = (config.inputs, config.hidden);
    let rows = 3 * hidden;
    let gru = GruWeights {
        inputs,
        hidden,
        w_x: tensor(&file, "rnn.w_x", &[inputs, rows])?,
        w_h: tensor(&file, "rnn.w_h", &[hidden, rows])?,
        b_x: tensor(&file, "rnn.b_x", &[rows])?,
        b_h: tensor(&file, "rnn.b_h", &[rows])?,
    };
    let head = Head { weight: tensor(&file, "head.weight", &[1, hidden])?, bias: tensor(&file, "head.bias", &[1])?[0] };
    Ok((gru, head))
}

/// The bytes of a safetensors file with the layer and the head, and any `others` beside them (name, shape, values),
/// such as the perception's tensors.
///
/// # Errors
/// [`TemporalError::NotSafetensors`] where the library refuses, the checks of [`GruWeights::check`] otherwise.
pub fn to_safetensors(
    gru: &GruWeights,
    head: &Head,
    config: &TemporalConfig,
    others: &[(String, Vec<usize>, Vec<f32>)],
) -> Result<Vec<u8>, TemporalError> {
    gru.check()?;
    head.check(gru.hidden)?;
    let bias = [head.bias];
    let mut views = Vec::new();
    for (name, shape, values) in gru.tensors() {
        views.push((name, view(shape, values)?));
    }
    views.push(("head.weight", view(vec![1, gru.hidden], &head.weight)?));
    views.push(("head.bias", view(vec![1], &bias)?));
    for (name, shape, values) in others {
        views.push((name, view(shape.clone(), values)?));
    }
    let metadata = HashMap::from([(METADATA.to_string(), config.fingerprint())]);
    safetensors::serialize(views, Some(metadata)).map_err(not_safetensors)
}

/// Writes [`to_safetensors`] to `path`: first beside it, then renamed, so that no half-written file bears its name.
///
/// # Errors
/// [`TemporalError::Io`] names the file.
pub fn save(path: &Path, gru: &GruWeights, head: &Head, config: &TemporalConfig) -> Result<(), TemporalError> {
    let bytes = to_safetensors(gru, head, config, &[])?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let io = |source| TemporalError::Io { path: path.to_path_buf(), source };
    fs::write(partial, bytes).and_then(|()| fs::rename(partial, path)).map_err(|source| {
        fs::remove_file(partial).ok();
        io(source)
    })
}

/// One tensor as f32, its shape and values checked.
fn tensor(file: &SafeTensors<'_>, name: &str, expected: &[usize]) -> Result<Vec<f32>, TemporalError> {
    let view = file
        .tensor(name)
        .map_err(|_| TemporalError::MissingTensor { name: name.to_string(), expected: expected.to_vec() })?;
    if view.shape() != expected {
        let (expected, found) = (expected.to_vec(), view.shape().to_vec());
        return Err(TemporalError::TensorShape { name: name.to_string(), expected, found });
    }
    let values = to_f32(name, &view)?;
    check_finite(name, &values)?;
    Ok(values)
}

/// Little-endian bytes to f32.
fn to_f32(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, TemporalError> {
    let bytes = view.data();
    Ok(match view.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        other => return Err(TemporalError::TensorType { name: name.to_string(), found: format!("{other:?}") }),
    })
}

/// A view of f32 values for the writer. (All targets that the project names are little-endian.)
fn view(shape: Vec<usize>, values: &[f32]) -> Result<TensorView<'_>, TemporalError> {
    TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(values)).map_err(not_safetensors)
}

fn not_safetensors(error: safetensors::SafeTensorError) -> TemporalError {
    TemporalError::NotSafetensors { reason: error.to_string() }
}
