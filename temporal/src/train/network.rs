//! The whole network forward and backward for one part of the batch: layers, pooling, head.

use super::data::Window;
use super::layer::{CellInput, CellState, CellTape, Events, LayerTechnique, round_to};
use super::matmul::{Order, product};
use super::parameters::Parameters;
use crate::Pooling;

/// The windows of one part of the batch.
pub(super) struct Part {
    pub windows: Vec<Window>,
    /// Frames in each window, with padding.
    pub frames: usize,
    /// Frames of each window, without padding.
    pub lengths: Vec<usize>,
    /// Inputs of the first layer `[frames][batch][inputs]`; dropout, rounding and noise included.
    pub x: Vec<f32>,
    /// What each window's inputs of each layer are multiplied by `[batch][inputs]` (dropout), or empty.
    pub gains: Vec<Vec<f32>>,
    /// Noise on the inputs of each layer but the first `[frames][batch][inputs]`, or empty.
    pub noise_x: Vec<Vec<f32>>,
    /// Noise on the hidden state of each cell `[frames][batch][hidden]`, or empty.
    pub noise_h: Vec<Vec<f32>>,
    /// State of each cell before the first frame.
    pub start: Vec<CellState>,
}

impl Part {
    pub fn batch(&self) -> usize {
        self.windows.len()
    }
}

/// What the forward pass stores.
#[derive(Default)]
pub(super) struct NetworkTape {
    cells: Vec<CellTape>,
    /// Inputs of each linear layer of the head `[rows][inputs]`.
    linear_inputs: Vec<Vec<f32>>,
    /// `[frames or 1][batch][outputs]`
    pub outputs: Vec<f32>,
}

impl NetworkTape {
    /// Runs the windows forward from their start.
    pub fn forward(&mut self, p: &Parameters, part: &Part, techniques: &[LayerTechnique]) {
        let size = p.size();
        let (directions, hidden, rows) = (size.directions(), size.hidden_size, part.frames * part.batch());
        self.cells.resize_with(size.cells(), CellTape::default);
        let mut x = std::borrow::Cow::Borrowed(&part.x);
        for (layer, technique) in techniques.iter().enumerate() {
            if layer > 0 {
                disturb(x.to_mut(), &part.gains[layer], technique, &part.noise_x[layer]);
            }
            let mut outputs = vec![0.0; rows * directions * hidden];
            for direction in 0..directions {
                let index = layer * directions + direction;
                let reversed = (direction == 1).then(|| reverse(&x, part.frames, &part.lengths));
                let input = CellInput {
                    frames: part.frames,
                    lengths: &part.lengths,
                    x: reversed.as_ref().unwrap_or(&x),
                    start: &part.start[index],
                    noise_h: &part.noise_h[index],
                };
                let tape = &mut self.cells[index];
                tape.forward(p.cell(index), &input, technique);
                match direction {
                    0 => interleave(&mut outputs, tape.outputs(), hidden, directions, 0),
                    _ => interleave(
                        &mut outputs,
                        &reverse(tape.outputs(), part.frames, &part.lengths),
                        hidden,
                        directions,
                        1,
                    ),
                }
            }
            x = std::borrow::Cow::Owned(outputs);
        }
        self.head(p, part, x.into_owned());
    }

