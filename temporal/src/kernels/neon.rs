//! NEON: four registers hold a vector of 16.
#![allow(unsafe_code)] // Vector instructions; each block says why the processor has them.

use std::arch::aarch64::*;

use half::f16;

use super::{
    aligned::LANES,
    simd::{Op, Simd},
};

/// Proof that the processor has NEON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neon(());

impl Neon {
    /// The token, where the processor has it.
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

#[target_feature(enable = "neon")]
fn run_with_features<O: Op>(token: Neon, op: O) -> O::Output {
    op.run(token)
}

/// One bit for each lane whose bits are all set.
#[inline]
#[target_feature(enable = "neon")]
fn bits(lanes: [uint32x4_t; 4]) -> u16 {
    const BIT: [u32; 4] = [1, 2, 4, 8];
    // SAFETY: the array covers the 16 bytes read.
    let bit = unsafe { vld1q_u32(BIT.as_ptr()) };
    let quarter = |q: usize| (vaddvq_u32(vandq_u32(lanes[q], bit)) as u16) << (4 * q);
    quarter(0) | quarter(1) | quarter(2) | quarter(3)
}

/// All bits of a lane set where the mask's lowest four bits are.
#[inline]
#[target_feature(enable = "neon")]
fn widen(mask: u16) -> uint32x4_t {
    const BIT: [u32; 4] = [1, 2, 4, 8];
    // SAFETY: the array covers the 16 bytes read.
    let bit = unsafe { vld1q_u32(BIT.as_ptr()) };
    vceqq_u32(vandq_u32(vdupq_n_u32(u32::from(mask)), bit), bit)
}

impl Simd for Neon {
    type V = [float32x4_t; 4];

    fn run<O: Op>(self, op: O) -> O::Output {
        // SAFETY: the token exists, so `detect` found the feature that the function enables.
        unsafe { run_with_features(self, op) }
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        [unsafe { vdupq_n_f32(value) }; 4]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        let at = from.as_ptr();
        // SAFETY: the token is the proof of NEON; the reference covers the four reads of 16 bytes.
        unsafe { [vld1q_f32(at), vld1q_f32(at.add(4)), vld1q_f32(at.add(8)), vld1q_f32(at.add(12))] }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], v: Self::V) {
        let at = to.as_mut_ptr();
        // SAFETY: the token is the proof of NEON; the reference covers the four writes of 16 bytes.
        unsafe {
            vst1q_f32(at, v[0]);
            vst1q_f32(at.add(4), v[1]);
            vst1q_f32(at.add(8), v[2]);
            vst1q_f32(at.add(12), v[3]);
        }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1]), vaddq_f32(a[2], b[2]), vaddq_f32(a[3], b[3])] }
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        unsafe { [vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1]), vsubq_f32(a[2], b[2]), vsubq_f32(a[3], b[3])] }
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1]), vmulq_f32(a[2], b[2]), vmulq_f32(a[3], b[3])] }
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        unsafe {
            [
                vfmaq_f32(c[0], a[0], b[0]),
                vfmaq_f32(c[1], a[1], b[1]),
                vfmaq_f32(c[2], a[2], b[2]),
                vfmaq_f32(c[3], a[3], b[3]),
            ]
        }
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        unsafe { [vminq_f32(a[0], b[0]), vminq_f32(a[1], b[1]), vminq_f32(a[2], b[2]), vminq_f32(a[3], b[3])] }
    }
    #[inline(always)]
    fn reciprocal(self, a: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        unsafe {
            let one = vdupq_n_f32(1.0);
            [vdivq_f32(one, a[0]), vdivq_f32(one, a[1]), vdivq_f32(one, a[2]), vdivq_f32(one, a[3])]
        }
    }
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        unsafe { [vrndnq_f32(a[0]), vrndnq_f32(a[1]), vrndnq_f32(a[2]), vrndnq_f32(a[3])] }
    }
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON. The exponent's bits are made from the whole number.
        let quarter = |a, n| unsafe {
            let n = vcvtq_s32_f32(vmaxq_f32(n, vdupq_n_f32(-126.0)));
            let power = vshlq_n_s32::<23>(vaddq_s32(n, vdupq_n_s32(127)));
            vmulq_f32(a, vreinterpretq_f32_s32(power))
        };
        [quarter(a[0], n[0]), quarter(a[1], n[1]), quarter(a[2], n[2]), quarter(a[3], n[3])]
    }
    #[inline(always)]
    fn moved(self, delta: Self::V, theta: Self::V) -> u16 {
        // SAFETY: the token is the proof of NEON.
        let quarter = |q: usize| unsafe {
            let some = vmvnq_u32(vceqzq_f32(delta[q]));
            vandq_u32(vcageq_f32(delta[q], theta[q]), some)
        };
        // SAFETY: the token is the proof of NEON.
        unsafe { bits([quarter(0), quarter(1), quarter(2), quarter(3)]) }
    }
    #[inline(always)]
    fn beyond(self, a: Self::V, limit: f32) -> bool {
        // SAFETY: the token is the proof of NEON. A comparison with NaN is false.
        unsafe {
            let limit = vdupq_n_f32(limit);
            !bits([vcaleq_f32(a[0], limit), vcaleq_f32(a[1], limit), vcaleq_f32(a[2], limit), vcaleq_f32(a[3], limit)])
                != 0
        }
    }
    #[inline(always)]
    fn larger(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON. Without their sign, the bits of floating-point numbers are ordered
        // like the numbers, NaN last.
        let quarter = |q: usize| unsafe {
            let bits = |v| vreinterpretq_u32_f32(vabsq_f32(v));
            vreinterpretq_f32_u32(vmaxq_u32(bits(a[q]), bits(b[q])))
        };
        [quarter(0), quarter(1), quarter(2), quarter(3)]
    }
    #[inline(always)]
    fn select(self, mask: u16, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of NEON.
        let quarter = |q: usize| unsafe { vbslq_f32(widen(mask >> (4 * q)), a[q], b[q]) };
        [quarter(0), quarter(1), quarter(2), quarter(3)]
    }
    #[inline(always)]
    fn load_f16(self, from: &[u16; LANES]) -> Self::V {
        // Rust's NEON has no stable conversion from half precision.
        let mut lanes = [0.0; LANES];
        for (lane, bits) in lanes.iter_mut().zip(from) {
            *lane = f16::from_bits(*bits).to_f32();
        }
        self.load(&lanes)
    }
    #[inline(always)]
    fn load_bf16(self, from: &[u16; LANES]) -> Self::V {
        // SAFETY: the token is the proof of NEON; the reference covers the four reads of 8 bytes.
        let quarter =
            |q: usize| unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from.as_ptr().add(4 * q)))) };
        [quarter(0), quarter(1), quarter(2), quarter(3)]
    }
    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> Self::V {
        // SAFETY: the token is the proof of NEON; the reference covers the 16 bytes read.
        unsafe {
            let all = vld1q_s8(from.as_ptr());
            let (low, high) = (vmovl_s8(vget_low_s8(all)), vmovl_s8(vget_high_s8(all)));
            [
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
                vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                vcvtq_f32_s32(vmovl_s16(vget_high_s16(high))),
            ]
        }
    }
}
