//! All trainable numbers in one flat array, so that optimiser, averaging and checkpoints are plain loops.

use std::ops::Range;

use rand::Rng;

use super::random::normal;

use ndarray::{Array2, ShapeBuilder};

use crate::{Gru, GruWeights, Head, Linear, Pooling, TemporalError};

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

    /// From the tensors of a network of one layer with a linear head of one output; every log factor of the thresholds is
    /// zero.
    ///
    /// # Errors
    /// As [`Gru::check`] and [`Head::check`]; [`TemporalError::Shape`] for a network of another shape.
    pub fn from_weights(gru: &Gru, head: &Head) -> Result<Self, TemporalError> {
        gru.check()?;
        head.check(gru.output_size())?;
        let found = vec![gru.cells.len(), head.output.bias.len()];
        if found != [1, 1] || head.fc.is_some() || head.pooling != Pooling::None {
            return Err(TemporalError::Shape { what: "layers and outputs", expected: vec![1, 1], found });
        }
        let cell = &gru.cells[0];
        let mut parameters = Self::zeros(gru.input_size(), gru.hidden_size());
        // Column by column: the transpose, row by row.
        let matrices = cell.weight_ih.t().into_iter().chain(cell.weight_hh.t());
        let vectors = cell.bias_ih.iter().chain(&cell.bias_hh).chain(&head.output.weight).chain(&head.output.bias);
        parameters.values.iter_mut().zip(matrices.chain(vectors)).for_each(|(to, from)| *to = *from);
        Ok(parameters)
    }

    /// As the tensors of a network.
    pub fn to_weights(&self) -> (Gru, Head) {
        let rows = 3 * self.hidden;
        let matrix = |columns: usize, values: &[f32]| {
            Array2::from_shape_vec((rows, columns).f(), values.to_vec()).unwrap_or_default()
        };
        let gru = Gru::single(GruWeights {
            weight_ih: matrix(self.inputs, self.w_x()),
            weight_hh: matrix(self.hidden, self.w_h()),
            bias_ih: self.b_x().to_vec().into(),
            bias_hh: self.b_h().to_vec().into(),
        });
        let weight = Array2::from_shape_vec((1, self.hidden), self.head_w().to_vec()).unwrap_or_default();
        (gru, Head::linear(Linear { weight, bias: vec![self.head_b()].into() }))
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
