//! One GRU cell forward and backward through time, written by hand, for one part of the batch.
//!
//! Gates r, z, n; "reset after" (Cho et al. 2014 as in cuDNN and PyTorch). With the references `x_ref` and `h_ref` of the delta
//! encoders (`delta_encoder.rs`), at frame t:
//!
//! ```text
//! m_x = b_x + x_ref W_x          m_h = b_h + h_ref W_h
//! r = sigmoid(m_xr + m_hr)       z = sigmoid(m_xz + m_hz)      n = tanh(m_xn + r m_hn)
//! h_t = (1 - z) n + z h_{t-1}
//! ```
//!
//! The references of x do not depend on the weights, so `m_x` of all frames is one matrix product; only `m_h` goes frame by
//! frame. All arrays are `[frames][batch][...]`, row after row.

use super::activation::{sigmoid, tanh};
use super::delta_encoder::{DeltaCost, DeltaTape, step_backward};
use super::matmul::{Order, add_row_sums, fill_rows, product};
use super::parameters::{Cell, CellMut};
use super::sparse::{self, SparseBackward};
use crate::Rounding;

/// The state of a cell between two windows: all zero at a cold start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CellState {
    /// Hidden state `[batch][hidden]`.
    pub h: Vec<f32>,
    /// The hidden state last transmitted `[batch][hidden]`.
    pub h_ref: Vec<f32>,
    /// The inputs last transmitted `[batch][inputs]`.
    pub x_ref: Vec<f32>,
}

impl CellState {
    /// A cold start.
    pub fn cold(batch: usize, inputs: usize, hidden: usize) -> Self {
        Self { h: vec![0.0; batch * hidden], h_ref: vec![0.0; batch * hidden], x_ref: vec![0.0; batch * inputs] }
    }

    /// Its arrays, each with the number of values of one sequence.
    pub fn arrays_mut(&mut self, batch: usize) -> [(&mut Vec<f32>, usize); 3] {
        let sizes = [self.h.len() / batch, self.h_ref.len() / batch, self.x_ref.len() / batch];
        [(&mut self.h, sizes[0]), (&mut self.h_ref, sizes[1]), (&mut self.x_ref, sizes[2])]
    }
}

/// The input of a cell.
pub(super) struct CellInput<'a> {
    /// Frames, with padding.
    pub frames: usize,
    /// Frames of each sequence, without padding.
    pub lengths: &'a [usize],
    /// `[frames][batch][inputs]`, noise and rounding included.
    pub x: &'a [f32],
    /// State before the first frame.
    pub start: &'a CellState,
    /// Noise on the hidden state `[frames][batch][hidden]`, or empty.
    pub noise_h: &'a [f32],
}

/// The techniques of one layer as they stand at one step of training.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerTechnique {
    /// Threshold of the inputs.
    pub theta_x: f32,
    /// Threshold of the hidden state.
    pub theta_h: f32,
    /// Costs on transmitted input deltas.
    pub cost_x: DeltaCost,
    /// Costs on transmitted hidden deltas.
    pub cost_h: DeltaCost,
    /// Fixed point of what is transmitted.
    pub rounding: Option<Rounding>,
    /// First frame that costs apply to.
    pub burn_in: usize,
    /// Whether events are counted smoothly (their cost, learned thresholds).
    pub smooth: bool,
    /// Below this share of active columns, products are sparse.
    pub sparse_below: f32,
}

/// The usual `sparse_below`: a column at a time costs about five times as much as its share of a matrix product.
pub(super) const SPARSE_BELOW: f32 = 0.15;

impl LayerTechnique {
    /// The costs of frame `t`: none in the burn-in.
    fn cost_at(&self, t: usize, cost: DeltaCost) -> DeltaCost {
        if t >= self.burn_in { cost } else { DeltaCost { l1: 0.0, event: 0.0, width: cost.width } }
    }
}

