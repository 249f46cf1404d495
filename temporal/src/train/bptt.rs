//! Forward and backward through time, written by hand, for one part of the batch.
//!
//! Gate order reset, update, candidate; "reset after" (Cho et al. 2014 as in cuDNN and PyTorch). With held references
//! (`hold.rs`) `x_ref` and `h_ref`, at frame t:
//!
//! ```text
//! m_x = b_x + x_ref W_x          m_h = b_h + h_ref W_h
//! r = sigmoid(m_xr + m_hr)       u = sigmoid(m_xu + m_hu)      c = tanh(m_xc + r m_hc)
//! h_t = (1 - u) c + u h_{t-1}    steering = head_w . h_t + head_b
//! ```
//!
//! The references of x do not depend on the weights, so `m_x` of all frames is one matrix product; only `m_h` goes frame by
//! frame. All arrays are `[frames][batch][...]`, row after row.

use super::activation::{sigmoid, tanh};
use super::events::{self, EventsBackward};
use super::hold::{self, DeltaCost, HoldTape};
use super::matmul::{Order, add_row_sums, fill_rows, product};
use super::parameters::Parameters;
use crate::Rounding;

/// The cell's state between two windows: all zero at a cold start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Carried {
    /// Hidden state `[batch][hidden]`.
    pub h: Vec<f32>,
    /// What the matrices know of it `[batch][hidden]`.
    pub h_ref: Vec<f32>,
    /// What they know of the inputs `[batch][inputs]`.
    pub x_ref: Vec<f32>,
}

impl Carried {
    /// A cold start.
    pub fn cold(batch: usize, inputs: usize, hidden: usize) -> Self {
        Self { h: vec![0.0; batch * hidden], h_ref: vec![0.0; batch * hidden], x_ref: vec![0.0; batch * inputs] }
    }
}

/// The windows of one part of the batch.
pub(super) struct Part {
    /// Frames in each window.
    pub frames: usize,
    /// Windows.
    pub batch: usize,
    /// What is sent as input `[frames][batch][inputs]`, noise and rounding included.
    pub x: Vec<f32>,
    /// State before the first frame.
    pub start: Carried,
    /// What each window's features were multiplied by `[batch][inputs]`, or empty.
    pub gains: Vec<f32>,
    /// Noise on the hidden state `[frames][batch][hidden]`, or empty.
    pub noise_h: Vec<f32>,
}

/// The techniques as they stand at one step of training.
#[derive(Clone)]
pub(super) struct Technique {
    /// Thresholds of the inputs `[inputs]`.
    pub theta_x: Vec<f32>,
    /// Thresholds of the hidden state `[hidden]`.
    pub theta_h: Vec<f32>,
    /// Costs on transmitted input deltas.
    pub cost_x: DeltaCost,
    /// Costs on transmitted hidden deltas.
    pub cost_h: DeltaCost,
    /// Fixed point of what is sent.
    pub rounding: Option<Rounding>,
    /// First frame that costs apply to.
    pub burn_in: usize,
    /// Whether events are counted smoothly (their cost, learned thresholds).
    pub smooth: bool,
    /// Whether the features' gradient is wanted.
    pub want_dx: bool,
    /// Below this share of sent values, products are made of these alone.
    pub sparse_below: f32,
}

/// The usual `sparse_below`: a column at a time costs about five times as much as its share of a matrix product.
pub(super) const SPARSE_BELOW: f32 = 0.15;

impl Technique {
    /// The costs of frame `t`: none in the burn-in.
    fn cost_at(&self, t: usize, cost: DeltaCost) -> DeltaCost {
        if t >= self.burn_in { cost } else { DeltaCost { l1: 0.0, event: 0.0, width: cost.width } }
    }
}

