//! All trainable numbers in one flat array, so that optimiser, averaging and checkpoints are plain loops.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ShapeBuilder};
use rand::Rng;

use super::random::normal;
use crate::{Gru, GruWeights, Head, HeadConfig, Linear, TemporalError};

/// The size of a network that is trained. Sizes are called as in `torch.nn.GRU`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkSize {
    /// Number of input features.
    pub input_size: usize,
    /// Hidden units of every layer (in each direction).
    pub hidden_size: usize,
    /// Stacked layers.
    pub num_layers: usize,
    /// Whether every layer has a second cell that reads the sequence backwards.
    pub bidirectional: bool,
    /// The head.
    pub head: HeadConfig,
}

impl NetworkSize {
    /// 2 where layers are bidirectional, else 1.
    pub fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Inputs of a layer.
    pub(super) fn inputs(&self, layer: usize) -> usize {
        if layer == 0 { self.input_size } else { self.directions() * self.hidden_size }
    }

    /// Number of cells.
    pub(super) fn cells(&self) -> usize {
        self.num_layers * self.directions()
    }

    fn cell_len(&self, cell: usize) -> usize {
        3 * self.hidden_size * (self.inputs(cell / self.directions()) + self.hidden_size + 2)
    }

    /// Where cell `cell` lies in the flat array.
    pub(super) fn cell_range(&self, cell: usize) -> Range<usize> {
        let start = (0..cell).map(|before| self.cell_len(before)).sum();
        start..start + self.cell_len(cell)
    }

    /// Ranges of the two matrices of each cell.
    pub(super) fn matrices(&self) -> Vec<Range<usize>> {
        let of = |cell: usize| {
            let start = self.cell_range(cell).start;
            let w_x = start..start + 3 * self.hidden_size * self.inputs(cell / self.directions());
            let w_h = w_x.end..w_x.end + 3 * self.hidden_size * self.hidden_size;
            [w_x, w_h]
        };
        (0..self.cells()).flat_map(of).collect()
    }

    /// Inputs, outputs and range of each linear layer of the head: weights, then biases.
    pub(super) fn linears(&self) -> Vec<(usize, usize, Range<usize>)> {
        let (mut inputs, mut start) = (self.directions() * self.hidden_size, self.cell_range(self.cells()).start);
        let mut linears = Vec::new();
        for outputs in self.head.fc_size.into_iter().chain([self.head.output_size]) {
            let range = start..start + outputs * (inputs + 1);
            (start, inputs) = (range.end, {
                linears.push((inputs, outputs, range));
                outputs
            });
        }
        linears
    }

    /// Range of the logarithms of the factors on the thresholds: x and h of each layer.
    pub(super) fn log_thetas(&self) -> Range<usize> {
        let start = self.linears().last().map_or(0, |(_, _, range)| range.end);
        start..start + 2 * self.num_layers
    }
}

/// The trainable numbers of the layers, their head and their thresholds.
///
/// One array, in this order (gates r, z, n): of each cell in PyTorch's order `w_x[inputs][3 hidden]`, `w_h[hidden][3 hidden]`,
/// `b_x[3 hidden]`, `b_h[3 hidden]`; of each linear layer of the head `weight[outputs][inputs]`, `bias[outputs]`; of each layer
/// the natural logarithms of the factors on its `theta_x` and `theta_h`: zero unless thresholds are learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    size: NetworkSize,
    pub(super) values: Vec<f32>,
}

/// The numbers of one cell.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    pub inputs: usize,
    pub hidden: usize,
    /// `[inputs][3 hidden]`
    pub w_x: &'a [f32],
    /// `[hidden][3 hidden]`
    pub w_h: &'a [f32],
    /// `[3 hidden]`
    pub b_x: &'a [f32],
    /// `[3 hidden]`
    pub b_h: &'a [f32],
}

/// Gradients of one cell, in the same shapes.
pub(super) struct CellMut<'a> {
    pub w_x: &'a mut [f32],
    pub w_h: &'a mut [f32],
    pub b_x: &'a mut [f32],
    pub b_h: &'a mut [f32],
    /// Of the layer's thresholds, x and h.
    pub log_theta: &'a mut [f32],
}

impl Parameters {
    /// All zero.
    pub fn zeros(size: NetworkSize) -> Self {
        Self { size, values: vec![0.0; size.log_thetas().end] }
    }

    /// Random weights: `w_x` uniform in +-1/sqrt(inputs), `w_h` in +-1/sqrt(hidden), linear layers normal with deviation
    /// 1/sqrt(inputs), biases zero.
    pub fn random(size: NetworkSize, rng: &mut impl Rng) -> Self {
        let mut parameters = Self::zeros(size);
        for (index, range) in size.matrices().into_iter().enumerate() {
            let units = if index % 2 == 0 { size.inputs(index / 2 / size.directions()) } else { size.hidden_size };
            let bound = 1.0 / (units as f32).sqrt();
            parameters.values[range].iter_mut().for_each(|w| *w = rng.random_range(-bound..bound));
        }
        for (inputs, outputs, range) in size.linears() {
            let deviation = 1.0 / (inputs as f32).sqrt();
            let weights = &mut parameters.values[range][..inputs * outputs];
            weights.iter_mut().for_each(|w| *w = deviation * normal(rng));
        }
        parameters
    }