/// What the forward pass stores. Kept from step to step for its memory alone: every pass fills it anew.
#[derive(Default)]
pub(super) struct CellTape {
    frames: usize,
    batch: usize,
    x: DeltaTape,
    h: DeltaTape,
    r: Vec<f32>,
    z: Vec<f32>,
    n: Vec<f32>,
    m_hn: Vec<f32>,
    /// `[frames][batch][3 hidden]`; in the backward pass their gradients.
    m_x: Vec<f32>,
    d_mh: Vec<f32>,
    /// `[frames + 1][batch][hidden]`, the first from before the window.
    states: Vec<f32>,
}

/// What was transmitted after the burn-in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    /// Columns of x, of h.
    pub columns: [u64; 2],
    /// Summed |dx|, |dh|.
    pub magnitude: [f64; 2],
}

impl Events {
    pub fn add(&mut self, other: &Self) {
        for i in 0..2 {
            self.columns[i] += other.columns[i];
            self.magnitude[i] += other.magnitude[i];
        }
    }
}

/// Rounds to fixed point.
#[inline(always)]
pub(super) fn round_to(q: Rounding, x: f32) -> f32 {
    let unit = (q.fraction_bits as f32).exp2();
    let limit = (q.integer_bits as f32).exp2();
    ((x * unit).round() / unit).clamp(-limit, limit - 1.0 / unit)
}

impl CellTape {
    /// Makes room for a part of the batch and takes its state before the first frame.
    fn resize(&mut self, hidden: usize, input: &CellInput<'_>) {
        let batch = input.lengths.len();
        let rows = input.frames * batch;
        (self.frames, self.batch) = (input.frames, batch);
        self.x.begin(input.x.len(), &input.start.x_ref, input.lengths);
        self.h.begin(rows * hidden, &input.start.h_ref, input.lengths);
        for array in [&mut self.r, &mut self.z, &mut self.n, &mut self.m_hn] {
            array.resize(rows * hidden, 0.0);
        }
        for array in [&mut self.m_x, &mut self.d_mh] {
            array.resize(rows * 3 * hidden, 0.0);
        }
        self.states.resize((rows + batch) * hidden, 0.0);
        self.states[..batch * hidden].copy_from_slice(&input.start.h);
    }

    /// Runs the windows forward from their start.
    pub fn forward(&mut self, cell: Cell<'_>, input: &CellInput<'_>, technique: &LayerTechnique) {
        let (frames, batch, hidden) = (input.frames, input.lengths.len(), cell.hidden);
        self.resize(hidden, input);
        for (t, x) in input.x.chunks_exact(batch * cell.inputs).enumerate() {
            self.x.step(t, x, technique.theta_x);
        }
        let mut m_x = std::mem::take(&mut self.m_x);
        self.input_products(cell, technique, &mut m_x);
        let mut m_h = vec![0.0; batch * 3 * hidden];
        fill_rows(&mut m_h, cell.b_h);
        let sizes = (batch, 3 * hidden, hidden);
        product(&mut m_h, sizes, (self.h.start(), Order::Plain), (cell.w_h, Order::Plain), true);
        let mut values = vec![0.0; batch * hidden];
        for t in 0..frames {
            self.encode_hidden(t, &mut values, input.noise_h, technique);
            if self.h.active_share(t, t + 1) < technique.sparse_below {
                sparse::add_deltas(&self.h, t, hidden, cell.w_h, &mut m_h);
            } else {
                fill_rows(&mut m_h, cell.b_h);
                let span = t * batch * hidden..(t + 1) * batch * hidden;
                product(&mut m_h, sizes, (&self.h.reference[span], Order::Plain), (cell.w_h, Order::Plain), true);
            }
            let m_x = &m_x[t * batch * 3 * hidden..(t + 1) * batch * 3 * hidden];
            self.gates(t, hidden, m_x, &m_h);
        }
        self.m_x = m_x;
    }

