//! A smooth random course: normal values at regular turning points, joined by half cosines.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// A value for every frame that wanders around zero.
#[derive(Debug, Clone)]
pub(super) struct Wander {
    knots: Vec<f32>,
    every: f32,
    phase: f32,
}

impl Wander {
    /// A course over `frames` frames with a turning point every `every` frames, never beyond `limit`.
    pub fn new(rng: &mut ChaCha8Rng, frames: usize, every: usize, deviation: f32, limit: f32) -> Self {
        let knots = (0..frames / every + 3).map(|_| (deviation * normal(rng)).clamp(-limit, limit)).collect();
        Self { knots, every: every as f32, phase: uniform(rng) }
    }

    /// The value at `frame`; frames past the end keep the last turning point's.
    pub fn at(&self, frame: usize) -> f32 {
        let place = frame as f32 / self.every + self.phase;
        let knot = (place as usize).min(self.knots.len() - 2);
        let blend = 0.5 - 0.5 * (std::f32::consts::PI * (place - knot as f32).min(1.0)).cos();
        self.knots[knot] * (1.0 - blend) + self.knots[knot + 1] * blend
    }
}

/// Uniform in 0..1.
pub(crate) fn uniform(rng: &mut impl RngCore) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32
}

/// Normal with deviation 1 (Box and Muller 1958).
pub(crate) fn normal(rng: &mut impl RngCore) -> f32 {
    let (radius, angle) = (1.0 - uniform(rng), uniform(rng));
    (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
}
