//! The variant for every processor: arrays of 16, which the compiler may or may not turn into vector instructions.

use half::f16;

use super::{
    aligned::LANES,
    simd::{Op, Simd},
};

/// Needs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portable;

/// Applies `f` lane by lane.
#[inline(always)]
fn lanes(f: impl Fn(usize) -> f32) -> [f32; LANES] {
    std::array::from_fn(f)
}

/// One bit for each lane where `f` holds.
#[inline(always)]
fn bits(f: impl Fn(usize) -> bool) -> u16 {
    (0..LANES).fold(0, |mask, lane| mask | u16::from(f(lane)) << lane)
}

impl Simd for Portable {
    type V = [f32; LANES];

    #[inline(never)]
    fn run<O: Op>(self, op: O) -> O::Output {
        op.run(self)
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; LANES]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        *from
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], v: Self::V) {
        *to = v;
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        lanes(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        lanes(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        lanes(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // `f32::mul_add` would call a slow library function where the processor has no such instruction.
        lanes(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        lanes(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn reciprocal(self, a: Self::V) -> Self::V {
        lanes(|i| 1.0 / a[i])
    }
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        // Adding 1.5 * 2^23 leaves no room for a fraction; beyond 2^22 the caller's values are cut off anyway.
        const NO_FRACTION: f32 = 12_582_912.0;
        lanes(|i| (a[i].clamp(-4e6, 4e6) + NO_FRACTION) - NO_FRACTION)
    }
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        lanes(|i| a[i] * f32::from_bits(((n[i].max(-126.0) as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn moved(self, delta: Self::V, theta: Self::V) -> u16 {
        bits(|i| delta[i].abs() >= theta[i] && delta[i] != 0.0)
    }
    #[inline(always)]
    fn beyond(self, a: Self::V, limit: f32) -> bool {
        !a.iter().all(|a| a.abs() <= limit)
    }
    #[inline(always)]
    fn larger(self, a: Self::V, b: Self::V) -> Self::V {
        // Without their sign, the bits of floating-point numbers are ordered like the numbers, NaN last.
        let bits = |v: f32| v.abs().to_bits();
        lanes(|i| f32::from_bits(bits(a[i]).max(bits(b[i]))))
    }
    #[inline(always)]
    fn select(self, mask: u16, a: Self::V, b: Self::V) -> Self::V {
        lanes(|i| if mask >> i & 1 == 1 { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn load_f16(self, from: &[u16; LANES]) -> Self::V {
        lanes(|i| f16::from_bits(from[i]).to_f32_const())
    }
    #[inline(always)]
    fn load_bf16(self, from: &[u16; LANES]) -> Self::V {
        lanes(|i| f32::from_bits(u32::from(from[i]) << 16))
    }
    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> Self::V {
        lanes(|i| f32::from(from[i]))
    }
}