/// What the forward pass remembers. Kept from step to step for its memory alone: every pass fills it anew.
#[derive(Default)]
pub(super) struct Tape {
    frames: usize,
    batch: usize,
    x: HoldTape,
    h: HoldTape,
    r: Vec<f32>,
    u: Vec<f32>,
    c: Vec<f32>,
    m_hc: Vec<f32>,
    /// `[frames][batch][3 hidden]`; on the way back their gradients.
    m_x: Vec<f32>,
    d_mh: Vec<f32>,
    /// `[frames + 1][batch][hidden]`, the first from before the window.
    states: Vec<f32>,
    /// `[frames][batch]`, radians.
    pub steering_rad: Vec<f32>,
}

/// What was transmitted after the burn-in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    /// Columns of x, of h.
    pub columns: [u64; 2],
    /// Summed |dx|, |dh|.
    pub magnitude: [f64; 2],
}

/// Rounds to fixed point.
#[inline(always)]
pub(super) fn round_to(q: Rounding, x: f32) -> f32 {
    let unit = (q.fraction_bits as f32).exp2();
    let limit = (q.integer_bits as f32).exp2();
    ((x * unit).round() / unit).clamp(-limit, limit - 1.0 / unit)
}

impl Tape {
    /// Makes room for a part of the batch and takes its state before the first frame.
    fn resize(&mut self, p: &Parameters, part: &Part) {
        let (rows, hidden) = (part.frames * part.batch, p.hidden());
        (self.frames, self.batch) = (part.frames, part.batch);
        self.x.begin(part.x.len(), &part.start.x_ref);
        self.h.begin(rows * hidden, &part.start.h_ref);
        for array in [&mut self.r, &mut self.u, &mut self.c, &mut self.m_hc] {
            array.resize(rows * hidden, 0.0);
        }
        for array in [&mut self.m_x, &mut self.d_mh] {
            array.resize(rows * 3 * hidden, 0.0);
        }
        self.states.resize((rows + part.batch) * hidden, 0.0);
        self.states[..part.batch * hidden].copy_from_slice(&part.start.h);
        self.steering_rad.resize(rows, 0.0);
    }

    /// Runs the windows forward from their start.
    pub fn forward(&mut self, p: &Parameters, part: &Part, technique: &Technique) {
        let (frames, batch, hidden) = (part.frames, part.batch, p.hidden());
        let tape = self;
        tape.resize(p, part);
        for (t, sent) in part.x.chunks_exact(batch * p.inputs()).enumerate() {
            tape.x.step(t, sent, &technique.theta_x);
        }
        let mut m_x = std::mem::take(&mut tape.m_x);
        tape.input_memory(p, technique, &mut m_x);
        let mut m_h = vec![0.0; batch * 3 * hidden];
        fill_rows(&mut m_h, p.b_h());
        let sizes = (batch, 3 * hidden, hidden);
        product(&mut m_h, sizes, (tape.h.start(), Order::Plain), (p.w_h(), Order::Plain), true);
        let mut sent = vec![0.0; batch * hidden];
        for t in 0..frames {
            tape.send_hidden(t, &mut sent, part, technique);
            if tape.h.sent_share(t, t + 1) < technique.sparse_below {
                events::add_sent(&tape.h, t, hidden, p.w_h(), &mut m_h);
            } else {
                fill_rows(&mut m_h, p.b_h());
                let span = t * batch * hidden..(t + 1) * batch * hidden;
                product(&mut m_h, sizes, (&tape.h.reference[span], Order::Plain), (p.w_h(), Order::Plain), true);
            }
            let m_x = &m_x[t * batch * 3 * hidden..(t + 1) * batch * 3 * hidden];
            tape.gates(t, hidden, m_x, &m_h);
        }
        tape.m_x = m_x;
        let outputs = &tape.states[batch * hidden..];
        for (steering, h) in tape.steering_rad.iter_mut().zip(outputs.chunks_exact(hidden)) {
            *steering = p.head_b() + h.iter().zip(p.head_w()).map(|(h, w)| h * w).sum::<f32>();
        }
    }

