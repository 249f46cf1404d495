//! Everything that can go wrong in this crate, each error naming the thing at fault and what was expected.

use std::path::PathBuf;

/// The one error type of the temporal network.
#[derive(Debug, thiserror::Error)]
pub enum TemporalError {
    /// The bytes are no safetensors file.
    #[error("the weights are not a readable safetensors file: {reason}")]
    NotSafetensors {
        /// What the reader said.
        reason: String,
    },
    /// A tensor that the cell needs is not in the file.
    #[error("tensor `{name}` is missing from the weights; expected f32 of shape {expected:?}")]
    MissingTensor {
        /// The tensor's name, such as `rnn.w_x`.
        name: String,
        /// The shape that the config asks for.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the config asks for.
    #[error("tensor `{name}` has shape {found:?}, but inputs and hidden of the config ask for {expected:?}")]
    TensorShape {
        /// The tensor's name.
        name: String,
        /// The shape that the config asks for.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor holds another type of number than f32, f16 or bf16.
    #[error("tensor `{name}` holds {found}; expected F32, F16 or BF16")]
    TensorType {
        /// The tensor's name.
        name: String,
        /// The type in the file.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error("tensor `{name}` holds {value} at element {index}; expected only finite numbers")]
    WeightNotFinite {
        /// The tensor's name.
        name: String,
        /// The element's place in the flat tensor.
        index: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// The config and the weights come from different trainings.
    #[error("the config's field `temporal.{field}` is {config}, but the weights were made with {weights}")]
    ConfigField {
        /// The first field that differs.
        field: String,
        /// Its value in the config.
        config: String,
        /// Its value beside the weights.
        weights: String,
    },
    /// A threshold below zero, NaN or infinite.
    #[error("{option} is {value}; expected a finite threshold of zero or more")]
    Threshold {
        /// `theta_x` or `theta_h`.
        option: &'static str,
        /// The value given.
        value: f32,
    },
    /// A setting outside its range.
    #[error("{field} is {value}; expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// The value given.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// A layer of no size, or one whose weights cannot be addressed.
    #[error("a GRU of {inputs} inputs and {hidden} hidden units cannot be built: {reason}")]
    Size {
        /// Number of inputs.
        inputs: usize,
        /// Number of hidden units.
        hidden: usize,
        /// Why not.
        reason: String,
    },
    /// A slice of the wrong length.
    #[error("{what} holds {found} values; expected {expected}")]
    Length {
        /// What the slice is.
        what: &'static str,
        /// Length expected.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// An input value is NaN, infinite or absurdly large. The state stayed as it was.
    #[error(
        "input {index} is {value}; expected a number of magnitude up to 1e6; the step was refused and the state kept"
    )]
    InputNotFinite {
        /// The input's column.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The environment asks for a kernel that is unknown or that this processor lacks.
    #[error("DELTASTEER_KERNEL={asked}: expected one of {available} on this processor")]
    Kernel {
        /// The name asked for.
        asked: String,
        /// The names that would work here.
        available: String,
    },
    /// A worker thread could not be started, or ended before its time.
    #[error("a thread for several streams failed: {reason}")]
    Thread {
        /// The operating system's reason.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}
