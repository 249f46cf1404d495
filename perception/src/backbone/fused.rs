//! EfficientNet-Lite's stem, blocks and pooling as one candle operation on this crate's kernels, row by row.
//!
//! A block's wide inner map never exists as a whole: for each output row, the expanded rows that the depthwise kernel
//! needs are made in a ring of `kernel` rows, filtered into one row, and projected at once, so that all of it stays in
//! the L2 cache. The first block's "expansion" is the stem. One operation for the whole network instead of one a block:
//! candle allocates each output anew, which costs a third of the time of layers as small as these.

use super::conv::{SameConv, pad_before};
use super::efficientnet::{BlockSpec, EfficientNet, STEM_CHANNELS};
use super::{Cells, MapSize};
use crate::kernels::{self, Finish, Gather, InstructionSet, PackedMatrix};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape};
use std::sync::{Mutex, PoisonError};

/// Values that the stem reads side by side: three pixels of three colours.
const STEM_RUN: usize = 9;

/// Packed weights, and memory that is used again for every frame.
#[derive(Debug)]
pub(crate) struct FusedEfficientNet {
    set: InstructionSet,
    picture: MapSize,
    stages: Vec<Stage>,
    cells: Cells,
    buffers: Mutex<Buffers>,
}

/// A block with its source of expanded rows.
#[derive(Debug)]
struct Stage {
    spec: BlockSpec,
    /// The stem, or the block's 1x1 expansion.
    source: PackedMatrix,
    is_stem: bool,
    /// The map that the depthwise kernel runs over.
    expanded: MapSize,
    output: MapSize,
    depthwise: Vec<f32>,
    depthwise_bias: Vec<f32>,
    project: PackedMatrix,
}

/// Row buffers and maps, large enough for every stage.
#[derive(Debug)]
struct Buffers {
    /// With one row and one column of zeros behind it: the stem's padding.
    picture: Vec<f32>,
    maps: [Vec<f32>; 2],
    ring: Vec<f32>,
    zeros: Vec<f32>,
    filtered: Vec<f32>,
}

impl FusedEfficientNet {
    /// Repacks the weights of `net` for `set` and plans the memory for pictures of `picture`.
    pub fn new(
        net: &EfficientNet,
        specs: &[BlockSpec],
        picture: MapSize,
        cells: Cells,
        set: InstructionSet,
    ) -> Result<Self> {
        let mut size = MapSize { height: picture.height / 2, width: picture.width / 2, channels: STEM_CHANNELS };
        let mut stages = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let (expand, depthwise, project) = net.block(index);
            let (depthwise, depthwise_bias) = inputs_first(depthwise)?;
            let packed = |conv: &SameConv, run: usize| -> Result<PackedMatrix> {
                let (weights, bias) = inputs_first(conv)?;
                Ok(PackedMatrix::new(&weights, &bias, run, set))
            };
            let source = match expand {
                Some(expand) => packed(expand, spec.input)?,
                None => packed(net.stem(), STEM_RUN)?,
            };
            let expanded = MapSize { channels: spec.expanded, ..size };
            size =
                MapSize { height: size.height / spec.stride, width: size.width / spec.stride, channels: spec.output };
            stages.push(Stage {
                spec: *spec,
                source,
                is_stem: expand.is_none(),
                expanded,
                output: size,
                depthwise,
                depthwise_bias,
                project: packed(project, spec.expanded)?,
            });
        }
        let largest = |size: fn(&Stage) -> usize| stages.iter().map(size).max().unwrap_or(0);
        let map = vec![0.0; largest(|stage| stage.output.len())];
        let buffers = Mutex::new(Buffers {
            picture: vec![0.0; (picture.height + 1) * picture_stride(picture)],
            maps: [map.clone(), map],
            ring: vec![0.0; largest(|stage| stage.ring_row() * stage.spec.kernel)],
            zeros: vec![0.0; largest(Stage::ring_row)],
            filtered: vec![0.0; largest(|stage| stage.output.width * stage.spec.expanded)],
        });
        Ok(Self { set, picture, stages, cells, buffers })
    }

    /// One picture, with its strides of row, column and colour, to its cells.
    fn run(&self, picture: &[f32], strides: [usize; 3], cells: &mut [f32]) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let buffers = &mut *buffers;
        let picture_stride = picture_stride(self.picture);
        take_picture(self.picture, picture, strides, &mut buffers.picture, picture_stride);
        let [mut from, mut to] = buffers.maps.each_mut();
        let mut output = MapSize { height: 0, width: 0, channels: 0 };
        for stage in &self.stages {
            let input = match stage.is_stem {
                true => (buffers.picture.as_slice(), picture_stride),
                false => (from.as_slice(), stage.expanded.width * stage.spec.input),
            };
            output = stage.output;
            let rows = (&mut buffers.ring[..], &buffers.zeros[..], &mut buffers.filtered[..]);
            stage.run(self.set, input, rows, &mut to[..output.len()]);
            std::mem::swap(&mut from, &mut to);
        }
        self.cells.average(&from[..output.len()], output, cells);
    }
}

