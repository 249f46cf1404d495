//! What the ground looks like: asphalt, lines, gravel, grass and fields.

use super::super::noise::{NoiseMap, hash, smoothstep, split};
use super::super::style::{CentreLine, Land, Rgb, Style};
use super::canvas::{Canvas, Fragment, HIDDEN_DEPTH, Light4, SKY_DEPTH};
use super::light::Light;
use super::shade::Shade;
use super::texture::Texture;

/// Colours and measures of one drive's ground.
pub struct Ground {
    seed: u64,
    style: Style,
    grass: [Rgb; 2],
    field: [Rgb; 3],
    gravel: Rgb,
    stones: Texture,
    leaves: Texture,
    white: Rgb,
    yellow: Rgb,
}

/// What a frame's ground needs to know besides itself.
pub struct GroundFrame<'a> {
    /// Light of the drive.
    pub light: &'a Light,
    /// Noise of the drive.
    pub noise: &'a NoiseMap,
    /// Distance along the road from which fragments count.
    pub reference_s: f64,
    /// Time of the frame.
    pub time_s: f32,
    /// Shadows of trees.
    pub shade: &'a Shade,
}

/// Noise along the road repeats after this many metres; every frequency used is a multiple of 1/16.
const REPEAT_M: f64 = 2_048.0;
/// One dash and one pause.
const DASH_PERIOD_M: f32 = 12.0;

/// Where a frame's fragments count from.
struct Place {
    /// In metres, repeating with the noise.
    wrapped: f32,
    /// In metres, repeating with the dashes.
    dash: f32,
    /// In metres, repeating with the clouds' shadows.
    east: f32,
}

impl Ground {
    /// The ground of a seed.
    pub fn new(seed: u64, style: &Style, noise: &NoiseMap) -> Self {
        let Land { grass, field, gravel, .. } = *style.country.land();
        let fresh = 1.0 - 0.4 * style.line_wear;
        let white = [0.78 * fresh, 0.78 * fresh, 0.75 * fresh];
        let yellow = [0.78 * fresh, 0.46 * fresh, 0.045];
        let stones = Texture::new(
            noise,
            &[(11.0, 11.0, 0.34), (4.0, 4.3, 0.24), (1.5, 1.9, 0.16), (0.28, 4.7, 0.16), (0.1875, 0.31, 0.12)],
        );
        let leaves = Texture::new(noise, &[(9.0, 11.0, 0.34), (2.5, 2.7, 0.30), (0.9, 0.8, 0.22), (0.4, 0.42, 0.2)]);
        Self { seed, style: style.clone(), grass, field, gravel, stones, leaves, white, yellow }
    }

    /// Shades every pixel that shows ground.
    pub fn draw(&self, canvas: &mut Canvas, frame: &GroundFrame) {
        let place = Place {
            wrapped: (frame.reference_s.rem_euclid(REPEAT_M) + REPEAT_M) as f32,
            dash: frame.reference_s.rem_euclid(f64::from(DASH_PERIOD_M)) as f32 + DASH_PERIOD_M,
            east: frame.reference_s.rem_euclid(150.0 * 128.0) as f32,
        };
        for (fragment, light) in canvas.ground.iter().zip(&mut canvas.light) {
            if fragment.depth < SKY_DEPTH && fragment.depth > HIDDEN_DEPTH {
                *light = self.shade(fragment, frame, &place);
            }
        }
    }

    #[inline(always)]
    fn shade(&self, f: &Fragment, frame: &GroundFrame, place: &Place) -> Light4 {
        let s = f.s + place.wrapped;
        let noise = frame.noise;
        let beside = f.left.abs() - self.style.half_width_m();
        let on_asphalt = cover(beside, -1e3, 0.0, f.left_span);
        let mut colour = [0.0; 3];
        if on_asphalt < 1.0 {
            colour = self.verge(f, s, beside, noise);
        }
        if on_asphalt > 0.0 {
            let asphalt = self.asphalt(f, s, place.dash, noise);
            for k in 0..3 {
                colour[k] += (asphalt[k] - colour[k]) * on_asphalt;
            }
        }
        let clouds = frame.light.through_clouds(noise, f.s + place.east, f.left, frame.time_s);
        let sunlit = clouds * frame.shade.through(f.s, f.left, f.s_span) * f.lit;
        frame.light.through_air(frame.light.on(colour, sunlit, 0.55 + 0.45 * sunlit.min(1.0)), f.depth)
    }

