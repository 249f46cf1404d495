//! From a moment of the drive to a picture.
//!
//! - [`view`]: the camera in the car
//! - [`light`]: sun, sky and haze
//! - [`terrain`], [`raster`]: which ground each pixel shows
//! - [`ground`]: what that ground looks like
//! - [`sky`]: everything behind it
//! - [`canvas`]: the picture in the making

mod canvas;
mod ground;
mod light;
mod raster;
mod sky;
mod terrain;
mod view;

use super::driver::CarState;
use super::noise::{NoiseMap, hash};
use super::style::Style;
use super::track::Track;
use crate::{CameraGeometry, RgbImage};
use canvas::Canvas;
use ground::{Ground, GroundFrame};
use light::Light;
use sky::Sky;
use terrain::Terrain;
use view::View;

pub use view::camera_geometry;

/// Renders one drive. Whatever it keeps between frames only saves work: a frame depends on the seed and the moment.
pub struct Renderer {
    seed: u64,
    geometry: CameraGeometry,
    canvas: Canvas,
    noise: NoiseMap,
    light: Light,
    sky: Sky,
    terrain: Terrain,
    ground: Ground,
}

impl Renderer {
    /// A renderer of `width` x `height` pixels.
    pub fn new(seed: u64, style: &Style, width: usize, height: usize) -> Self {
        let light = Light::new(seed, style);
        Self {
            seed,
            geometry: camera_geometry(width, height),
            canvas: Canvas::new(width, height),
            noise: NoiseMap::new(seed),
            sky: Sky::new(seed, style, &light),
            light,
            terrain: Terrain::new(seed, style),
            ground: Ground::new(seed, style),
        }
    }

    /// The picture at a moment.
    pub fn render(&mut self, track: &Track, car: &CarState, time_s: f64, index: usize) -> RgbImage {
        let view = View::new(self.seed, track, car, &self.geometry);
        let reference_s = view.s.floor();
        self.canvas.clear();
        self.terrain.draw(&mut self.canvas, &view, track, &self.noise, self.light.to_sun, reference_s);
        let frame = GroundFrame {
            light: &self.light,
            noise: &self.noise,
            reference_s,
            time_s: time_s as f32,
            through_trees: &|_, _, _| 1.0,
        };
        self.ground.draw(&mut self.canvas, &frame);
        self.sky.draw(&mut self.canvas, &view, &self.light, &self.noise, time_s);
        let overhead = self.light.through_clouds(&self.noise, view.s as f32, 0.0, time_s as f32);
        let exposure = self.light.exposure(time_s, 1.0 - overhead);
        self.canvas.develop(exposure, hash(self.seed, 0x6672_616d, index as i64))
    }
}
