//! The picture in the making: linear light and depth, and its development into 8-bit RGB.

use ndarray::Array3;

use super::super::noise::hash;

/// Linear light red, green, blue, and an unused fourth that keeps pixels aligned.
pub type Light4 = [f32; 4];

/// Depth of a pixel that shows nothing nearer than the sky.
pub const SKY_DEPTH: f32 = f32::INFINITY;

/// Depth of a pixel that our own car hides.
pub const HIDDEN_DEPTH: f32 = 0.0;

/// What a pixel of ground shows.
#[derive(Debug, Clone, Copy)]
pub struct Fragment {
    /// Metres ahead of the camera.
    pub depth: f32,
    /// Metres along the road from the frame's reference.
    pub s: f32,
    /// Metres to the left of the road's centre.
    pub left: f32,
    /// Length of road that the pixel covers.
    pub s_span: f32,
    /// Width of road that the pixel covers.
    pub left_span: f32,
    /// Share of sunlight that the slope catches.
    pub lit: f32,
}

/// The picture in the making.
pub struct Canvas {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height][width]`
    pub light: Vec<Light4>,
    /// `[height][width]`; its depth is also what hides things behind hills.
    pub ground: Vec<Fragment>,
    /// For sprites: texel to the left, to the right and the share of the latter, one a column.
    pub lookups: Vec<(usize, usize, f32)>,
    developed: Vec<u8>,
}

/// Entries of the development table for each unit of light.
const TABLE_PER_UNIT: f32 = 4096.0;
/// Light that counts as white.
const TABLE_MAX: f32 = 4.0;

impl Canvas {
    /// An empty canvas.
    pub fn new(width: usize, height: usize) -> Self {
        let nothing = Fragment { depth: SKY_DEPTH, s: 0.0, left: 0.0, s_span: 1.0, left_span: 1.0, lit: 0.0 };
        let count = (TABLE_PER_UNIT * TABLE_MAX) as usize;
        Self {
            width,
            height,
            light: vec![[0.0; 4]; width * height],
            ground: vec![nothing; width * height],
            lookups: Vec::new(),
            developed: (0..count).map(|i| develop(i as f32 / TABLE_PER_UNIT)).collect(),
        }
    }

    /// Forgets the last frame.
    pub fn clear(&mut self) {
        for fragment in &mut self.ground {
            fragment.depth = SKY_DEPTH;
        }
    }

    /// Lays `colour` over a pixel with the given opacity.
    #[inline(always)]
    pub fn blend(&mut self, at: usize, colour: Light4, opacity: f32) {
        let old = &mut self.light[at];
        for k in 0..4 {
            old[k] += (colour[k] - old[k]) * opacity;
        }
    }

    /// Exposes, adds the sensor's grain and vignette, and rounds to 8 bits.
    pub fn develop(&self, exposure: f32, grain_seed: u64) -> Array3<u8> {
        let mut image = Array3::zeros((self.height, self.width, 3));
        let scale = exposure * TABLE_PER_UNIT;
        let last = (self.developed.len() - 1) as f32;
        let mut grain = hash(grain_seed, 0x6772_6169, 0) | 1;
        let (half_w, half_h) = (0.5 * self.width as f32, 0.5 * self.height as f32);
        let darkening = 0.22 * scale / (half_w * half_w + half_h * half_h);
        let columns: Vec<f32> = (0..self.width).map(|x| darkening * square(x as f32 + 0.5 - half_w)).collect();
        let pixels = image.as_slice_mut().unwrap_or_default();
        let rows = self.light.chunks_exact(self.width).zip(pixels.chunks_exact_mut(3 * self.width));
        for (row, (line, out)) in rows.enumerate() {
            let at_row = scale - darkening * square(row as f32 + 0.5 - half_h);
            for ((light, column), pixel) in line.iter().zip(&columns).zip(out.chunks_exact_mut(3)) {
                grain = grain.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // -1, 0 or 1 level, twice as often 0.
                let noise = (((grain >> 40 & 0xff) + (grain >> 52 & 0xff) + 128) >> 8) as i32 - 1;
                let shade = at_row - column;
                for k in 0..3 {
                    // Adding 2^23 leaves the whole part in a number's last bits.
                    let entry = ((light[k] * shade).clamp(0.0, last) + 8_388_608.0).to_bits() & 0x7f_ffff;
                    let level = i32::from(self.developed[entry as usize]);
                    pixel[k] = (level + noise).clamp(0, 255) as u8;
                }
            }
        }
        image
    }
}

fn square(x: f32) -> f32 {
    x * x
}

/// Light to 8 bits: a film-like curve (a ratio of quadratics with a soft shoulder), then the sRGB transfer function.
fn develop(light: f32) -> u8 {
    let x = light * 0.9;
    let film = (x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)).clamp(0.0, 1.0);
    let encoded = if film <= 0.003_130_8 { 12.92 * film } else { 1.055 * libm::powf(film, 1.0 / 2.4) - 0.055 };
    (encoded * 255.0 + 0.5) as u8
}