    /// From the tensors of a network; every log factor of the thresholds is zero.
    ///
    /// # Errors
    /// As [`Gru::check`] and [`Head::check`].
    pub fn from_weights(gru: &Gru, head: &Head) -> Result<Self, TemporalError> {
        gru.check()?;
        head.check(gru.output_size())?;
        let size = NetworkSize {
            input_size: gru.input_size(),
            hidden_size: gru.hidden_size(),
            num_layers: gru.num_layers(),
            bidirectional: gru.bidirectional,
            head: head.config(),
        };
        let mut parameters = Self::zeros(size);
        // Column by column: the transpose, row by row.
        let cells = gru.cells.iter().flat_map(|cell| {
            let matrices = cell.weight_ih.t().into_iter().chain(cell.weight_hh.t());
            matrices.chain(&cell.bias_ih).chain(&cell.bias_hh)
        });
        let linears = head.fc.iter().chain([&head.output]).flat_map(|linear| linear.weight.iter().chain(&linear.bias));
        parameters.values.iter_mut().zip(cells.chain(linears)).for_each(|(to, from)| *to = *from);
        Ok(parameters)
    }

    /// As the tensors of a network.
    pub fn to_weights(&self) -> (Gru, Head) {
        let cells = (0..self.size.cells()).map(|index| {
            let cell = self.cell(index);
            let matrix = |columns: usize, values: &[f32]| {
                Array2::from_shape_vec((3 * cell.hidden, columns).f(), values.to_vec()).unwrap_or_default()
            };
            GruWeights {
                weight_ih: matrix(cell.inputs, cell.w_x),
                weight_hh: matrix(cell.hidden, cell.w_h),
                bias_ih: Array1::from(cell.b_x.to_vec()),
                bias_hh: Array1::from(cell.b_h.to_vec()),
            }
        });
        let gru = Gru { cells: cells.collect(), bidirectional: self.size.bidirectional };
        let mut linears = self
            .linears()
            .into_iter()
            .map(|(weight, bias)| Linear { weight: weight.to_owned(), bias: bias.to_owned() });
        let fc = self.size.head.fc_size.and_then(|_| linears.next());
        let output = linears.next().unwrap_or_else(|| Linear::zeros(0, 0));
        (gru, Head { pooling: self.size.head.pooling, fc, output })
    }

    /// Multiplies the first layer's weights of the first `count` inputs, for inputs that were divided by `factor`.
    pub fn scale_inputs(&mut self, count: usize, factor: f32) {
        let width = 3 * self.size.hidden_size;
        for range in self.size.matrices().into_iter().step_by(2).take(self.size.directions()) {
            self.values[range].iter_mut().take(count * width).for_each(|w| *w *= factor);
        }
    }

    /// The size of the network.
    pub fn size(&self) -> NetworkSize {
        self.size
    }

    /// Factors on `theta_x` and `theta_h` of a layer.
    pub fn theta_factors(&self, layer: usize) -> [f32; 2] {
        let logs = &self.values[self.size.log_thetas()][2 * layer..][..2];
        [logs[0].exp(), logs[1].exp()]
    }

    pub(super) fn cell(&self, index: usize) -> Cell<'_> {
        let (inputs, hidden) = (self.size.inputs(index / self.size.directions()), self.size.hidden_size);
        let (w_x, rest) = self.values[self.size.cell_range(index)].split_at(3 * hidden * inputs);
        let (w_h, rest) = rest.split_at(3 * hidden * hidden);
        let (b_x, b_h) = rest.split_at(3 * hidden);
        Cell { inputs, hidden, w_x, w_h, b_x, b_h }
    }

    pub(super) fn cell_mut(&mut self, index: usize) -> CellMut<'_> {
        let layer = index / self.size.directions();
        let (inputs, hidden) = (self.size.inputs(layer), self.size.hidden_size);
        let (range, thetas) = (self.size.cell_range(index), self.size.log_thetas());
        let (cells, rest) = self.values.split_at_mut(thetas.start);
        let (w_x, others) = cells[range].split_at_mut(3 * hidden * inputs);
        let (w_h, others) = others.split_at_mut(3 * hidden * hidden);
        let (b_x, b_h) = others.split_at_mut(3 * hidden);
        CellMut { w_x, w_h, b_x, b_h, log_theta: &mut rest[2 * layer..][..2] }
    }

    /// Weight `[outputs, inputs]` and bias of each linear layer of the head.
    pub(super) fn linears(&self) -> Vec<(ArrayView2<'_, f32>, ArrayView1<'_, f32>)> {
        let of = |(inputs, outputs, range): (usize, usize, Range<usize>)| {
            let (weight, bias) = self.values[range].split_at(inputs * outputs);
            let weight = ArrayView2::from_shape((outputs, inputs), weight);
            (weight.unwrap_or_else(|_| unreachable!("the sizes are those of the range")), ArrayView1::from(bias))
        };
        self.size.linears().into_iter().map(of).collect()
    }
}
