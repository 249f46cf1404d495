//! The tensors of the temporal network and their files.

mod file;
mod gru;

pub use file::{load, save, to_safetensors};
pub use gru::GruWeights;
pub(crate) use gru::check_finite;
