//! The frozen CNN run on changes between frames, in the sigma-delta way.
//!
//! Every layer keeps its sums and what it last heard of each of its inputs. An input is sent on only when it has moved by
//! the layer's threshold or more since it was last sent, and only then are its weights multiplied: the sums always belong
//! to the values sent, so no error builds up, and with thresholds of zero the outputs are those of the dense network.
//! O'Connor and Welling, *Sigma Delta Quantized Networks* (ICLR 2017), describe the principle.

#[cfg(test)]
mod tests;
mod tune;

pub use tune::{Choice, choose_thresholds};

use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::feature;
use crate::kernels::{self, EventCount, EventShape, InstructionSet};
use crate::trunk::inputs_first;
use crate::trunk::layout::{self, BLOCKS, MapSize, STEM_CHANNELS, pad_before};
use crate::weights::Weights;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Work of one layer since the start or the last reset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerWork {
    /// For example `block1.expand`; `feature` is the last.
    pub layer: String,
    /// Its threshold, in the units of its input.
    pub theta: f32,
    /// Multiply-accumulates of a dense network.
    pub macs_dense: u64,
    /// Multiply-accumulates done.
    pub macs: u64,
    /// Inputs in all.
    pub values: u64,
    /// Inputs sent.
    pub sent: u64,
    /// Time spent, the comparing of inputs included.
    pub time: Duration,
}

/// The whole CNN, pooling included, with its state.
#[derive(Debug, Clone)]
pub(crate) struct DeltaCnn {
    set: InstructionSet,
    layers: Vec<Layer>,
    /// Index of the layer that a block's output is added to the input of, for each residual projection.
    residual: Vec<Option<usize>>,
    cells: (usize, usize),
    block_output: Vec<f32>,
    pooled: Vec<f32>,
    list: Vec<(u32, f32)>,
}

/// A layer with its state.
#[derive(Debug, Clone)]
struct Layer {
    work: LayerWork,
    shape: EventShape,
    /// Whether its input is a ReLU6 of the sums before it.
    relu6: bool,
    macs_dense: u64,
    weights: Vec<f32>,
    bias: Vec<f32>,
    sent: Vec<f32>,
    sums: Vec<f32>,
}

impl Layer {
    fn load(
        weights: &Weights<'_>,
        (name, tensor): (&str, &str),
        shape: EventShape,
        relu6: bool,
        (macs_dense, theta): (u64, f32),
    ) -> Result<Self, PerceptionError> {
        let inputs = if shape.depthwise { 1 } else { shape.inputs };
        let stored = [shape.outputs, inputs, shape.kernel, shape.kernel];
        let stored = if name == "feature" { &stored[..2] } else { &stored };
        let values = weights.get(&format!("{tensor}.weight"), stored)?;
        let bias = weights.get(&format!("{tensor}.bias"), &stored[..1])?;
        let work =
            LayerWork { layer: name.into(), theta, macs_dense: 0, macs: 0, values: 0, sent: 0, time: Duration::ZERO };
        let mut layer = Self {
            work,
            shape,
            relu6,
            macs_dense,
            weights: inputs_first(&values, [shape.outputs, inputs, shape.kernel, shape.kernel]),
            bias,
            sent: vec![0.0; shape.height * shape.width * shape.inputs],
            sums: vec![0.0; shape.output_size().0 * shape.output_size().1 * shape.outputs],
        };
        layer.reset();
        Ok(layer)
    }

    /// Nothing sent yet, no work done.
    fn reset(&mut self) {
        self.sent.fill(0.0);
        self.sums.chunks_exact_mut(self.bias.len()).for_each(|pixel| pixel.copy_from_slice(&self.bias));
        (self.work.macs_dense, self.work.macs, self.work.values, self.work.sent) = (0, 0, 0, 0);
        self.work.time = Duration::ZERO;
    }

    fn step(&mut self, set: InstructionSet, values: &[f32], list: &mut [(u32, f32)]) -> u64 {
        let start = Instant::now();
        let (theta, shape) = (self.work.theta, self.shape);
        let EventCount { sent, macs } =
            kernels::events(set, shape, &self.weights, values, self.relu6, theta, &mut self.sent, &mut self.sums, list);
        self.work.sent += sent;
        self.work.macs += macs;
        self.work.values += values.len() as u64;
        self.work.macs_dense += self.macs_dense;
        self.work.time += start.elapsed();
        macs
    }
}