    /// `b_x + x_ref W_x` of all frames, `[frames][batch][3 hidden]`.
    fn input_memory(&self, p: &Parameters, technique: &Technique, m_x: &mut [f32]) {
        let (width, n) = (3 * p.hidden(), self.batch * 3 * p.hidden());
        fill_rows(m_x, p.b_x());
        if self.x.sent_share(0, self.frames) >= technique.sparse_below {
            let sizes = (self.frames * self.batch, width, p.inputs());
            return product(m_x, sizes, (&self.x.reference, Order::Plain), (p.w_x(), Order::Plain), true);
        }
        let sizes = (self.batch, width, p.inputs());
        product(&mut m_x[..n], sizes, (self.x.start(), Order::Plain), (p.w_x(), Order::Plain), true);
        for t in 0..self.frames {
            if t > 0 {
                m_x.copy_within((t - 1) * n..t * n, t * n);
            }
            events::add_sent(&self.x, t, p.inputs(), p.w_x(), &mut m_x[t * n..(t + 1) * n]);
        }
    }

    /// Holds what frame `t` sends of the hidden state of the frame before.
    fn send_hidden(&mut self, t: usize, sent: &mut [f32], part: &Part, technique: &Technique) {
        let n = sent.len();
        sent.copy_from_slice(&self.states[t * n..(t + 1) * n]);
        if let Some(q) = technique.rounding {
            sent.iter_mut().for_each(|h| *h = round_to(q, *h));
        }
        if !part.noise_h.is_empty() {
            sent.iter_mut().zip(&part.noise_h[t * n..]).for_each(|(h, noise)| *h += noise);
        }
        self.h.step(t, sent, &technique.theta_h);
    }

    /// The gates and the new state of frame `t` from `m_x` and `m_h`, `[batch][3 hidden]`.
    fn gates(&mut self, t: usize, hidden: usize, m_x: &[f32], m_h: &[f32]) {
        let n = self.batch * hidden;
        let (before, after) = self.states.split_at_mut((t + 1) * n);
        for b in 0..self.batch {
            let m_x = &m_x[b * 3 * hidden..][..3 * hidden];
            let m_h = &m_h[b * 3 * hidden..][..3 * hidden];
            let at = t * n + b * hidden;
            let (r, u, c) = (&mut self.r[at..][..hidden], &mut self.u[at..][..hidden], &mut self.c[at..][..hidden]);
            let h_old = &before[at..][..hidden];
            let h_new = &mut after[b * hidden..][..hidden];
            self.m_hc[at..][..hidden].copy_from_slice(&m_h[2 * hidden..]);
            for i in 0..hidden {
                r[i] = sigmoid(m_x[i] + m_h[i]);
            }
            for i in 0..hidden {
                u[i] = sigmoid(m_x[hidden + i] + m_h[hidden + i]);
            }
            for i in 0..hidden {
                c[i] = tanh(m_x[2 * hidden + i] + r[i] * m_h[2 * hidden + i]);
            }
            for i in 0..hidden {
                h_new[i] = (1.0 - u[i]) * c[i] + u[i] * h_old[i];
            }
        }
    }

    /// The state after the last frame.
    pub fn end(&self) -> Carried {
        let h = self.states[self.states.len() - self.h.end().len()..].to_vec();
        Carried { h, h_ref: self.h.end().to_vec(), x_ref: self.x.end().to_vec() }
    }

    #[cfg(test)]
    pub fn state(&self, i: usize) -> f32 {
        self.states[i]
    }

    /// What was transmitted from frame `burn_in` on.
    pub fn events(&self, burn_in: usize) -> Events {
        let (columns_x, magnitude_x) = self.x.events(burn_in * self.x.reference.len() / self.frames);
        let (columns_h, magnitude_h) = self.h.events(burn_in * self.h.reference.len() / self.frames);
        Events { columns: [columns_x, columns_h], magnitude: [magnitude_x, magnitude_h] }
    }

