//! Three strided convolutions with ReLU6, without pooling between them.
//!
//! Every map lies inside a border of zeros as wide as the next kernel reaches, so that each output row is one matrix product
//! over gathered runs of its input rows.

use super::layout::{self, CONVOLUTIONS, ConvSpec, MapSize, pad_before};
use super::{Meter, inputs_first};
use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::{self, Finish, Gather, InstructionSet, PackedMatrix};
use crate::team::Team;
use crate::weights::Weights;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Weights and maps; nothing is allocated while it runs.
#[derive(Debug)]
pub(crate) struct StridedTrunk {
    set: InstructionSet,
    layers: Vec<Layer>,
    /// The picture, then the output of each layer.
    maps: Vec<PaddedMap>,
    team: Option<Team>,
}

#[derive(Debug)]
struct Layer {
    spec: ConvSpec,
    matrix: PackedMatrix,
}

/// A map inside the border of zeros that the convolution behind it needs.
#[derive(Debug)]
struct PaddedMap {
    size: MapSize,
    /// Rows and columns of zeros before the map.
    before: usize,
    /// Values from row to row.
    stride: usize,
    values: Vec<f32>,
}

impl PaddedMap {
    /// For the input of `next`, or without a border.
    fn new(size: MapSize, next: Option<&ConvSpec>) -> Self {
        let (before, border) =
            next.map_or((0, 0), |spec| (pad_before(spec.kernel, spec.stride), spec.kernel - spec.stride));
        let stride = (size.width + border) * size.channels;
        Self { size, before, stride, values: vec![0.0; (size.height + border) * stride] }
    }

    /// Place of the first value inside the border.
    fn first(&self) -> usize {
        self.before * (self.stride + self.size.channels)
    }
}

impl StridedTrunk {
    /// Reads `trunk.conv0`, `trunk.conv1` and so on.
    pub fn load(
        weights: &Weights<'_>,
        config: &PerceptionConfig,
        set: InstructionSet,
    ) -> Result<Self, PerceptionError> {
        let specs = &CONVOLUTIONS[..config.trunk_blocks];
        let sizes = layout::strided_sizes(config);
        let mut layers = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let shape = [spec.output, spec.input, spec.kernel, spec.kernel];
            let values = weights.get(&format!("trunk.conv{index}.weight"), &shape)?;
            let bias = weights.get(&format!("trunk.conv{index}.bias"), &shape[..1])?;
            let matrix = PackedMatrix::new(&inputs_first(&values, shape), &bias, set.lanes());
            layers.push(Layer { spec: *spec, matrix });
        }
        let maps = sizes.iter().enumerate().map(|(at, size)| PaddedMap::new(*size, specs.get(at))).collect();
        Ok(Self { set, layers, maps, team: None })
    }

    /// As `Trunk::picture_mut`.
    pub fn picture_mut(&mut self) -> (&mut [f32], usize) {
        let picture = &mut self.maps[0];
        let first = picture.first();
        (&mut picture.values[first..], picture.stride)
    }

    /// As `Trunk::set_threads`.
    pub fn set_threads(&mut self, threads: usize) -> std::io::Result<()> {
        self.team = if threads > 1 { Some(Team::new()?) } else { None };
        Ok(())
    }

    /// As `Trunk::run_metered`.
    pub fn run_metered<M: Meter>(&mut self, meter: &M) -> &[f32] {
        for (index, layer) in self.layers.iter().enumerate() {
            let start = meter.now();
            let (from, to) = self.maps.split_at_mut(index + 1);
            let (input, output) = (&from[index], &mut to[0]);
            let (rows, stride, set) = (output.size.height, output.stride, self.set);
            let (inside, offset) = (output.before * stride, output.before * output.size.channels);
            let width = output.size.width;
            let inner = &mut output.values[inside..inside + rows * stride];
            if let Some(team) = &mut self.team {
                let half = rows / 2;
                let (top, bottom) = inner.split_at_mut(half * stride);
                let parts = [Mutex::new((0..half, top)), Mutex::new((half..rows, bottom))];
                team.run(&|part| {
                    let mut part = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
                    let (rows, output) = &mut *part;
                    layer.run(set, input, rows.clone(), output, (stride, offset, width));
                });
            } else {
                layer.run(set, input, 0..rows, inner, (stride, offset, width));
            }
            meter.add(index, start);
        }
        &self.maps[self.layers.len()].values
    }

    /// Weights and biases.
    pub fn weight_count(&self) -> u64 {
        self.layers.iter().map(|layer| ((layer.matrix.inputs + 1) * layer.matrix.outputs) as u64).sum()
    }
}

impl Layer {
    /// Output rows `rows` into `output`, which holds just these in rows of `stride` values, each from `offset` on.
    fn run(
        &self,
        set: InstructionSet,
        input: &PaddedMap,
        rows: Range<usize>,
        output: &mut [f32],
        (stride, offset, width): (usize, usize, usize),
    ) {
        let ConvSpec { kernel, stride: step, input: channels, .. } = self.spec;
        let gather = Gather {
            segments: kernel,
            run: kernel * channels,
            segment_stride: input.stride,
            pixel_stride: step * channels,
        };
        for (y, output) in rows.zip(output.chunks_exact_mut(stride)) {
            let input = &input.values[y * step * input.stride..];
            kernels::matmul(set, &self.matrix, input, gather, width, &mut output[offset..], Finish::Relu6, None);
        }
    }
}