    /// The hidden states after each frame, `[frames][batch][hidden]`.
    pub fn outputs(&self) -> &[f32] {
        &self.states[self.h.start().len()..]
    }

    /// `b_x + x_ref W_x` of all frames, `[frames][batch][3 hidden]`.
    fn input_products(&self, cell: Cell<'_>, technique: &LayerTechnique, m_x: &mut [f32]) {
        let (width, n) = (3 * cell.hidden, self.batch * 3 * cell.hidden);
        fill_rows(m_x, cell.b_x);
        if self.x.active_share(0, self.frames) >= technique.sparse_below {
            let sizes = (self.frames * self.batch, width, cell.inputs);
            return product(m_x, sizes, (&self.x.reference, Order::Plain), (cell.w_x, Order::Plain), true);
        }
        let sizes = (self.batch, width, cell.inputs);
        product(&mut m_x[..n], sizes, (self.x.start(), Order::Plain), (cell.w_x, Order::Plain), true);
        for t in 0..self.frames {
            if t > 0 {
                m_x.copy_within((t - 1) * n..t * n, t * n);
            }
            sparse::add_deltas(&self.x, t, cell.inputs, cell.w_x, &mut m_x[t * n..(t + 1) * n]);
        }
    }

    /// Encodes the hidden state of the frame before `t`.
    fn encode_hidden(&mut self, t: usize, values: &mut [f32], noise_h: &[f32], technique: &LayerTechnique) {
        let n = values.len();
        values.copy_from_slice(&self.states[t * n..(t + 1) * n]);
        if let Some(q) = technique.rounding {
            values.iter_mut().for_each(|h| *h = round_to(q, *h));
        }
        if !noise_h.is_empty() {
            values.iter_mut().zip(&noise_h[t * n..]).for_each(|(h, noise)| *h += noise);
        }
        self.h.step(t, values, technique.theta_h);
    }

    /// The gates and the new state of frame `t` from `m_x` and `m_h`, `[batch][3 hidden]`.
    fn gates(&mut self, t: usize, hidden: usize, m_x: &[f32], m_h: &[f32]) {
        let n = self.batch * hidden;
        let (before, after) = self.states.split_at_mut((t + 1) * n);
        for b in 0..self.batch {
            let m_x = &m_x[b * 3 * hidden..][..3 * hidden];
            let m_h = &m_h[b * 3 * hidden..][..3 * hidden];
            let at = t * n + b * hidden;
            let (r, z, n) = (&mut self.r[at..][..hidden], &mut self.z[at..][..hidden], &mut self.n[at..][..hidden]);
            let h_old = &before[at..][..hidden];
            let h_new = &mut after[b * hidden..][..hidden];
            self.m_hn[at..][..hidden].copy_from_slice(&m_h[2 * hidden..]);
            for i in 0..hidden {
                r[i] = sigmoid(m_x[i] + m_h[i]);
            }
            for i in 0..hidden {
                z[i] = sigmoid(m_x[hidden + i] + m_h[hidden + i]);
            }
            for i in 0..hidden {
                n[i] = tanh(m_x[2 * hidden + i] + r[i] * m_h[2 * hidden + i]);
            }
            for i in 0..hidden {
                h_new[i] = (1.0 - z[i]) * n[i] + z[i] * h_old[i];
            }
        }
    }

    /// The state after the last frame.
    pub fn end(&self) -> CellState {
        let h = self.states[self.states.len() - self.h.end().len()..].to_vec();
        CellState { h, h_ref: self.h.end().to_vec(), x_ref: self.x.end().to_vec() }
    }

    /// What was transmitted from frame `burn_in` on.
    pub fn events(&self, burn_in: usize) -> Events {
        let (columns_x, magnitude_x) = self.x.events(burn_in * self.x.reference.len() / self.frames);
        let (columns_h, magnitude_h) = self.h.events(burn_in * self.h.reference.len() / self.frames);
        Events { columns: [columns_x, columns_h], magnitude: [magnitude_x, magnitude_h] }
    }

