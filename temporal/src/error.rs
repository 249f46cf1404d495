//! Everything that can go wrong in this crate, each error naming the thing at fault and what was expected.

use std::path::PathBuf;

/// The one error type of the temporal network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemporalError {
    /// The bytes are no safetensors file.
    #[error("the weights are not a readable safetensors file: {reason}")]
    NotSafetensors {
        /// What the reader said.
        reason: String,
    },
    /// A tensor that the network needs is not in the file.
    #[error("tensor `{name}` is missing from the weights; expected {expected}")]
    MissingTensor {
        /// The tensor's name, such as `rnn.weight_ih_l0`.
        name: String,
        /// Its type and shape, or where else to look.
        expected: String,
    },
    /// A tensor has another shape than the config, or than the other tensors, ask for.
    #[error("tensor `{name}` has shape {found:?}; expected {expected:?}")]
    TensorShape {
        /// The tensor's name.
        name: String,
        /// The shape expected.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// The tensors belong to another kind of recurrent network.
    #[error("tensor `{name}` has {rows} rows for {hidden_size} hidden units: these are the weights of {kind}; expected a GRU, with {} rows", 3 * hidden_size)]
    NotGru {
        /// The tensor's name.
        name: String,
        /// Its rows.
        rows: usize,
        /// Hidden units by the recurrent weights.
        hidden_size: usize,
        /// The kind of network.
        kind: &'static str,
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
    /// The number of thresholds is not the number of layers.
    #[error("{found} pairs of thresholds were given; expected {expected}, one for each layer")]
    LayerThresholds {
        /// Number of layers.
        expected: usize,
        /// Number of pairs given.
        found: usize,
    },
    /// A layer of no size, or one whose weights cannot be addressed.
    #[error("a GRU of {input_size} inputs and {hidden_size} hidden units cannot be built: {reason}")]
    Size {
        /// Number of inputs.
        input_size: usize,
        /// Number of hidden units.
        hidden_size: usize,
        /// Why not.
        reason: String,
    },
    /// An array of another shape.
    #[error("{what} has shape {found:?}; expected {expected:?}")]
    Shape {
        /// What the array is.
        what: &'static str,
        /// Shape expected.
        expected: Vec<usize>,
        /// Shape found.
        found: Vec<usize>,
    },
    /// A bidirectional network was asked for single steps.
    #[error("a bidirectional network needs the whole sequence: use `run` instead of `step`")]
    Bidirectional,
    /// A frame of a sequence was refused.
    #[error("frame {frame}: {source}")]
    Frame {
        /// The frame, counted from 0.
        frame: usize,
        /// Why.
        source: Box<TemporalError>,
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
