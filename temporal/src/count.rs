//! The exact work of a step and of a whole sequence, delta beside dense.

use serde::{Deserialize, Serialize};

/// The work of one step. The columns are those of the very [`SparseDelta`](crate::SparseDelta) that the kernel multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepCount {
    /// Active input columns.
    pub columns_x: u32,
    /// Active hidden columns.
    pub columns_h: u32,
    /// Matrix-vector multiply-accumulates: `3 * hidden_size` for each active column, or for all columns in a step in which
    /// 15/16 of them or more are active, because it then multiplies all of them. Weight sparsity is not taken off.
    pub macs: u64,
    /// Those of `macs` whose weight is not zero. Only the sparse storage leaves the others undone.
    pub macs_after_weight_sparsity: u64,
    /// Element-wise operations (an addition, multiplication, fused multiply-add, comparison or activation is one):
    /// the threshold scan's 2 for each input and hidden unit, and the gates' 6 for each hidden unit; 2 for each in an
    /// idle step, because the gates then stay as they were.
    pub elementwise: u64,
    /// Bytes of weights fetched (with the scales or indices of their storage).
    pub weight_bytes: u64,
}

impl std::ops::AddAssign for StepCount {
    /// Adds the work of another layer.
    fn add_assign(&mut self, other: Self) {
        self.columns_x += other.columns_x;
        self.columns_h += other.columns_h;
        self.macs += other.macs;
        self.macs_after_weight_sparsity += other.macs_after_weight_sparsity;
        self.elementwise += other.elementwise;
        self.weight_bytes += other.weight_bytes;
    }
}

/// Sums over the steps of a sequence, beside those of a stateful dense GRU that does one step a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Steps done. The first one counts.
    pub steps: u64,
    /// Steps refused because an input was NaN or infinite; nothing was computed in them.
    pub refused: u64,
    /// Active input columns.
    pub columns_x: u64,
    /// Active hidden columns.
    pub columns_h: u64,
    /// Matrix-vector multiply-accumulates done.
    pub macs: u64,
    /// Those with a non-zero weight.
    pub macs_after_weight_sparsity: u64,
    /// Element-wise operations done.
    pub elementwise: u64,
    /// Bytes of weights fetched.
    pub weight_bytes: u64,
    /// Input columns of the dense GRU: all of them in every step.
    pub columns_x_dense: u64,
    /// Its hidden columns.
    pub columns_h_dense: u64,
    /// What the dense GRU would have multiplied.
    pub macs_dense: u64,
    /// Its element-wise operations.
    pub elementwise_dense: u64,
    /// Bytes of weights that it would have fetched, in the same storage (f32 beside the sparse one).
    pub weight_bytes_dense: u64,
}

impl Totals {
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
        self.columns_x_dense += steps * u64::from(dense.columns_x);
        self.columns_h_dense += steps * u64::from(dense.columns_h);
        self.macs_dense += steps * dense.macs;
        self.elementwise_dense += steps * dense.elementwise;
        self.weight_bytes_dense += steps * dense.weight_bytes;
    }

    /// Adds the work of another cell of the network on the same frames: everything but the steps.
    pub fn add_cell(&mut self, other: &Self) {
        let (steps, refused) = (self.steps.max(other.steps), self.refused.max(other.refused));
        self.add_sequence(other);
        (self.steps, self.refused) = (steps, refused);
    }

    /// Adds the work on another sequence.
    pub fn add_sequence(&mut self, other: &Self) {
        self.steps += other.steps;
        self.refused += other.refused;
        self.columns_x += other.columns_x;
        self.columns_h += other.columns_h;
        self.macs += other.macs;
        self.macs_after_weight_sparsity += other.macs_after_weight_sparsity;
        self.elementwise += other.elementwise;
        self.weight_bytes += other.weight_bytes;
        self.columns_x_dense += other.columns_x_dense;
        self.columns_h_dense += other.columns_h_dense;
        self.macs_dense += other.macs_dense;
        self.elementwise_dense += other.elementwise_dense;
        self.weight_bytes_dense += other.weight_bytes_dense;
    }

    /// Dense multiply-accumulates over those done. Infinite where no column was ever active; 1 before the first
    /// step.
    pub fn savings(&self) -> f64 {
        ratio(self.macs_dense, self.macs)
    }

    /// The same with zero weights left out, of use where the storage leaves them out.
    pub fn savings_after_weight_sparsity(&self) -> f64 {
        ratio(self.macs_dense, self.macs_after_weight_sparsity)
    }

    /// Share of the input columns that were active, 0 to 1.
    pub fn occupancy_x(&self) -> f64 {
        share(self.columns_x, self.columns_x_dense)
    }

    /// Share of the hidden columns that were active, 0 to 1.
    pub fn occupancy_h(&self) -> f64 {
        share(self.columns_h, self.columns_h_dense)
    }
}

fn ratio(dense: u64, delta: u64) -> f64 {
    if dense == 0 { 1.0 } else { dense as f64 / delta as f64 }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