    /// Pooling and the linear layers on the last layer's hidden states `[frames][batch][directions * hidden]`.
    fn head(&mut self, p: &Parameters, part: &Part, hidden: Vec<f32>) {
        let size = p.size();
        let (batch, width) = (part.batch(), size.directions() * size.hidden_size);
        let mut x = match size.head.pooling {
            Pooling::None => hidden,
            pooling => {
                let mut pooled = vec![0.0; batch * width];
                for (b, length) in part.lengths.iter().enumerate() {
                    let pooled = &mut pooled[b * width..][..width];
                    for (t, unit_range, factor) in pooled_frames(pooling, *length, width, size.bidirectional) {
                        let row = &hidden[(t * batch + b) * width..][..width];
                        for i in unit_range {
                            pooled[i] += factor * row[i];
                        }
                    }
                }
                pooled
            }
        };
        self.linear_inputs.clear();
        let linears = p.linears();
        for (index, (weight, bias)) in linears.iter().enumerate() {
            let (outputs, inputs) = weight.dim();
            let mut y = Vec::with_capacity(x.len() / inputs * outputs);
            let weights = weight.as_slice().unwrap_or_default();
            if outputs == 1 {
                // In the order of a streaming cell's sums.
                let dot = |row: &[f32]| bias[0] + row.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>();
                y.extend(x.chunks_exact(inputs).map(dot));
            } else {
                let rows = x.len() / inputs;
                (0..rows).for_each(|_| y.extend(bias));
                let sizes = (rows, outputs, inputs);
                product(&mut y, sizes, (&x, Order::Plain), (weights, Order::Transposed), true);
            }
            if index + 1 < linears.len() {
                y.iter_mut().for_each(|y| *y = y.max(0.0));
            }
            self.linear_inputs.push(std::mem::replace(&mut x, y));
        }
        self.outputs = x;
    }

    /// The state of each cell after the last frame.
    pub fn end(&self) -> Vec<CellState> {
        self.cells.iter().map(CellTape::end).collect()
    }

    /// What was transmitted in all layers from frame `burn_in` on.
    pub fn events(&self, burn_in: usize) -> Events {
        let mut events = Events::default();
        self.cells.iter().for_each(|cell| events.add(&cell.events(burn_in)));
        events
    }

    /// Adds the gradients to `grad`, given `d_outputs[frames or 1][batch][outputs]`, the loss's gradient by the outputs. Returns
    /// the gradient by the inputs before dropout `[frames][batch][inputs]`, or an empty array if that is not wanted.
    pub fn backward(
        &mut self,
        p: &Parameters,
        part: &Part,
        techniques: &[LayerTechnique],
        d_outputs: &[f32],
        grad: &mut Parameters,
        want_dx: bool,
    ) -> Vec<f32> {
        let size = p.size();
        let (directions, hidden, rows) = (size.directions(), size.hidden_size, part.frames * part.batch());
        let mut d = self.head_backward(p, part, d_outputs, grad);
        for (layer, technique) in techniques.iter().enumerate().rev() {
            let wanted = layer > 0 || want_dx;
            let mut d_x = vec![0.0; if wanted { rows * size.inputs(layer) } else { 0 }];
            for direction in 0..directions {
                let index = layer * directions + direction;
                let mut d_out = part_of(&d, hidden, directions, direction);
                if direction == 1 {
                    d_out = reverse(&d_out, part.frames, &part.lengths);
                }
                let (cell, mut grad) = (p.cell(index), grad.cell_mut(index));
                let dx = self.cells[index].backward(cell, technique, &d_out, &mut grad, wanted);
                let dx = if direction == 1 { reverse(&dx, part.frames, &part.lengths) } else { dx };
                d_x.iter_mut().zip(&dx).for_each(|(sum, d)| *sum += d);
            }
            scale_rows(&mut d_x, &part.gains[layer]);
            d = d_x;
        }
        d
    }

