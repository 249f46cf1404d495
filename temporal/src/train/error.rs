//! What can go wrong in training.

use std::path::PathBuf;

/// An error of the training loop; each names the option, sequence or file and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is outside what it may be.
    #[error("training setting `{option}` is {value}: expected {expected}")]
    Setting {
        /// Name of the field in [`super::TrainSettings`].
        option: &'static str,
        /// What was given.
        value: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A sequence does not have the stated shape or holds values that are not numbers.
    #[error("sequence `{name}`: {problem}")]
    Sequence {
        /// The sequence's name as the caller gave it, or its place.
        name: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A target that no output can reach.
    #[error("targets: {problem}")]
    Target {
        /// What was expected and what was found.
        problem: String,
    },
    /// The loss is no longer a finite number.
    #[error(
        "training diverged: the loss of step {step} is {loss}; the last good checkpoint is that of step {kept_step}{place} \
         (lower the learning rate, the L1 costs or the thresholds)"
    )]
    Diverged {
        /// The step whose loss is not finite.
        step: u64,
        /// The loss found.
        loss: f64,
        /// The step of the last good state.
        kept_step: u64,
        /// ` in FILE`, or empty when no checkpoint file was asked for.
        place: String,
    },
    /// A checkpoint cannot be read, written or continued.
    #[error("checkpoint {path}: {problem}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// The initial weights do not fit the settings or the features.
    #[error("the initial weights {0}")]
    Initial(String),
    /// The trained network cannot be run for validation.
    #[error(transparent)]
    Network(#[from] crate::TemporalError),
    /// No thread could be started.
    #[error("cannot start a thread for training: {0}")]
    Thread(std::io::Error),
    /// The feature layer that is trained jointly reported an error.
    #[error("sequence inputs: {0}")]
    Inputs(String),
}
