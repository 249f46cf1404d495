//! Delta networks: gated recurrent units (GRU) that compute only with what changed.
//!
//! A library of its own: it knows sequences of numbers, and nothing of what they mean. Begin with
//! [from a PyTorch model to a saving](guide::from_pytorch) or
//! [from own sequences to a trained delta network](guide::training). Contents, in reading order:
//! - [`config`]: sizes, thresholds and storage, the JSON object `temporal` of a model's `config.json`;
//! - [`weights`]: the tensors, named and shaped as `torch.nn.GRU` does it, from and to safetensors;
//! - [`mod@reference`]: the dense and the delta GRU as plain loops; the oracle of every fast variant;
//! - [`gru`]: the streaming cells [`DeltaGru`] and [`DenseGru`];
//! - [`rnn`]: stacked layers and their head, as a [`DeltaRnn`] or a [`DenseRnn`];
//! - [`streams`]: several streams on one set of weights;
//! - [`count`]: the exact work of a step and of a sequence, delta beside dense;
//! - [`train`]: training on feature sequences, back-propagation through time written by hand;
//! - `kernels`: the inner loops, for every instruction set ([`Kernel`]).

pub mod config;
pub mod count;
pub mod error;
pub mod gru;
pub mod guide;
pub mod head;
mod kernels;
pub mod reference;
pub mod rnn;
pub mod streams;
pub mod train;
pub mod weights;

pub use config::{HeadConfig, RnnConfig, Rounding, Storage, Technique, Thresholds};
pub use count::{StepCount, Totals};
pub use error::TemporalError;
pub use gru::{DeltaGru, DenseGru, GruState, PackedGru};
pub use head::{Head, Linear, Pooling};
pub use kernels::{Kernel, SparseDelta};
pub use rnn::{DeltaRnn, DenseRnn, Rnn, RnnState, RnnWeights};
pub use streams::Streams;
pub use weights::{Gru, GruWeights};
