//! The shape of the land: a strip of cross-sections along the road, finer near the camera.

use super::super::noise::{NoiseMap, wave};
use super::super::style::Style;
use super::super::track::{Station, Track};
use super::canvas::Canvas;
use super::pose::CameraPose;
use super::raster::{Corner, triangle};

/// How far ahead the strip reaches.
pub const REACH_M: f64 = 460.0;
/// Distances beyond the asphalt's edge at which a cross-section has a node.
const BESIDE_M: [f32; 10] = [0.0, 0.7, 1.7, 3.0, 5.0, 9.0, 17.0, 32.0, 60.0, 115.0];
/// Nodes of a cross-section: both sides and the crown.
const NODES: usize = 2 * BESIDE_M.len() + 1;
/// Spacing of cross-sections up to a distance.
const SPACING: [(f64, f64); 5] = [(16.0, 1.0), (50.0, 2.0), (130.0, 4.0), (260.0, 8.0), (REACH_M, 16.0)];

/// The shape of the land.
pub struct Terrain {
    seed: u64,
    half_width_m: f32,
    /// Height of the hillsides.
    relief_m: f32,
    stations: Vec<f64>,
    rows: [Vec<Corner>; 2],
}

/// The side of the road: 1 left, -1 right.
pub type Side = f32;

impl Terrain {
    /// The land of a seed.
    pub fn new(seed: u64, style: &Style) -> Self {
        let relief_m = style.country.land().relief_m + 160.0 * style.hilliness;
        Self {
            seed,
            half_width_m: style.half_width_m(),
            relief_m,
            stations: Vec::new(),
            rows: [Vec::new(), Vec::new()],
        }
    }

    /// Height of the hillside 60 m beside the road, relative to the road; negative where the land falls away.
    fn hillside(&self, s: f64, side: Side) -> f32 {
        let purpose = if side > 0.0 { 0x6c65_6674 } else { 0x7269_6768 };
        let slow = wave(self.seed, purpose, s / 210.0);
        let quick = wave(self.seed, purpose + 1, s / 70.0);
        self.relief_m * (0.15 + 0.75 * slow + 0.3 * quick)
    }

    /// Height above the road's centre of a point `beside_m` beyond the asphalt.
    fn height(&self, noise: &NoiseMap, s: f64, beside_m: f32, side: Side, hillside: f32) -> f32 {
        let ditch = if beside_m < 3.0 { -0.09 * beside_m } else { -0.27 + 0.05 * (beside_m - 3.0).min(4.0) };
        let t = ((beside_m - 3.0) / 57.0).max(0.0);
        let bumps = noise.at((s * 0.045).rem_euclid(128.0) as f32 + side * 31.0, beside_m * 0.06);
        ditch + hillside * t * (1.6 - 0.6 * t.min(1.6)) + bumps * (0.022 * (beside_m - 3.0).max(0.0)).min(1.6)
    }

    /// World place of the ground at `left_m` beside `here`.
    pub fn ground(&self, noise: &NoiseMap, here: &Station, s: f64, left_m: f32) -> [f64; 3] {
        let side = if left_m >= 0.0 { 1.0 } else { -1.0 };
        let beside = left_m.abs() - self.half_width_m;
        let banked = left_m.clamp(-self.half_width_m - 1.7, self.half_width_m + 1.7);
        let mut z = here.z - here.bank * f64::from(banked);
        if beside > 0.0 {
            z += f64::from(self.height(noise, s, beside, side, self.hillside(s, side)));
        }
        let left = f64::from(left_m);
        [here.x - left * libm::sin(here.heading), here.y + left * libm::cos(here.heading), z]
    }

    /// Draws the land. `sun` points to the sun in the world; `reference_s` is where fragments count `s` from.
    pub fn draw(
        &mut self,
        canvas: &mut Canvas,
        view: &CameraPose,
        track: &Track,
        noise: &NoiseMap,
        sun: [f32; 3],
        reference_s: f64,
    ) {
        self.choose_stations(view.s);
        let stations = std::mem::take(&mut self.stations);
        let mut rows = std::mem::take(&mut self.rows);
        let mut have_before = false;
        for &s in &stations {
            rows.swap(0, 1);
            self.cross_section(&mut rows[1], view, track, noise, sun, s, reference_s);
            if have_before {
                for j in 0..NODES - 1 {
                    let (near, far) = (&rows[0], &rows[1]);
                    triangle(canvas, view, [near[j], far[j], far[j + 1]]);
                    triangle(canvas, view, [near[j], far[j + 1], near[j + 1]]);
                }
            }
            have_before = true;
        }
        self.stations = stations;
        self.rows = rows;
    }

    /// Cross-sections stand at fixed places, so that the land does not swim as the car moves.
    fn choose_stations(&mut self, camera_s: f64) {
        self.stations.clear();
        let mut s = (camera_s - 3.0).floor();
        for (reach, spacing) in SPACING {
            s = (s / spacing).ceil() * spacing;
            while s < camera_s + reach {
                self.stations.push(s);
                s += spacing;
            }
        }
    }

    /// Corners from the far left to the far right.
    fn cross_section(
        &self,
        row: &mut Vec<Corner>,
        view: &CameraPose,
        track: &Track,
        noise: &NoiseMap,
        sun: [f32; 3],
        s: f64,
        reference_s: f64,
    ) {
        let here = track.at(s);
        let (sin, cos) = (libm::sin(here.heading), libm::cos(here.heading));
        let sun_left = -sun[0] * sin as f32 + sun[1] * cos as f32;
        let sun_ahead = sun[0] * cos as f32 + sun[1] * sin as f32;
        let hillside = [self.hillside(s, 1.0), self.hillside(s, -1.0)];
        // On the inside of a curve the cross-sections must not meet.
        let inside = 0.7 / here.curvature.abs().max(1e-4) as f32 - self.half_width_m;
        row.clear();
        let mut heights = [0.0_f32; NODES];
        let mut lefts = [0.0_f32; NODES];
        for j in 0..NODES {
            let from_centre = j as i32 - BESIDE_M.len() as i32;
            if from_centre == 0 {
                continue;
            }
            let side: Side = if from_centre < 0 { 1.0 } else { -1.0 };
            let mut beside = BESIDE_M[from_centre.unsigned_abs() as usize - 1];
            if f64::from(side) * here.curvature > 0.0 {
                beside = beside.min(inside);
            }
            lefts[j] = side * (self.half_width_m + beside);
            let banked = lefts[j].clamp(-self.half_width_m - 1.7, self.half_width_m + 1.7);
            let relief = self.height(noise, s, beside, side, hillside[usize::from(side < 0.0)]);
            heights[j] = relief - here.bank as f32 * banked;
        }
        for j in 0..NODES {
            let (a, b) = (j.saturating_sub(1), (j + 1).min(NODES - 1));
            let slope = (heights[b] - heights[a]) / (lefts[b] - lefts[a]).min(-1e-3);
            let facing = sun[2] - slope * sun_left - here.grade as f32 * sun_ahead;
            let lit = (facing / (1.0 + slope * slope).sqrt()).max(0.0) / sun[2].max(0.05);
            let left = f64::from(lefts[j]);
            let seen = view.see(here.x - left * sin, here.y + left * cos, here.z + f64::from(heights[j]));
            row.push(Corner { seen, s: (s - reference_s) as f32, left: lefts[j], lit: lit.min(2.0) });
        }
    }
}
