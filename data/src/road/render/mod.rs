//! From a moment of the drive to a picture.
//!
//! - [`pose`]: the camera in the car
//! - [`light`]: sun, sky and haze
//! - [`terrain`], [`raster`]: which ground each pixel shows
//! - [`ground`], [`texture`], [`shade`]: what that ground looks like
//! - [`sky`]: everything behind it
//! - [`stage`]: everything that stands on it: [`scenery`] and [`foliage`] (plants), [`cars`] with [`car_shape`], [`furniture`] (signs,
//!   rails, houses), drawn with [`brush`] and [`polygon`]
//! - [`bonnet`]: the edge of our own car
//! - [`canvas`]: the picture in the making

mod bonnet;
mod brush;
mod canvas;
mod car_shape;
mod cars;
mod foliage;
mod furniture;
mod ground;
mod light;
mod polygon;
mod pose;
mod raster;
mod scenery;
mod shade;
mod sky;
mod stage;
mod terrain;
mod texture;

use super::driver::CarState;
use super::noise::{NoiseMap, hash};
use super::style::Style;
use super::track::Track;
use crate::CameraGeometry;
use bonnet::Bonnet;
use canvas::Canvas;
use foliage::Foliage;
use ground::{Ground, GroundFrame};
use light::Light;
use pose::CameraPose;
use scenery::Scenery;
use shade::Shade;
use sky::Sky;
use stage::Stage;
use terrain::Terrain;

pub use cars::HEADWAY_S;
pub use pose::camera_geometry;

/// Renders one drive. Whatever it keeps between frames only saves work: a frame depends on the seed and the moment.
pub struct Renderer {
    seed: u64,
    style: Style,
    geometry: CameraGeometry,
    canvas: Canvas,
    noise: NoiseMap,
    light: Light,
    sky: Sky,
    terrain: Terrain,
    ground: Ground,
    foliage: Foliage,
    scenery: Scenery,
    shade: Shade,
    bonnet: Bonnet,
}

/// A moment of the drive.
pub struct Moment<'a> {
    /// Our car.
    pub car: &'a CarState,
    /// Where our car will be [`HEADWAY_S`] later, which is where a car ahead drives.
    pub leader: Option<CarState>,
    /// Seconds from the first frame.
    pub time_s: f64,
    /// Number of the frame.
    pub index: usize,
}

impl Renderer {
    /// A renderer of `width` x `height` pixels.
    pub fn new(seed: u64, style: &Style, width: usize, height: usize) -> Self {
        let light = Light::new(seed, style);
        let noise = NoiseMap::new(seed);
        let foliage = Foliage::new(seed, style, &light);
        Self {
            seed,
            style: style.clone(),
            geometry: camera_geometry(width, height),
            canvas: Canvas::new(width, height),
            sky: Sky::new(seed, style, &light),
            terrain: Terrain::new(seed, style),
            ground: Ground::new(seed, style, &noise),
            scenery: Scenery::new(seed, style, &foliage),
            shade: Shade::new(style.has_shadows(), light.to_sun),
            bonnet: Bonnet::new(seed),
            foliage,
            noise,
            light,
        }
    }

    /// The picture at a moment.
    pub fn render(&mut self, track: &Track, moment: &Moment) -> ndarray::Array3<u8> {
        let view = CameraPose::new(self.seed, track, moment.car, &self.geometry);
        let reference_s = view.s.floor();
        let Self { canvas, noise, light, .. } = self;
        canvas.clear();
        Bonnet::hide(canvas);
        self.shade.prepare(view.s, reference_s, &self.scenery, &self.foliage, track, noise);
        self.terrain.draw(canvas, &view, track, noise, light.to_sun, reference_s);
        let frame = GroundFrame { light, noise, reference_s, time_s: moment.time_s as f32, shade: &self.shade };
        self.ground.draw(canvas, &frame);
        self.sky.draw(canvas, &view, light, noise, moment.time_s);
        let stage = Stage {
            seed: self.seed,
            style: &self.style,
            track,
            terrain: &self.terrain,
            noise,
            light,
            foliage: &self.foliage,
            scenery: &self.scenery,
            shade: &self.shade,
            view: &view,
            time_s: moment.time_s,
            reference_s,
        };
        stage.draw(canvas, moment.leader);
        let shade = stage.shade_ahead(self.style.lane_centre_m());
        self.bonnet.draw(canvas, light, 1.0 - 0.8 * shade);
        let exposure = light.exposure(moment.time_s, shade);
        canvas.develop(exposure, hash(self.seed, 0x6672_616d, moment.index as i64))
    }
}
