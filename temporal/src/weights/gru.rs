//! The weights of one GRU layer, as plain arrays.

use rand::Rng;

use crate::{TemporalError, config::check_sizes};

/// The weights of one GRU layer in the semantics of PyTorch's `GRU` and cuDNN ("reset after"):
///
/// ```text
/// r = sigmoid(W_xr x + b_xr + W_hr h + b_hr)
/// u = sigmoid(W_xu x + b_xu + W_hu h + b_hu)          (PyTorch calls this gate z)
/// c = tanh(W_xc x + b_xc + r * (W_hc h + b_hc))       (PyTorch: n)
/// h = (1 - u) * c + u * h
/// ```
///
/// A matrix lies column by column: what input `j` adds to the `3 * hidden` sums of gates r, u, c (in this order) is
/// the contiguous run `w_x[j * 3 * hidden..][..3 * hidden]`. It is PyTorch's `weight_ih_l0` transposed.
#[derive(Debug, Clone, PartialEq)]
pub struct GruWeights {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of hidden units.
    pub hidden: usize,
    /// `[inputs][3 * hidden]`.
    pub w_x: Vec<f32>,
    /// `[hidden][3 * hidden]`.
    pub w_h: Vec<f32>,
    /// `[3 * hidden]`, the bias beside the input's sums.
    pub b_x: Vec<f32>,
    /// `[3 * hidden]`, the bias beside the hidden state's sums; that of gate c is inside the product with r.
    pub b_h: Vec<f32>,
}

impl GruWeights {
    /// All weights zero.
    ///
    /// # Errors
    /// [`TemporalError::Size`] for sizes of zero or beyond memory.
    pub fn zeros(inputs: usize, hidden: usize) -> Result<Self, TemporalError> {
        check_sizes(inputs, hidden)?;
        let rows = 3 * hidden;
        Ok(Self {
            inputs,
            hidden,
            w_x: zeroed(inputs, hidden, inputs * rows)?,
            w_h: zeroed(inputs, hidden, hidden * rows)?,
            b_x: vec![0.0; rows],
            b_h: vec![0.0; rows],
        })
    }

    /// Weights drawn uniformly from +-1/sqrt(hidden), PyTorch's default initialisation.
    ///
    /// # Errors
    /// As [`GruWeights::zeros`].
    pub fn random(inputs: usize, hidden: usize, rng: &mut impl Rng) -> Result<Self, TemporalError> {
        let mut weights = Self::zeros(inputs, hidden)?;
        let bound = 1.0 / (hidden as f32).sqrt();
        for tensor in [&mut weights.w_x, &mut weights.w_h, &mut weights.b_x, &mut weights.b_h] {
            tensor.iter_mut().for_each(|w| *w = rng.random_range(-bound..=bound));
        }
        Ok(weights)
    }

    /// The tensors with their names in the file and their shapes.
    pub fn tensors(&self) -> [(&'static str, Vec<usize>, &[f32]); 4] {
        let rows = 3 * self.hidden;
        [
            ("rnn.w_x", vec![self.inputs, rows], &self.w_x),
            ("rnn.w_h", vec![self.hidden, rows], &self.w_h),
            ("rnn.b_x", vec![rows], &self.b_x),
            ("rnn.b_h", vec![rows], &self.b_h),
        ]
    }

    /// Refuses weights whose lengths disagree with the sizes, or that hold NaN or an infinity.
    ///
    /// # Errors
    /// The tensor at fault is named.
    pub fn check(&self) -> Result<(), TemporalError> {
        check_sizes(self.inputs, self.hidden)?;
        for (name, shape, values) in self.tensors() {
            if values.len() != shape.iter().product::<usize>() {
                let found = vec![values.len()];
                return Err(TemporalError::TensorShape { name: name.to_string(), expected: shape, found });
            }
            check_finite(name, values)?;
        }
        Ok(())
    }

    /// Multiply-accumulates of one dense step: `3 * hidden * (inputs + hidden)`.
    pub fn macs(&self) -> u64 {
        3 * self.hidden as u64 * (self.inputs + self.hidden) as u64
    }
}

/// Names the first NaN or infinity of a tensor.
pub(crate) fn check_finite(name: &str, values: &[f32]) -> Result<(), TemporalError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(TemporalError::WeightNotFinite { name: name.to_string(), index, value: values[index] }),
        None => Ok(()),
    }
}

/// `length` zeros, or an error where memory does not suffice.
fn zeroed(inputs: usize, hidden: usize, length: usize) -> Result<Vec<f32>, TemporalError> {
    let mut values = Vec::new();
    values.try_reserve_exact(length).map_err(|e| TemporalError::Size { inputs, hidden, reason: e.to_string() })?;
    values.resize(length, 0.0);
    Ok(values)
}
