//! The weights of GRU layers, in the shapes and with the names of `torch.nn.GRU`.

use ndarray::{Array1, Array2, ArrayView1};
use rand::Rng;

use crate::{TemporalError, config::check_sizes};

/// The weights of one GRU cell in the semantics of PyTorch's `GRU` and cuDNN ("reset after"):
///
/// ```text
/// r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
/// z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
/// n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
/// h = (1 - z) * n + z * h
/// ```
///
/// The rows of each tensor are those of gates r, z, n, in this order.
#[derive(Debug, Clone, PartialEq)]
pub struct GruWeights {
    /// `[3 * hidden_size, input_size]`
    pub weight_ih: Array2<f32>,
    /// `[3 * hidden_size, hidden_size]`
    pub weight_hh: Array2<f32>,
    /// `[3 * hidden_size]`, the bias added to the products with the inputs.
    pub bias_ih: Array1<f32>,
    /// `[3 * hidden_size]`, the bias added to the products with the hidden state; that of gate n is inside the product with r.
    pub bias_hh: Array1<f32>,
}

impl GruWeights {
    /// All weights zero.
    ///
    /// # Errors
    /// [`TemporalError::Size`] for sizes of zero or beyond memory.
    pub fn zeros(input_size: usize, hidden_size: usize) -> Result<Self, TemporalError> {
        check_sizes(input_size, hidden_size)?;
        let rows = 3 * hidden_size;
        let matrix = |columns: usize| {
            let mut values = Vec::new();
            values.try_reserve_exact(rows * columns).map_err(|e| TemporalError::Size {
                input_size,
                hidden_size,
                reason: e.to_string(),
            })?;
            values.resize(rows * columns, 0.0);
            Ok(Array2::from_shape_vec((rows, columns), values).unwrap_or_default())
        };
        let bias = Array1::zeros(rows);
        Ok(Self {
            weight_ih: matrix(input_size)?,
            weight_hh: matrix(hidden_size)?,
            bias_ih: bias.clone(),
            bias_hh: bias,
        })
    }

    /// Weights drawn uniformly from +-1/sqrt(hidden_size), PyTorch's default initialisation.
    ///
    /// # Errors
    /// As [`GruWeights::zeros`].
    pub fn random(input_size: usize, hidden_size: usize, rng: &mut impl Rng) -> Result<Self, TemporalError> {
        let mut weights = Self::zeros(input_size, hidden_size)?;
        let bound = 1.0 / (hidden_size as f32).sqrt();
        let mut draw = |w: &mut f32| *w = rng.random_range(-bound..=bound);
        weights.weight_ih.iter_mut().chain(&mut weights.weight_hh).for_each(&mut draw);
        weights.bias_ih.iter_mut().chain(&mut weights.bias_hh).for_each(draw);
        Ok(weights)
    }

    /// Number of inputs.
    pub fn input_size(&self) -> usize {
        self.weight_ih.ncols()
    }

    /// Number of hidden units.
    pub fn hidden_size(&self) -> usize {
        self.weight_hh.ncols()
    }

    /// Multiply-accumulates of one dense step: `3 * hidden_size * (input_size + hidden_size)`.
    pub fn macs(&self) -> u64 {
        (self.weight_ih.len() + self.weight_hh.len()) as u64
    }

    /// Refuses tensors whose shapes disagree, NaN and infinities.
    ///
    /// # Errors
    /// [`TemporalError::Size`], [`TemporalError::TensorShape`] or [`TemporalError::WeightNotFinite`], which name the tensor;
    /// `suffix` is added to its name, as `_l0`.
    pub fn check(&self, suffix: &str) -> Result<(), TemporalError> {
        let (input_size, hidden_size) = (self.input_size(), self.hidden_size());
        check_sizes(input_size, hidden_size)?;
        for (name, shape, values) in self.tensors() {
            let rows = 3 * hidden_size;
            let expected = if shape.len() == 2 { vec![rows, shape[1]] } else { vec![rows] };
            if shape != expected {
                return Err(TemporalError::TensorShape { name: format!("{name}{suffix}"), expected, found: shape });
            }
            check_finite(&format!("{name}{suffix}"), &values)?;
        }
        Ok(())
    }

    /// Name, shape and elements of each tensor.
    fn tensors(&self) -> [(&'static str, Vec<usize>, Vec<f32>); 4] {
        let all = |values: ndarray::iter::Iter<'_, f32, ndarray::Ix2>| values.copied().collect();
        [
            ("weight_ih", self.weight_ih.shape().to_vec(), all(self.weight_ih.iter())),
            ("weight_hh", self.weight_hh.shape().to_vec(), all(self.weight_hh.iter())),
            ("bias_ih", self.bias_ih.shape().to_vec(), self.bias_ih.to_vec()),
            ("bias_hh", self.bias_hh.shape().to_vec(), self.bias_hh.to_vec()),
        ]
    }
}

/// The weights of stacked GRU layers: the hidden state of one is the input of the next, as in `torch.nn.GRU`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gru {
    /// In PyTorch's order: layer by layer, in each the forward cell and then, if there is one, the reverse cell.
    pub cells: Vec<GruWeights>,
    /// Whether every layer has a reverse cell. The next layer's input is then `[forward h, reverse h]`.
    pub bidirectional: bool,
}

