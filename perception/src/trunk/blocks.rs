//! The frozen layers: the first blocks of EfficientNet-Lite0, run row by row.
//!
//! A block's wide inner map never exists as a whole: for each output row, the expanded rows that the depthwise kernel
//! needs are made in a ring of `kernel` rows, filtered into one row, and projected at once, so that all of it stays in
//! the L2 cache. The first block's "expansion" is the stem.

use super::layout::{BLOCKS, BlockSpec, MapSize, STEM_CHANNELS, pad_before};
use super::{Meter, inputs_first};
use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::{self, Finish, Gather, InstructionSet, PackedMatrix};
use crate::team::Team;
use crate::weights::Weights;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Weights and scratch memory of the trunk; nothing is allocated while it runs.
#[derive(Debug)]
pub(crate) struct BlockTrunk {
    set: InstructionSet,
    stages: Vec<Stage>,
    picture: Vec<f32>,
    picture_stride: usize,
    maps: [Vec<f32>; 2],
    /// One for each thread.
    scratch: Vec<Mutex<Scratch>>,
    team: Option<Team>,
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

impl BlockTrunk {
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
        let scratch = vec![Mutex::new(scratch)];
        Ok(Self { set, stages, picture, picture_stride, maps: [map.clone(), map], scratch, team: None })
    }

    /// The input buffer and its row stride; [`BlockTrunk::run_metered`] reads `[row][column][RGB]` from it.
    pub fn picture_mut(&mut self) -> (&mut [f32], usize) {
        (&mut self.picture, self.picture_stride)
    }

    /// Runs on one thread, or on two that share the rows of every stage.
    pub fn set_threads(&mut self, threads: usize) -> std::io::Result<()> {
        self.team = if threads > 1 { Some(Team::new()?) } else { None };
        let scratch = self.scratch[0].get_mut().unwrap_or_else(PoisonError::into_inner).clone();
        self.scratch = (0..threads.clamp(1, 2)).map(|_| Mutex::new(scratch.clone())).collect();
        Ok(())
    }

    /// Runs all stages, telling `meter` where the time goes; the result is the output map `[row][column][channel]`.
    pub fn run_metered<M: Meter>(&mut self, meter: &M) -> &[f32] {
        let [mut from, mut to] = self.maps.each_mut();
        for (index, stage) in self.stages.iter().enumerate() {
            let input = match stage.source {
                Source::Stem(_) => (self.picture.as_slice(), self.picture_stride),
                Source::Expand(_) => (from.as_slice(), stage.expanded.width * stage.spec.input),
            };
            let (rows, output) = (stage.output.height, &mut to[..stage.output.len()]);
            let run = |rows: Range<usize>, output: &mut [f32], scratch: &Mutex<Scratch>| {
                let mut scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
                stage.run(self.set, input, rows, output, &mut scratch, (index, meter));
            };
            if let Some(team) = &mut self.team {
                let half = rows / 2;
                let (top, bottom) = output.split_at_mut(half * stage.output.width * stage.output.channels);
                let parts = [Mutex::new((0..half, top)), Mutex::new((half..rows, bottom))];
                team.run(&|part| {
                    let mut part_rows = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
                    let (rows, output) = &mut *part_rows;
                    run(rows.clone(), output, &self.scratch[part]);
                });
            } else {
                run(0..rows, output, &self.scratch[0]);
            }
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

    /// Computes rows `rows` of the output map into `output`, which holds just these. `input` comes with the length of its
    /// rows.
    fn run<M: Meter>(
        &self,
        set: InstructionSet,
        input: (&[f32], usize),
        rows: Range<usize>,
        output: &mut [f32],
        scratch: &mut Scratch,
        (index, meter): (usize, &M),
    ) {
        let BlockSpec { kernel, stride, expanded: channels, .. } = self.spec;
        let (pad, ring_row, width) = (pad_before(kernel, stride), self.ring_row(), self.output.width);
        let (ring, zeros) = (&mut scratch.ring[..ring_row * kernel], &scratch.zeros[..ring_row]);
        ring.fill(0.0);
        let mut next = (rows.start * stride).saturating_sub(pad);
        for (y, output) in rows.zip(output.chunks_exact_mut(width * self.output.channels)) {
            let start = meter.now();
            while next < self.expanded.height.min(y * stride + kernel - pad) {
                let from = (next % kernel) * ring_row + pad * channels;
                self.expand_row(set, input, next, &mut ring[from..from + self.expanded.width * channels]);
                next += 1;
            }
            let start = meter.add(index * 3, start);
            let mut taps = [zeros; 5];
            for (tap, row) in taps.iter_mut().enumerate().take(kernel) {
                let at = y * stride + tap;
                if (pad..pad + self.expanded.height).contains(&at) {
                    let slot = (at - pad) % kernel;
                    *row = &ring[slot * ring_row..(slot + 1) * ring_row];
                }
            }
            let (shape, filtered) = ((kernel, stride), &mut scratch.filtered[..width * channels]);
            kernels::depthwise_row(set, shape, &taps[..kernel], &self.depthwise, &self.depthwise_bias, width, filtered);
            let start = meter.add(index * 3 + 1, start);
            let residual = self.spec.residual().then(|| &input.0[y * input.1..(y + 1) * input.1]);
            let gather = Gather::pointwise(channels);
            kernels::matmul(set, &self.project, filtered, gather, width, output, Finish::Linear, residual);
            meter.add(index * 3 + 2, start);
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
