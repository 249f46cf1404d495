//! The delta GRU.

use ndarray::{Array1, Array2, ArrayView1};

use super::sigmoid;
use crate::{GruWeights, Thresholds};

/// The delta GRU of Neil, Lee, Delbruck and Liu (ICML 2017, arXiv 1612.05571), one array for each symbol; gates are named as
/// in PyTorch (the paper writes u for z and c for n):
///
/// ```text
/// dx = x - x_ref where |x - x_ref| >= theta_x, else 0;   x_ref <- x only where transmitted;   the same for h
/// M_r += W_ir dx + W_hr dh     M_z += W_iz dx + W_hz dh     M_xn += W_in dx     M_hn += W_hn dh
/// r = sigmoid(M_r)   z = sigmoid(M_z)   n = tanh(M_xn + r * M_hn)   h = (1 - z) * n + z * h
/// ```
///
/// A difference of exactly zero is never transmitted, even at a threshold of zero: it would add nothing.
/// Every single multiplication is counted where it is done.
pub struct ReferenceDeltaGru<'a> {
    weights: &'a GruWeights,
    thresholds: Thresholds,
    /// The hidden state `[hidden_size]`.
    pub h: Array1<f32>,
    /// The inputs last transmitted `[input_size]`.
    pub x_ref: Array1<f32>,
    /// The hidden state last transmitted `[hidden_size]`.
    pub h_ref: Array1<f32>,
    m_r: Array1<f32>,
    m_z: Array1<f32>,
    m_xn: Array1<f32>,
    m_hn: Array1<f32>,
    /// Multiplications of a weight by a delta so far.
    pub multiplications: u64,
    /// Those of them whose weight was not zero.
    pub multiplications_nonzero: u64,
}

impl<'a> ReferenceDeltaGru<'a> {
    /// The state before the first frame: `x_ref = h_ref = h = 0`, each M at its bias.
    pub fn new(weights: &'a GruWeights, thresholds: Thresholds) -> Self {
        let hidden = weights.hidden_size();
        let both = |i: usize| weights.bias_ih[i] + weights.bias_hh[i];
        Self {
            weights,
            thresholds,
            h: Array1::zeros(hidden),
            x_ref: Array1::zeros(weights.input_size()),
            h_ref: Array1::zeros(hidden),
            m_r: (0..hidden).map(both).collect(),
            m_z: (hidden..2 * hidden).map(both).collect(),
            m_xn: (2 * hidden..3 * hidden).map(|i| weights.bias_ih[i]).collect(),
            m_hn: (2 * hidden..3 * hidden).map(|i| weights.bias_hh[i]).collect(),
            multiplications: 0,
            multiplications_nonzero: 0,
        }
    }

    /// One step with `x[input_size]`.
    pub fn step(&mut self, x: ArrayView1<'_, f32>) {
        let weights = self.weights;
        let hidden = weights.hidden_size();
        let delta_x = delta(x, &mut self.x_ref, self.thresholds.theta_x);
        let delta_h = delta(self.h.view(), &mut self.h_ref, self.thresholds.theta_h);
        for (j, d) in delta_x {
            for i in 0..hidden {
                self.m_r[i] += self.product(&weights.weight_ih, i, j, d);
                self.m_z[i] += self.product(&weights.weight_ih, hidden + i, j, d);
                self.m_xn[i] += self.product(&weights.weight_ih, 2 * hidden + i, j, d);
            }
        }
        for (j, d) in delta_h {
            for i in 0..hidden {
                self.m_r[i] += self.product(&weights.weight_hh, i, j, d);
                self.m_z[i] += self.product(&weights.weight_hh, hidden + i, j, d);
                self.m_hn[i] += self.product(&weights.weight_hh, 2 * hidden + i, j, d);
            }
        }
        for i in 0..hidden {
            let r = sigmoid(self.m_r[i]);
            let z = sigmoid(self.m_z[i]);
            let n = (self.m_xn[i] + r * self.m_hn[i]).tanh();
            self.h[i] = (1.0 - z) * n + z * self.h[i];
        }
    }

    /// The instrumented multiplication: row `i` of column `j` times `delta`.
    fn product(&mut self, weight: &Array2<f32>, i: usize, j: usize, delta: f32) -> f32 {
        self.multiplications += 1;
        self.multiplications_nonzero += u64::from(weight[[i, j]] != 0.0);
        weight[[i, j]] * delta
    }
}

/// The columns whose value differs from its reference by `theta` or more, with their deltas; their references follow.
fn delta(values: ArrayView1<'_, f32>, refs: &mut Array1<f32>, theta: f32) -> Vec<(usize, f32)> {
    let mut active = Vec::new();
    for (j, (value, reference)) in values.iter().zip(refs).enumerate() {
        let delta = value - *reference;
        if delta.abs() >= theta && delta != 0.0 {
            active.push((j, delta));
            *reference = *value;
        }
    }
    active
}
