//! A convolution with few positions of the kernel as a matrix product: 1x1 layers and the stem.
//!
//! For every pixel the inputs are gathered from `segments` runs of `run` contiguous values: one run of all channels for a
//! 1x1 layer, three runs of nine (three pixels of three colours) for the stem. A tile of pixels times up to three vectors of
//! output channels stays in registers while all inputs pass by; bias, activation and residual are applied before the store.

use super::InstructionSet;
use super::simd::Simd;

/// Vectors of output channels in a tile.
pub(super) const TILE_VECTORS: usize = 3;

/// Weights `[inputs][outputs]` repacked to `[tile][inputs][tile width]`, and the bias.
#[derive(Debug, Clone)]
pub(crate) struct PackedMatrix {
    pub inputs: usize,
    pub outputs: usize,
    lanes: usize,
    packed: Vec<f32>,
    /// Instead of `packed` for [`InstructionSet::Avx512Bf16`].
    pub(super) bf16_pairs: Vec<u32>,
    pub(super) bias: Vec<f32>,
}

impl PackedMatrix {
    /// Packs `weights[inputs][outputs]` for `set`; `outputs` is a multiple of 8, and `run` inputs lie side by side ([`Gather::run`]).
    pub fn new(weights: &[f32], bias: &[f32], run: usize, set: InstructionSet) -> Self {
        let (outputs, lanes) = (bias.len(), set.lanes());
        let inputs = weights.len() / outputs;
        assert!(outputs.is_multiple_of(8) && weights.len() == inputs * outputs, "matrix of {inputs} x {outputs}");
        let bias = bias.to_vec();
        #[cfg(target_arch = "x86_64")]
        // A pixel of an odd number of values begins in the middle of a pair: such a matrix stays in f32.
        if set == InstructionSet::Avx512Bf16 && (run < inputs || run.is_multiple_of(2)) {
            let bf16_pairs = super::bf16::pack(weights, outputs, run);
            return Self { inputs, outputs, lanes, packed: Vec::new(), bf16_pairs, bias };
        }
        let mut packed = Vec::with_capacity(weights.len());
        let mut first = 0;
        while first < outputs {
            let width = tile_width(outputs - first, lanes);
            for row in weights.chunks_exact(outputs) {
                packed.extend_from_slice(&row[first..first + width]);
            }
            first += width;
        }
        Self { inputs, outputs, lanes, packed, bf16_pairs: Vec::new(), bias }
    }
}

/// Output channels of the next tile: up to three vectors, of which the last may be half a vector.
fn tile_width(left: usize, lanes: usize) -> usize {
    let three = TILE_VECTORS * lanes;
    match left {
        _ if left >= three => three,
        // A half vector closes a tile; what is left is smaller than three vectors and a multiple of 8.
        _ => left,
    }
}

/// Where the inputs of each pixel lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gather {
    /// Runs a pixel.
    pub segments: usize,
    /// Contiguous values in each run.
    pub run: usize,
    /// From one run to the next.
    pub segment_stride: usize,
    /// From one pixel to the next.
    pub pixel_stride: usize,
}

impl Gather {
    /// All `channels` of a pixel: a 1x1 convolution.
    pub fn pointwise(channels: usize) -> Self {
        Self { segments: 1, run: channels, segment_stride: 0, pixel_stride: channels }
    }
}

/// What happens to a sum before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// Nothing: a linear bottleneck.
    Linear,
}

/// `output[p][n] = finish(bias[n] + sum_k input[p][k] * weights[k][n] + residual[p][n])` for `pixels` pixels.
#[inline(always)]
pub(super) fn run<S: Simd>(
    simd: S,
    matrix: &PackedMatrix,
    input: &[f32],
    gather: Gather,
    pixels: usize,
    output: &mut [f32],
    finish: Finish,
    residual: Option<&[f32]>,
) {
    if pixels == 0 {
        return;
    }
    let reach = (pixels - 1) * gather.pixel_stride + (gather.segments - 1) * gather.segment_stride + gather.run;
    assert!(matrix.lanes == S::LANES && gather.segments * gather.run == matrix.inputs, "packed for another layout");
    assert!(input.len() >= reach && output.len() >= pixels * matrix.outputs, "a row is too short");
    assert!(residual.is_none_or(|values| values.len() >= pixels * matrix.outputs), "the residual is too short");
    let mut first = 0;
    while first < matrix.outputs {
        let width = tile_width(matrix.outputs - first, S::LANES);
        let tile = Tile {
            weights: matrix.packed[first * matrix.inputs..].as_ptr(),
            bias: matrix.bias[first..].as_ptr(),
            input: input.as_ptr(),
            output: output[first..].as_mut_ptr(),
            residual: residual.map_or(std::ptr::null(), |values| values[first..].as_ptr()),
            stride: matrix.outputs,
            gather,
            relu6: finish == Finish::Relu6,
        };
        // SAFETY: the asserts above bound every pixel's reads and writes; a tile stays inside its `width` channels.
        unsafe {
            match (width / S::LANES, !width.is_multiple_of(S::LANES)) {
                (3, _) => tile.pixels::<S, 3, false>(simd, pixels),
                (2, false) => tile.pixels::<S, 2, false>(simd, pixels),
                (2, true) => tile.pixels::<S, 2, true>(simd, pixels),
                (1, false) => tile.pixels::<S, 1, false>(simd, pixels),
                (1, true) => tile.pixels::<S, 1, true>(simd, pixels),
                _ => tile.pixels::<S, 0, true>(simd, pixels),
            }
        }
        first += width;
    }
}

