//! A repeating texture kept at every fineness in both directions separately (a ripmap), because a road is seen so
//! flat that a pixel covers metres of its length but only centimetres of its width.

use super::super::noise::{NoiseMap, split};

/// Texels of the finest level in each direction.
const SIDE: usize = 512;
/// Levels in each direction.
const LEVELS: usize = 10;
/// Texels a metre of the finest level.
const PER_METRE: f32 = 24.0;
/// Texels a metre of each level.
const SCALE: [f32; LEVELS] = halvings();

/// The texture's light and dark, -1 to 1, over (metres along, metres left).
pub struct Texture {
    /// Level `(a, b)` is halved `a` times along and `b` times across; `[across][along]`.
    levels: Vec<Box<[i8]>>,
}

impl Texture {
    /// The sum of several octaves of noise, each (frequency in 1/m along, across, weight).
    pub fn new(noise: &NoiseMap, octaves: &[(f32, f32, f32)]) -> Self {
        let mut finest = Vec::with_capacity(SIDE * SIDE);
        for y in 0..SIDE {
            for x in 0..SIDE {
                let (along, across) = (x as f32 / PER_METRE, y as f32 / PER_METRE);
                finest
                    .push(octaves.iter().map(|&(a, b, weight)| weight * noise.at(along * a, across * b)).sum::<f32>());
            }
        }
        let finest = close_seams(finest);
        let mut levels = Vec::with_capacity(LEVELS * LEVELS);
        let mut across = finest;
        for b in 0..LEVELS {
            let mut along = across.clone();
            for a in 0..LEVELS {
                levels.push(along.iter().map(|v| (v.clamp(-1.0, 1.0) * 127.0) as i8).collect());
                along = halve_along(&along, SIDE >> a);
            }
            across = halve_across(&across, SIDE >> b);
        }
        Self { levels }
    }

    /// The mean over about `along_span` x `across_span` metres around a place (`along` and `across` above -512 m).
    #[inline(always)]
    pub fn at(&self, along: f32, across: f32, along_span: f32, across_span: f32) -> f32 {
        let (a, b) = (level(along_span), level(across_span));
        let (width, height) = (SIDE >> a, SIDE >> b);
        let texels = &self.levels[b * LEVELS + a][..];
        let (x0, tx) = split((along + 512.0) * SCALE[a]);
        let (y0, ty) = split((across + 512.0) * SCALE[b]);
        let (x1, y1) = ((x0 + 1) & (width - 1), ((y0 + 1) & (height - 1)) * width);
        let (x0, y0) = (x0 & (width - 1), (y0 & (height - 1)) * width);
        let texel = |x: usize, y: usize| f32::from(texels[y + x]);
        let top = texel(x0, y0) + (texel(x1, y0) - texel(x0, y0)) * tx;
        let bottom = texel(x0, y1) + (texel(x1, y1) - texel(x0, y1)) * tx;
        (top + (bottom - top) * ty) * (1.0 / 127.0)
    }
}

const fn halvings() -> [f32; LEVELS] {
    let mut scale = [PER_METRE; LEVELS];
    let mut level = 1;
    while level < LEVELS {
        scale[level] = scale[level - 1] * 0.5;
        level += 1;
    }
    scale
}

/// The level whose texels are about as wide as `span`.
#[inline(always)]
fn level(span: f32) -> usize {
    // The exponent of a floating-point number is the whole part of its binary logarithm.
    let exponent = ((span * PER_METRE * 1.2).max(1.0).to_bits() >> 23) as usize - 127;
    exponent.min(LEVELS - 1)
}

/// Blends the last eighth of a texture into what lies before its start, so that it repeats without a seam.
fn close_seams(mut texels: Vec<f32>) -> Vec<f32> {
    let band = SIDE / 8;
    for pass in 0..2 {
        let at = |i: usize, j: usize| if pass == 0 { j * SIDE + i } else { i * SIDE + j };
        for j in 0..SIDE {
            for i in 0..band {
                let t = (i as f32 + 0.5) / band as f32;
                let (last, first) = (at(SIDE - band + i, j), at(band - 1 - i, j));
                texels[last] += (texels[first] - texels[last]) * t;
            }
        }
    }
    texels
}

fn halve_along(texels: &[f32], width: usize) -> Vec<f32> {
    if width == 1 {
        return texels.to_vec();
    }
    texels.chunks_exact(2).map(|pair| 0.5 * (pair[0] + pair[1])).collect()
}

fn halve_across(texels: &[f32], height: usize) -> Vec<f32> {
    if height == 1 {
        return texels.to_vec();
    }
    let row = |y: usize| &texels[y * SIDE..(y + 1) * SIDE];
    (0..height / 2).flat_map(|y| row(2 * y).iter().zip(row(2 * y + 1)).map(|(a, b)| 0.5 * (a + b))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_look_is_the_mean_of_fine_ones() {
        let texture = Texture::new(&NoiseMap::new(1), &[(4.0, 4.0, 0.6), (11.0, 11.0, 0.4)]);
        let fine = |x: f32, y: f32| texture.at(x, y, 0.01, 0.01);
        let mut mean = 0.0;
        for i in 0..64 {
            for j in 0..64 {
                mean += fine(i as f32 / 24.0, j as f32 / 24.0) / 4096.0;
            }
        }
        // The texel of level 6 that covers these 64 x 64; sampled at its own place.
        let coarse = texture.at(0.0, 0.0, 64.0 / 24.0, 64.0 / 24.0);
        assert!((mean - coarse).abs() < 0.03, "{mean} {coarse}");
        assert!(texture.at(-37.0, 90.0, 1e9, 1e9).abs() < 0.1);
    }
}
