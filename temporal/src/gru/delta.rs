//! The delta GRU as a streaming cell: it fetches and multiplies only the columns of values that moved.

use std::sync::Arc;

use super::{PackedGru, check_input};
use crate::{
    StepCount, TemporalError, Thresholds,
    kernels::{Aligned, portable},
};

/// The columns sent in a step, with their deltas: the list that the kernel walks and that the counts are taken from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sent {
    pub(crate) columns: Vec<u32>,
    pub(crate) deltas: Vec<f32>,
}

impl Sent {
    /// The columns, rising.
    pub fn columns(&self) -> &[u32] {
        &self.columns
    }

    /// By how much each moved.
    pub fn deltas(&self) -> &[f32] {
        &self.deltas
    }

    /// Pairs of column and delta.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.columns.iter().copied().zip(self.deltas.iter().copied())
    }

    /// How many columns were sent.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

/// The delta GRU of [`crate::naive::NaiveDelta`] on packed weights.
#[derive(Debug, Clone)]
pub struct DeltaGru {
    weights: Arc<PackedGru>,
    thresholds: Thresholds,
    /// `[padded]`
    hidden: Aligned,
    x_ref: Vec<f32>,
    /// `[padded]`
    h_ref: Aligned,
    /// `[M_r | M_u | M_xc | M_hc]`, each `padded` long.
    sums: Aligned,
    sent_x: Sent,
    sent_h: Sent,
}

impl DeltaGru {
    /// A cell in its state before the first frame: `x_ref = h_ref = h = 0`, each M at its bias.
    ///
    /// # Errors
    /// [`TemporalError::Threshold`]
    pub fn new(weights: Arc<PackedGru>, thresholds: Thresholds) -> Result<Self, TemporalError> {
        thresholds.check()?;
        let (inputs, padded) = (weights.inputs, weights.padded);
        Ok(Self {
            thresholds,
            hidden: Aligned::zeros(padded),
            x_ref: vec![0.0; inputs],
            h_ref: Aligned::zeros(padded),
            sums: weights.start.clone(),
            sent_x: Sent::default(),
            sent_h: Sent::default(),
            weights,
        })
    }

    /// One frame: `x[inputs]` in, the new hidden state in [`hidden`](Self::hidden), the exact work out.
    ///
    /// # Errors
    /// [`TemporalError::Length`] or [`TemporalError::InputNotFinite`]; the state stays as it was.
    pub fn step(&mut self, x: &[f32]) -> Result<StepCount, TemporalError> {
        let weights = &*self.weights;
        check_input(x, weights.inputs)?;
        let Thresholds { theta_x, theta_h } = self.thresholds;
        portable::scan(x, &mut self.x_ref, theta_x, &mut self.sent_x);
        portable::scan(&self.hidden[..weights.hidden], &mut self.h_ref[..weights.hidden], theta_h, &mut self.sent_h);
        portable::walk(&weights.columns, weights.padded, &self.sent_x, &mut self.sums, 2);
        let columns_h = &weights.columns[weights.inputs * 3 * weights.padded..];
        portable::walk(columns_h, weights.padded, &self.sent_h, &mut self.sums, 3);
        portable::gates(&self.sums, weights.padded, &mut self.hidden);
        Ok(self.count())
    }

    /// The work of the last step, from the lists that were walked.
    fn count(&self) -> StepCount {
        let weights = &*self.weights;
        let (columns_x, columns_h) = (self.sent_x.len() as u64, self.sent_h.len() as u64);
        let nonzero = |column: usize| u64::from(weights.nonzero[column]);
        let nonzero_x: u64 = self.sent_x.columns.iter().map(|j| nonzero(*j as usize)).sum();
        let nonzero_h: u64 = self.sent_h.columns.iter().map(|j| nonzero(weights.inputs + *j as usize)).sum();
        StepCount {
            columns_x: columns_x as u32,
            columns_h: columns_h as u32,
            macs: 3 * weights.hidden as u64 * (columns_x + columns_h),
            macs_after_weight_sparsity: nonzero_x + nonzero_h,
            elementwise: 2 * (weights.inputs + weights.hidden) as u64 + 6 * weights.hidden as u64,
            weight_bytes: (columns_x + columns_h) * weights.column_bytes(),
        }
    }

    /// The hidden state `[hidden]`, each value in (-1, 1).
    pub fn hidden(&self) -> &[f32] {
        &self.hidden[..self.weights.hidden]
    }

    /// What the matrix products know of the inputs `[inputs]`.
    pub fn x_ref(&self) -> &[f32] {
        &self.x_ref
    }

    /// What the matrix products know of the hidden state `[hidden]`.
    pub fn h_ref(&self) -> &[f32] {
        &self.h_ref[..self.weights.hidden]
    }

    /// The input columns of the last step.
    pub fn sent_x(&self) -> &Sent {
        &self.sent_x
    }

    /// The hidden columns of the last step.
    pub fn sent_h(&self) -> &Sent {
        &self.sent_h
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

    /// Back to the state before the first frame.
    pub fn reset(&mut self) {
        self.hidden.fill(0.0);
        self.x_ref.fill(0.0);
        self.h_ref.fill(0.0);
        self.sums.copy_from_slice(&self.weights.start);
        self.sent_x = Sent::default();
        self.sent_h = Sent::default();
    }
}