    /// Adds the gradients to `grad`, given `d_steering[frames][batch]`, the loss's gradient by the angles. Returns the
    /// gradient by the features `[frames][batch][inputs]`, or an empty array if that is not wanted.
    pub fn backward(
        &mut self,
        p: &Parameters,
        technique: &Technique,
        d_steering: &[f32],
        grad: &mut Parameters,
    ) -> Vec<f32> {
        let (hidden, inputs) = (p.hidden(), p.inputs());
        let (rows, n) = (self.frames * self.batch, self.batch * hidden);
        let range = grad.head_w_range();
        let outputs = &self.states[n..];
        product(&mut grad.values[range], (1, hidden, rows), (d_steering, Order::Plain), (outputs, Order::Plain), true);
        let range = grad.head_b_range();
        grad.values[range.start] += d_steering.iter().sum::<f32>();

        let (mut d_mx, mut d_mh) = (std::mem::take(&mut self.m_x), std::mem::take(&mut self.d_mh));
        let sparse = |hold: &HoldTape| !technique.smooth && hold.sent_share(0, self.frames) < technique.sparse_below;
        let mut events = sparse(&self.h).then(|| EventsBackward::new(&self.h, hidden, p.w_h()));
        let mut d_h = vec![0.0; n]; // dL/dh_t by later frames
        let mut d_old = vec![0.0; n];
        let mut d_ref = vec![0.0; n]; // dL/dh_ref by later frames
        for t in (0..self.frames).rev() {
            let d_out = &d_steering[t * self.batch..(t + 1) * self.batch];
            let span = t * 3 * n..(t + 1) * 3 * n;
            self.gates_backward(t, p, d_out, &d_h, &mut d_mx[span.clone()], &mut d_mh[span.clone()], &mut d_old);
            let cost = technique.cost_at(t, technique.cost_h);
            if let Some(events) = &mut events {
                let range = grad.w_h_range();
                events.step(t, &d_mh[span], cost, Some(&mut d_old), &mut grad.values[range]);
            } else {
                let sizes = (self.batch, hidden, 3 * hidden);
                product(&mut d_ref, sizes, (&d_mh[span], Order::Plain), (p.w_h(), Order::Transposed), true);
                let range = grad.log_theta_h_range();
                let d_theta = technique.smooth.then_some(&mut grad.values[range]);
                hold::step_backward(&self.h, t, &technique.theta_h, cost, &mut d_ref, &mut d_old, d_theta);
            }
            std::mem::swap(&mut d_h, &mut d_old);
        }
        let range = grad.w_h_range();
        if let Some(events) = events {
            events.finish(&mut grad.values[range]);
        } else {
            let (sizes, reference) = ((hidden, 3 * hidden, rows), &self.h.reference);
            product(&mut grad.values[range], sizes, (reference, Order::Transposed), (&d_mh, Order::Plain), true);
        }
        let wanted = technique.want_dx || technique.smooth;
        let d_x = if sparse(&self.x) {
            self.features_backward_sparse(p, technique, &d_mx, wanted, grad)
        } else {
            let (range, sizes, reference) = (grad.w_x_range(), (inputs, 3 * hidden, rows), &self.x.reference);
            product(&mut grad.values[range], sizes, (reference, Order::Transposed), (&d_mx, Order::Plain), true);
            if wanted { self.features_backward(p, technique, &d_mx, grad) } else { Vec::new() }
        };
        let range = grad.b_x_range();
        add_row_sums(&mut grad.values[range], &d_mx);
        let range = grad.b_h_range();
        add_row_sums(&mut grad.values[range], &d_mh);
        (self.m_x, self.d_mh) = (d_mx, d_mh);
        d_x
    }