impl DeltaCnn {
    /// Reads `trunk.*`, and `feature.*` where `with_features`; thresholds as in the configuration, else zero.
    pub fn load(
        weights: &Weights<'_>,
        config: &PerceptionConfig,
        set: InstructionSet,
        with_features: bool,
    ) -> Result<Self, PerceptionError> {
        let names = layout::macs_by_layer(config);
        let theta = |layer: usize| config.delta_thresholds.get(layer).copied().unwrap_or(0.0);
        let (mut layers, mut residual) = (Vec::new(), Vec::new());
        let mut size = MapSize { height: config.input_height, width: config.input_width, channels: 3 };
        let mut push =
            |outputs: usize, kernel: usize, stride: usize, depthwise: bool, relu6: bool, add: Option<usize>| {
                let MapSize { height, width, channels } = size;
                let pad = pad_before(kernel, stride);
                let shape = EventShape { height, width, inputs: channels, outputs, kernel, stride, pad, depthwise };
                let (name, macs) = &names[layers.len()];
                let cost = (*macs, theta(layers.len()));
                layers.push(Layer::load(weights, (name, &format!("trunk.{name}")), shape, relu6, cost)?);
                residual.push(add);
                size = MapSize { height: height / stride, width: width / stride, channels: outputs };
                Ok::<usize, PerceptionError>(layers.len() - 1)
            };
        push(STEM_CHANNELS, 3, 2, false, false, None)?;
        for block in &BLOCKS[..config.trunk_blocks] {
            let mut first = None;
            if block.expands() {
                first = Some(push(block.expanded, 1, 1, false, false, None)?);
            }
            push(block.expanded, block.kernel, block.stride, true, true, None)?;
            push(block.output, 1, 1, false, true, first.filter(|_| block.residual()))?;
        }
        if with_features {
            let (inputs, outputs) = (config.pooled_count(), config.feature_count);
            let shape =
                EventShape { height: 1, width: 1, inputs, outputs, kernel: 1, stride: 1, pad: 0, depthwise: false };
            let cost = ((inputs * outputs) as u64, theta(layers.len()));
            layers.push(Layer::load(weights, ("feature", "feature"), shape, false, cost)?);
            residual.push(None);
        }
        let widest = layers.iter().map(|layer| layer.shape.inputs).max().unwrap_or(0);
        Ok(Self {
            set,
            layers,
            residual,
            cells: (config.cells_down, config.cells_across),
            block_output: Vec::new(),
            pooled: vec![0.0; config.pooled_count()],
            list: vec![(0, 0.0); widest],
        })
    }

    /// Forgets everything sent, as before the first frame.
    pub fn reset(&mut self) {
        self.layers.iter_mut().for_each(Layer::reset);
    }

    /// Work of each layer since the start or the last reset.
    pub fn work(&self) -> Vec<LayerWork> {
        self.layers.iter().map(|layer| layer.work.clone()).collect()
    }

    /// The cells of the last picture.
    pub fn pooled(&self) -> &[f32] {
        &self.pooled
    }

    /// Runs the trunk on a picture `[input_height][input_width][3]`; returns the multiply-accumulates done.
    pub fn run(&mut self, picture: &[f32]) -> u64 {
        let trunk = self.layers.iter().take_while(|layer| layer.work.layer != "feature").count();
        let mut macs = self.layers[0].step(self.set, picture, &mut self.list);
        for index in 1..trunk {
            let (before, rest) = self.layers.split_at_mut(index);
            let previous = &before[index - 1];
            let input = if self.residual[index - 1].is_some() { &self.block_output } else { &previous.sums };
            macs += rest[0].step(self.set, input, &mut self.list);
            if let Some(first) = self.residual[index] {
                let kept = &before[first].sent;
                self.block_output.clear();
                self.block_output.extend(rest[0].sums.iter().zip(kept).map(|(sum, kept)| sum + kept));
            }
        }
        let last = &self.layers[trunk - 1];
        let map = if self.residual[trunk - 1].is_some() { &self.block_output } else { &last.sums };
        let (height, width) = last.shape.output_size();
        let size = MapSize { height, width, channels: last.shape.outputs };
        feature::pool(map, size, self.cells.0, self.cells.1, &mut self.pooled);
        macs
    }

    /// The feature layer's sums `weight * pooled + bias` after [`DeltaCnn::run`], and the multiply-accumulates done.
    pub fn feature_sums(&mut self) -> Option<(&[f32], u64)> {
        let layer = self.layers.last_mut().filter(|layer| layer.work.layer == "feature")?;
        let macs = layer.step(self.set, &self.pooled, &mut self.list);
        Some((&layer.sums, macs))
    }
}
