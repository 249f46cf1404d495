//! Matrix products of bf16 inputs with f32 sums (`VDPBF16PS`): two products a lane and instruction.
//!
//! Inputs and weights are rounded to bf16 (8 bits of mantissa); sums, bias, residual and outputs stay f32. The instruction
//! multiplies pairs of inputs, so that weights are packed as `[tile][input pair][output][2]`.

use super::matmul::{Finish, Gather, PackedMatrix, TILE_VECTORS};
use half::bf16;
use std::arch::x86_64::*;
use std::cell::RefCell;

/// Values in one vector of sums.
const LANES: usize = 16;
/// Pixels whose sums stay in registers: with three vectors of outputs 24 of 32 registers.
const PIXELS: usize = 8;

thread_local! {
    /// The inputs of one call, rounded; kept so that a row costs no allocation.
    static ROUNDED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// A proof that the CPU has the instructions.
#[derive(Clone, Copy)]
pub(super) struct Avx512Bf16(());

impl Avx512Bf16 {
    /// `None` where the CPU lacks AVX-512F or AVX512-BF16.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")).then_some(Self(()))
    }
}

/// Weights `[inputs][outputs]` in pairs of inputs, the outputs padded with zeros to whole vectors. A run of an odd number of inputs is
/// closed with a weight of zero.
pub(super) fn pack(weights: &[f32], outputs: usize, run: usize) -> Vec<u32> {
    let runs = weights.len() / outputs / run;
    let padded = run.next_multiple_of(2);
    let bits = |k: usize, n: usize| match (k / padded * run + k % padded, k % padded < run && n < outputs) {
        (input, true) => bf16::from_f32(weights[input * outputs + n]).to_bits(),
        (_, false) => 0,
    };
    let mut packed = Vec::with_capacity(runs * padded / 2 * outputs.next_multiple_of(LANES));
    for first in (0..outputs).step_by(TILE_VECTORS * LANES) {
        let width = (outputs - first).min(TILE_VECTORS * LANES).next_multiple_of(LANES);
        for k in (0..runs * padded).step_by(2) {
            packed.extend((first..first + width).map(|n| u32::from(bits(k, n)) | u32::from(bits(k + 1, n)) << 16));
        }
    }
    packed
}

/// [`super::matmul`], from inputs whose pixels and runs begin at even places.
pub(super) fn run(
    token: Avx512Bf16,
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
    let (outputs, pairs) = (matrix.outputs, matrix.bf16_pairs.as_slice());
    assert!(gather.pixel_stride.is_multiple_of(2) && gather.segment_stride.is_multiple_of(2), "{gather:?} is not even");
    assert!(gather.segments * gather.run == matrix.inputs, "packed for another layout");
    let words = Gather {
        segments: gather.segments,
        run: gather.run.div_ceil(2),
        segment_stride: gather.segment_stride / 2,
        pixel_stride: gather.pixel_stride / 2,
    };
    let reach = 2 * ((pixels - 1) * words.pixel_stride + (words.segments - 1) * words.segment_stride + words.run);
    assert!(input.len() >= reach && output.len() >= pixels * outputs, "a row is too short");
    assert!(residual.is_none_or(|values| values.len() >= pixels * outputs), "the residual is too short");
    let inputs = words.segments * words.run;
    assert!(pairs.len() == inputs * outputs.next_multiple_of(LANES), "packed for another layout");
    ROUNDED.with_borrow_mut(|rounded| {
        round(token, &input[..reach], rounded);
        let mut weights = pairs;
        for first in (0..outputs).step_by(TILE_VECTORS * LANES) {
            let width = (outputs - first).min(TILE_VECTORS * LANES);
            let tile = Tile {
                weights: weights.as_ptr(),
                bias: matrix.bias[first..].as_ptr(),
                input: rounded.as_ptr(),
                output: output[first..].as_mut_ptr(),
                residual: residual.map_or(std::ptr::null(), |values| values[first..].as_ptr()),
                words,
                outputs,
                last: if width.is_multiple_of(LANES) { 0xffff } else { (1 << (width % LANES)) - 1 },
                relu6: finish == Finish::Relu6,
            };
            // SAFETY: the token proves the instructions; the asserts above bound every pixel's reads and writes, and `last`
            // masks the lanes behind the outputs.
            unsafe {
                match width.div_ceil(LANES) {
                    3 => tile.pixels::<3>(pixels),
                    2 => tile.pixels::<2>(pixels),
                    _ => tile.pixels::<1>(pixels),
                }
            }
            weights = &weights[inputs * width.next_multiple_of(LANES)..];
        }
    });
}

