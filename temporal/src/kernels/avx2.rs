//! AVX2 with FMA: two registers hold a vector of 16.
#![allow(unsafe_code)] // Vector instructions; each block says why the processor has them.

use std::arch::x86_64::*;

use super::{
    aligned::LANES,
    simd::{Op, Simd},
};

/// Proof that the processor has AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// The token, where the processor has all of them.
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt");
        all.then_some(Self(()))
    }
}

#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,popcnt")]
fn run_with_features<O: Op>(token: Avx2, op: O) -> O::Output {
    op.run(token)
}

/// For each mask of 8 lanes, the lanes whose bit is set, side by side.
static COMPRESS: [[i32; 8]; 256] = compress_table();

const fn compress_table() -> [[i32; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut next) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                table[mask][next] = lane;
                next += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
}

/// All bits of a lane set where the mask's bit is.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(mask: u8) -> __m256 {
    let bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    let set = _mm256_and_si256(_mm256_set1_epi32(i32::from(mask)), bit);
    _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit))
}

#[inline]
#[target_feature(enable = "avx2")]
fn magnitude(a: __m256) -> __m256 {
    _mm256_andnot_ps(_mm256_set1_ps(-0.0), a)
}

/// The row of one mask.
#[inline]
#[target_feature(enable = "avx2")]
fn set_lanes(mask: u8) -> __m256i {
    // SAFETY: the row covers the 32 bytes read.
    unsafe { _mm256_loadu_si256(COMPRESS[mask as usize].as_ptr().cast()) }
}

/// Both halves of a mask: lanes 0 to 7 and 8 to 15.
#[inline(always)]
fn halves(mask: u16) -> [u8; 2] {
    mask.to_le_bytes()
}

impl Simd for Avx2 {
    type V = [__m256; 2];

    fn run<O: Op>(self, op: O) -> O::Output {
        // SAFETY: the token exists, so `detect` found every feature that the function enables.
        unsafe { run_with_features(self, op) }
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        // SAFETY: the token is the proof of AVX2.
        [unsafe { _mm256_set1_ps(value) }; 2]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        // SAFETY: the token is the proof of AVX2; the reference covers twice the 32 bytes read, at any alignment.
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))] }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], v: Self::V) {
        // SAFETY: the token is the proof of AVX2; the reference covers twice the 32 bytes written, at any alignment.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), v[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), v[1]);
        }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of AVX2.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of AVX2.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of AVX2.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the token is the proof of FMA.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of AVX2.
        unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn reciprocal(self, a: Self::V) -> Self::V {
        // SAFETY: the token is the proof of AVX2.
        unsafe {
            let one = _mm256_set1_ps(1.0);
            [_mm256_div_ps(one, a[0]), _mm256_div_ps(one, a[1])]
        }
    }
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: the token is the proof of AVX2.
        unsafe { [_mm256_round_ps::<NEAREST>(a[0]), _mm256_round_ps::<NEAREST>(a[1])] }
    }
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        // SAFETY: the token is the proof of AVX2. The exponent's bits are made from the whole number.
        let half = |a, n| unsafe {
            let n = _mm256_cvtps_epi32(_mm256_max_ps(n, _mm256_set1_ps(-126.0)));
            let power = _mm256_slli_epi32::<23>(_mm256_add_epi32(n, _mm256_set1_epi32(127)));
            _mm256_mul_ps(a, _mm256_castsi256_ps(power))
        };
        [half(a[0], n[0]), half(a[1], n[1])]
    }
    #[inline(always)]
    fn moved(self, delta: Self::V, theta: Self::V) -> u16 {
        // SAFETY: the token is the proof of AVX2.
        let half = |delta, theta| unsafe {
            let far = _mm256_cmp_ps::<_CMP_GE_OQ>(magnitude(delta), theta);
            let some = _mm256_cmp_ps::<_CMP_NEQ_OQ>(delta, _mm256_setzero_ps());
            _mm256_movemask_ps(_mm256_and_ps(far, some)) as u8
        };
        u16::from_le_bytes([half(delta[0], theta[0]), half(delta[1], theta[1])])
    }
    #[inline(always)]
    fn beyond(self, a: Self::V, limit: f32) -> bool {
        // SAFETY: the token is the proof of AVX2. "Not less or equal" holds for NaN.
        let half =
            |a| unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLE_UQ>(magnitude(a), _mm256_set1_ps(limit))) != 0 };
        half(a[0]) | half(a[1])
    }
    #[inline(always)]
    fn larger(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token is the proof of AVX2. Without their sign, the bits of floating-point numbers are ordered
        // like the numbers, NaN last.
        let half = |a, b| unsafe {
            let bits = |v| _mm256_castps_si256(magnitude(v));
            _mm256_castsi256_ps(_mm256_max_epu32(bits(a), bits(b)))
        };
        [half(a[0], b[0]), half(a[1], b[1])]
    }
    #[inline(always)]
    fn select(self, mask: u16, a: Self::V, b: Self::V) -> Self::V {
        let [low, high] = halves(mask);
        // SAFETY: the token is the proof of AVX2.
        unsafe { [_mm256_blendv_ps(b[0], a[0], widen(low)), _mm256_blendv_ps(b[1], a[1], widen(high))] }
    }
    #[inline(always)]
    fn load_f16(self, from: &[u16; LANES]) -> Self::V {
        // SAFETY: the token is the proof of F16C; the reference covers twice the 16 bytes read, at any alignment.
        let half = |at: usize| unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().add(at).cast())) };
        [half(0), half(8)]
    }
    #[inline(always)]
    fn load_bf16(self, from: &[u16; LANES]) -> Self::V {
        // SAFETY: the token is the proof of AVX2; the reference covers twice the 16 bytes read, at any alignment.
        let half = |at: usize| unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().add(at).cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
        };
        [half(0), half(8)]
    }
    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> Self::V {
        // SAFETY: the token is the proof of AVX2; the reference covers twice the 8 bytes read, at any alignment.
        let half = |at: usize| unsafe {
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.as_ptr().add(at).cast())))
        };
        [half(0), half(8)]
    }
    #[inline(always)]
    fn compress(self, mask: u16, delta: Self::V, first: u32, deltas: &mut [f32; LANES], columns: &mut [u32; LANES]) {
        let mut place = 0;
        for (half, mask) in halves(mask).into_iter().enumerate() {
            // SAFETY: the token is the proof of AVX2. `place` is 0 for the lower half and at most 8 for the upper, so
            // the references cover the 32 bytes written to each array.
            unsafe {
                let lanes = set_lanes(mask);
                let packed = _mm256_permutevar8x32_ps(delta[half], lanes);
                let base = _mm256_set1_epi32(first as i32 + 8 * half as i32);
                _mm256_storeu_ps(deltas.as_mut_ptr().add(place), packed);
                _mm256_storeu_si256(columns.as_mut_ptr().add(place).cast(), _mm256_add_epi32(lanes, base));
            }
            place += mask.count_ones() as usize;
        }
    }
}