impl Gru {
    /// One layer that reads forwards.
    pub fn single(weights: GruWeights) -> Self {
        Self { cells: vec![weights], bidirectional: false }
    }

    /// Random layers as PyTorch initialises them.
    ///
    /// # Errors
    /// [`TemporalError::Size`] for sizes of zero or beyond memory.
    pub fn random(
        input_size: usize,
        hidden_size: usize,
        num_layers: usize,
        bidirectional: bool,
        rng: &mut impl Rng,
    ) -> Result<Self, TemporalError> {
        let directions = if bidirectional { 2 } else { 1 };
        let inputs = |layer: usize| if layer == 0 { input_size } else { directions * hidden_size };
        let cells = (0..num_layers * directions).map(|i| GruWeights::random(inputs(i / directions), hidden_size, rng));
        Ok(Self { cells: cells.collect::<Result<_, _>>()?, bidirectional })
    }

    /// 2 where layers are bidirectional, else 1.
    pub fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Stacked layers.
    pub fn num_layers(&self) -> usize {
        self.cells.len() / self.directions()
    }

    /// Inputs of the first layer.
    pub fn input_size(&self) -> usize {
        self.cells.first().map_or(0, GruWeights::input_size)
    }

    /// Hidden units of each cell.
    pub fn hidden_size(&self) -> usize {
        self.cells.first().map_or(0, GruWeights::hidden_size)
    }

    /// Size of what the last layer gives: `directions * hidden_size`.
    pub fn output_size(&self) -> usize {
        self.directions() * self.hidden_size()
    }

    /// `_l0`, `_l0_reverse`, `_l1` and so on: what PyTorch adds to the names of the tensors of cell `index`.
    pub fn suffix(index: usize, bidirectional: bool) -> String {
        match (bidirectional, index % 2) {
            (false, _) => format!("_l{index}"),
            (true, 0) => format!("_l{}", index / 2),
            (true, _) => format!("_l{}_reverse", index / 2),
        }
    }

    /// Name (without prefix), shape and elements of every tensor.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let named = |(index, cell): (usize, &GruWeights)| {
            let suffix = Self::suffix(index, self.bidirectional);
            cell.tensors().map(|(name, shape, values)| (format!("{name}{suffix}"), shape, values))
        };
        self.cells.iter().enumerate().flat_map(named).collect()
    }

    /// Refuses cells that do not fit each other, NaN and infinities.
    ///
    /// # Errors
    /// As [`GruWeights::check`], with the layer's name.
    pub fn check(&self) -> Result<(), TemporalError> {
        if self.cells.is_empty() || !self.cells.len().is_multiple_of(self.directions()) {
            let (value, expected) = (self.cells.len().to_string(), "at least one cell for each direction");
            return Err(TemporalError::Setting { field: "cells", value, expected });
        }
        for (index, cell) in self.cells.iter().enumerate() {
            let suffix = Self::suffix(index, self.bidirectional);
            cell.check(&suffix)?;
            let input_size = if index < self.directions() { self.input_size() } else { self.output_size() };
            for (name, found, columns) in [
                ("weight_ih", cell.weight_ih.dim(), input_size),
                ("weight_hh", cell.weight_hh.dim(), self.hidden_size()),
            ] {
                let expected = vec![3 * self.hidden_size(), columns];
                if [found.0, found.1] != expected[..] {
                    let found = vec![found.0, found.1];
                    return Err(TemporalError::TensorShape { name: format!("{name}{suffix}"), expected, found });
                }
            }
        }
        Ok(())
    }
}

/// Names the first NaN or infinity of a tensor.
pub(crate) fn check_finite<'a>(name: &str, values: impl IntoIterator<Item = &'a f32>) -> Result<(), TemporalError> {
    match values.into_iter().enumerate().find(|(_, v)| !v.is_finite()) {
        Some((index, value)) => Err(TemporalError::WeightNotFinite { name: name.to_string(), index, value: *value }),
        None => Ok(()),
    }
}

/// Refuses a vector of another length.
pub(crate) fn check_length(
    what: &'static str,
    expected: usize,
    found: ArrayView1<'_, f32>,
) -> Result<(), TemporalError> {
    if found.len() == expected {
        return Ok(());
    }
    Err(TemporalError::Shape { what, expected: vec![expected], found: vec![found.len()] })
}
