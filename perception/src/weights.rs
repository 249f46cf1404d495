//! Named tensors in safetensors bytes: read into a candle [`VarBuilder`] with every value checked, and written.

use crate::error::PerceptionError;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use half::{bf16, f16};
use ndarray::{ArrayD, ArrayViewD};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};

/// Tensors by their full name, for example `trunk.stem.weight`.
pub type NamedTensors = BTreeMap<String, ArrayD<f32>>;

/// First parts of the names of this crate's tensors; a model file also holds those of the RNN.
const PREFIXES: [&str; 3] = ["trunk.", "feature.", "single_frame."];

/// The tensors of this crate in `bytes` as `f32` on `device`.
///
/// # Errors
/// [`PerceptionError::NotSafetensors`], [`PerceptionError::WrongType`] or [`PerceptionError::NotFinite`].
pub(crate) fn var_builder(bytes: &[u8], device: &Device) -> Result<VarBuilder<'static>, PerceptionError> {
    let mut tensors = HashMap::new();
    for (name, array) in read(bytes, |name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))? {
        let shape = array.shape().to_vec();
        tensors.insert(name, Tensor::from_vec(array.into_raw_vec_and_offset().0, shape, device)?);
    }
    Ok(VarBuilder::from_tensors(tensors, DType::F32, device))
}

/// The tensor `name` below `vb`, with its full path in every error.
///
/// # Errors
/// [`PerceptionError::MissingTensor`] or [`PerceptionError::WrongShape`].
pub(crate) fn get(vb: &VarBuilder<'_>, name: &str, shape: &[usize]) -> Result<Tensor, PerceptionError> {
    let path = if vb.prefix().is_empty() { name.to_owned() } else { format!("{}.{name}", vb.prefix()) };
    let expected = shape.to_vec();
    if !vb.contains_tensor(name) {
        return Err(PerceptionError::MissingTensor { name: path, expected });
    }
    let tensor = vb.get_unchecked(name)?;
    if tensor.dims() != shape {
        return Err(PerceptionError::WrongShape { name: path, found: tensor.dims().to_vec(), expected });
    }
    Ok(tensor)
}

/// All tensors of a safetensors file.
///
/// # Errors
/// [`PerceptionError::NotSafetensors`], [`PerceptionError::WrongType`] or [`PerceptionError::NotFinite`].
pub fn from_safetensors(bytes: &[u8]) -> Result<NamedTensors, PerceptionError> {
    read(bytes, |_| true)
}

fn read(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<NamedTensors, PerceptionError> {
    let bad = |error: &dyn std::fmt::Display| PerceptionError::NotSafetensors(error.to_string());
    let file = SafeTensors::deserialize(bytes).map_err(|error| bad(&error))?;
    let mut tensors = NamedTensors::new();
    for (name, view) in file.iter().filter(|(name, _)| wanted(name)) {
        let values = decode(name, &view)?;
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(PerceptionError::NotFinite { name: name.into(), index, value: values[index] });
        }
        let array = ArrayD::from_shape_vec(view.shape(), values).map_err(|error| bad(&error))?;
        tensors.insert(name.to_owned(), array);
    }
    Ok(tensors)
}

fn decode(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, PerceptionError> {
    let halves = || view.data().chunks_exact(2).map(|b| [b[0], b[1]]);
    Ok(match view.dtype() {
        Dtype::F32 => view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Dtype::F16 => halves().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => halves().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
        other => return Err(PerceptionError::WrongType { name: name.into(), found: format!("{other:?}") }),
    })
}

/// How tensors are stored in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Four bytes a value.
    F32,
    /// Two bytes a value: 11 significant bits.
    F16,
    /// F16 for matrices, which are nearly all of a model; F32 for what is small: biases, deviations, the steering output.
    F16Matrices,
}

impl Storage {
    /// The type in which a tensor of this shape is written.
    fn dtype(self, shape: &[usize]) -> Dtype {
        let matrix = shape.iter().filter(|&&side| side > 1).count() > 1;
        match self {
            Self::F16 => Dtype::F16,
            Self::F16Matrices if matrix => Dtype::F16,
            Self::F32 | Self::F16Matrices => Dtype::F32,
        }
    }
}

/// Writes tensors as safetensors bytes, the form that `FeatureExtractor::load` reads.
///
/// # Errors
/// [`PerceptionError::NotSafetensors`] where the library refuses them.
pub fn to_safetensors(tensors: &NamedTensors, storage: Storage) -> Result<Vec<u8>, PerceptionError> {
    let bad = |error: safetensors::SafeTensorError| PerceptionError::NotSafetensors(error.to_string());
    let encoded: Vec<_> = tensors.values().map(|array| encode(array.view(), storage.dtype(array.shape()))).collect();
    let mut views = Vec::with_capacity(encoded.len());
    for ((name, array), bytes) in tensors.iter().zip(&encoded) {
        let view = TensorView::new(storage.dtype(array.shape()), array.shape().to_vec(), bytes).map_err(bad)?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, None).map_err(bad)
}

fn encode(values: ArrayViewD<'_, f32>, dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}
