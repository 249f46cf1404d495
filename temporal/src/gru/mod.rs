//! The streaming cells.

mod delta;
mod dense;
mod packed;

pub use delta::DeltaGru;
pub(crate) use delta::HeadedStep;
pub use dense::DenseGru;
pub use packed::PackedGru;

use crate::{TemporalError, kernels::MAX_INPUT};

/// Refuses an input of the wrong length.
fn check_length(x: &[f32], inputs: usize) -> Result<(), TemporalError> {
    if x.len() == inputs {
        return Ok(());
    }
    Err(TemporalError::Length { what: "the feature vector", expected: inputs, found: x.len() })
}

/// Names the input that the kernel refused.
#[cold]
fn bad_input(x: &[f32]) -> TemporalError {
    let refused = |v: &f32| v.is_nan() || v.abs() > MAX_INPUT;
    let index = x.iter().position(refused).unwrap_or(0);
    TemporalError::InputNotFinite { index, value: x[index] }
}
