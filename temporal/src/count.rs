//! The exact work of a step and of a whole drive, delta beside dense.

use serde::{Deserialize, Serialize};

/// The work of one step. The columns are those of the very list that the kernel walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepCount {
    /// Input columns sent.
    pub columns_x: u32,
    /// Hidden columns sent.
    pub columns_h: u32,
    /// Matrix-vector multiply-accumulates: `3 * hidden` for each column sent, or for all columns in a step that sent
    /// 15/16 of them or more, because it then walks them all. Weight sparsity is not taken off.
    pub macs: u64,
    /// Those of `macs` whose weight is not zero. Only the sparse storage leaves the others undone.
    pub macs_after_weight_sparsity: u64,
    /// Element-wise operations (an addition, multiplication, fused multiply-add, comparison or activation is one):
    /// the threshold scan's 2 for each input and hidden unit, and the gates' 6 for each hidden unit; 2 for each where
    /// no column was sent, because the gates then stay as they were.
    pub elementwise: u64,
    /// Bytes of weights (with the scales or places that their storage needs) fetched for the walk.
    pub weight_bytes: u64,
}

/// Sums over the steps of a drive, beside those of a stateful dense GRU that does one step a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Number of inputs of the layer.
    pub inputs: u64,
    /// Number of hidden units.
    pub hidden: u64,
    /// Steps done. The first one counts.
    pub steps: u64,
    /// Steps refused because an input was NaN or infinite; nothing was computed in them.
    pub refused: u64,
    /// Input columns sent.
    pub columns_x: u64,
    /// Hidden columns sent.
    pub columns_h: u64,
    /// Matrix-vector multiply-accumulates done.
    pub macs: u64,
    /// Those with a non-zero weight.
    pub macs_after_weight_sparsity: u64,
    /// Element-wise operations done.
    pub elementwise: u64,
    /// Bytes of weights fetched.
    pub weight_bytes: u64,
    /// What the dense GRU would have multiplied.
    pub macs_dense: u64,
    /// Its element-wise operations.
    pub elementwise_dense: u64,
    /// Bytes of weights that it would have fetched, in the same storage (f32 beside the sparse one).
    pub weight_bytes_dense: u64,
}

impl Totals {
    /// No step yet, for a layer of these sizes.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Self { inputs: inputs as u64, hidden: hidden as u64, ..Self::default() }
    }

    /// Adds a step and, beside it, the `dense` step of the same layer.
    pub fn add(&mut self, step: &StepCount, dense: &StepCount) {
        self.add_many(1, step, dense);
    }

    /// Adds `steps` steps of the same work.
    pub(crate) fn add_many(&mut self, steps: u64, step: &StepCount, dense: &StepCount) {
        self.steps += steps;
        self.columns_x += steps * u64::from(step.columns_x);
        self.columns_h += steps * u64::from(step.columns_h);
        self.macs += steps * step.macs;
        self.macs_after_weight_sparsity += steps * step.macs_after_weight_sparsity;
        self.elementwise += steps * step.elementwise;
        self.weight_bytes += steps * step.weight_bytes;
        self.macs_dense += steps * dense.macs;
        self.elementwise_dense += steps * dense.elementwise;
        self.weight_bytes_dense += steps * dense.weight_bytes;
    }

    /// Dense multiply-accumulates over those done. Infinite where steps were done and no column was ever sent; 1
    /// before the first step.
    pub fn savings(&self) -> f64 {
        ratio(self.macs_dense, self.macs)
    }

    /// The same with zero weights left out, of use where the storage leaves them out.
    pub fn savings_after_weight_sparsity(&self) -> f64 {
        ratio(self.macs_dense, self.macs_after_weight_sparsity)
    }

    /// Share of the input columns sent, 0 to 1.
    pub fn occupancy_x(&self) -> f64 {
        share(self.columns_x, self.inputs * self.steps)
    }

    /// Share of the hidden columns sent, 0 to 1.
    pub fn occupancy_h(&self) -> f64 {
        share(self.columns_h, self.hidden * self.steps)
    }
}

fn ratio(dense: u64, delta: u64) -> f64 {
    if dense == 0 { 1.0 } else { dense as f64 / delta as f64 }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
