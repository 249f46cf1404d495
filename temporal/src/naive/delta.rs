//! The delta GRU.

use super::sigmoid;
use crate::{GruWeights, Thresholds};

/// The delta GRU of Neil, Lee, Delbruck and Liu (ICML 2017, arXiv 1612.05571), one array for each symbol:
///
/// ```text
/// dx = x - x_ref where |x - x_ref| >= theta_x, else 0;   x_ref <- x only where sent;   the same for h
/// M_r += W_xr dx + W_hr dh     M_u += W_xu dx + W_hu dh     M_xc += W_xc dx     M_hc += W_hc dh
/// r = sigmoid(M_r)   u = sigmoid(M_u)   c = tanh(M_xc + r * M_hc)   h = (1 - u) * c + u * h
/// ```
///
/// A difference of exactly zero is never sent, even at a threshold of zero: it would add nothing.
/// Every single multiplication is counted where it is done.
pub struct NaiveDelta<'a> {
    weights: &'a GruWeights,
    thresholds: Thresholds,
    /// The hidden state `[hidden]`.
    pub h: Vec<f32>,
    /// What the matrix products know of the inputs `[inputs]`.
    pub x_ref: Vec<f32>,
    /// What they know of the hidden state `[hidden]`.
    pub h_ref: Vec<f32>,
    m_r: Vec<f32>,
    m_u: Vec<f32>,
    m_xc: Vec<f32>,
    m_hc: Vec<f32>,
    /// Multiplications of a weight by a delta so far.
    pub multiplications: u64,
    /// Those of them whose weight was not zero.
    pub multiplications_nonzero: u64,
}

impl<'a> NaiveDelta<'a> {
    /// The state before the first frame: `x_ref = h_ref = h = 0`, each M at its bias.
    pub fn new(weights: &'a GruWeights, thresholds: Thresholds) -> Self {
        let hidden = weights.hidden;
        let both = |i: usize| weights.b_x[i] + weights.b_h[i];
        Self {
            weights,
            thresholds,
            h: vec![0.0; hidden],
            x_ref: vec![0.0; weights.inputs],
            h_ref: vec![0.0; hidden],
            m_r: (0..hidden).map(both).collect(),
            m_u: (hidden..2 * hidden).map(both).collect(),
            m_xc: weights.b_x[2 * hidden..].to_vec(),
            m_hc: weights.b_h[2 * hidden..].to_vec(),
            multiplications: 0,
            multiplications_nonzero: 0,
        }
    }

    /// One step with `x[inputs]`.
    pub fn step(&mut self, x: &[f32]) {
        let weights = self.weights;
        let hidden = weights.hidden;
        let sent_x = send(x, &mut self.x_ref, self.thresholds.theta_x);
        let sent_h = send(&self.h, &mut self.h_ref, self.thresholds.theta_h);
        for (j, delta) in sent_x {
            for i in 0..hidden {
                self.m_r[i] += self.product(&weights.w_x, j, i, delta);
                self.m_u[i] += self.product(&weights.w_x, j, hidden + i, delta);
                self.m_xc[i] += self.product(&weights.w_x, j, 2 * hidden + i, delta);
            }
        }
        for (j, delta) in sent_h {
            for i in 0..hidden {
                self.m_r[i] += self.product(&weights.w_h, j, i, delta);
                self.m_u[i] += self.product(&weights.w_h, j, hidden + i, delta);
                self.m_hc[i] += self.product(&weights.w_h, j, 2 * hidden + i, delta);
            }
        }
        for i in 0..hidden {
            let r = sigmoid(self.m_r[i]);
            let u = sigmoid(self.m_u[i]);
            let c = (self.m_xc[i] + r * self.m_hc[i]).tanh();
            self.h[i] = (1.0 - u) * c + u * self.h[i];
        }
    }

    /// The instrumented multiplication: row `i` of column `j` times `delta`.
    fn product(&mut self, columns: &[f32], j: usize, i: usize, delta: f32) -> f32 {
        let weight = columns[j * 3 * self.weights.hidden + i];
        self.multiplications += 1;
        self.multiplications_nonzero += u64::from(weight != 0.0);
        weight * delta
    }
}

/// The columns whose value moved by `theta` or more, with their deltas; their references follow.
fn send(values: &[f32], refs: &mut [f32], theta: f32) -> Vec<(usize, f32)> {
    let mut sent = Vec::new();
    for (j, (value, reference)) in values.iter().zip(refs).enumerate() {
        let delta = value - *reference;
        if delta.abs() >= theta && delta != 0.0 {
            sent.push((j, delta));
            *reference = *value;
        }
    }
    sent
}
