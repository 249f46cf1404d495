//! Reading named tensors out of safetensors bytes, with every shape and value checked.

use crate::error::PerceptionError;
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

/// A view of a safetensors file that hands out checked `f32` arrays.
pub(crate) struct Weights<'a>(SafeTensors<'a>);

impl<'a> Weights<'a> {
    /// Parses the header of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PerceptionError> {
        SafeTensors::deserialize(bytes).map(Self).map_err(|error| PerceptionError::NotSafetensors(error.to_string()))
    }

    /// The tensor `name` as `f32`, row-major; all values are finite.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, PerceptionError> {
        let tensor = self
            .0
            .tensor(name)
            .map_err(|_| PerceptionError::MissingTensor { name: name.into(), expected: shape.to_vec() })?;
        if tensor.shape() != shape {
            return Err(PerceptionError::WrongShape {
                name: name.into(),
                found: tensor.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        let data = tensor.data();
        let halves = || data.chunks_exact(2).map(|b| [b[0], b[1]]);
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F16 => halves().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => halves().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
            other => return Err(PerceptionError::WrongType { name: name.into(), found: format!("{other:?}") }),
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(PerceptionError::NotFinite { name: name.into(), index, value: values[index] }),
            None => Ok(values),
        }
    }
}

/// One tensor to be written: name, shape and values.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Full name, for example `trunk.stem.weight`.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// As many values as the shape asks for.
    pub values: Vec<f32>,
}

impl NamedTensor {
    /// A tensor from its parts.
    pub fn new(name: impl Into<String>, shape: &[usize], values: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Self { name: name.into(), shape: shape.to_vec(), values }
    }
}

/// All tensors of a safetensors file, in the order of their names; every value is finite.
///
/// # Errors
/// Bytes that are not safetensors, a number format other than F32, F16 or BF16, or a value that is not finite.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<NamedTensor>, PerceptionError> {
    let weights = Weights::parse(bytes)?;
    let mut names: Vec<(String, Vec<usize>)> =
        weights.0.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape().to_vec())).collect();
    names.sort();
    let read = |(name, shape): (String, Vec<usize>)| {
        let values = weights.get(&name, &shape)?;
        Ok(NamedTensor { name, shape, values })
    };
    names.into_iter().map(read).collect()
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

/// Writes tensors as safetensors bytes, the form that `Perception::load` reads.
///
/// # Errors
/// [`PerceptionError::NotSafetensors`] where names repeat or shapes do not fit their values.
pub fn to_safetensors(tensors: &[NamedTensor], storage: Storage) -> Result<Vec<u8>, PerceptionError> {
    let bad = |error: safetensors::SafeTensorError| PerceptionError::NotSafetensors(error.to_string());
    let dtypes: Vec<Dtype> = tensors.iter().map(|tensor| storage.dtype(&tensor.shape)).collect();
    let bytes: Vec<Vec<u8>> =
        tensors.iter().zip(&dtypes).map(|(tensor, dtype)| encode(&tensor.values, *dtype)).collect();
    let views = tensors
        .iter()
        .zip(dtypes.into_iter().zip(&bytes))
        .map(|(tensor, (dtype, bytes))| {
            let view = safetensors::tensor::TensorView::new(dtype, tensor.shape.clone(), bytes).map_err(bad)?;
            Ok((tensor.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, PerceptionError>>()?;
    safetensors::serialize(views, None).map_err(bad)
}

fn encode(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}
