//! Vectors of `f32` behind one trait, one implementation an instruction set.
//!
//! A value of an implementing type is a proof: it can only be made where the CPU has the instructions. The kernels are
//! written once over [`Simd`] and inlined into functions compiled for each instruction set.

/// A vector of `LANES` 32-bit floats.
pub(super) trait Simd: Copy {
    /// Values in one vector.
    const LANES: usize;
    /// How many pixels a matrix tile of three vectors' width keeps in registers.
    const PIXELS: usize;
    /// The register.
    type V: Copy;
    /// Vectors of eight values, for channel counts that are an odd multiple of eight.
    type Half: Simd;

    /// The narrower set.
    fn half(self) -> Self::Half;
    /// All lanes equal.
    fn splat(self, value: f32) -> Self::V;
    /// `a * b + c`, fused where the CPU can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `min(max(a, 0), 6)`.
    fn relu6(self, a: Self::V) -> Self::V;
    /// Reads `LANES` values.
    ///
    /// # Safety
    /// `from` must point to `LANES` readable values.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// Writes `LANES` values.
    ///
    /// # Safety
    /// `to` must point to `LANES` writable values.
    unsafe fn store(self, to: *mut f32, value: Self::V);
}

/// Eight lanes in plain Rust; the compiler uses what the build's baseline has.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    const LANES: usize = 8;
    const PIXELS: usize = 2;
    type V = [f32; 8];
    type Half = Self;

    #[inline(always)]
    fn half(self) -> Self {
        self
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; 8]
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn relu6(self, a: Self::V) -> Self::V {
        a.map(|value| value.clamp(0.0, 6.0))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::V {
        // SAFETY: the caller guarantees eight readable values; `read_unaligned` asks for no alignment.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: Self::V) {
        // SAFETY: the caller guarantees eight writable values; `write_unaligned` asks for no alignment.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(value) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    /// 256-bit vectors with fused multiply-add.
    #[derive(Clone, Copy)]
    pub(in crate::kernels) struct Avx2(());

    impl Avx2 {
        /// `None` where the CPU lacks AVX2 or FMA.
        pub fn detect() -> Option<Self> {
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
        }
    }

    impl Simd for Avx2 {
        const LANES: usize = 8;
        const PIXELS: usize = 4;
        type V = __m256;
        type Half = Self;

        #[inline(always)]
        fn half(self) -> Self {
            self
        }
        #[inline(always)]
        fn splat(self, value: f32) -> __m256 {
            // SAFETY: `self` exists only where AVX2 and FMA do.
            unsafe { _mm256_set1_ps(value) }
        }
        #[inline(always)]
        fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn add(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        fn relu6(self, a: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_min_ps(_mm256_max_ps(a, _mm256_setzero_ps()), _mm256_set1_ps(6.0)) }
        }
        #[inline(always)]
        unsafe fn load(self, from: *const f32) -> __m256 {
            // SAFETY: as above, and the caller guarantees eight readable values; `loadu` asks for no alignment.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32, value: __m256) {
            // SAFETY: as above, and the caller guarantees eight writable values; `storeu` asks for no alignment.
            unsafe { _mm256_storeu_ps(to, value) }
        }
    }

    /// 512-bit vectors.
    #[derive(Clone, Copy)]
    pub(in crate::kernels) struct Avx512(Avx2);

    impl Avx512 {
        /// `None` where the CPU lacks AVX-512F (or, against all practice, AVX2 or FMA).
        pub fn detect() -> Option<Self> {
            if is_x86_feature_detected!("avx512f") { Avx2::detect().map(Self) } else { None }
        }
    }

    impl Simd for Avx512 {
        const LANES: usize = 16;
        const PIXELS: usize = 8;
        type V = __m512;
        type Half = Avx2;

        #[inline(always)]
        fn half(self) -> Avx2 {
            self.0
        }
        #[inline(always)]
        fn splat(self, value: f32) -> __m512 {
            // SAFETY: `self` exists only where AVX-512F does.
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
            // SAFETY: as above.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn add(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: as above.
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        fn relu6(self, a: __m512) -> __m512 {
            // SAFETY: as above.
            unsafe { _mm512_min_ps(_mm512_max_ps(a, _mm512_setzero_ps()), _mm512_set1_ps(6.0)) }
        }
        #[inline(always)]
        unsafe fn load(self, from: *const f32) -> __m512 {
            // SAFETY: as above, and the caller guarantees 16 readable values; `loadu` asks for no alignment.
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32, value: __m512) {
            // SAFETY: as above, and the caller guarantees 16 writable values; `storeu` asks for no alignment.
            unsafe { _mm512_storeu_ps(to, value) }
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) mod arm {
    use super::Simd;
    use std::arch::aarch64::*;

    /// Pairs of 128-bit vectors.
    #[derive(Clone, Copy)]
    pub(in crate::kernels) struct Neon(());

    impl Neon {
        /// `None` where the CPU lacks NEON.
        pub fn detect() -> Option<Self> {
            std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
        }
    }

    impl Simd for Neon {
        const LANES: usize = 8;
        const PIXELS: usize = 4;
        type V = float32x4x2_t;
        type Half = Self;

        #[inline(always)]
        fn half(self) -> Self {
            self
        }
        #[inline(always)]
        fn splat(self, value: f32) -> float32x4x2_t {
            // SAFETY: `self` exists only where NEON does.
            unsafe { float32x4x2_t(vdupq_n_f32(value), vdupq_n_f32(value)) }
        }
        #[inline(always)]
        fn mul_add(self, a: float32x4x2_t, b: float32x4x2_t, c: float32x4x2_t) -> float32x4x2_t {
            // SAFETY: as above.
            unsafe { float32x4x2_t(vfmaq_f32(c.0, a.0, b.0), vfmaq_f32(c.1, a.1, b.1)) }
        }
        #[inline(always)]
        fn add(self, a: float32x4x2_t, b: float32x4x2_t) -> float32x4x2_t {
            // SAFETY: as above.
            unsafe { float32x4x2_t(vaddq_f32(a.0, b.0), vaddq_f32(a.1, b.1)) }
        }
        #[inline(always)]
        fn relu6(self, a: float32x4x2_t) -> float32x4x2_t {
            // SAFETY: as above.
            unsafe {
                let (low, high) = (vdupq_n_f32(0.0), vdupq_n_f32(6.0));
                float32x4x2_t(vminq_f32(vmaxq_f32(a.0, low), high), vminq_f32(vmaxq_f32(a.1, low), high))
            }
        }
        #[inline(always)]
        unsafe fn load(self, from: *const f32) -> float32x4x2_t {
            // SAFETY: as above, and the caller guarantees eight readable values.
            unsafe { float32x4x2_t(vld1q_f32(from), vld1q_f32(from.add(4))) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32, value: float32x4x2_t) {
            // SAFETY: as above, and the caller guarantees eight writable values.
            unsafe {
                vst1q_f32(to, value.0);
                vst1q_f32(to.add(4), value.1);
            }
        }
    }
}
