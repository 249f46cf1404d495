//! Sparse products: where few values are transmitted, training costs as little as running.
//!
//! A reference is its start plus the deltas sent since, so `reference_t W` is the product of the frame before plus one column of
//! `W` for each delta. Backward, let `S_t` be the sum of the pre-activations' gradients from frame t to the window's end. A delta
//! transmitted at t reaches every later frame: its column's gradient is `delta S_t`. A reference held from t until before t' gets
//! `(S_t - S_t') W^T`, needed only where a value was transmitted.

use super::delta_encoder::{DeltaCost, DeltaTape, sign};
use super::matmul::{Order, product};

/// Adds a column of `w[units][width]` to `pre[batch][width]` for each delta transmitted at step `t`.
pub(super) fn add_deltas(tape: &DeltaTape, t: usize, units: usize, w: &[f32], pre: &mut [f32]) {
    let width = w.len() / units;
    for (b, pre) in pre.chunks_exact_mut(width).enumerate() {
        let row = (t * tape.batch() + b) * units;
        for i in 0..units {
            let delta = tape.delta[row + i];
            if tape.mask[row + i] > 0.0 && delta != 0.0 {
                add(pre, delta, &w[i * width..][..width]);
            }
        }
    }
}

/// The backward pass through the products of one encoder.
pub(super) struct SparseBackward<'a> {
    tape: &'a DeltaTape,
    units: usize,
    /// `[units][width]`
    w: &'a [f32],
    /// `S_t`, `[batch][width]`.
    sum: Vec<f32>,
    /// `S_t' W^T` of the next step t' at which a value was transmitted, `[batch][units]`.
    later: Vec<f32>,
    /// The L1 cost's gradient by the reference at that step, `[batch][units]`.
    pull: Vec<f32>,
}

impl<'a> SparseBackward<'a> {
    /// Starts behind the last step.
    pub fn new(tape: &'a DeltaTape, units: usize, w: &'a [f32]) -> Self {
        let batch = tape.batch();
        let (sum, later) = (vec![0.0; batch * (w.len() / units)], vec![0.0; batch * units]);
        Self { tape, units, w, sum, pull: later.clone(), later }
    }

    /// Step `t`, with the pre-activations' gradient `d_pre[batch][width]`: adds to `grad_w` and to `d_values[batch][units]`.
    pub fn step(
        &mut self,
        t: usize,
        d_pre: &[f32],
        cost: DeltaCost,
        mut d_values: Option<&mut [f32]>,
        grad_w: &mut [f32],
    ) {
        self.sum.iter_mut().zip(d_pre).for_each(|(sum, d)| *sum += d);
        let width = self.w.len() / self.units;
        for (b, sum) in self.sum.chunks_exact(width).enumerate() {
            let here = b * self.units..(b + 1) * self.units;
            let row = t * self.later.len();
            for (i, at) in here.enumerate() {
                if self.tape.mask[row + at] == 0.0 {
                    continue;
                }
                let delta = self.tape.delta[row + at];
                add(&mut grad_w[i * width..][..width], delta, sum);
                if let Some(d_values) = d_values.as_deref_mut() {
                    let (all, pull) = (dot(sum, &self.w[i * width..][..width]), cost.l1 * sign(delta));
                    d_values[at] += all - self.later[at] - self.pull[at] + pull;
                    (self.later[at], self.pull[at]) = (all, pull);
                }
            }
        }
    }

    /// Before the first step: the part of the references that was there from the start.
    pub fn finish(self, grad_w: &mut [f32]) {
        let batch = self.tape.batch();
        let sizes = (self.units, self.w.len() / self.units, batch);
        product(grad_w, sizes, (self.tape.start(), Order::Transposed), (&self.sum, Order::Plain), true);
    }
}

fn add(to: &mut [f32], factor: f32, from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

/// Sixteen sums side by side, so that the compiler vectorises it.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}
