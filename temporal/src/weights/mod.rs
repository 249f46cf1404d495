//! The tensors of a network and their files.

mod file;
mod gru;

pub(crate) use file::write_whole;
pub use file::{from_pytorch, load, save, to_safetensors};
pub use gru::{Gru, GruWeights};
pub(crate) use gru::{check_finite, check_length};
