//! Sky, clouds, sun and the hills too far away to move.

use super::super::noise::{Dice, NoiseMap, smoothstep};
use super::super::style::{Country, Rgb, Style, Weather};
use super::canvas::{Canvas, SKY_DEPTH};
use super::light::Light;
use super::pose::CameraPose;

/// Directions in which the outline of the hills is stored.
const DIRECTIONS: usize = 4096;
/// Hills, the farthest first.
const RANGES: usize = 3;

/// Sky and hills of one drive.
pub struct Sky {
    /// Elevation (tangent) of each range's outline in every direction.
    outlines: [Box<[f32]>; RANGES],
    colours: [Rgb; RANGES],
    /// The land far below the horizon.
    plain: Rgb,
    /// Outlines of this frame, a value a column (and some to spare on both sides).
    columns: [Vec<f32>; RANGES],
    /// The highest of them.
    summit: f32,
}

/// Columns to spare on both sides, for a rolling camera.
const SPARE: usize = 24;
/// Columns between two looks at the clouds.
const STRIDE: usize = 4;

impl Sky {
    /// The sky of a seed.
    pub fn new(seed: u64, style: &Style, light: &Light) -> Self {
        let mut dice = Dice::new(seed, 0x7261_6e67, 0);
        let height = dice.range(0.5, 1.5) * (0.5 + 16.0 * style.hilliness);
        let near = style.country.land().hills;
        let heights = [0.075 * height, 0.05 * height, 0.03];
        let hazes = [0.78, 0.55, 0.25];
        let thick = if style.weather == Weather::Hazy { 0.6 } else { 0.0 };
        let day = std::array::from_fn(|k| light.sun[k] * 0.6 + light.sky[k]);
        let outlines = std::array::from_fn(|i| outline(seed, i as u64, heights[i], style.country));
        let colours = std::array::from_fn(|i| {
            let haze = hazes[i] + (1.0 - hazes[i]) * thick;
            fade(near, day, light.horizon, haze)
        });
        let plain = fade(near, day, light.horizon, 0.5 + 0.5 * thick);
        Self { outlines, colours, plain, columns: std::array::from_fn(|_| Vec::new()), summit: 0.0 }
    }

    /// Paints every pixel that shows no ground.
    pub fn draw(&mut self, canvas: &mut Canvas, view: &CameraPose, light: &Light, noise: &NoiseMap, time_s: f64) {
        self.find_columns(view, canvas.width);
        let flat = [libm::cos(view.heading) as f32, libm::sin(view.heading) as f32];
        let wind = time_s as f32 * 0.004;
        for row in 0..canvas.height {
            let start = view.ray(0.5, row as f32 + 0.5);
            let next = view.ray(1.5, row as f32 + 0.5);
            let step: [f32; 3] = std::array::from_fn(|k| next[k] - start[k]);
            let along = |x: f32| -> [f32; 3] { std::array::from_fn(|k| start[k] + step[k] * x) };
            // Clouds are soft: one look every few columns will do.
            let mut open: Option<(usize, [Rgb; 2])> = None;
            for column in 0..canvas.width {
                let at = row * canvas.width + column;
                if canvas.ground[at].depth < SKY_DEPTH {
                    continue;
                }
                let block = column / STRIDE;
                let ends = match open {
                    Some((last, ends)) if last == block => ends,
                    before => {
                        let look = |block: usize| open_sky(along((block * STRIDE) as f32), light, noise, wind);
                        let first = match before {
                            Some((last, ends)) if last + 1 == block => ends[1],
                            _ => look(block),
                        };
                        [first, look(block + 1)]
                    }
                };
                open = Some((block, ends));
                let t = (column - block * STRIDE) as f32 / STRIDE as f32;
                let mut colour: Rgb = std::array::from_fn(|k| ends[0][k] + (ends[1][k] - ends[0][k]) * t);
                let ray = along(column as f32);
                sun_disc(&mut colour, ray, light);
                self.hide_behind_hills(&mut colour, ray, flat, view);
                canvas.light[at] = [colour[0], colour[1], colour[2], 0.0];
            }
        }
    }

    fn find_columns(&mut self, view: &CameraPose, width: usize) {
        let per_radian = DIRECTIONS as f64 / std::f64::consts::TAU;
        for range in &mut self.columns {
            range.clear();
        }
        for i in 0..width + 2 * SPARE {
            let left = (view.centre_column - (i as f32 - SPARE as f32)) / view.focal_px;
            let place = (view.heading + f64::from(libm::atanf(left))) * per_radian;
            let cell = place.floor();
            let t = (place - cell) as f32;
            let first = (cell as i64).rem_euclid(DIRECTIONS as i64) as usize;
            for (range, outline) in self.columns.iter_mut().zip(&self.outlines) {
                let (a, b) = (outline[first], outline[(first + 1) % DIRECTIONS]);
                range.push(a + (b - a) * t);
            }
        }
        self.summit = self.columns.iter().flatten().fold(0.0, |highest, &c| f32::max(highest, c));
    }