/// Rounds an even number of values to nearest even, two in each word.
fn round(_: Avx512Bf16, values: &[f32], rounded: &mut Vec<u32>) {
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn vectors(values: &[f32], rounded: &mut [u32]) {
        for (values, words) in values.chunks_exact(LANES).zip(rounded.chunks_exact_mut(LANES / 2)) {
            // SAFETY: 16 readable floats become 16 halves, which fill the 8 writable words.
            unsafe {
                let halves = _mm512_cvtneps_pbh(_mm512_loadu_ps(values.as_ptr()));
                words.as_mut_ptr().cast::<__m256bh>().write_unaligned(halves);
            }
        }
    }
    if rounded.len() < values.len() / 2 {
        rounded.resize(values.len() / 2, 0);
    }
    let whole = values.len() / LANES * LANES;
    // SAFETY: the token proves that the CPU has the instructions.
    unsafe { vectors(&values[..whole], rounded) };
    let bits = |value: f32| u32::from(bf16::from_f32(value).to_bits());
    for (pair, word) in values[whole..].chunks_exact(2).zip(&mut rounded[whole / 2..]) {
        *word = bits(pair[0]) | bits(pair[1]) << 16;
    }
}

/// One block of output channels over a run of pixels.
#[derive(Clone, Copy)]
struct Tile {
    weights: *const u32,
    bias: *const f32,
    input: *const u32,
    output: *mut f32,
    residual: *const f32,
    /// Where each pixel's pairs of inputs lie.
    words: Gather,
    outputs: usize,
    /// Lanes of the last vector that are outputs.
    last: __mmask16,
    relu6: bool,
}

impl Tile {
    /// # Safety
    /// As [`Tile::block`], for `pixels` pixels.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn pixels<const VECTORS: usize>(self, pixels: usize) {
        let mut pixel = 0;
        // SAFETY: passed on from the caller; every block stays below `pixels`.
        unsafe {
            while pixel + PIXELS <= pixels {
                self.block::<PIXELS, VECTORS>(pixel);
                pixel += PIXELS;
            }
            while pixel + 2 <= pixels {
                self.block::<2, VECTORS>(pixel);
                pixel += 2;
            }
            if pixel < pixels {
                self.block::<1, VECTORS>(pixel);
            }
        }
    }

    /// # Safety
    /// All pointers must reach the inputs, outputs and residuals of pixels `first..first + COUNT`, weights of `VECTORS` whole
    /// vectors, and bias of `VECTORS` vectors without the lanes that `last` leaves out.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn block<const COUNT: usize, const VECTORS: usize>(self, first: usize) {
        let mask = |v: usize| if v + 1 == VECTORS { self.last } else { 0xffff };
        // SAFETY: all offsets below stay inside what the caller guarantees.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); VECTORS]; COUNT];
            for v in 0..VECTORS {
                let bias = _mm512_maskz_loadu_ps(mask(v), self.bias.add(v * LANES));
                (0..COUNT).for_each(|p| sums[p][v] = bias);
            }
            let Gather { segments, run, segment_stride, pixel_stride } = self.words;
            let mut weights = self.weights;
            for segment in 0..segments {
                let input = self.input.add(first * pixel_stride + segment * segment_stride);
                for k in 0..run {
                    let mut w = [_mm512_setzero_si512(); VECTORS];
                    for v in 0..VECTORS {
                        w[v] = _mm512_loadu_si512(weights.add(v * LANES).cast());
                    }
                    for p in 0..COUNT {
                        let x = _mm512_set1_epi32(*input.add(p * pixel_stride + k).cast::<i32>());
                        for v in 0..VECTORS {
                            sums[p][v] = _mm512_dpbf16_ps(sums[p][v], as_bf16(x), as_bf16(w[v]));
                        }
                    }
                    weights = weights.add(VECTORS * LANES);
                }
            }
            for p in 0..COUNT {
                for v in 0..VECTORS {
                    let at = (first + p) * self.outputs + v * LANES;
                    let mut sum = sums[p][v];
                    if !self.residual.is_null() {
                        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask(v), self.residual.add(at)));
                    }
                    if self.relu6 {
                        sum = _mm512_min_ps(_mm512_max_ps(sum, _mm512_setzero_ps()), _mm512_set1_ps(6.0));
                    }
                    _mm512_mask_storeu_ps(self.output.add(at), mask(v), sum);
                }
            }
        }
    }
}

/// The same 512 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn as_bf16(words: __m512i) -> __m512bh {
    // SAFETY: both types are 512 bits without an invalid pattern.
    unsafe { std::mem::transmute(words) }
}