/// Values in a row of the picture with its padding, an even number for the kernels that read pairs.
fn picture_stride(picture: MapSize) -> usize {
    ((picture.width + 1) * 3).next_multiple_of(2)
}

/// Copies a picture of any strides into rows of `stride` values, colours side by side.
fn take_picture(size: MapSize, from: &[f32], [down, across, colour]: [usize; 3], to: &mut [f32], stride: usize) {
    for (y, row) in to.chunks_exact_mut(stride).take(size.height).enumerate() {
        if (across, colour) == (3, 1) {
            row[..size.width * 3].copy_from_slice(&from[y * down..][..size.width * 3]);
            continue;
        }
        for (x, pixel) in row.chunks_exact_mut(3).take(size.width).enumerate() {
            let at = y * down + x * across;
            (pixel[0], pixel[1], pixel[2]) = (from[at], from[at + colour], from[at + 2 * colour]);
        }
    }
}

impl CustomOp1 for FusedEfficientNet {
    fn name(&self) -> &'static str {
        "fused-efficientnet-lite"
    }

    /// `[batch, 3, height, width]` of any strides to `[batch, cells]`.
    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = storage.as_slice::<f32>()?;
        let (batch, colours, height, width) = layout.shape().dims4()?;
        let MapSize { height: expected_height, width: expected_width, .. } = self.picture;
        if (colours, height, width) != (3, expected_height, expected_width) {
            let found = layout.shape();
            candle_core::bail!("a picture of shape {found:?}, expected [_, 3, {expected_height}, {expected_width}]")
        }
        let [next, colour, down, across] = [0, 1, 2, 3].map(|axis| layout.stride()[axis]);
        let count = self.stages.last().map_or(0, |stage| self.cells.count(stage.output.channels));
        let mut cells = vec![0.0; batch * count];
        for (index, cells) in cells.chunks_exact_mut(count).enumerate() {
            self.run(&values[layout.start_offset() + index * next..], [down, across, colour], cells);
        }
        Ok((CpuStorage::F32(cells), Shape::from((batch, count))))
    }
}

impl Stage {
    /// Values in an expanded row with its padding on both sides.
    fn ring_row(&self) -> usize {
        (self.expanded.width + self.spec.kernel - self.spec.stride) * self.spec.expanded
    }

    /// Computes the output map `[row][column][channel]`. `input` comes with the length of its rows.
    fn run(
        &self,
        set: InstructionSet,
        input: (&[f32], usize),
        (ring, zeros, filtered): (&mut [f32], &[f32], &mut [f32]),
        output: &mut [f32],
    ) {
        let BlockSpec { kernel, stride, expanded: channels, .. } = self.spec;
        let (pad, ring_row, width) = (pad_before(kernel, stride), self.ring_row(), self.output.width);
        let (ring, zeros) = (&mut ring[..ring_row * kernel], &zeros[..ring_row]);
        let filtered = &mut filtered[..width * channels];
        // The columns between the paddings are written before they are read.
        for row in ring.chunks_exact_mut(ring_row) {
            row[..pad * channels].fill(0.0);
            row[(pad + self.expanded.width) * channels..].fill(0.0);
        }
        let mut next = 0;
        for (y, output) in output.chunks_exact_mut(width * self.output.channels).enumerate() {
            while next < self.expanded.height.min(y * stride + kernel - pad) {
                let from = (next % kernel) * ring_row + pad * channels;
                self.expand_row(set, input, next, &mut ring[from..from + self.expanded.width * channels]);
                next += 1;
            }
            let mut taps = [zeros; 5];
            for (tap, row) in taps.iter_mut().enumerate().take(kernel) {
                let at = y * stride + tap;
                if (pad..pad + self.expanded.height).contains(&at) {
                    let slot = (at - pad) % kernel;
                    *row = &ring[slot * ring_row..(slot + 1) * ring_row];
                }
            }
            let taps = &taps[..kernel];
            kernels::depthwise_row(set, (kernel, stride), taps, &self.depthwise, &self.depthwise_bias, width, filtered);
            let residual = self.spec.residual().then(|| &input.0[y * input.1..(y + 1) * input.1]);
            let gather = Gather::pointwise(channels);
            kernels::matmul(set, &self.project, filtered, gather, width, output, Finish::Linear, residual);
        }
    }

    fn expand_row(&self, set: InstructionSet, (input, stride): (&[f32], usize), row: usize, output: &mut [f32]) {
        let (first, gather) = match self.is_stem {
            true => (2 * row * stride, Gather { segments: 3, run: STEM_RUN, segment_stride: stride, pixel_stride: 6 }),
            false => (row * stride, Gather::pointwise(self.spec.input)),
        };
        kernels::matmul(set, &self.source, &input[first..], gather, self.expanded.width, output, Finish::Relu6, None);
    }
}

/// PyTorch's `[output, input, row, column]` as `[row][column][input][output]`, and the bias.
fn inputs_first(conv: &SameConv) -> Result<(Vec<f32>, Vec<f32>)> {
    let (weight, bias) = conv.tensors();
    let Some(bias) = bias else { candle_core::bail!("a convolution without a bias") };
    Ok((weight.permute((2, 3, 1, 0))?.flatten_all()?.to_vec1()?, bias.to_vec1()?))
}