    /// Adds the gradient of `w_x` from what was sent alone; returns that of the features as [`Tape::features_backward`] does.
    fn features_backward_sparse(
        &self,
        p: &Parameters,
        technique: &Technique,
        d_mx: &[f32],
        wanted: bool,
        grad: &mut Parameters,
    ) -> Vec<f32> {
        let n = self.batch * p.inputs();
        let mut d_x = vec![0.0; if wanted { self.frames * n } else { 0 }];
        let mut events = EventsBackward::new(&self.x, p.inputs(), p.w_x());
        let range = grad.w_x_range();
        let grad_w = &mut grad.values[range];
        for (t, d_mx) in d_mx.chunks_exact(self.batch * 3 * p.hidden()).enumerate().rev() {
            let d_sent = wanted.then(|| &mut d_x[t * n..(t + 1) * n]);
            events.step(t, d_mx, technique.cost_at(t, technique.cost_x), d_sent, grad_w);
        }
        events.finish(grad_w);
        d_x
    }

    /// Frame `t` of the gates backward: writes `d_mx`, `d_mh` `[batch][3 hidden]` and `d_old`, what flows to `h_{t-1}` past
    /// the matrices.
    fn gates_backward(
        &self,
        t: usize,
        p: &Parameters,
        d_out: &[f32],
        d_h: &[f32],
        d_mx: &mut [f32],
        d_mh: &mut [f32],
        d_old: &mut [f32],
    ) {
        let hidden = p.hidden();
        let head_w = p.head_w();
        for b in 0..self.batch {
            let at = (t * self.batch + b) * hidden;
            let (r, u, c) = (&self.r[at..][..hidden], &self.u[at..][..hidden], &self.c[at..][..hidden]);
            let (m_hc, h_old) = (&self.m_hc[at..][..hidden], &self.states[at..][..hidden]);
            let d_h = &d_h[b * hidden..][..hidden];
            let d_old = &mut d_old[b * hidden..][..hidden];
            let (x_r, rest) = d_mx[b * 3 * hidden..][..3 * hidden].split_at_mut(hidden);
            let (x_u, x_c) = rest.split_at_mut(hidden);
            let (h_r, rest) = d_mh[b * 3 * hidden..][..3 * hidden].split_at_mut(hidden);
            let (h_u, h_c) = rest.split_at_mut(hidden);
            for i in 0..hidden {
                let g = d_h[i] + d_out[b] * head_w[i];
                let d_c = g * (1.0 - u[i]) * (1.0 - c[i] * c[i]);
                let d_u = g * (h_old[i] - c[i]) * u[i] * (1.0 - u[i]);
                let d_r = d_c * m_hc[i] * r[i] * (1.0 - r[i]);
                d_old[i] = g * u[i];
                (x_r[i], x_u[i], x_c[i]) = (d_r, d_u, d_c);
                (h_r[i], h_u[i], h_c[i]) = (d_r, d_u, d_c * r[i]);
            }
        }
    }

    /// From `d_mx[frames][batch][3 hidden]` back to the features, through the held references.
    fn features_backward(
        &self,
        p: &Parameters,
        technique: &Technique,
        d_mx: &[f32],
        grad: &mut Parameters,
    ) -> Vec<f32> {
        let (inputs, n) = (p.inputs(), self.batch * p.inputs());
        let mut d_ref = vec![0.0; self.frames * n];
        let sizes = (self.frames * self.batch, inputs, 3 * p.hidden());
        product(&mut d_ref, sizes, (d_mx, Order::Plain), (p.w_x(), Order::Transposed), false);
        let mut d_x = vec![0.0; self.frames * n];
        let mut carry = vec![0.0; n];
        for t in (0..self.frames).rev() {
            carry.iter_mut().zip(&d_ref[t * n..]).for_each(|(carry, d)| *carry += d);
            let cost = technique.cost_at(t, technique.cost_x);
            let range = grad.log_theta_x_range();
            let d_theta = technique.smooth.then_some(&mut grad.values[range]);
            hold::step_backward(
                &self.x,
                t,
                &technique.theta_x,
                cost,
                &mut carry,
                &mut d_x[t * n..(t + 1) * n],
                d_theta,
            );
        }
        d_x
    }
}
