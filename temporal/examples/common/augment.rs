//! Altered versions of log-mel energies for training: another vocal tract, another channel, a band that is missing.

use ndarray::{ArcArray2, Array2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Versions that a training recording is seen in: as recorded, and altered ones.
const VERSIONS: usize = 4;
/// Largest change of the bands' places on the mel scale, after vocal tract length perturbation (Jaitly and Hinton 2013).
const WARP: f32 = 0.12;
/// Largest change of the spectrum's slope, in deviations from its first band to its last.
const TILT: f32 = 0.4;
/// Widest run of bands that is set to its mean (the frequency mask of SpecAugment, Park et al. 2019).
const MASK: usize = 6;

/// All versions of normalised features `[frames, bands]`; the first is as recorded. The same seed gives the same versions.
pub fn versions(features: &ArcArray2<f32>, seed: u64) -> Vec<ArcArray2<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let altered = (1..VERSIONS).map(|_| altered(features, &mut rng).into_shared());
    std::iter::once(features.clone()).chain(altered.collect::<Vec<_>>()).collect()
}

fn altered(features: &ArcArray2<f32>, rng: &mut impl Rng) -> Array2<f32> {
    let bands = features.ncols();
    let factor = 1.0 + rng.random_range(-WARP..WARP);
    let tilt = rng.random_range(-TILT..TILT);
    let masked = rng.random_range(0..=MASK);
    let first = rng.random_range(0..=bands - masked);
    Array2::from_shape_fn(features.raw_dim(), |(frame, band)| {
        if (first..first + masked).contains(&band) {
            return 0.0;
        }
        let from = (band as f32 * factor).min((bands - 1) as f32);
        let (below, part) = (from as usize, from.fract());
        let above = (below + 1).min(bands - 1);
        let value = (1.0 - part) * features[[frame, below]] + part * features[[frame, above]];
        value + tilt * (band as f32 / (bands - 1) as f32 - 0.5)
    })
}
