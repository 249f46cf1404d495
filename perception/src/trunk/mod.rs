//! The frozen layers, in one of two layouts: the first blocks of EfficientNet-Lite0 (`blocks`), or three strided
//! convolutions trained from scratch (`strided`), the front end of the delta network paper.

mod blocks;
pub mod layout;
mod strided;
#[cfg(test)]
mod tests;

use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::InstructionSet;
use crate::weights::Weights;
use blocks::BlockTrunk;
use strided::StridedTrunk;

/// Weights and scratch memory of the trunk; nothing is allocated while it runs.
#[derive(Debug)]
pub(crate) enum Trunk {
    /// EfficientNet-Lite0's blocks.
    Blocks(BlockTrunk),
    /// Plain strided convolutions.
    Strided(StridedTrunk),
}

/// Where the time of each layer goes: `3 * stage + 0` for stem or expansion, `+ 1` depthwise, `+ 2` projection; the number
/// of the convolution in a trunk of plain ones.
pub(crate) trait Meter: Sync {
    /// A point in time.
    type Point: Copy;
    /// Now.
    fn now(&self) -> Self::Point;
    /// Books the time since `start` on `layer`, and returns the present.
    fn add(&self, layer: usize, start: Self::Point) -> Self::Point;
}

/// Measures nothing and costs nothing.
struct NoMeter;

impl Meter for NoMeter {
    type Point = ();
    fn now(&self) {}
    fn add(&self, _layer: usize, (): ()) {}
}

impl Trunk {
    /// Reads `trunk.*`, repacks it for `set` and plans the scratch memory.
    pub fn load(
        weights: &Weights<'_>,
        config: &PerceptionConfig,
        set: InstructionSet,
    ) -> Result<Self, PerceptionError> {
        if config.trunk == layout::STRIDED_CONVOLUTIONS {
            return StridedTrunk::load(weights, config, set).map(Self::Strided);
        }
        BlockTrunk::load(weights, config, set).map(Self::Blocks)
    }

    /// The input buffer and its row stride; [`Trunk::run`] reads `[row][column][RGB]` from it.
    pub fn picture_mut(&mut self) -> (&mut [f32], usize) {
        match self {
            Self::Blocks(trunk) => trunk.picture_mut(),
            Self::Strided(trunk) => trunk.picture_mut(),
        }
    }

    /// Runs on one thread, or on two that share the rows of every stage.
    pub fn set_threads(&mut self, threads: usize) -> std::io::Result<()> {
        match self {
            Self::Blocks(trunk) => trunk.set_threads(threads),
            Self::Strided(trunk) => trunk.set_threads(threads),
        }
    }

    /// Runs all layers; the result is the output map `[row][column][channel]`.
    pub fn run(&mut self) -> &[f32] {
        self.run_metered(&NoMeter)
    }

    /// As [`Trunk::run`], telling `meter` where the time goes.
    pub fn run_metered<M: Meter>(&mut self, meter: &M) -> &[f32] {
        match self {
            Self::Blocks(trunk) => trunk.run_metered(meter),
            Self::Strided(trunk) => trunk.run_metered(meter),
        }
    }

    /// Weights and biases.
    pub fn weight_count(&self) -> u64 {
        match self {
            Self::Blocks(trunk) => trunk.weight_count(),
            Self::Strided(trunk) => trunk.weight_count(),
        }
    }
}

/// PyTorch's `[output][input][row][column]` as `[row][column][input][output]`.
pub(crate) fn inputs_first(values: &[f32], [outputs, inputs, rows, columns]: [usize; 4]) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for position in 0..rows * columns {
        for input in 0..inputs {
            turned.extend((0..outputs).map(|output| values[(output * inputs + input) * rows * columns + position]));
        }
    }
    turned
}
