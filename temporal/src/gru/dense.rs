//! The dense GRU as a streaming cell: the baseline, which multiplies every weight in every step.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView1};

use super::{Cell, GruState, PackedGru, bad_input, with_input};
use crate::{
    Kernel, StepCount, TemporalError,
    kernels::{Aligned, DenseState, DenseStep, LinearHead},
    weights::check_length,
};

/// The stateful dense GRU of [`crate::reference::gru_step`] on packed weights.
#[derive(Debug, Clone)]
pub struct DenseGru {
    weights: Arc<PackedGru>,
    kernel: Kernel,
    state: DenseState,
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
        let zeros = || Aligned::zeros(weights.padded());
        let state = DenseState { hidden: zeros(), pre: weights.bias.clone(), z: zeros(), zn: zeros() };
        Self { kernel, state, weights }
    }

    /// One frame: `x[input_size]` in, the new hidden state in [`hidden`](Self::hidden).
    ///
    /// # Errors
    /// [`TemporalError::Shape`] or [`TemporalError::InputNotFinite`]; the state stays as it was.
    #[inline]
    pub fn step(&mut self, x: ArrayView1<'_, f32>) -> Result<StepCount, TemporalError> {
        with_input(x, self.weights.input_size(), |x| self.step_slice(x, LinearHead::none()))?;
        Ok(*self.weights.dense_count())
    }

    /// The hidden state `[hidden_size]`.
    pub fn hidden(&self) -> ArrayView1<'_, f32> {
        self.hidden_slice().into()
    }

    /// The kernels' variant in use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }
}

impl Cell for DenseGru {
    fn weights(&self) -> &Arc<PackedGru> {
        &self.weights
    }

    #[inline]
    fn step_slice(&mut self, x: &[f32], head: LinearHead<'_>) -> Result<Option<StepCount>, TemporalError> {
        let step = DenseStep { matrices: self.weights.matrices(), x, state: &mut self.state, head };
        if self.kernel.run(step) { Ok(Some(*self.weights.dense_count())) } else { Err(bad_input(x)) }
    }

    fn hidden_slice(&self) -> &[f32] {
        &self.state.hidden[..self.weights.hidden_size()]
    }

    fn state(&self) -> GruState {
        let empty = Array1::default(0);
        let (x_ref, preactivations) = (empty.clone(), Array2::default((0, 0)));
        GruState { hidden: self.hidden().to_owned(), x_ref, h_ref: empty, preactivations }
    }

    fn restore(&mut self, state: &GruState) -> Result<(), TemporalError> {
        check_length("the hidden state", self.weights.hidden_size(), state.hidden.view())?;
        self.state.hidden.iter_mut().zip(&state.hidden).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn reset(&mut self) {
        self.state.hidden.fill(0.0);
    }
}