    /// Back through the linear layers and the pooling: the gradient by the last layer's hidden states.
    fn head_backward(&self, p: &Parameters, part: &Part, d_outputs: &[f32], grad: &mut Parameters) -> Vec<f32> {
        let size = p.size();
        let mut d = d_outputs.to_vec();
        let linears = p.linears();
        for (index, (weight, _)) in linears.iter().enumerate().rev() {
            let (outputs, inputs) = weight.dim();
            let (x, rows) = (&self.linear_inputs[index], d.len() / outputs);
            if index + 1 < linears.len() {
                let active = &self.linear_inputs[index + 1];
                d.iter_mut().zip(active).for_each(|(d, y)| *d = if *y > 0.0 { *d } else { 0.0 });
            }
            let (_, _, range) = size.linears()[index].clone();
            let (d_weight, d_bias) = grad.values[range].split_at_mut(outputs * inputs);
            let order = if outputs == 1 { Order::Plain } else { Order::Transposed };
            product(d_weight, (outputs, inputs, rows), (&d, order), (x, Order::Plain), true);
            for (output, d_bias) in d_bias.iter_mut().enumerate() {
                *d_bias += d.iter().skip(output).step_by(outputs).sum::<f32>();
            }
            let mut d_x = vec![0.0; rows * inputs];
            let weights = weight.as_slice().unwrap_or_default();
            product(&mut d_x, (rows, inputs, outputs), (&d, Order::Plain), (weights, Order::Plain), false);
            d = d_x;
        }
        if size.head.pooling == Pooling::None {
            return d;
        }
        let (batch, width) = (part.batch(), size.directions() * size.hidden_size);
        let mut d_hidden = vec![0.0; part.frames * batch * width];
        for (b, length) in part.lengths.iter().enumerate() {
            let d = &d[b * width..][..width];
            for (t, unit_range, factor) in pooled_frames(size.head.pooling, *length, width, size.bidirectional) {
                let row = &mut d_hidden[(t * batch + b) * width..][..width];
                unit_range.for_each(|i| row[i] += factor * d[i]);
            }
        }
        d_hidden
    }
}

/// Frames, units and factors that a pooled hidden state is the sum of.
fn pooled_frames(
    pooling: Pooling,
    length: usize,
    width: usize,
    bidirectional: bool,
) -> Vec<(usize, std::ops::Range<usize>, f32)> {
    match pooling {
        Pooling::Last if bidirectional => vec![(length - 1, 0..width / 2, 1.0), (0, width / 2..width, 1.0)],
        Pooling::Last => vec![(length - 1, 0..width, 1.0)],
        _ => (0..length).map(|t| (t, 0..width, 1.0 / length as f32)).collect(),
    }
}

/// Dropout, rounding and noise on the inputs of a layer.
pub(super) fn disturb(x: &mut [f32], gains: &[f32], technique: &LayerTechnique, noise: &[f32]) {
    scale_rows(x, gains);
    if let Some(q) = technique.rounding {
        x.iter_mut().for_each(|x| *x = round_to(q, *x));
    }
    x.iter_mut().zip(noise).for_each(|(x, noise)| *x += noise);
}

/// Multiplies every frame's row of `x[frames][gains]` by the gains, unless there are none.
fn scale_rows(x: &mut [f32], gains: &[f32]) {
    if !gains.is_empty() {
        for row in x.chunks_exact_mut(gains.len()) {
            row.iter_mut().zip(gains).for_each(|(x, gain)| *x *= gain);
        }
    }
}

/// Each sequence of `x[frames][batch][units]` backwards within its length; padding stays behind.
fn reverse(x: &[f32], frames: usize, lengths: &[usize]) -> Vec<f32> {
    let (batch, mut reversed) = (lengths.len(), x.to_vec());
    let units = x.len() / (frames * batch);
    for (b, length) in lengths.iter().enumerate() {
        for t in 0..*length {
            let (to, from) = ((t * batch + b) * units, ((length - 1 - t) * batch + b) * units);
            reversed[to..to + units].copy_from_slice(&x[from..from + units]);
        }
    }
    reversed
}

/// Writes the states of one direction `[rows][hidden]` into `[rows][directions][hidden]`.
fn interleave(to: &mut [f32], from: &[f32], hidden: usize, directions: usize, direction: usize) {
    for (to, from) in to.chunks_exact_mut(directions * hidden).zip(from.chunks_exact(hidden)) {
        to[direction * hidden..][..hidden].copy_from_slice(from);
    }
}

/// One direction of `[rows][directions][hidden]`.
fn part_of(all: &[f32], hidden: usize, directions: usize, direction: usize) -> Vec<f32> {
    all.chunks_exact(directions * hidden).flat_map(|row| &row[direction * hidden..][..hidden]).copied().collect()
}
