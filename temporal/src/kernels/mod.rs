//! The inner loops, written once over an abstract vector ([`simd::Simd`]) and compiled for each instruction set.
//!
//! [`Kernel`] is the one safe entry: it holds the proof that the processor has the instructions it stands for.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod columns;
mod gates;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod scan;
mod simd;
mod spmv;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use aligned::{Aligned, LANES};
pub(crate) use columns::Columns;
pub use scan::SparseDelta;
use simd::{Op, Simd};
pub(crate) use step::{
    DeltaState, DenseState, DenseStep, LinearHead, MAX_INPUT, Matrices, Scan, SparseStep, ThresholdScan,
};

use crate::TemporalError;

/// The environment variable that forces a variant, for tests and benches.
const VARIABLE: &str = "DELTASTEER_KERNEL";

/// A variant of the kernels that this processor can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Variant);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Portable(portable::Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
}

impl Kernel {
    /// Every variant that this processor can run, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            kernels.extend(avx512::Avx512::detect().map(|token| Self(Variant::Avx512(token))));
            kernels.extend(avx2::Avx2::detect().map(|token| Self(Variant::Avx2(token))));
        }
        #[cfg(target_arch = "aarch64")]
        kernels.extend(neon::Neon::detect().map(|token| Self(Variant::Neon(token))));
        kernels.push(Self(Variant::Portable(portable::Portable)));
        kernels
    }

    /// The fastest variant, or the one that the environment variable `DELTASTEER_KERNEL` names (`portable`, `avx2`,
    /// `avx512` or `neon`).
    ///
    /// # Errors
    /// [`TemporalError::Kernel`] where it names one that this processor lacks.
    pub fn choose() -> Result<Self, TemporalError> {
        let kernels = Self::available();
        let Some(asked) = std::env::var_os(VARIABLE).filter(|asked| !asked.is_empty()) else {
            return Ok(kernels[0]);
        };
        let asked = asked.to_string_lossy().into_owned();
        kernels.iter().copied().find(|kernel| kernel.name() == asked).ok_or_else(|| TemporalError::Kernel {
            asked,
            available: kernels.iter().map(|kernel| kernel.name()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Its name in `DELTASTEER_KERNEL` and in tables.
    pub fn name(self) -> &'static str {
        match self.0 {
            Variant::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Variant::Neon(_) => "neon",
        }
    }

    /// Runs `op` compiled for this variant.
    #[inline]
    pub(crate) fn run<O: Op>(self, op: O) -> O::Output {
        match self.0 {
            Variant::Portable(simd) => simd.run(op),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2(simd) => simd.run(op),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512(simd) => simd.run(op),
            #[cfg(target_arch = "aarch64")]
            Variant::Neon(simd) => simd.run(op),
        }
    }
}
