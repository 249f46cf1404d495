//! What can go wrong on the way from a frame to its features.

use thiserror::Error;

/// Every error of this crate; each names the tensor, field, file or buffer and what was expected of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PerceptionError {
    /// The bytes are not a safetensors file.
    #[error("the weights are no safetensors file: {0}")]
    NotSafetensors(String),
    /// A tensor that the model needs is not in the file.
    #[error("tensor {name} is missing from the weights (expected shape {expected:?})")]
    MissingTensor {
        /// Full name, for example `trunk.stem.weight`.
        name: String,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the configuration asks for.
    #[error("tensor {name} has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// Full name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a number format that this crate does not read.
    #[error("tensor {name} is stored as {found}, expected F32, F16 or BF16")]
    WrongType {
        /// Full name.
        name: String,
        /// The format in the file.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error("tensor {name} holds {value} at position {index}, expected finite numbers only")]
    NotFinite {
        /// Full name.
        name: String,
        /// Position in the flattened tensor.
        index: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// A weight is outside the range in which it makes sense.
    #[error("tensor {name} holds {value} at position {index}, expected {expected}")]
    OutOfRange {
        /// Full name.
        name: String,
        /// Position in the flattened tensor.
        index: usize,
        /// The offending value.
        value: f32,
        /// In words.
        expected: &'static str,
    },
    /// A field of the configuration makes no sense.
    #[error("perception.{field} is {found}, expected {expected}")]
    Config {
        /// Name of the field in `config.json`.
        field: &'static str,
        /// Its value.
        found: String,
        /// In words.
        expected: String,
    },
    /// An image that is too small to look at, or not RGB.
    #[error("an image of shape {shape:?}, expected {expected}")]
    Image {
        /// `[height, width, channels]`.
        shape: Vec<usize>,
        /// In words.
        expected: String,
    },
    /// An array of another shape than documented.
    #[error("{what} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Which argument.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it must have.
        expected: Vec<usize>,
    },
    /// A rule for the CNN that is not known.
    #[error(
        "the CNN's schedule is \"{found}\", expected every:N or adaptive:CHANGE:N, such as every:8 or adaptive:0.5:16"
    )]
    Schedule {
        /// As given.
        found: String,
    },
    /// A device whose name is not known.
    #[error("device is \"{name}\", expected cpu, cpu:bf16, cuda:N or metal")]
    UnknownDevice {
        /// As given.
        name: String,
    },
    /// A device that cannot be used here.
    #[error("device {name} cannot be used: {reason}")]
    Device {
        /// `cpu`, `cpu:bf16`, `cuda:N` or `metal`.
        name: String,
        /// candle's reason, such as a build without its cargo feature.
        reason: String,
    },
    /// An operation of candle failed.
    #[error("the CNN cannot be computed: {0}")]
    Candle(#[from] candle_core::Error),
    /// A file that cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why not, and what was expected.
        reason: String,
    },
    /// A training option that makes no sense.
    #[error("training option {field} is {found}, expected {expected}")]
    Option {
        /// Name of the option.
        field: &'static str,
        /// Its value.
        found: String,
        /// In words.
        expected: &'static str,
    },
}

impl PerceptionError {
    /// Shorthand for a [`PerceptionError::File`] from any underlying error.
    pub(crate) fn file(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.display().to_string(), reason: reason.to_string() }
    }
}

/// Checks an array's shape.
pub(crate) fn check_shape(what: &'static str, found: &[usize], expected: &[usize]) -> Result<(), PerceptionError> {
    if found == expected {
        return Ok(());
    }
    Err(PerceptionError::Shape { what, found: found.to_vec(), expected: expected.to_vec() })
}
