//! Weights from and to safetensors. A model's file holds `rnn.*`, named and shaped as `torch.nn.GRU` does it
//! (`rnn.weight_ih_l0`, ...), and `head.weight`, `head.bias` (with `head.fc.weight`, `head.fc.bias` where there is a fully
//! connected layer), as `torch.nn.Linear` does it.

use std::{collections::HashMap, fs::File, io::Write, path::Path};

use half::{bf16, f16};
use ndarray::{Array1, Array2};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::gru::{Gru, GruWeights, check_finite};
use crate::{Head, Linear, RnnConfig, TemporalError};

/// The key of the metadata that records how the weights were trained.
const METADATA: &str = "temporal";
/// Prefix of the GRU's tensors in a model's file.
const RNN: &str = "rnn.";

/// Reads the layers and the head from the bytes of a model's safetensors file; tensors of other names are ignored.
///
/// # Errors
/// [`TemporalError::MissingTensor`], [`TemporalError::TensorShape`], [`TemporalError::TensorType`] and
/// [`TemporalError::WeightNotFinite`] name the tensor; [`TemporalError::ConfigField`] names the first field of `config` that
/// differs from the training recorded in the file; [`TemporalError::NotSafetensors`].
pub fn load(bytes: &[u8], config: &RnnConfig) -> Result<(Gru, Option<Head>), TemporalError> {
    config.check()?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
    if let Some(fingerprint) = header.metadata().as_ref().and_then(|m| m.get(METADATA)) {
        config.compare(fingerprint)?;
    }
    let file = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
    let gru = read_gru(&file, RNN, config.input_size, config.hidden_size, config.num_layers, config.bidirectional)?;
    let Some(head) = config.head else { return Ok((gru, None)) };
    let mut inputs = gru.output_size();
    let mut linear = |name: &str, output_size: usize| {
        let weight = tensor(&file, &format!("{name}.weight"), &[output_size, inputs])?;
        let weight = Array2::from_shape_vec((output_size, inputs), weight).unwrap_or_default();
        let bias = Array1::from(tensor(&file, &format!("{name}.bias"), &[output_size])?);
        inputs = output_size;
        Ok::<_, TemporalError>(Linear { weight, bias })
    };
    let fc = head.fc_size.map(|size| linear("head.fc", size)).transpose()?;
    let output = linear("head", head.output_size)?;
    Ok((gru, Some(Head { pooling: head.pooling, fc, output })))
}

/// Reads the weights of a `torch.nn.GRU` of any number of layers, in one or both directions, with or without biases, from the
/// bytes of a safetensors file (`safetensors.torch.save_file(model.state_dict(), path)`). `prefix` is what stands before
/// `weight_ih_l0`: empty for the module's own state, `gru.` for that of a model that calls it `gru`.
///
/// # Errors
/// [`TemporalError::NotGru`] for an LSTM or a plain RNN; [`TemporalError::MissingTensor`], [`TemporalError::TensorShape`],
/// [`TemporalError::TensorType`] and [`TemporalError::WeightNotFinite`] name the tensor; [`TemporalError::NotSafetensors`].
pub fn from_pytorch(bytes: &[u8], prefix: &str) -> Result<Gru, TemporalError> {
    let file = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
    let first = format!("{prefix}weight_ih_l0");
    let shape = |name: &str| file.tensor(name).ok().map(|view| view.shape().to_vec());
    let Some(weight_ih) = shape(&first) else {
        let found = file.names().into_iter().find_map(|name| name.strip_suffix("weight_ih_l0"));
        let expected = match found {
            Some(prefix) => format!("the prefix of a GRU in this file, `{prefix}`"),
            None => "the weights of a `torch.nn.GRU`".to_string(),
        };
        return Err(TemporalError::MissingTensor { name: first, expected });
    };
    let name = format!("{prefix}weight_hh_l0");
    let weight_hh =
        shape(&name).ok_or_else(|| missing(&name, "F32, F16 or BF16 of shape [3 * hidden_size, hidden_size]"))?;
    let (&[rows, input_size], &[_, hidden_size]) = (&weight_ih[..], &weight_hh[..]) else {
        return Err(TemporalError::TensorShape { name: first, expected: vec![0, 0], found: weight_ih });
    };
    for (gates, kind) in [(4, "an LSTM"), (1, "a plain RNN")] {
        if rows == gates * hidden_size && hidden_size > 0 {
            return Err(TemporalError::NotGru { name: first, rows, hidden_size, kind });
        }
    }
    let layer = |name: &str| name.strip_prefix(prefix)?.strip_prefix("weight_ih_l")?.parse::<usize>().ok();
    let num_layers = file.names().into_iter().filter_map(layer).max().map_or(1, |last| last + 1);
    let bidirectional = shape(&format!("{first}_reverse")).is_some();
    read_gru(&file, prefix, input_size, hidden_size, num_layers, bidirectional)
}

