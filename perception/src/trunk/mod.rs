//! The frozen layers: the first blocks of EfficientNet-Lite0, run row by row.
//!
//! A block's wide inner map never exists as a whole: for each output row, the expanded rows that the depthwise kernel
//! needs are made in a ring of `kernel` rows, filtered into one row, and projected at once, so that all of it stays in
//! the L2 cache. The first block's "expansion" is the stem.

pub mod layout;
#[cfg(test)]
mod tests;

use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::{self, Finish, Gather, InstructionSet, PackedMatrix};
use crate::weights::Weights;
use layout::{BLOCKS, BlockSpec, MapSize, STEM_CHANNELS, pad_before};

/// Weights and scratch memory of the trunk; nothing is allocated while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Trunk {
    set: InstructionSet,
    stages: Vec<Stage>,
    picture: Vec<f32>,
    picture_stride: usize,
    maps: [Vec<f32>; 2],
    scratch: Scratch,
}

/// A block with its source of expanded rows.
#[derive(Debug, Clone)]
struct Stage {
    spec: BlockSpec,
    source: Source,
    /// The map that the depthwise kernel runs over.
    expanded: MapSize,
    output: MapSize,
    depthwise: Vec<f32>,
    depthwise_bias: Vec<f32>,
    project: PackedMatrix,
}

/// What makes an expanded row.
#[derive(Debug, Clone)]
enum Source {
    Stem(PackedMatrix),
    Expand(PackedMatrix),
}

/// Row buffers, large enough for every stage.
#[derive(Debug, Clone, Default)]
struct Scratch {
    ring: Vec<f32>,
    zeros: Vec<f32>,
    filtered: Vec<f32>,
}

impl Trunk {
    /// Reads `trunk.*`, repacks it for `set` and plans the scratch memory.
    pub fn load(
        weights: &Weights<'_>,
        config: &PerceptionConfig,
        set: InstructionSet,
    ) -> Result<Self, PerceptionError> {
        let mut size =
            MapSize { height: config.input_height / 2, width: config.input_width / 2, channels: STEM_CHANNELS };
        let mut stages = Vec::with_capacity(config.trunk_blocks);
        for (index, spec) in BLOCKS[..config.trunk_blocks].iter().enumerate() {
            let stage = Stage::load(weights, index, *spec, size, set)?;
            size = stage.output;
            stages.push(stage);
        }
        let largest = |size: fn(&Stage) -> usize| stages.iter().map(size).max().unwrap_or(0);
        let scratch = Scratch {
            ring: vec![0.0; largest(|stage| stage.ring_row() * stage.spec.kernel)],
            zeros: vec![0.0; largest(Stage::ring_row)],
            filtered: vec![0.0; largest(|stage| stage.output.width * stage.spec.expanded)],
        };
        let map = vec![0.0; largest(|stage| stage.output.len())];
        // One row and one column of zeros: the stem's padding.
        let picture_stride = (config.input_width + 1) * 3;
        let picture = vec![0.0; (config.input_height + 1) * picture_stride];
        Ok(Self { set, stages, picture, picture_stride, maps: [map.clone(), map], scratch })
    }

    /// The input buffer and its row stride; [`Trunk::run`] reads `[row][column][RGB]` from it.
    pub fn picture_mut(&mut self) -> (&mut [f32], usize) {
        (&mut self.picture, self.picture_stride)
    }

    /// Runs all stages; the result is the output map `[row][column][channel]`.
    pub fn run(&mut self) -> &[f32] {
        let [mut from, mut to] = self.maps.each_mut();
        for stage in &self.stages {
            let input = match stage.source {
                Source::Stem(_) => (self.picture.as_slice(), self.picture_stride),
                Source::Expand(_) => (from.as_slice(), stage.expanded.width * stage.spec.input),
            };
            stage.run(self.set, input, &mut to[..stage.output.len()], &mut self.scratch);
            std::mem::swap(&mut from, &mut to);
        }
        &from[..self.stages[self.stages.len() - 1].output.len()]
    }

    /// Weights and biases.
    pub fn weight_count(&self) -> u64 {
        let matrix = |matrix: &PackedMatrix| (matrix.inputs + 1) * matrix.outputs;
        let stage = |stage: &Stage| {
            let (Source::Stem(source) | Source::Expand(source)) = &stage.source;
            matrix(source) + stage.depthwise.len() + stage.depthwise_bias.len() + matrix(&stage.project)
        };
        self.stages.iter().map(stage).sum::<usize>() as u64
    }
}

