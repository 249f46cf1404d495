//! Training the (delta) GRU and its head: back-propagation through time, written by hand.
//!
//! Read in this order: `settings` (every technique is one field), `hold` (why a delta GRU trains like an ordinary one),
//! `bptt` (forward and backward, with `events` where little is sent), `step` (a batch), `trainer` (the loop). The rest is small: `data` (drives and windows),
//! `loss`, `optimiser`, `sparsity`, `stream` (validation), `state` (checkpoints).
//!
//! ```
//! use deltasteer_temporal::train::*;
//!
//! let labels = |frames| Labels { steering_rad: vec![0.1; frames].into(), teacher_rad: None };
//! let drive = |frames| FeatureDrive {
//!     labels: DriveLabels { name: "straight".into(), gaps_after: vec![], versions: vec![labels(frames)] },
//!     features: vec![ndarray::Array2::from_elem((frames, 2), 0.5).into()], // [frames, inputs]
//! };
//! let (training, validation) = (vec![drive(40)], vec![drive(20)]);
//! let mut features = FixedFeatures::new(2, &training, &validation)?;
//! let data = TrainingData {
//!     training: training.into_iter().map(|d| d.labels).collect(),
//!     validation: validation.into_iter().map(|d| d.labels).collect(),
//!     inputs: &mut features,
//! };
//! let settings = TrainSettings { hidden: 4, steps: 20, batch: 2, window: 16, burn_in: 2, ..TrainSettings::default() };
//! let trained = train_rnn(data, &settings, None, Control::default(), &mut |_| {})?;
//! assert!(trained.finished && trained.best.is_some());
//! # Ok::<(), TrainError>(())
//! ```

mod activation;
mod bptt;
mod data;
mod error;
mod events;
mod hold;
mod loss;
mod matmul;
mod optimiser;
#[cfg(test)]
mod oracle;
mod parameters;
mod random;
mod settings;
mod sparsity;
mod state;
mod step;
mod stream;
mod trainer;

pub use data::{DriveLabels, FeatureDrive, FixedFeatures, InputsStep, Labels, SequenceInputs, TrainingData, Window};
pub use error::TrainError;
pub use parameters::Parameters;
pub use random::{add_noise, stream_of};
pub use settings::{
    ActivationNoise, DeltaSettings, InputNoise, LearnedThresholds, LossSettings, OptimiserSettings, SparsitySettings,
    TrainSettings, ValidationSettings,
};
pub use state::Validation;
pub use stream::{ColumnThresholds, StreamCount, stream};
pub use trainer::{Control, Progress, Trained, train_rnn};
