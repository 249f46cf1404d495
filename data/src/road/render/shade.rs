//! Shadows of trees on the ground, kept in tiles along the road that are made when first seen.

use super::super::noise::{NoiseMap, smoothstep};
use super::super::track::Track;
use super::foliage::Foliage;
use super::scenery::{CELL_M, Kind, Plant, Scenery};

/// Length of a tile.
const TILE_M: f64 = 32.0;
/// Texels of a tile along and across the road.
const ALONG: usize = 128;
const ACROSS: usize = 128;
/// Texels a metre.
const PER_METRE: f32 = 4.0;
/// Texels a metre along the road of each level.
const SCALE: [f32; LEVELS] = [4.0, 2.0, 1.0, 0.5, 0.25];
/// A tile at half, quarter ... the fineness along the road.
const LEVELS: usize = 5;
/// Tiles visible at once.
const TILES: usize = 10;
/// Longest shadow.
const LONGEST_M: f32 = 26.0;

/// One tile: the share of sunlight let through, 0 to 255, `[level][along][across]`.
struct Tile {
    number: i64,
    levels: [Vec<u8>; LEVELS],
}

/// Shadows of trees on the ground.
pub struct Shade {
    tiles: Vec<Tile>,
    to_sun: [f32; 3],
    /// No shadows under a grey sky.
    active: bool,
    first: i64,
    /// Added to a fragment's `s` to count from the first tile.
    offset: f32,
    plants: Vec<Plant>,
}

impl Shade {
    /// No tiles yet.
    pub fn new(active: bool, to_sun: [f32; 3]) -> Self {
        Self { tiles: Vec::new(), to_sun, active, first: 0, offset: 0.0, plants: Vec::new() }
    }

    /// Makes the tiles that a camera at `camera_s` sees.
    pub fn prepare(
        &mut self,
        camera_s: f64,
        reference_s: f64,
        scenery: &Scenery,
        foliage: &Foliage,
        track: &Track,
        noise: &NoiseMap,
    ) {
        if !self.active {
            return;
        }
        self.first = ((camera_s - 4.0) / TILE_M).floor() as i64;
        self.offset = (reference_s - self.first as f64 * TILE_M) as f32;
        let wanted = self.first..self.first + TILES as i64;
        let mut old = std::mem::take(&mut self.tiles);
        for number in wanted {
            let tile = match old.iter().position(|t| t.number == number) {
                Some(place) => old.swap_remove(place),
                None => self.make(number, scenery, foliage, track, noise),
            };
            self.tiles.push(tile);
        }
    }

    /// Share of sunlight at a place on the ground that a pixel covers `span` metres of.
    #[inline(always)]
    pub fn through(&self, s: f32, left: f32, span: f32) -> f32 {
        let along = (s + self.offset).max(0.0);
        let number = (along * (1.0 / TILE_M as f32)) as i32 as usize;
        if !self.active || number >= TILES || left.abs() > 15.8 {
            return if self.active { 0.85 } else { 1.0 };
        }
        let level = (((span * PER_METRE).max(1.0).to_bits() >> 23) as usize - 127).min(LEVELS - 1);
        let rows = ALONG >> level;
        let x = ((along - number as f32 * TILE_M as f32) * SCALE[level] - 0.5).max(0.0);
        let y = (left + 16.0) * PER_METRE - 0.5;
        let (x0, y0) = (x as i32 as usize, y as i32 as usize);
        let (tx, ty) = (x - x0 as f32, y - y0 as f32);
        let texels = &self.tiles[number].levels[level];
        let (a, b) = (x0.min(rows - 1) * ACROSS + y0, (x0 + 1).min(rows - 1) * ACROSS + y0);
        let at = |i: usize| f32::from(texels[i]);
        let near = at(a) + (at(a + 1) - at(a)) * ty;
        let far = at(b) + (at(b + 1) - at(b)) * ty;
        (near + (far - near) * tx) * (1.0 / 255.0)
    }