impl Stage {
    fn load(
        weights: &Weights<'_>,
        index: usize,
        spec: BlockSpec,
        input: MapSize,
        set: InstructionSet,
    ) -> Result<Self, PerceptionError> {
        let matrix = |name: &str, shape: [usize; 4]| -> Result<PackedMatrix, PerceptionError> {
            let values = weights.get(&format!("{name}.weight"), &shape)?;
            let bias = weights.get(&format!("{name}.bias"), &shape[..1])?;
            Ok(PackedMatrix::new(&inputs_first(&values, shape), &bias, set.lanes()))
        };
        let block = format!("trunk.block{index}");
        let source = if spec.expands() {
            Source::Expand(matrix(&format!("{block}.expand"), [spec.expanded, spec.input, 1, 1])?)
        } else {
            Source::Stem(matrix("trunk.stem", [STEM_CHANNELS, 3, 3, 3])?)
        };
        let shape = [spec.expanded, 1, spec.kernel, spec.kernel];
        let depthwise = weights.get(&format!("{block}.depthwise.weight"), &shape)?;
        let depthwise_bias = weights.get(&format!("{block}.depthwise.bias"), &shape[..1])?;
        let project = matrix(&format!("{block}.project"), [spec.output, spec.expanded, 1, 1])?;
        let output =
            MapSize { height: input.height / spec.stride, width: input.width / spec.stride, channels: spec.output };
        Ok(Self {
            spec,
            source,
            expanded: MapSize { channels: spec.expanded, ..input },
            output,
            depthwise: inputs_first(&depthwise, shape),
            depthwise_bias,
            project,
        })
    }

    /// Values in an expanded row with its padding on both sides.
    fn ring_row(&self) -> usize {
        (self.expanded.width + self.spec.kernel - self.spec.stride) * self.spec.expanded
    }

    /// Computes all rows of `output`. `input` comes with the length of its rows.
    fn run(&self, set: InstructionSet, input: (&[f32], usize), output: &mut [f32], scratch: &mut Scratch) {
        let BlockSpec { kernel, stride, expanded: channels, .. } = self.spec;
        let (pad, ring_row, width) = (pad_before(kernel, stride), self.ring_row(), self.output.width);
        let (ring, zeros) = (&mut scratch.ring[..ring_row * kernel], &scratch.zeros[..ring_row]);
        ring.fill(0.0);
        let mut next = 0;
        for (y, output) in output.chunks_exact_mut(width * self.output.channels).enumerate() {
            while next < self.expanded.height.min(y * stride + kernel - pad) {
                let from = (next % kernel) * ring_row + pad * channels;
                self.expand_row(set, input, next, &mut ring[from..from + self.expanded.width * channels]);
                next += 1;
            }
            let mut rows = [zeros; 5];
            for (tap, row) in rows.iter_mut().enumerate().take(kernel) {
                let at = y * stride + tap;
                if (pad..pad + self.expanded.height).contains(&at) {
                    let slot = (at - pad) % kernel;
                    *row = &ring[slot * ring_row..(slot + 1) * ring_row];
                }
            }
            let (shape, filtered) = ((kernel, stride), &mut scratch.filtered[..width * channels]);
            kernels::depthwise_row(set, shape, &rows[..kernel], &self.depthwise, &self.depthwise_bias, width, filtered);
            let residual = self.spec.residual().then(|| &input.0[y * input.1..(y + 1) * input.1]);
            let gather = Gather::pointwise(channels);
            kernels::matmul(set, &self.project, filtered, gather, width, output, Finish::Linear, residual);
        }
    }

    fn expand_row(&self, set: InstructionSet, (input, stride): (&[f32], usize), row: usize, output: &mut [f32]) {
        let (matrix, first, gather) = match &self.source {
            Source::Stem(matrix) => {
                (matrix, 2 * row * stride, Gather { segments: 3, run: 9, segment_stride: stride, pixel_stride: 6 })
            }
            Source::Expand(matrix) => (matrix, row * stride, Gather::pointwise(self.spec.input)),
        };
        kernels::matmul(set, matrix, &input[first..], gather, self.expanded.width, output, Finish::Relu6, None);
    }
}

/// PyTorch's `[output][input][row][column]` as `[row][column][input][output]`.
fn inputs_first(values: &[f32], [outputs, inputs, rows, columns]: [usize; 4]) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for position in 0..rows * columns {
        for input in 0..inputs {
            turned.extend((0..outputs).map(|output| values[(output * inputs + input) * rows * columns + position]));
        }
    }
    turned
}
