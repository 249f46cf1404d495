//! AVX-512: one register holds a vector of 16.
#![allow(unsafe_code)] // Vector instructions; each block says why the processor has them.

use std::arch::x86_64::*;

use super::{
    aligned::LANES,
    simd::{Op, Simd},
};

/// Proof that the processor has AVX-512 F, BW, DQ and VL with AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// The token, where the processor has all of them.
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt");
        all.then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,popcnt")]
fn run_with_features<O: Op>(token: Avx512, op: O) -> O::Output {
    op.run(token)
}

impl Simd for Avx512 {
    type V = __m512;
    const UNROLL: usize = 4;

    fn run<O: Op>(self, op: O) -> O::Output {
        // SAFETY: the token exists, so `detect` found every feature that the function enables.
        unsafe { run_with_features(self, op) }
    }
    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        // SAFETY: the token is the proof of AVX-512; the reference covers the 64 bytes read, at any alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], v: __m512) {
        // SAFETY: the token is the proof of AVX-512; the reference covers the 64 bytes written, at any alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn reciprocal(self, a: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512. One Newton step doubles the 14 bits of the estimate.
        unsafe {
            let estimate = _mm512_rcp14_ps(a);
            let error = _mm512_fnmadd_ps(a, estimate, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(estimate, error, estimate)
        }
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn scale(self, a: __m512, n: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_scalef_ps(a, n) }
    }
    #[inline(always)]
    fn moved(self, delta: __m512, theta: __m512) -> u16 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe {
            let some = _mm512_cmp_ps_mask::<_CMP_NEQ_OQ>(delta, _mm512_setzero_ps());
            _mm512_mask_cmp_ps_mask::<_CMP_GE_OQ>(some, _mm512_abs_ps(delta), theta)
        }
    }
    #[inline(always)]
    fn beyond(self, a: __m512, limit: f32) -> bool {
        // SAFETY: the token is the proof of AVX-512. "Not less or equal" holds for NaN.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(_mm512_abs_ps(a), _mm512_set1_ps(limit)) != 0 }
    }
    #[inline(always)]
    fn larger(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512. Without their sign, the bits of floating-point numbers are
        // ordered like the numbers, NaN last.
        unsafe {
            let bits = |v| _mm512_castps_si512(_mm512_abs_ps(v));
            _mm512_castsi512_ps(_mm512_max_epu32(bits(a), bits(b)))
        }
    }
    #[inline(always)]
    fn select(self, mask: u16, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_mask_blend_ps(mask, b, a) }
    }
    #[inline(always)]
    fn load_f16(self, from: &[u16; LANES]) -> __m512 {
        // SAFETY: the token is the proof of AVX-512; the reference covers the 32 bytes read, at any alignment.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_bf16(self, from: &[u16; LANES]) -> __m512 {
        // SAFETY: the token is the proof of AVX-512; the reference covers the 32 bytes read, at any alignment.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }
    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> __m512 {
        // SAFETY: the token is the proof of AVX-512; the reference covers the 16 bytes read, at any alignment.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.as_ptr().cast()))) }
    }
    #[inline(always)]
    fn compress(self, mask: u16, delta: __m512, first: u32, deltas: &mut [f32; LANES], columns: &mut [u32; LANES]) {
        // SAFETY: the token is the proof of AVX-512; the references cover the 64 bytes written to each array.
        // Compressing in registers and storing whole vectors avoids the slow compressing store.
        unsafe {
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32));
            _mm512_storeu_ps(deltas.as_mut_ptr(), _mm512_maskz_compress_ps(mask, delta));
            _mm512_storeu_si512(columns.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(mask, lanes));
        }
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        // SAFETY: the token is the proof of AVX-512.
        unsafe { _mm512_reduce_add_ps(a) }
    }
}
