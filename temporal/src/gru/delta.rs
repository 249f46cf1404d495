//! The delta GRU as a streaming cell: it fetches and multiplies only the columns of values that changed.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView1};

use super::{Cell, GruState, PackedGru, bad_input, with_input};
use crate::{
    Kernel, SparseDelta, StepCount, TemporalError, Thresholds,
    kernels::{Aligned, DeltaState, LANES, LinearHead, Scan, SparseStep, ThresholdScan},
    weights::check_length,
};

/// The delta GRU of [`crate::reference::ReferenceDeltaGru`] on packed weights.
#[derive(Debug, Clone)]
pub struct DeltaGru {
    weights: Arc<PackedGru>,
    thresholds: Thresholds,
    kernel: Kernel,
    state: DeltaState,
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
            x_ref: Aligned::zeros(weights.input_size().next_multiple_of(LANES)),
            h_ref: Aligned::zeros(padded),
            pre: weights.bias.clone(),
            z: Aligned::zeros(padded),
            zn: Aligned::zeros(padded),
            gates_known: false,
            delta_x: SparseDelta::new(weights.input_size()),
            delta_h: SparseDelta::new(weights.hidden_size()),
        };
        Ok(Self { weights, thresholds, kernel, state })
    }

    /// One frame: `x[input_size]` in, the new hidden state in [`hidden`](Self::hidden), the exact work out.
    ///
    /// # Errors
    /// [`TemporalError::Shape`] or [`TemporalError::InputNotFinite`]; the state stays as it was.
    #[inline]
    pub fn step(&mut self, x: ArrayView1<'_, f32>) -> Result<StepCount, TemporalError> {
        let count = with_input(x, self.weights.input_size(), |x| self.step_slice(x, LinearHead::none()))?;
        Ok(count.unwrap_or(*self.weights.idle_count()))
    }

    /// The hidden state `[hidden_size]`, each value in (-1, 1).
    pub fn hidden(&self) -> ArrayView1<'_, f32> {
        self.hidden_slice().into()
    }

    /// The inputs last transmitted `[input_size]`: what the pre-activations hold.
    pub fn x_ref(&self) -> ArrayView1<'_, f32> {
        self.state.x_ref[..self.weights.input_size()].into()
    }

    /// The hidden state last transmitted `[hidden_size]`.
    pub fn h_ref(&self) -> ArrayView1<'_, f32> {
        self.state.h_ref[..self.weights.hidden_size()].into()
    }

    /// The deltas of the inputs in the last step.
    pub fn delta_x(&self) -> &SparseDelta {
        &self.state.delta_x
    }

    /// The deltas of the hidden state in the last step.
    pub fn delta_h(&self) -> &SparseDelta {
        &self.state.delta_h
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
}

impl Cell for DeltaGru {
    fn weights(&self) -> &Arc<PackedGru> {
        &self.weights
    }

    #[inline]
    fn step_slice(&mut self, x: &[f32], mut head: LinearHead<'_>) -> Result<Option<StepCount>, TemporalError> {
        let Self { weights, thresholds, kernel, state } = self;
        let (weights, thresholds) = (&**weights, *thresholds);
        let active = match kernel.run(ThresholdScan { x, thresholds, state, head: head.reborrow() }) {
            Scan::Refused => return Err(bad_input(x)),
            Scan::Idle => {
                state.delta_x.clear();
                state.delta_h.clear();
                return Ok(None);
            }
            Scan::Active { x, h } => [x, h],
        };
        let matrices = weights.matrices();
        let whole = kernel.run(SparseStep { matrices, x, thresholds, state, head, active });
        let (x, h) = (state.delta_x.indices(), state.delta_h.indices());
        Ok(Some(if whole { weights.count_whole(x, h) } else { weights.count(x, h) }))
    }

    fn hidden_slice(&self) -> &[f32] {
        &self.state.hidden[..self.weights.hidden_size()]
    }

    fn state(&self) -> GruState {
        let (hidden, padded) = (self.weights.hidden_size(), self.weights.padded());
        let pre = Array2::from_shape_fn((4, hidden), |(gate, i)| self.state.pre[gate * padded + i]);
        GruState {
            hidden: self.hidden().to_owned(),
            x_ref: self.x_ref().to_owned(),
            h_ref: self.h_ref().to_owned(),
            preactivations: pre,
        }
    }

    fn restore(&mut self, state: &GruState) -> Result<(), TemporalError> {
        let (input_size, hidden_size, padded) =
            (self.weights.input_size(), self.weights.hidden_size(), self.weights.padded());
        check_length("the hidden state", hidden_size, state.hidden.view())?;
        check_length("the inputs last transmitted", input_size, state.x_ref.view())?;
        check_length("the hidden state last transmitted", hidden_size, state.h_ref.view())?;
        if state.preactivations.dim() != (4, hidden_size) {
            let (what, found) = ("the pre-activations", state.preactivations.shape().to_vec());
            return Err(TemporalError::Shape { what, expected: vec![4, hidden_size], found });
        }
        let fill = |to: &mut [f32], from: &Array1<f32>| to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        fill(&mut self.state.hidden, &state.hidden);
        fill(&mut self.state.x_ref, &state.x_ref);
        fill(&mut self.state.h_ref, &state.h_ref);
        for ((gate, i), value) in state.preactivations.indexed_iter() {
            let pre = &mut self.state.pre[gate * padded + i];
            self.state.gates_known &= *pre == *value;
            *pre = *value;
        }
        Ok(())
    }

    fn reset(&mut self) {
        let state = &mut self.state;
        for array in [&mut state.hidden, &mut state.x_ref, &mut state.h_ref] {
            array.fill(0.0);
        }
        state.pre.copy_from_slice(&self.weights.bias);
        state.gates_known = false;
        state.delta_x.clear();
        state.delta_h.clear();
    }
}