/// One block of output channels over a run of pixels.
#[derive(Clone, Copy)]
struct Tile {
    weights: *const f32,
    bias: *const f32,
    input: *const f32,
    output: *mut f32,
    residual: *const f32,
    stride: usize,
    gather: Gather,
    relu6: bool,
}

impl Tile {
    /// # Safety
    /// As [`Tile::block`], for `pixels` pixels.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const VECTORS: usize, const HALF: bool>(self, simd: S, pixels: usize) {
        let mut pixel = 0;
        // SAFETY: passed on from the caller; every block stays below `pixels`.
        unsafe {
            if S::PIXELS >= 8 {
                while pixel + 8 <= pixels {
                    self.block::<S, 8, VECTORS, HALF>(simd, pixel);
                    pixel += 8;
                }
            }
            if S::PIXELS >= 4 {
                while pixel + 4 <= pixels {
                    self.block::<S, 4, VECTORS, HALF>(simd, pixel);
                    pixel += 4;
                }
            }
            while pixel + 2 <= pixels {
                self.block::<S, 2, VECTORS, HALF>(simd, pixel);
                pixel += 2;
            }
            if pixel < pixels {
                self.block::<S, 1, VECTORS, HALF>(simd, pixel);
            }
        }
    }

    /// # Safety
    /// All pointers must reach the inputs, outputs and residuals of pixels `first..first + PIXELS`, and
    /// `VECTORS * LANES (+ 8 with HALF)` channels of weights and bias.
    #[inline(always)]
    unsafe fn block<S: Simd, const PIXELS: usize, const VECTORS: usize, const HALF: bool>(self, simd: S, first: usize) {
        let half = simd.half();
        let width = VECTORS * S::LANES + if HALF { 8 } else { 0 };
        // SAFETY: all offsets below stay inside what the caller guarantees.
        unsafe {
            let mut sums = [[simd.splat(0.0); VECTORS]; PIXELS];
            let mut half_sums = [half.splat(0.0); PIXELS];
            for v in 0..VECTORS {
                let bias = simd.load(self.bias.add(v * S::LANES));
                (0..PIXELS).for_each(|p| sums[p][v] = bias);
            }
            if HALF {
                half_sums = [half.load(self.bias.add(VECTORS * S::LANES)); PIXELS];
            }
            let mut weights = self.weights;
            for segment in 0..self.gather.segments {
                let base = self.input.add(first * self.gather.pixel_stride + segment * self.gather.segment_stride);
                for k in 0..self.gather.run {
                    let w: [S::V; VECTORS] = std::array::from_fn(|v| simd.load(weights.add(v * S::LANES)));
                    for p in 0..PIXELS {
                        let x = *base.add(p * self.gather.pixel_stride + k);
                        let wide = simd.splat(x);
                        for v in 0..VECTORS {
                            sums[p][v] = simd.mul_add(wide, w[v], sums[p][v]);
                        }
                        if HALF {
                            let w = half.load(weights.add(VECTORS * S::LANES));
                            half_sums[p] = half.mul_add(half.splat(x), w, half_sums[p]);
                        }
                    }
                    weights = weights.add(width);
                }
            }
            for p in 0..PIXELS {
                let at = (first + p) * self.stride;
                for v in 0..VECTORS {
                    self.finish(simd, at + v * S::LANES, sums[p][v]);
                }
                if HALF {
                    self.finish(half, at + VECTORS * S::LANES, half_sums[p]);
                }
            }
        }
    }

    /// Residual, activation, store.
    ///
    /// # Safety
    /// `at` and the following lanes must lie inside output and residual.
    #[inline(always)]
    unsafe fn finish<S: Simd>(self, simd: S, at: usize, mut sum: S::V) {
        // SAFETY: the caller guarantees the range; a null residual is never read.
        unsafe {
            if !self.residual.is_null() {
                sum = simd.add(sum, simd.load(self.residual.add(at)));
            }
            if self.relu6 {
                sum = simd.relu6(sum);
            }
            simd.store(self.output.add(at), sum);
        }
    }
}
