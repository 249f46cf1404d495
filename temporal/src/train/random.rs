//! Random numbers: one stream for each seed and step.

use std::sync::LazyLock;

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The random numbers of one step: they follow from seed and step alone, so that a run can be resumed anywhere.
pub fn stream_of(seed: u64, step: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step);
    rng
}

/// A standard normal number (Box and Muller 1958).
pub(super) fn normal(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

/// Adds normal noise of deviation `deviation` to every value.
///
/// A number is one of 65,536 equally likely quantiles of the normal distribution, chosen by 16 random bits: several times
/// faster than a formula, and with a deviation that differs from 1 by less than 1e-3.
pub fn add_noise(rng: &mut ChaCha8Rng, deviation: f32, values: &mut [f32]) {
    static QUANTILES: LazyLock<Vec<f32>> = LazyLock::new(quantiles);
    let quantiles = &QUANTILES[..1 << 16];
    for chunk in values.chunks_mut(4) {
        let mut bits = rng.next_u64();
        for value in chunk {
            *value += deviation * quantiles[(bits & 0xffff) as usize];
            bits >>= 16;
        }
    }
}

/// The quantiles at (i + 0.5) / 65,536, by summing up the density in small steps.
fn quantiles() -> Vec<f32> {
    const STEP: f64 = 1e-4;
    let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    let mut quantiles = Vec::with_capacity(1 << 16);
    let (mut x, mut below) = (-6.0, 0.0);
    while quantiles.len() < 1 << 15 {
        let next = below + STEP * density(x + STEP / 2.0);
        while quantiles.len() < 1 << 15 && (quantiles.len() as f64 + 0.5) / 65_536.0 <= next {
            let part = ((quantiles.len() as f64 + 0.5) / 65_536.0 - below) / (next - below);
            quantiles.push((x + STEP * part) as f32);
        }
        (x, below) = (x + STEP, next);
    }
    let upper: Vec<f32> = quantiles.iter().rev().map(|q| -q).collect();
    quantiles.extend(upper);
    quantiles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_normal() {
        let mut values = vec![1.0f32; 400_000];
        add_noise(&mut stream_of(1, 2), 2.0, &mut values);
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let moment = |power: i32| values.iter().map(|v| (f64::from(*v) - mean).powi(power)).sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 0.02 && (moment(2).sqrt() - 2.0).abs() < 0.01);
        assert!((moment(4) / moment(2).powi(2) - 3.0).abs() < 0.05, "kurtosis of a normal distribution is 3");
        let beyond_two = values.iter().filter(|v| (**v - 1.0).abs() > 4.0).count() as f64 / n;
        assert!((beyond_two - 0.0455).abs() < 0.002);
    }
}
