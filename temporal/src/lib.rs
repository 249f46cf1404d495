//! The temporal network of deltasteer: a gated recurrent unit (GRU) that computes only with what changed.
//!
//! Contents, in reading order:
//! - [`config`]: sizes, thresholds and storage, the JSON object `temporal` of a model's `config.json`;
//! - [`weights`]: the GRU's and the head's tensors, loaded from and saved to safetensors;
//! - [`naive`]: the dense and the delta GRU as plain loops; the oracle of every fast variant;
//! - [`gru`]: the streaming cells [`DeltaGru`] and [`DenseGru`];
//! - [`rnn`]: cell and linear steering head together;
//! - [`streams`]: several cameras or drives on one set of weights;
//! - [`count`]: the exact work of a step and of a drive, delta beside dense;
//! - [`train`]: training on feature sequences, back-propagation through time written by hand;
//! - `kernels`: the inner loops, for every instruction set ([`Kernel`]);
//! - [`bench`]: measured step times.

pub mod bench;
pub mod config;
pub mod count;
pub mod error;
pub mod gru;
pub mod head;
mod kernels;
pub mod naive;
pub mod rnn;
pub mod streams;
pub mod train;
pub mod weights;

pub use config::{Rounding, Storage, Technique, TemporalConfig, Thresholds};
pub use count::{StepCount, Totals};
pub use error::TemporalError;
pub use gru::{DeltaGru, DenseGru, PackedGru};
pub use head::Head;
pub use kernels::{Kernel, Sent};
pub use rnn::{DenseSteeringRnn, RnnWeights, SteeringRnn};
pub use streams::Streams;
pub use weights::GruWeights;