    fn make(&mut self, number: i64, scenery: &Scenery, foliage: &Foliage, track: &Track, noise: &NoiseMap) -> Tile {
        let start = number as f64 * TILE_M;
        let reach = f64::from(LONGEST_M) + 6.0;
        let mut plants = std::mem::take(&mut self.plants);
        plants.clear();
        let cells = ((start - reach) / CELL_M).floor() as i64..((start + TILE_M + reach) / CELL_M).ceil() as i64;
        for cell in cells {
            scenery.plants(foliage, cell, 18.0, &mut plants);
        }
        let mut finest = vec![1.0_f32; ALONG * ACROSS];
        for plant in &plants {
            let heading = track.at(plant.s).heading;
            let shadow = Shadow::of(plant, foliage, heading, self.to_sun, start);
            shadow.darken(&mut finest, noise, start);
        }
        self.plants = plants;
        let mut levels: [Vec<u8>; LEVELS] = std::array::from_fn(|_| Vec::new());
        let mut texels = finest;
        for level in &mut levels {
            *level = texels.iter().map(|t| (t * 255.0) as u8).collect();
            texels = texels
                .chunks_exact(2 * ACROSS)
                .flat_map(|pair| (0..ACROSS).map(|i| 0.5 * (pair[i] + pair[ACROSS + i])))
                .collect();
        }
        Tile { number, levels }
    }
}

/// The shadow of a plant: an ellipse for the crown and a strip for the trunk.
struct Shadow {
    /// Foot, metres from the tile's start and to the left.
    foot: [f32; 2],
    /// Unit vector away from the sun.
    away: [f32; 2],
    /// From the foot to the crown's middle.
    distance: f32,
    /// Radii along and across.
    radii: [f32; 2],
    trunk: f32,
}

impl Shadow {
    fn of(plant: &Plant, foliage: &Foliage, heading: f64, to_sun: [f32; 3], start: f64) -> Self {
        let (sin, cos) = (libm::sin(heading) as f32, libm::cos(heading) as f32);
        let towards = [to_sun[0] * cos + to_sun[1] * sin, to_sun[1] * cos - to_sun[0] * sin];
        let flat = (towards[0] * towards[0] + towards[1] * towards[1]).sqrt().max(1e-3);
        let stretch = (flat / to_sun[2].max(0.1)).min(4.0);
        let (crown, trunk) = match plant.kind {
            Kind::Tree(kind) => (foliage.trees[kind].crown, 0.022 * plant.height),
            _ => ([0.45, 0.55, 0.4], 0.0),
        };
        let [middle, wide, tall] = crown.map(|share| share * plant.height);
        let along = (wide * wide + (tall * stretch) * (tall * stretch)).sqrt();
        Self {
            foot: [(plant.s - start) as f32, plant.left],
            away: [-towards[0] / flat, -towards[1] / flat],
            distance: (middle * stretch).min(LONGEST_M - along.min(12.0)),
            radii: [along.min(12.0), wide],
            trunk,
        }
    }

    fn darken(&self, texels: &mut [f32], noise: &NoiseMap, start: f64) {
        let reach = 1.25 * self.radii[0].max(self.radii[1]);
        let bound = |k: usize, count: usize, from: f32| {
            let centre = self.foot[k] + self.away[k] * self.distance;
            let low = (centre - reach).min(self.foot[k]) - from;
            let high = (centre + reach).max(self.foot[k]) - from;
            let clip = |x: f32| (x * PER_METRE).clamp(0.0, count as f32) as usize;
            clip(low)..clip(high)
        };
        let wrapped = start.rem_euclid(2048.0) as f32;
        for i in bound(0, ALONG, 0.0) {
            let s = (i as f32 + 0.5) / PER_METRE;
            for j in bound(1, ACROSS, -16.0) {
                let left = (j as f32 + 0.5) / PER_METRE - 16.0;
                let (ds, dl) = (s - self.foot[0], left - self.foot[1]);
                let along = ds * self.away[0] + dl * self.away[1];
                let across = dl * self.away[0] - ds * self.away[1];
                let (p, q) = ((along - self.distance) / self.radii[0], across / self.radii[1]);
                let inside = p * p + q * q;
                let mut dark = 0.0;
                if inside < 1.6 {
                    let (x, y) = (s + wrapped, left);
                    let leaves = noise.at(x * 1.25, y * 1.3) + 0.6 * noise.at(x * 0.5, y * 0.55);
                    let gaps = smoothstep(0.1, 0.75, noise.at(x * 2.5, y * 2.6));
                    dark = smoothstep(1.15, 0.55, inside + 0.5 * leaves) * (0.95 - 0.4 * gaps);
                }
                if along > 0.0 && along < self.distance && across.abs() < self.trunk.max(0.0) + 0.1 && self.trunk > 0.0
                {
                    dark = dark.max(0.8 * (1.0 - smoothstep(self.trunk, self.trunk + 0.15, across.abs())));
                }
                texels[i * ACROSS + j] *= 1.0 - dark;
            }
        }
    }
}
