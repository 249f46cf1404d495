//! All trainable numbers in one flat array, so that optimiser, averaging and checkpoints are plain loops.

use std::ops::Range;

use rand::Rng;

use super::random::normal;

use crate::{GruWeights, Head, TemporalError};

/// The trainable numbers of the GRU, its head and its thresholds.
///
/// One array, in this order (gates reset, update, candidate; layouts as in ARCHITECTURE.md):
/// `w_x[inputs][3 hidden]`, `w_h[hidden][3 hidden]`, `b_x[3 hidden]`, `b_h[3 hidden]`, `head_w[hidden]`, `head_b[1]`,
/// `log_theta_x[inputs]`, `log_theta_h[hidden]`. The last two are natural logarithms of factors on the thresholds of the
/// settings: zero unless thresholds are learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    inputs: usize,
    hidden: usize,
    pub(super) values: Vec<f32>,
}

macro_rules! part {
    ($(#[$doc:meta])* $name:ident, $range:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> &[f32] {
            &self.values[self.$range()]
        }
    };
}

impl Parameters {
    /// All zero.
    pub fn zeros(inputs: usize, hidden: usize) -> Self {
        let mut parameters = Self { inputs, hidden, values: Vec::new() };
        parameters.values = vec![0.0; parameters.log_theta_h_range().end];
        parameters
    }

    /// Random weights: `w_x` uniform in +-1/sqrt(inputs), `w_h` in +-1/sqrt(hidden), the head normal with deviation
    /// 1/sqrt(hidden), biases zero.
    pub fn random(inputs: usize, hidden: usize, rng: &mut impl Rng) -> Self {
        let mut parameters = Self::zeros(inputs, hidden);
        for (range, units) in [(parameters.w_x_range(), inputs), (parameters.w_h_range(), hidden)] {
            let bound = 1.0 / (units as f32).sqrt();
            parameters.values[range].iter_mut().for_each(|w| *w = rng.random_range(-bound..bound));
        }
        let range = parameters.head_w_range();
        let deviation = 1.0 / (hidden as f32).sqrt();
        parameters.values[range].iter_mut().for_each(|w| *w = deviation * normal(rng));
        parameters
    }

    /// From the tensors of a model; every log factor of the thresholds is zero.
    ///
    /// # Errors
    /// As [`GruWeights::check`] and [`Head::check`].
    pub fn from_weights(gru: &GruWeights, head: &Head) -> Result<Self, TemporalError> {
        gru.check()?;
        head.check(gru.hidden)?;
        let mut parameters = Self::zeros(gru.inputs, gru.hidden);
        let all = [&gru.w_x[..], &gru.w_h, &gru.b_x, &gru.b_h, &head.weight, &[head.bias]].concat();
        parameters.values[..all.len()].copy_from_slice(&all);
        Ok(parameters)
    }

    /// As the tensors of a model.
    pub fn to_weights(&self) -> (GruWeights, Head) {
        let gru = GruWeights {
            inputs: self.inputs,
            hidden: self.hidden,
            w_x: self.w_x().to_vec(),
            w_h: self.w_h().to_vec(),
            b_x: self.b_x().to_vec(),
            b_h: self.b_h().to_vec(),
        };
        (gru, Head { weight: self.head_w().to_vec(), bias: self.head_b() })
    }

    /// Multiplies the input weights, for inputs that were divided by `factor`.
    pub fn scale_inputs(&mut self, factor: f32) {
        let range = self.w_x_range();
        self.values[range].iter_mut().for_each(|w| *w *= factor);
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of hidden units.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    part!(
        /// Input weights `[inputs][3 hidden]`.
        w_x, w_x_range
    );
    part!(
        /// Recurrent weights `[hidden][3 hidden]`.
        w_h, w_h_range
    );
    part!(
        /// Input biases `[3 hidden]`.
        b_x, b_x_range
    );
    part!(
        /// Recurrent biases `[3 hidden]`.
        b_h, b_h_range
    );
    part!(
        /// Weights of the steering head `[hidden]`.
        head_w, head_w_range
    );
    part!(
        /// ln of the factor on `theta_x`, `[inputs]`.
        log_theta_x, log_theta_x_range
    );
    part!(
        /// ln of the factor on `theta_h`, `[hidden]`.
        log_theta_h, log_theta_h_range
    );

    /// Bias of the steering head, radians.
    pub fn head_b(&self) -> f32 {
        self.values[self.head_b_range().start]
    }

    pub(super) fn w_x_range(&self) -> Range<usize> {
        0..self.inputs * 3 * self.hidden
    }
    pub(super) fn w_h_range(&self) -> Range<usize> {
        after(self.w_x_range(), 3 * self.hidden * self.hidden)
    }
    pub(super) fn b_x_range(&self) -> Range<usize> {
        after(self.w_h_range(), 3 * self.hidden)
    }
    pub(super) fn b_h_range(&self) -> Range<usize> {
        after(self.b_x_range(), 3 * self.hidden)
    }
    pub(super) fn head_w_range(&self) -> Range<usize> {
        after(self.b_h_range(), self.hidden)
    }
    pub(super) fn head_b_range(&self) -> Range<usize> {
        after(self.head_w_range(), 1)
    }
    pub(super) fn log_theta_x_range(&self) -> Range<usize> {
        after(self.head_b_range(), self.inputs)
    }
    pub(super) fn log_theta_h_range(&self) -> Range<usize> {
        after(self.log_theta_x_range(), self.hidden)
    }
}

fn after(range: Range<usize>, length: usize) -> Range<usize> {
    range.end..range.end + length
}
