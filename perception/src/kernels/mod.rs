//! Vector kernels for the trunk, chosen at run time; one shared property suite in `tests.rs` holds for every variant.
//!
//! Feature maps lie `[row][column][channel]`, so that the channels of a pixel are contiguous; every channel count is a
//! multiple of eight. Nothing is transposed between layers.
#![allow(unsafe_code)] // vector intrinsics and unchecked offsets; every entry point asserts its bounds first

#[cfg(target_arch = "x86_64")]
mod bf16;
mod depthwise;
mod matmul;
mod resize;
mod simd;
#[cfg(test)]
mod tests;

pub(crate) use matmul::{Finish, Gather, PackedMatrix};

/// An instruction set that this CPU has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InstructionSet {
    /// Plain Rust.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
    /// The same, with 1x1 layers that multiply bf16 and sum f32: other results, so that it is never chosen unasked.
    Avx512Bf16,
    /// 128-bit vectors of 64-bit ARM.
    Neon,
}

impl InstructionSet {
    /// The widest set of this CPU that computes in f32.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }

    /// The set of this CPU that multiplies bf16; `None` where it has none.
    pub fn bf16() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        let set = bf16::Avx512Bf16::detect().map(|_| Self::Avx512Bf16);
        #[cfg(not(target_arch = "x86_64"))]
        let set = None;
        set
    }

    /// All sets of this CPU that compute in f32, the widest last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)] // other architectures have only the portable one
        let mut sets = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(simd::x86::Avx2::detect().map(|_| Self::Avx2));
            sets.extend(simd::x86::Avx512::detect().map(|_| Self::Avx512));
        }
        #[cfg(target_arch = "aarch64")]
        sets.extend(simd::arm::Neon::detect().map(|_| Self::Neon));
        sets
    }

    /// Values in one vector, for which weights are packed.
    pub(crate) fn lanes(self) -> usize {
        if matches!(self, Self::Avx512 | Self::Avx512Bf16) { 16 } else { 8 }
    }
}

/// Calls `$kernel(token, arguments)` inside a function compiled for the instruction set `$set`.
macro_rules! dispatch {
    ($set:expr, $kernel:expr, ($($name:ident: $type:ty),*)) => { dispatch!($set, $kernel, ($($name: $type),*) -> ()) };
    ($set:expr, $kernel:expr, ($($name:ident: $type:ty),*) -> $result:ty) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn avx512(token: simd::x86::Avx512, $($name: $type),*) -> $result { $kernel(token, $($name),*) }
            #[target_feature(enable = "avx2,fma")]
            fn avx2(token: simd::x86::Avx2, $($name: $type),*) -> $result { $kernel(token, $($name),*) }
            if $set.lanes() == 16 && let Some(token) = simd::x86::Avx512::detect() {
                // SAFETY: the token proves that the CPU has AVX-512F, AVX2 and FMA.
                return unsafe { avx512(token, $($name),*) };
            }
            if $set == InstructionSet::Avx2 && let Some(token) = simd::x86::Avx2::detect() {
                // SAFETY: the token proves that the CPU has AVX2 and FMA.
                return unsafe { avx2(token, $($name),*) };
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            #[target_feature(enable = "neon")]
            fn neon(token: simd::arm::Neon, $($name: $type),*) -> $result { $kernel(token, $($name),*) }
            if $set == InstructionSet::Neon && let Some(token) = simd::arm::Neon::detect() {
                // SAFETY: the token proves that the CPU has NEON.
                return unsafe { neon(token, $($name),*) };
            }
        }
        $kernel(simd::Portable, $($name),*)
    }};
}

/// `output[p][n] = finish(bias[n] + sum_k input[p][k] * weights[k][n] + residual[p][n])`; see [`Gather`] for `input`.
pub(crate) fn matmul(
    set: InstructionSet,
    matrix: &PackedMatrix,
    input: &[f32],
    gather: Gather,
    pixels: usize,
    output: &mut [f32],
    finish: Finish,
    residual: Option<&[f32]>,
) {
    #[cfg(target_arch = "x86_64")]
    if !matrix.bf16_pairs.is_empty()
        && let Some(token) = bf16::Avx512Bf16::detect()
    {
        return bf16::run(token, matrix, input, gather, pixels, output, finish, residual);
    }
    dispatch!(set, matmul::run, (matrix: &PackedMatrix, input: &[f32], gather: Gather, pixels: usize,
        output: &mut [f32], finish: Finish, residual: Option<&[f32]>))
}

/// `sum[i] = sum_t weights[t] * rows[t][i]`.
pub(crate) fn blend_rows(set: InstructionSet, rows: &[&[u8]], weights: &[f32], sum: &mut [f32]) {
    dispatch!(set, resize::blend_rows, (rows: &[&[u8]], weights: &[f32], sum: &mut [f32]))
}

/// `output[x][colour] = sum_t weights[x][t] * row[starts[x] + t][colour] - mean`.
pub(crate) fn blend_columns(
    set: InstructionSet,
    row: &[f32],
    starts: &[u32],
    weights: &[f32],
    mean: f32,
    output: &mut [f32],
) {
    dispatch!(set, resize::blend_columns, (row: &[f32], starts: &[u32], weights: &[f32], mean: f32, output: &mut [f32]))
}

/// One output row of a depthwise convolution with ReLU6. `rows` holds the kernel's `kernel` input rows, padding included,
/// `weights` is `[kernel][kernel][channels]`.
pub(crate) fn depthwise_row(
    set: InstructionSet,
    (kernel, stride): (usize, usize),
    rows: &[&[f32]],
    weights: &[f32],
    bias: &[f32],
    width: usize,
    output: &mut [f32],
) {
    type Row<'a> = (&'a [&'a [f32]], &'a [f32], &'a [f32], usize, &'a mut [f32]);
    macro_rules! shape {
        ($function:ident, $kernel:literal, $stride:literal) => {
            fn $function(set: InstructionSet, row: Row<'_>) {
                #[inline(always)]
                fn body<S: simd::Simd>(simd: S, (rows, weights, bias, width, output): Row<'_>) {
                    depthwise::row::<S, $kernel, $stride>(simd, rows, weights, bias, width, output);
                }
                dispatch!(set, body, (row: Row<'_>))
            }
        };
    }
    shape!(k3s1, 3, 1);
    shape!(k3s2, 3, 2);
    shape!(k5s1, 5, 1);
    shape!(k5s2, 5, 2);
    let row = (rows, weights, bias, width, output);
    match (kernel, stride) {
        (3, 1) => k3s1(set, row),
        (3, 2) => k3s2(set, row),
        (5, 1) => k5s1(set, row),
        (5, 2) => k5s2(set, row),
        _ => unreachable!("the layout knows kernels of 3 and 5 with steps of 1 and 2"),
    }
}
