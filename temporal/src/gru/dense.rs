//! The dense GRU as a streaming cell: the baseline, which multiplies every weight in every step.

use std::sync::Arc;

use super::{PackedGru, Sent, check_input};
use crate::{
    StepCount, TemporalError,
    kernels::{Aligned, portable},
};

/// The stateful dense GRU of [`crate::naive::dense_step`] on packed weights.
#[derive(Debug, Clone)]
pub struct DenseGru {
    weights: Arc<PackedGru>,
    /// `[padded]`
    hidden: Aligned,
    sums: Aligned,
    all_x: Sent,
    all_h: Sent,
}

impl DenseGru {
    /// A cell with a hidden state of zero.
    ///
    /// # Errors
    /// None in this version.
    pub fn new(weights: Arc<PackedGru>) -> Result<Self, TemporalError> {
        let all = |n: usize| Sent { columns: (0..n as u32).collect(), deltas: vec![0.0; n] };
        Ok(Self {
            hidden: Aligned::zeros(weights.padded),
            sums: weights.start.clone(),
            all_x: all(weights.inputs),
            all_h: all(weights.hidden),
            weights,
        })
    }

    /// One frame: `x[inputs]` in, the new hidden state in [`hidden`](Self::hidden).
    ///
    /// # Errors
    /// [`TemporalError::Length`] or [`TemporalError::InputNotFinite`]; the state stays as it was.
    pub fn step(&mut self, x: &[f32]) -> Result<StepCount, TemporalError> {
        let weights = &*self.weights;
        check_input(x, weights.inputs)?;
        self.all_x.deltas.copy_from_slice(x);
        self.all_h.deltas.copy_from_slice(&self.hidden[..weights.hidden]);
        self.sums.copy_from_slice(&weights.start);
        portable::walk(&weights.columns, weights.padded, &self.all_x, &mut self.sums, 2);
        let columns_h = &weights.columns[weights.inputs * 3 * weights.padded..];
        portable::walk(columns_h, weights.padded, &self.all_h, &mut self.sums, 3);
        portable::gates(&self.sums, weights.padded, &mut self.hidden);
        Ok(weights.dense_count())
    }

    /// The hidden state `[hidden]`.
    pub fn hidden(&self) -> &[f32] {
        &self.hidden[..self.weights.hidden]
    }

    /// Back to a hidden state of zero.
    pub fn reset(&mut self) {
        self.hidden.fill(0.0);
    }
}