    #[inline(always)]
    fn asphalt(&self, f: &Fragment, s: f32, dash: f32, noise: &NoiseMap) -> Rgb {
        let style = &self.style;
        let age = style.asphalt_age;
        let grain = self.stones.at(s, f.left, f.s_span, f.left_span);
        let mut tone = 1.0 + (0.42 + 0.2 * age) * grain;
        if f.s_span < 0.05 {
            tone += 0.22 * noise.at(s * 25.0, f.left * 25.0) * fine(f.s_span, 0.05);
        }
        // Tyres polish two bands in each lane; oil darkens the strip between them.
        let in_lane = (f.left.abs() - 0.5 * style.lane_m).abs();
        tone += 0.10 * bump(in_lane - 0.78, 0.38) - 0.07 * bump(in_lane, 0.34);
        if age > 0.35 && f.s_span < 0.8 {
            tone *= 1.0 - self.damage(f, s, noise, age);
        }
        let (white, yellow) = (self.white_lines(f, f.s + dash), self.yellow_lines(f, f.s + dash));
        if white + yellow <= 0.0 {
            return style.asphalt.map(|c| c * tone);
        }
        let paint_left = 1.0 - style.line_wear * smoothstep(-0.2, 0.7, noise.at(s * 2.0, f.left * 9.0));
        let (white, yellow) = ((white * paint_left).min(1.0), (yellow * paint_left).min(1.0));
        std::array::from_fn(|k| {
            let bare = style.asphalt[k] * tone;
            let painted = bare + (self.white[k] * (0.9 + 0.1 * tone) - bare) * white;
            painted + (self.yellow[k] - painted) * yellow
        })
    }

    /// Cracks, tar seams and repaired patches: the share of light that they swallow.
    #[inline(always)]
    fn damage(&self, f: &Fragment, s: f32, noise: &NoiseMap, age: f32) -> f32 {
        let crack_width = 0.02 + 0.4 * f.s_span.min(f.left_span * 3.0);
        let crackle = noise.at(s * 0.4375 + 0.13 * f.left, f.left * 0.6).abs();
        let crack = (1.0 - crackle / crack_width).max(0.0) * (0.03 / crack_width).min(1.0);
        let seam = cover(f.left - 0.12, -0.02, 0.02, f.left_span);
        let (cell, within) = split(s / 16.0);
        let dice = hash(self.seed, 0x7061_7463, (cell % (REPEAT_M as usize / 16)) as i64);
        let mut patch = 0.0;
        if (dice & 0xff) as f32 / 255.0 < 0.4 * age {
            let start = (dice >> 8 & 7) as f32;
            let length = 1.5 + (dice >> 12 & 7) as f32;
            let centre = ((dice >> 16 & 0xff) as f32 / 255.0 - 0.5) * 2.0 * self.style.lane_m;
            patch =
                cover(16.0 * within - start, 0.0, length, f.s_span) * cover(f.left - centre, -0.7, 0.7, f.left_span);
        }
        (0.45 * age * crack + 0.35 * age * seam).min(0.6) + 0.22 * patch
    }

    #[inline(always)]
    fn white_lines(&self, f: &Fragment, s: f32) -> f32 {
        let style = &self.style;
        let half = 0.5 * style.line_m;
        let mut white = 0.0;
        if style.edge_lines {
            white += cover(f.left.abs() - style.lane_m, -half, half, f.left_span);
        }
        if style.centre_line == CentreLine::DashedWhite {
            let centre = cover(f.left, -half, half, f.left_span);
            if centre > 0.0 {
                white += centre * dashes(s, 4.0, f.s_span);
            }
        }
        white
    }

