//! The streaming cells.

mod delta;
mod dense;
mod packed;

pub use delta::{DeltaGru, Sent};
pub use dense::DenseGru;
pub use packed::PackedGru;

use crate::TemporalError;

/// Refuses an input of the wrong length, NaN and infinities; nothing has been touched by then.
fn check_input(x: &[f32], inputs: usize) -> Result<(), TemporalError> {
    if x.len() != inputs {
        return Err(TemporalError::Length { what: "the feature vector", expected: inputs, found: x.len() });
    }
    match x.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(TemporalError::InputNotFinite { index, value: x[index] }),
        None => Ok(()),
    }
}