    /// Adds the gradients to `grad`, given `d_out[frames][batch][hidden]`, the loss's gradient by the hidden states. Returns the
    /// gradient by the inputs `[frames][batch][inputs]`, or an empty array if that is not wanted.
    pub fn backward(
        &mut self,
        cell: Cell<'_>,
        technique: &LayerTechnique,
        d_out: &[f32],
        grad: &mut CellMut<'_>,
        want_dx: bool,
    ) -> Vec<f32> {
        let (hidden, inputs) = (cell.hidden, cell.inputs);
        let (rows, n) = (self.frames * self.batch, self.batch * hidden);
        let (mut d_mx, mut d_mh) = (std::mem::take(&mut self.m_x), std::mem::take(&mut self.d_mh));
        let is_sparse =
            |tape: &DeltaTape| !technique.smooth && tape.active_share(0, self.frames) < technique.sparse_below;
        let mut sparse = is_sparse(&self.h).then(|| SparseBackward::new(&self.h, hidden, cell.w_h));
        let mut d_theta = technique.smooth.then(|| vec![0.0; hidden]);
        let mut d_h = vec![0.0; n]; // dL/dh_t by later frames
        let mut d_old = vec![0.0; n];
        let mut d_ref = vec![0.0; n]; // dL/dh_ref by later frames
        for t in (0..self.frames).rev() {
            d_h.iter_mut().zip(&d_out[t * n..(t + 1) * n]).for_each(|(d, out)| *d += out);
            let span = t * 3 * n..(t + 1) * 3 * n;
            self.gates_backward(t, hidden, &d_h, &mut d_mx[span.clone()], &mut d_mh[span.clone()], &mut d_old);
            let cost = technique.cost_at(t, technique.cost_h);
            if let Some(sparse) = &mut sparse {
                sparse.step(t, &d_mh[span], cost, Some(&mut d_old), grad.w_h);
            } else {
                let sizes = (self.batch, hidden, 3 * hidden);
                product(&mut d_ref, sizes, (&d_mh[span], Order::Plain), (cell.w_h, Order::Transposed), true);
                step_backward(&self.h, t, technique.theta_h, cost, &mut d_ref, &mut d_old, d_theta.as_deref_mut());
            }
            std::mem::swap(&mut d_h, &mut d_old);
        }
        grad.log_theta[1] += d_theta.iter().flatten().sum::<f32>();
        if let Some(sparse) = sparse {
            sparse.finish(grad.w_h);
        } else {
            let (sizes, reference) = ((hidden, 3 * hidden, rows), &self.h.reference);
            product(grad.w_h, sizes, (reference, Order::Transposed), (&d_mh, Order::Plain), true);
        }
        let wanted = want_dx || technique.smooth;
        let d_x = if is_sparse(&self.x) {
            self.inputs_backward_sparse(cell, technique, &d_mx, wanted, grad)
        } else {
            let (sizes, reference) = ((inputs, 3 * hidden, rows), &self.x.reference);
            product(grad.w_x, sizes, (reference, Order::Transposed), (&d_mx, Order::Plain), true);
            if wanted { self.inputs_backward(cell, technique, &d_mx, grad) } else { Vec::new() }
        };
        add_row_sums(grad.b_x, &d_mx);
        add_row_sums(grad.b_h, &d_mh);
        (self.m_x, self.d_mh) = (d_mx, d_mh);
        d_x
    }

