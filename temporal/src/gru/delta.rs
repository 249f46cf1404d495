//! The delta GRU as a streaming cell: it fetches and multiplies only the columns of values that moved.

use std::sync::Arc;

use super::{PackedGru, bad_input, check_length};
use crate::{
    Kernel, Sent, StepCount, TemporalError, Thresholds,
    kernels::{Aligned, DeltaState, LANES, Listen, Look, Send},
};

/// The delta GRU of [`crate::naive::NaiveDelta`] on packed weights.
#[derive(Debug, Clone)]
pub struct DeltaGru {
    weights: Arc<PackedGru>,
    thresholds: Thresholds,
    kernel: Kernel,
    state: DeltaState,
}

/// A step's work and the head's product with the new hidden state.
pub(crate) struct HeadedStep {
    /// `None`: nothing was sent, so the work is [`PackedGru::quiet_count`].
    pub(crate) count: Option<StepCount>,
    /// Without the head's bias.
    pub(crate) product: f32,
}

impl DeltaGru {
    /// A cell in its state before the first frame: `x_ref = h_ref = h = 0`, each M at its bias.
    ///
    /// # Errors
    /// [`TemporalError::Threshold`], or [`TemporalError::Kernel`] as [`Kernel::choose`].
    pub fn new(weights: Arc<PackedGru>, thresholds: Thresholds) -> Result<Self, TemporalError> {
        Self::with_kernel(weights, thresholds, Kernel::choose()?)
    }

    /// The same on one variant of the kernels.
    ///
    /// # Errors
    /// [`TemporalError::Threshold`]
    pub fn with_kernel(weights: Arc<PackedGru>, thresholds: Thresholds, kernel: Kernel) -> Result<Self, TemporalError> {
        thresholds.check()?;
        let padded = weights.padded();
        let state = DeltaState {
            hidden: Aligned::zeros(padded),
            x_ref: Aligned::zeros(weights.inputs().next_multiple_of(LANES)),
            h_ref: Aligned::zeros(padded),
            sums: weights.start.clone(),
            keep: Aligned::zeros(padded),
            push: Aligned::zeros(padded),
            gates_known: false,
            sent_x: Sent::new(weights.inputs()),
            sent_h: Sent::new(weights.hidden()),
        };
        Ok(Self { weights, thresholds, kernel, state })
    }

    /// One frame: `x[inputs]` in, the new hidden state in [`hidden`](Self::hidden), the exact work out.
    ///
    /// # Errors
    /// [`TemporalError::Length`] or [`TemporalError::InputNotFinite`]; the state stays as it was.
    pub fn step(&mut self, x: &[f32]) -> Result<StepCount, TemporalError> {
        let step = self.step_with_head(x, &[])?;
        Ok(step.count.unwrap_or(*self.weights.quiet_count()))
    }

    /// The same, and the product of `head` (padded) with the new hidden state.
    #[inline]
    pub(crate) fn step_with_head(&mut self, x: &[f32], head: &[[f32; LANES]]) -> Result<HeadedStep, TemporalError> {
        let Self { weights, thresholds, kernel, state } = self;
        let weights = &**weights;
        check_length(x, weights.inputs())?;
        let moved = match kernel.run(Listen { x, thresholds: *thresholds, state, head }) {
            Look::Refused => return Err(bad_input(x)),
            Look::Quiet(product) => {
                state.sent_x.clear();
                state.sent_h.clear();
                return Ok(HeadedStep { count: None, product });
            }
            Look::Loud { x, h } => [x, h],
        };
        let (whole, product) = kernel.run(Send {
            columns: &weights.columns,
            inputs: weights.inputs(),
            units: weights.hidden(),
            start: &weights.start,
            every: &weights.every,
            x,
            thresholds: *thresholds,
            state,
            head,
            moved,
        });
        let (columns_x, columns_h) = (state.sent_x.columns(), state.sent_h.columns());
        let count = if whole { weights.count_whole(columns_x, columns_h) } else { weights.count(columns_x, columns_h) };
        Ok(HeadedStep { count: Some(count), product })
    }

    /// The hidden state `[hidden]`, each value in (-1, 1).
    pub fn hidden(&self) -> &[f32] {
        &self.state.hidden[..self.weights.hidden()]
    }

    /// The same with zeros behind, in whole vectors.
    pub(crate) fn hidden_vectors(&self) -> &[[f32; LANES]] {
        self.state.hidden.vectors()
    }

    /// What the matrix products know of the inputs `[inputs]`.
    pub fn x_ref(&self) -> &[f32] {
        &self.state.x_ref[..self.weights.inputs()]
    }

    /// What the matrix products know of the hidden state `[hidden]`.
    pub fn h_ref(&self) -> &[f32] {
        &self.state.h_ref[..self.weights.hidden()]
    }

    /// The input columns of the last step.
    pub fn sent_x(&self) -> &Sent {
        &self.state.sent_x
    }

    /// The hidden columns of the last step.
    pub fn sent_h(&self) -> &Sent {
        &self.state.sent_h
    }

    /// The weights.
    pub fn weights(&self) -> &Arc<PackedGru> {
        &self.weights
    }

    /// The kernels' variant in use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The thresholds in use.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// Changes the thresholds from the next step on; the state goes on.
    ///
    /// # Errors
    /// [`TemporalError::Threshold`]; the old ones then stay.
    pub fn set_thresholds(&mut self, thresholds: Thresholds) -> Result<(), TemporalError> {
        thresholds.check()?;
        self.thresholds = thresholds;
        Ok(())
    }

    /// For benches: sets what the products know of the hidden state so that the next step sends just the `chosen`
    /// units, each moved by `by`.
    pub(crate) fn move_references(&mut self, chosen: &[usize], by: f32) {
        let state = &mut self.state;
        state.h_ref.copy_from_slice(&state.hidden);
        chosen.iter().for_each(|unit| state.h_ref[*unit] -= by);
    }

    /// Back to the state before the first frame.
    pub fn reset(&mut self) {
        let state = &mut self.state;
        for array in [&mut state.hidden, &mut state.x_ref, &mut state.h_ref] {
            array.fill(0.0);
        }
        state.sums.copy_from_slice(&self.weights.start);
        state.gates_known = false;
        state.sent_x.clear();
        state.sent_h.clear();
    }
}
