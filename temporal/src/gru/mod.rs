//! The streaming cells.

mod delta;
mod dense;
mod packed;

use std::sync::Arc;

pub use delta::DeltaGru;
pub use dense::DenseGru;
use ndarray::{Array1, Array2, ArrayView1};
pub use packed::PackedGru;
use serde::{Deserialize, Serialize};

use crate::{
    StepCount, TemporalError,
    kernels::{LinearHead, MAX_INPUT},
};

/// The whole state of a cell between two steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GruState {
    /// `h[hidden_size]`
    pub hidden: Array1<f32>,
    /// The inputs last transmitted `[input_size]`; empty for a dense cell.
    pub x_ref: Array1<f32>,
    /// The hidden state last transmitted `[hidden_size]`; empty for a dense cell.
    pub h_ref: Array1<f32>,
    /// `[4, hidden_size]`, the sums `M_r`, `M_z`, `M_xn`, `M_hn`; empty for a dense cell.
    pub preactivations: Array2<f32>,
}

/// What a network needs of a cell; [`DeltaGru`] and [`DenseGru`] are the two.
pub trait Cell: Clone {
    /// The weights.
    fn weights(&self) -> &Arc<PackedGru>;
    /// One step with `x[input_size]` and the head on the new hidden state; `None`: the step was idle.
    fn step_slice(&mut self, x: &[f32], head: LinearHead<'_>) -> Result<Option<StepCount>, TemporalError>;
    /// `h[hidden_size]`
    fn hidden_slice(&self) -> &[f32];
    /// The state, to be kept.
    fn state(&self) -> GruState;
    /// Goes on from a state that [`state`](Self::state) gave.
    fn restore(&mut self, state: &GruState) -> Result<(), TemporalError>;
    /// Back to the state before the first frame.
    fn reset(&mut self);
}

/// Runs `f` on a vector of `input_size` values in one piece.
#[inline]
pub(crate) fn with_input<T>(
    x: ArrayView1<'_, f32>,
    input_size: usize,
    f: impl FnOnce(&[f32]) -> Result<T, TemporalError>,
) -> Result<T, TemporalError> {
    if x.len() != input_size {
        return Err(TemporalError::Shape { what: "the input", expected: vec![input_size], found: vec![x.len()] });
    }
    match x.as_slice() {
        Some(x) => f(x),
        None => f(&x.to_vec()),
    }
}

/// Names the input that the kernel refused.
#[cold]
fn bad_input(x: &[f32]) -> TemporalError {
    let refused = |v: &f32| v.is_nan() || v.abs() > MAX_INPUT;
    let index = x.iter().position(refused).unwrap_or(0);
    TemporalError::InputNotFinite { index, value: x[index] }
}
