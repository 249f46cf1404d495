//! All trainable numbers in one flat array, so that optimiser, averaging and checkpoints are plain loops.

use std::ops::Range;

use rand::Rng;

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

    /// Uniform in +-1/sqrt(hidden), as PyTorch starts its GRU and, here, the head.
    pub fn random(inputs: usize, hidden: usize, rng: &mut impl Rng) -> Self {
        let mut parameters = Self::zeros(inputs, hidden);
        let bound = 1.0 / (hidden as f32).sqrt();
        let end = parameters.head_b_range().end;
        for value in &mut parameters.values[..end] {
            *value = rng.random_range(-bound..bound);
        }
        parameters
    }

    /// From the tensors of a model; every log factor of the thresholds is zero.
    ///
    /// # Panics
    /// If a slice has another length than the layout says.
    pub fn from_parts(
        inputs: usize,
        hidden: usize,
        (w_x, w_h): (&[f32], &[f32]),
        (b_x, b_h): (&[f32], &[f32]),
        (head_w, head_b): (&[f32], f32),
    ) -> Self {
        let mut parameters = Self::zeros(inputs, hidden);
        let all = [w_x, w_h, b_x, b_h, head_w, &[head_b]].concat();
        let end = parameters.head_b_range().end;
        assert_eq!(all.len(), end, "weights of a GRU of {inputs} inputs and {hidden} hidden units");
        parameters.values[..end].copy_from_slice(&all);
        parameters
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