    #[inline(always)]
    fn hide_behind_hills(&self, colour: &mut Rgb, ray: [f32; 3], flat: [f32; 2], view: &CameraPose) {
        let ahead = ray[0] * flat[0] + ray[1] * flat[1];
        let left = ray[1] * flat[0] - ray[0] * flat[1];
        // Nothing to hide this high up; the length of a ray across the ground is at most |ahead| + |left|.
        if ray[2] > (self.summit + 2.0 / view.focal_px) * (ahead + left.abs()) {
            return;
        }
        let sideways = left / ahead;
        let elevation = ray[2] / (ahead * (1.0 + sideways * sideways).sqrt());
        let pixel = 1.0 / view.focal_px;
        let place = (view.centre_column - sideways * view.focal_px + SPARE as f32)
            .clamp(0.0, self.columns[0].len() as f32 - 1.001);
        let cell = (place as usize).min(self.columns[0].len() - 2);
        let t = place - cell as f32;
        let at =
            |range: usize| self.columns[range][cell] + (self.columns[range][cell + 1] - self.columns[range][cell]) * t;
        // What the nearest range leaves uncovered, going back.
        let covers: [f32; RANGES] = std::array::from_fn(|i| ((at(i) - elevation) / pixel + 0.5).clamp(0.0, 1.0));
        let below = smoothstep(0.004, -0.05, elevation);
        for i in 0..RANGES {
            for k in 0..3 {
                colour[k] += (self.colours[i][k] - colour[k]) * covers[i];
            }
        }
        for k in 0..3 {
            colour[k] += (self.plain[k] - colour[k]) * below;
        }
    }
}

fn fade(colour: Rgb, day: Rgb, horizon: Rgb, haze: f32) -> Rgb {
    std::array::from_fn(|k| colour[k] * day[k] + (horizon[k] - colour[k] * day[k]) * haze)
}

/// The outline of a range of hills: smooth noise that closes on itself after a full turn.
fn outline(seed: u64, range: u64, height: f32, country: Country) -> Box<[f32]> {
    let mut dice = Dice::new(seed, 0x6f75_746c, range as i64);
    let mut values = vec![0.45 * height; DIRECTIONS];
    let rough = if range == 2 { 0.75 } else { 0.5 };
    let (mut amplitude, mut cells) = (0.75 * height, 14 + 6 * range as usize);
    while cells <= DIRECTIONS / 2 {
        let lattice: Vec<f32> = (0..cells).map(|_| dice.range(-1.0, 1.0)).collect();
        for (i, value) in values.iter_mut().enumerate() {
            let x = i as f32 * cells as f32 / DIRECTIONS as f32;
            let cell = x as usize;
            let t = smoothstep(0.0, 1.0, x - cell as f32);
            let (a, b) = (lattice[cell % cells], lattice[(cell + 1) % cells]);
            *value += amplitude * (a + (b - a) * t);
        }
        amplitude *= rough;
        cells *= 2;
    }
    if country == Country::Desert && range < 2 {
        // Table mountains: steep flanks, flat tops.
        for value in &mut values {
            *value = height * (0.2 + 0.9 * smoothstep(0.3, 0.6, *value / height));
        }
    }
    values.into_iter().map(|v| v.max(0.0)).collect()
}

#[inline(always)]
fn open_sky(ray: [f32; 3], light: &Light, noise: &NoiseMap, wind: f32) -> Rgb {
    let length = (ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2]).sqrt();
    let up = (ray[2] / length).max(0.0);
    let t = 1.0 - 1.0 / (1.0 + 5.0 * up);
    let mut colour: Rgb = std::array::from_fn(|k| light.horizon[k] + (light.zenith[k] - light.horizon[k]) * t);
    let towards = (ray[0] * light.to_sun[0] + ray[1] * light.to_sun[1] + ray[2] * light.to_sun[2]) / length;
    if towards > 0.0 {
        let wide = towards * towards * towards * towards;
        let close = wide * wide * wide * wide;
        let corona = close * close * close * close;
        let glow = 0.12 * wide + 0.35 * close + 0.8 * corona;
        for k in 0..3 {
            colour[k] += light.glow[k] * glow;
        }
    }
    let fading = smoothstep(0.01, 0.14, up);
    if fading > 0.0 {
        let reach = 0.9 / (ray[2] + 0.07 * length);
        let (x, y) = (ray[0] * reach + wind, ray[1] * reach);
        let billow = |x: f32, y: f32| {
            noise.at(x, y) + 0.5 * noise.at(x * 2.3 + 7.1, y * 2.3) + 0.25 * noise.at(x * 5.1, y * 5.1)
        };
        let n = billow(x, y);
        let threshold = 0.75 - 1.5 * light.cover;
        let body = smoothstep(threshold, threshold + 0.55, n) * fading;
        if body > 0.0 {
            let towards_sun = noise.at(x + 0.25 * light.to_sun[0], y + 0.25 * light.to_sun[1]);
            let shade = (0.86 - 0.22 * towards_sun - 0.16 * (n - threshold)).clamp(0.45, 1.1);
            for k in 0..3 {
                let cloud = light.cloud[k] * shade + 0.08 * light.horizon[k];
                colour[k] += (cloud - colour[k]) * body * 0.92;
            }
        }
    }
    colour
}

/// The sun itself, where no hill or cloud dims it much.
#[inline(always)]
fn sun_disc(colour: &mut Rgb, ray: [f32; 3], light: &Light) {
    let towards = ray[0] * light.to_sun[0] + ray[1] * light.to_sun[1] + ray[2] * light.to_sun[2];
    let squared = ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2];
    if towards > 0.0 && towards * towards > 0.999 * squared {
        let disc = smoothstep(0.99968, 0.99992, towards / squared.sqrt());
        for k in 0..3 {
            colour[k] += 9.0 * light.glow[k] * disc;
        }
    }
}
