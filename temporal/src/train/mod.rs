//! Training (delta) GRU layers and their head: back-propagation through time, written by hand.
//!
//! Read in this order: `settings` (every technique is one field), `delta_encoder` (why a delta GRU trains like an ordinary one),
//! `layer` (a cell forward and backward, with `sparse` where little is transmitted), `network` (layers, pooling, head), `loss` and
//! `ctc`, `step` (a batch), `trainer` (the loop; `run`: how it is watched). The rest is small: `data` (sequences and their features), `sampler` (windows),
//! `optimiser`, `sparsity`, `validation`, `state` (checkpoints).
//!
//! ```
//! use deltasteer_temporal::train::*;
//! use ndarray::ArcArray2;
//!
//! // One sequence of 40 frames with 2 features, whose target is the first of them; another to validate on.
//! let features = |frames| ArcArray2::from_shape_fn((frames, 2), |(t, i)| ((t + i) as f32 * 0.1).sin());
//! let targets = |frames| ArcArray2::from_shape_fn((frames, 1), |(t, _)| (t as f32 * 0.1).sin());
//! let mut inputs = FixedFeatures::new(2, vec![vec![features(40)]], vec![features(20)])?;
//! let loss = Regression::new(vec![vec![targets(40)]], vec![targets(20)])?;
//! let sequences = inputs.sequences();
//! let data = TrainingData { training: &sequences, validation: 1, inputs: &mut inputs, loss: &loss };
//! let settings = TrainSettings { hidden_size: 4, steps: 20, batch: 2, window: Some(16), ..TrainSettings::default() };
//! let trained = train_rnn(data, &settings, None, Control::default(), &mut |_| {})?;
//! assert!(trained.finished && trained.best.is_some());
//! # Ok::<(), TrainError>(())
//! ```

mod activation;
pub mod ctc;
mod data;
mod delta_encoder;
mod error;
mod layer;
mod loss;
mod matmul;
mod network;
mod optimiser;
#[cfg(test)]
mod oracle;
mod parameters;
mod random;
mod run;
mod sampler;
mod settings;
mod sparse;
mod sparsity;
mod state;
mod step;
mod trainer;
mod validation;

pub use ctc::Ctc;
pub use data::{FixedFeatures, InputsStep, Sequence, SequenceInputs, TrainingData, Window};
pub use error::TrainError;
pub use loss::{CrossEntropy, Loss, Regression, argmax};
pub use parameters::{NetworkSize, Parameters};
pub use random::{add_noise, stream_of};
pub use run::{Control, Progress, Trained};
pub use settings::{
    ActivationNoise, DeltaSettings, LearnedThresholds, OptimiserSettings, SparsitySettings, TrainSettings,
    ValidationSettings,
};
pub use trainer::train_rnn;
pub use validation::Validation;