/// Reads cells of known sizes. Biases may be missing all together.
fn read_gru(
    file: &SafeTensors<'_>,
    prefix: &str,
    input_size: usize,
    hidden_size: usize,
    num_layers: usize,
    bidirectional: bool,
) -> Result<Gru, TemporalError> {
    let rows = 3 * hidden_size;
    let biases = file.names().iter().any(|name| name.starts_with(&format!("{prefix}bias_")));
    let directions = if bidirectional { 2 } else { 1 };
    let cell = |index: usize| {
        let suffix = Gru::suffix(index, bidirectional);
        let matrix = |name: &str, columns: usize| {
            let values = tensor(file, &format!("{prefix}{name}{suffix}"), &[rows, columns])?;
            Ok::<_, TemporalError>(Array2::from_shape_vec((rows, columns), values).unwrap_or_default())
        };
        let bias = |name: &str| {
            let read = || tensor(file, &format!("{prefix}{name}{suffix}"), &[rows]).map(Array1::from);
            if biases { read() } else { Ok(Array1::zeros(rows)) }
        };
        let columns = if index < directions { input_size } else { directions * hidden_size };
        Ok(GruWeights {
            weight_ih: matrix("weight_ih", columns)?,
            weight_hh: matrix("weight_hh", hidden_size)?,
            bias_ih: bias("bias_ih")?,
            bias_hh: bias("bias_hh")?,
        })
    };
    let cells = (0..num_layers * directions).map(cell).collect::<Result<_, TemporalError>>()?;
    Ok(Gru { cells, bidirectional })
}

/// The bytes of a safetensors file with the layers and the head.
///
/// # Errors
/// As [`Gru::check`] and [`Head::check`]; [`TemporalError::NotSafetensors`] where the library refuses.
pub fn to_safetensors(gru: &Gru, head: Option<&Head>, config: &RnnConfig) -> Result<Vec<u8>, TemporalError> {
    gru.check()?;
    let mut tensors = gru.tensors();
    tensors.iter_mut().for_each(|(name, ..)| name.insert_str(0, RNN));
    if let Some(head) = head {
        head.check(gru.output_size())?;
        tensors.extend(head.tensors());
    }
    let views = tensors.iter().map(|(name, shape, values)| Ok((name, view(shape.clone(), values)?)));
    let views: Vec<_> = views.collect::<Result<_, TemporalError>>()?;
    let metadata = HashMap::from([(METADATA.to_string(), config.fingerprint())]);
    safetensors::serialize(views, Some(metadata)).map_err(not_safetensors)
}

/// Writes [`to_safetensors`] to `path`. A half-written file never has this name.
///
/// # Errors
/// As [`to_safetensors`]; [`TemporalError::Io`] names the file.
pub fn save(path: &Path, gru: &Gru, head: Option<&Head>, config: &RnnConfig) -> Result<(), TemporalError> {
    let bytes = to_safetensors(gru, head, config)?;
    write_whole(path, &bytes).map_err(|source| TemporalError::Io { path: path.to_path_buf(), source })
}

/// Writes a file under a name of its own beside `path`, has it stored on the disk, and renames it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask
    let mut file = builder.prefix(".partial-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The new name is on the disk only with its folder. Not every system can open one.
    File::open(folder).and_then(|folder| folder.sync_all()).ok();
    Ok(())
}

/// One tensor as f32, its shape and values checked.
fn tensor(file: &SafeTensors<'_>, name: &str, expected: &[usize]) -> Result<Vec<f32>, TemporalError> {
    let view = file.tensor(name).map_err(|_| missing(name, &format!("F32, F16 or BF16 of shape {expected:?}")))?;
    if view.shape() != expected {
        let (expected, found) = (expected.to_vec(), view.shape().to_vec());
        return Err(TemporalError::TensorShape { name: name.to_string(), expected, found });
    }
    let values = to_f32(name, &view)?;
    check_finite(name, &values)?;
    Ok(values)
}

fn missing(name: &str, expected: &str) -> TemporalError {
    TemporalError::MissingTensor { name: name.to_string(), expected: expected.to_string() }
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