    /// Frame `t` of the gates backward, given `d_h[batch][hidden]`: writes `d_mx`, `d_mh` `[batch][3 hidden]` and `d_old`, the
    /// gradient that flows to `h_{t-1}` past the matrices.
    fn gates_backward(
        &self,
        t: usize,
        hidden: usize,
        d_h: &[f32],
        d_mx: &mut [f32],
        d_mh: &mut [f32],
        d_old: &mut [f32],
    ) {
        for b in 0..self.batch {
            let at = (t * self.batch + b) * hidden;
            let (r, z, n) = (&self.r[at..][..hidden], &self.z[at..][..hidden], &self.n[at..][..hidden]);
            let (m_hn, h_old) = (&self.m_hn[at..][..hidden], &self.states[at..][..hidden]);
            let d_h = &d_h[b * hidden..][..hidden];
            let d_old = &mut d_old[b * hidden..][..hidden];
            let (x_r, rest) = d_mx[b * 3 * hidden..][..3 * hidden].split_at_mut(hidden);
            let (x_z, x_n) = rest.split_at_mut(hidden);
            let (h_r, rest) = d_mh[b * 3 * hidden..][..3 * hidden].split_at_mut(hidden);
            let (h_z, h_n) = rest.split_at_mut(hidden);
            for i in 0..hidden {
                let g = d_h[i];
                let d_n = g * (1.0 - z[i]) * (1.0 - n[i] * n[i]);
                let d_z = g * (h_old[i] - n[i]) * z[i] * (1.0 - z[i]);
                let d_r = d_n * m_hn[i] * r[i] * (1.0 - r[i]);
                d_old[i] = g * z[i];
                (x_r[i], x_z[i], x_n[i]) = (d_r, d_z, d_n);
                (h_r[i], h_z[i], h_n[i]) = (d_r, d_z, d_n * r[i]);
            }
        }
    }

    /// From `d_mx[frames][batch][3 hidden]` back to the inputs, through their references.
    fn inputs_backward(
        &self,
        cell: Cell<'_>,
        technique: &LayerTechnique,
        d_mx: &[f32],
        grad: &mut CellMut<'_>,
    ) -> Vec<f32> {
        let (inputs, n) = (cell.inputs, self.batch * cell.inputs);
        let mut d_ref = vec![0.0; self.frames * n];
        let sizes = (self.frames * self.batch, inputs, 3 * cell.hidden);
        product(&mut d_ref, sizes, (d_mx, Order::Plain), (cell.w_x, Order::Transposed), false);
        let mut d_x = vec![0.0; self.frames * n];
        let mut carry = vec![0.0; n];
        let mut d_theta = technique.smooth.then(|| vec![0.0; inputs]);
        for t in (0..self.frames).rev() {
            carry.iter_mut().zip(&d_ref[t * n..]).for_each(|(carry, d)| *carry += d);
            let (cost, d_x) = (technique.cost_at(t, technique.cost_x), &mut d_x[t * n..(t + 1) * n]);
            step_backward(&self.x, t, technique.theta_x, cost, &mut carry, d_x, d_theta.as_deref_mut());
        }
        grad.log_theta[0] += d_theta.iter().flatten().sum::<f32>();
        d_x
    }

    /// Adds the gradient of `w_x` from the transmitted deltas alone; returns that of the inputs as
    /// [`CellTape::inputs_backward`] does.
    fn inputs_backward_sparse(
        &self,
        cell: Cell<'_>,
        technique: &LayerTechnique,
        d_mx: &[f32],
        wanted: bool,
        grad: &mut CellMut<'_>,
    ) -> Vec<f32> {
        let n = self.batch * cell.inputs;
        let mut d_x = vec![0.0; if wanted { self.frames * n } else { 0 }];
        let mut sparse = SparseBackward::new(&self.x, cell.inputs, cell.w_x);
        for (t, d_mx) in d_mx.chunks_exact(self.batch * 3 * cell.hidden).enumerate().rev() {
            let d_values = wanted.then(|| &mut d_x[t * n..(t + 1) * n]);
            sparse.step(t, d_mx, technique.cost_at(t, technique.cost_x), d_values, grad.w_x);
        }
        sparse.finish(grad.w_x);
        d_x
    }
}
