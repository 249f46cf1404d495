//! Randomness that depends only on a seed and a place, so that any frame can be made without the ones before it.

/// A well-mixed 64-bit value of a seed, a purpose and a place (the finaliser of SplitMix64, applied twice).
pub fn hash(seed: u64, purpose: u64, place: i64) -> u64 {
    let mixed = mix(seed ^ purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mix(mixed ^ (place as u64).wrapping_mul(0xD1B5_4A32_D192_ED03))
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A sequence of random values.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of a seed, a purpose and a place.
    pub fn new(seed: u64, purpose: u64, place: i64) -> Self {
        Self(hash(seed, purpose, place))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// 0 up to, but not including, 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// From `low` to `high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// 0 to `count - 1`.
    pub fn pick(&mut self, count: usize) -> usize {
        ((self.unit() * count as f32) as usize).min(count - 1)
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// About a standard normal value (sum of four uniform ones).
    pub fn normal(&mut self) -> f32 {
        let sum: f32 = (0..4).map(|_| self.unit()).sum();
        (sum - 2.0) * 1.732
    }
}

/// Smooth noise along a line: -1 to 1, one random value a unit of `x`, cubic between them.
pub fn wave(seed: u64, purpose: u64, x: f64) -> f32 {
    let cell = x.floor();
    let t = (x - cell) as f32;
    let value = |k: i64| (hash(seed, purpose, cell as i64 + k) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
    mix_smooth(value(0), value(1), t)
}

fn mix_smooth(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t * t * (3.0 - 2.0 * t)
}

/// 0 below `low`, 1 above `high`, smooth between.
pub fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Side of [`NoiseMap`]'s lattice; it repeats after this many cells.
const SIDE: usize = 128;
/// A multiple of [`SIDE`] that makes coordinates positive.
const OFFSET: f32 = 2048.0;

/// Smooth noise over a plane, from a repeating lattice.
pub struct NoiseMap {
    cells: Box<[f32; SIDE * SIDE]>,
}

impl NoiseMap {
    /// The lattice of a seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0x4e6f_6973, 0);
        Self { cells: Box::new(std::array::from_fn(|_| dice.range(-1.0, 1.0))) }
    }

    /// -1 to 1, one random value a unit square. Coordinates from -2,048 to 100,000.
    #[inline(always)]
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let ((x0, tx), (y0, ty)) = (split(x + OFFSET), split(y + OFFSET));
        let (tx, ty) = (tx * tx * (3.0 - 2.0 * tx), ty * ty * (3.0 - 2.0 * ty));
        let (x0, y0) = (x0 & (SIDE - 1), (y0 & (SIDE - 1)) * SIDE);
        let (x1, y1) = ((x0 + 1) & (SIDE - 1), (y0 + SIDE) & (SIDE * SIDE - 1));
        let cells: &[f32; SIDE * SIDE] = &self.cells;
        let top = cells[y0 + x0] + (cells[y0 + x1] - cells[y0 + x0]) * tx;
        let bottom = cells[y1 + x0] + (cells[y1 + x1] - cells[y1 + x0]) * tx;
        top + (bottom - top) * ty
    }
}

/// Whole and fractional part of a positive number below 2^22: adding 2^23 - 1/2 rounds it down in its last bits, which
/// is quicker than `floor` on processors that lack an instruction for it.
#[inline(always)]
pub fn split(x: f32) -> (usize, f32) {
    let rounded = x + 8_388_607.5;
    ((rounded.to_bits() & 0x7f_ffff) as usize, x - (rounded - 8_388_608.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stays_in_range_and_repeats() {
        let map = NoiseMap::new(3);
        for i in -500..500 {
            let (x, y) = (i as f32 * 0.37, i as f32 * -0.61);
            assert!(map.at(x, y).abs() <= 1.0 && wave(1, 2, f64::from(x)).abs() <= 1.0);
            assert!((map.at(x, y) - map.at(x + 128.0, y - 128.0)).abs() < 1e-3);
        }
    }

    #[test]
    fn numbers_are_split() {
        for x in [0.5_f32, 1.25, 7.75, 1000.125, 40_000.25] {
            let (whole, part) = split(x);
            assert_eq!(whole as f32 + part, x);
            assert!((0.0..=1.0).contains(&part));
        }
    }

    #[test]
    fn dice_are_fair_enough() {
        let mut dice = Dice::new(1, 2, 3);
        let values: Vec<f32> = (0..4000).map(|_| dice.normal()).collect();
        let mean = values.iter().sum::<f32>() / 4000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 4000.0;
        assert!(mean.abs() < 0.06 && (variance - 1.0).abs() < 0.08, "{mean} {variance}");
    }
}
