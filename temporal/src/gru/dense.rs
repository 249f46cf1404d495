//! The dense GRU as a streaming cell: the baseline, which multiplies every weight in every step.

use std::sync::Arc;

use super::{PackedGru, bad_input, check_length};
use crate::{
    Kernel, StepCount, TemporalError,
    kernels::{Aligned, DenseStep, LANES},
};

/// The stateful dense GRU of [`crate::naive::dense_step`] on packed weights.
#[derive(Debug, Clone)]
pub struct DenseGru {
    weights: Arc<PackedGru>,
    kernel: Kernel,
    /// Each padded to whole vectors.
    hidden: Aligned<f32>,
    sums: Aligned<f32>,
    keep: Aligned<f32>,
    push: Aligned<f32>,
}

impl DenseGru {
    /// A cell with a hidden state of zero.
    ///
    /// # Errors
    /// [`TemporalError::Kernel`] as [`Kernel::choose`].
    pub fn new(weights: Arc<PackedGru>) -> Result<Self, TemporalError> {
        Ok(Self::with_kernel(weights, Kernel::choose()?))
    }

    /// The same on one variant of the kernels.
    pub fn with_kernel(weights: Arc<PackedGru>, kernel: Kernel) -> Self {
        let padded = weights.padded();
        Self {
            kernel,
            hidden: Aligned::zeros(padded),
            sums: weights.start.clone(),
            keep: Aligned::zeros(padded),
            push: Aligned::zeros(padded),
            weights,
        }
    }

    /// One frame: `x[inputs]` in, the new hidden state in [`hidden`](Self::hidden).
    ///
    /// # Errors
    /// [`TemporalError::Length`] or [`TemporalError::InputNotFinite`]; the state stays as it was.
    pub fn step(&mut self, x: &[f32]) -> Result<StepCount, TemporalError> {
        self.step_with_head(x, &[]).map(|(count, _)| count)
    }

    /// The same, and the product of `head` (padded) with the new hidden state.
    #[inline]
    pub(crate) fn step_with_head(
        &mut self,
        x: &[f32],
        head: &[[f32; LANES]],
    ) -> Result<(StepCount, f32), TemporalError> {
        let weights = &*self.weights;
        check_length(x, weights.inputs())?;
        let step = DenseStep {
            columns: &weights.columns,
            inputs: weights.inputs(),
            start: &weights.start,
            every: &weights.every,
            x,
            units: weights.hidden(),
            hidden: &mut self.hidden,
            sums: &mut self.sums,
            keep: &mut self.keep,
            push: &mut self.push,
            head,
        };
        match self.kernel.run(step) {
            Some(product) => Ok((*weights.dense_count(), product)),
            None => Err(bad_input(x)),
        }
    }

    /// The hidden state `[hidden]`.
    pub fn hidden(&self) -> &[f32] {
        &self.hidden[..self.weights.hidden()]
    }

    /// The kernels' variant in use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Back to a hidden state of zero.
    pub fn reset(&mut self) {
        self.hidden.fill(0.0);
    }
}
