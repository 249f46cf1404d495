//! Plants, cars and everything else that stands on the ground, drawn from the farthest to the nearest.

use super::super::driver::CarState;
use super::super::noise::NoiseMap;
use super::super::style::Style;
use super::super::track::Track;
use super::brush::{Placement, Sprite};
use super::canvas::Canvas;
use super::cars::{self, Car};
use super::foliage::Foliage;
use super::furniture::{Finder, Thing};
use super::light::Light;
use super::polygon::Painter;
use super::pose::{CameraPoint, CameraPose};
use super::scenery::{CELL_M, Kind, Plant, Scenery};
use super::shade::Shade;
use super::terrain::{REACH_M, Terrain};

/// How far tufts of grass are drawn.
const TUFTS_M: f64 = 38.0;

/// What the things on the ground depend on.
pub struct Stage<'a> {
    /// Seed of the drive.
    pub seed: u64,
    /// Style of the drive.
    pub style: &'a Style,
    /// Course of the road.
    pub track: &'a Track,
    /// Shape of the land.
    pub terrain: &'a Terrain,
    /// Noise of the drive.
    pub noise: &'a NoiseMap,
    /// Sun, sky and haze.
    pub light: &'a Light,
    /// Pictures of plants.
    pub foliage: &'a Foliage,
    /// Where plants grow.
    pub scenery: &'a Scenery,
    /// Shadows of trees.
    pub shade: &'a Shade,
    /// The camera.
    pub view: &'a CameraPose,
    /// Time of the frame.
    pub time_s: f64,
    /// Where fragments count `s` from.
    pub reference_s: f64,
}

enum Item {
    Plant(Plant, CameraPoint),
    Thing(Thing),
    Car(Car),
}

impl Item {
    fn depth(&self) -> f32 {
        match self {
            Item::Plant(_, seen) => seen[0],
            Item::Thing(thing) => thing.depth,
            Item::Car(car) => car.depth,
        }
    }
}

impl Stage<'_> {
    /// Draws everything; `leader` is where the car ahead drives, if there is one.
    pub fn draw(&self, canvas: &mut Canvas, leader: Option<CarState>) {
        let mut items = self.plants(canvas);
        let finder = Finder {
            seed: self.seed,
            style: self.style,
            track: self.track,
            terrain: self.terrain,
            noise: self.noise,
            view: self.view,
        };
        items.extend(finder.find().into_iter().map(Item::Thing));
        let cars = cars::find(self.seed, self.style, self.track, self.view, self.time_s, leader);
        items.extend(cars.into_iter().map(Item::Car));
        items.sort_by(|a, b| b.depth().total_cmp(&a.depth()));
        for item in &items {
            match item {
                Item::Plant(plant, seen) => self.draw_plant(canvas, plant, *seen),
                Item::Thing(thing) => {
                    let sunlit = self.sunlight(thing.s, thing.left);
                    thing.draw(&mut Painter::new(canvas, self.view, self.light), sunlit);
                }
                Item::Car(car) => {
                    let sunlit = self.sunlight(car.s, car.left);
                    car.draw(&mut Painter::new(canvas, self.view, self.light), sunlit);
                }
            }
        }
    }

    /// Share of sunlight that reaches a place beside the road.
    pub fn sunlight(&self, s: f64, left: f32) -> f32 {
        let trees = self.shade.through((s - self.reference_s) as f32, left, 1.5);
        trees * self.light.through_clouds(self.noise, s.rem_euclid(150.0 * 128.0) as f32, left, self.time_s as f32)
    }

    /// Share of the road ahead that lies in the shade, which the camera's exposure follows.
    pub fn shade_ahead(&self, lane_m: f32) -> f32 {
        let lit: f32 = (0..10).map(|k| self.sunlight(self.view.s + 4.0 + 3.5 * f64::from(k), lane_m)).sum();
        1.0 - lit / 10.0
    }

    fn plants(&self, canvas: &Canvas) -> Vec<Item> {
        let mut plants = Vec::new();
        let cell = |metres: f64| ((self.view.s + metres) / CELL_M).floor() as i64;
        for k in cell(-2.0)..=cell(REACH_M) {
            self.scenery.plants(self.foliage, k, 80.0, &mut plants);
        }
        for k in cell(-2.0)..=cell(TUFTS_M) {
            self.scenery.tufts(self.foliage, k, &mut plants);
        }
        plants.into_iter().filter_map(|plant| self.see(plant, canvas)).collect()
    }

    /// The plant and where the camera sees its foot, unless it is out of the picture.
    fn see(&self, plant: Plant, canvas: &Canvas) -> Option<Item> {
        let here = self.track.at(plant.s);
        // Deep inside a curve, cross-sections would meet.
        if f64::from(plant.left) * here.curvature > 0.62 {
            return None;
        }
        let left = f64::from(plant.left);
        let (sin, cos) = (libm::sin(here.heading), libm::cos(here.heading));
        let rough = self.view.see(here.x - left * sin, here.y + left * cos, here.z);
        let half_view = 0.5 * canvas.width as f32 / self.view.focal_px;
        if rough[0] < 1.0 || rough[1].abs() > rough[0] * half_view + plant.height {
            return None;
        }
        let [x, y, z] = self.terrain.ground(self.noise, &here, plant.s, plant.left);
        Some(Item::Plant(plant, self.view.see(x, y, z)))
    }

    fn draw_plant(&self, canvas: &mut Canvas, plant: &Plant, foot: CameraPoint) {
        let sprite: &Sprite = match plant.kind {
            Kind::Tree(k) => &self.foliage.trees[k].sprite,
            Kind::Bush(k) => &self.foliage.bushes[k],
            Kind::Tuft(k) => &self.foliage.tufts[k],
        };
        let [x, y] = self.view.project(foot);
        let height = plant.height * self.view.focal_px / foot[0];
        let width = height * sprite.aspect;
        if height < 0.7 || x + width < 0.0 || x - width > canvas.width as f32 || y < 0.0 {
            return;
        }
        // The pictures have the sun to their left; seen against the sun, plants are darker.
        let sun = self.view.see_direction(self.light.to_sun);
        let road_sun = self.track.at(plant.s).heading;
        let sun_left =
            self.light.to_sun[1] * libm::cos(road_sun) as f32 - self.light.to_sun[0] * libm::sin(road_sun) as f32;
        let against =
            if self.style.has_shadows() { 1.0 - 0.38 * sun[0].max(0.0) + 0.12 * (-sun[0]).max(0.0) } else { 1.0 };
        let shaded = match plant.kind {
            Kind::Tree(_) => self.light.through_clouds(
                self.noise,
                plant.s.rem_euclid(150.0 * 128.0) as f32,
                plant.left,
                self.time_s as f32,
            ),
            _ => self.sunlight(plant.s, plant.left),
        };
        let bright = against * (0.38 + 0.62 * shaded);
        let placement = Placement {
            x: x - 0.5 * width,
            y: y - height,
            width,
            height: height * 1.02,
            flip: sun_left < 0.0,
            depth: foot[0],
            brightness: plant.tone.map(|t| t * bright),
            haze: self.light.haze(foot[0]),
            horizon: self.light.horizon,
        };
        sprite.draw(canvas, &placement);
    }
}