    #[inline(always)]
    fn yellow_lines(&self, f: &Fragment, s: f32) -> f32 {
        let half = 0.5 * self.style.line_m;
        match self.style.centre_line {
            CentreLine::DoubleYellow => cover(f.left.abs() - 1.6 * half - 0.03, -half, half, f.left_span),
            CentreLine::DashedYellow => cover(f.left, -half, half, f.left_span) * dashes(s, 3.0, f.s_span),
            _ => 0.0,
        }
    }

    #[inline(always)]
    fn verge(&self, f: &Fragment, s: f32, beside: f32, noise: &NoiseMap) -> Rgb {
        let wide = noise.at(s * 0.0625, f.left * 0.06);
        let small = self.leaves.at(s, f.left, f.s_span, f.left_span);
        let texture = 1.0 + 0.9 * small;
        let dry = smoothstep(-0.5, 0.6, wide + 0.9 * small);
        let mut colour: Rgb =
            std::array::from_fn(|k| (self.grass[0][k] + (self.grass[1][k] - self.grass[0][k]) * dry) * texture);
        if beside > 6.0 {
            let far = smoothstep(7.0, 14.0, beside + 4.0 * small);
            let crop = self.field[self.crop(f, s)];
            let tone = 1.0 + 0.22 * wide + 0.5 * small;
            for k in 0..3 {
                colour[k] += (crop[k] * tone - colour[k]) * far;
            }
        }
        let gravel = 1.0 - smoothstep(-0.25, 0.35, beside - self.style.gravel_m - 0.9 * small);
        if gravel > 0.0 {
            let stones = 1.0 + 0.5 * self.stones.at(s, f.left, f.s_span, f.left_span);
            for k in 0..3 {
                colour[k] += (self.gravel[k] * stones - colour[k]) * gravel;
            }
        }
        colour
    }

    /// Which crop a field bears.
    #[inline(always)]
    fn crop(&self, f: &Fragment, s: f32) -> usize {
        let side = i64::from(f.left > 0.0);
        let depth = i64::from(f.left.abs() > 48.0);
        let cell = (split(s / 128.0 + 0.3 * side as f32).0 % (REPEAT_M as usize / 128)) as i64;
        (hash(self.seed, 0x6372_6f70 + 2 * depth as u64 + side as u64, cell) % 3) as usize
    }
}

/// 1 while a pixel is much finer than a texture's grain, 0 when it is coarser.
#[inline(always)]
fn fine(span: f32, grain: f32) -> f32 {
    1.0 - ((span - 0.4 * grain) / (0.9 * grain)).clamp(0.0, 1.0)
}

/// Share of a pixel `span` wide around `x` that lies between `low` and `high`.
#[inline(always)]
fn cover(x: f32, low: f32, high: f32, span: f32) -> f32 {
    let half = 0.5 * span;
    (((x + half).min(high) - (x - half).max(low)) / span).clamp(0.0, 1.0)
}

/// Share of a pixel that dashes `on` long cover.
#[inline(always)]
fn dashes(s: f32, on: f32, span: f32) -> f32 {
    let painted = |x: f32| {
        let (periods, part) = split(x * (1.0 / DASH_PERIOD_M) + 64.0);
        periods as f32 * on + (part * DASH_PERIOD_M).min(on)
    };
    ((painted(s + 0.5 * span) - painted(s - 0.5 * span)) / span).clamp(0.0, 1.0)
}

/// 1 at 0, falling to 0 at `width` on both sides.
#[inline(always)]
fn bump(x: f32, width: f32) -> f32 {
    let t = (x / width).abs();
    if t < 1.0 { (1.0 - t * t) * (1.0 - t * t) } else { 0.0 }
}
