//! Altered frames for training: the same moment of a drive, seen with another camera, light and weather.
//!
//! An alteration is the same for neighbouring frames and drifts slowly along the drive, so that an altered drive is still
//! a drive: a recurrent network can be trained on it, and "quiet" features stay quiet. [`DriveAugmentation`] says how frame
//! `i` is altered, [`WidePicture::render`] does it.

mod render;
mod wander;

pub use render::WidePicture;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wander::Wander;
pub(crate) use wander::normal;

/// How one frame is altered, in pixels of the trunk's picture (256 x 96) and 8-bit colour values.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Left and right swapped; comes first, all else applies to the mirrored frame.
    pub mirror: bool,
    /// The picture moves to the right: the car stands too far left, or looks too far left.
    pub shift_right_px: f32,
    /// The picture moves down: the car's nose is up.
    pub shift_down_px: f32,
    /// The picture turns anticlockwise.
    pub rotation_deg: f32,
    /// The picture grows by this factor.
    pub zoom: f32,
    /// Standard deviation of a Gaussian blur; none below 0.3.
    pub blur_px: f32,
    /// Brightness is raised to this power.
    pub gamma: f32,
    /// Then multiplied.
    pub gain: f32,
    /// Then raised by this much.
    pub lift: f32,
    /// Then multiplied for red, green and blue.
    pub colour: [f32; 3],
    /// Share of the light taken away left of the shadow's edge; none below 0.1.
    pub shade: f32,
    /// Where the shadow's edge crosses the top and the bottom row.
    pub shade_edge_px: [f32; 2],
    /// Standard deviation of Gaussian noise on every value.
    pub noise: f32,
    /// Seed of that noise.
    pub noise_seed: u64,
}

impl Default for View {
    /// Nothing is altered.
    fn default() -> Self {
        Self {
            mirror: false,
            shift_right_px: 0.0,
            shift_down_px: 0.0,
            rotation_deg: 0.0,
            zoom: 1.0,
            blur_px: 0.0,
            gamma: 1.0,
            gain: 1.0,
            lift: 0.0,
            colour: [1.0; 3],
            shade: 0.0,
            shade_edge_px: [0.0; 2],
            noise: 0.0,
            noise_seed: 0,
        }
    }
}

impl View {
    /// The angle that a driver would steer who sees the altered frame, radians, positive to the left. `rad_per_px` says
    /// by how much he steers back to the right for each pixel by which the picture was moved to the right.
    pub fn steering_rad(&self, recorded_rad: f32, rad_per_px: f32) -> f32 {
        let seen = if self.mirror { -recorded_rad } else { recorded_rad };
        seen - rad_per_px * self.shift_right_px
    }
}

/// The alterations of one version of a drive. Version 0 is the drive as recorded, 1 its mirror image, all further ones are
/// altered, the odd ones mirrored as well. The same seed, version and length give the same alterations.
#[derive(Debug, Clone)]
pub struct DriveAugmentation {
    version: u32,
    seed: u64,
    shift: [Wander; 2],
    rotation: Wander,
    zoom: Wander,
    blur: Wander,
    /// Logarithms of gamma, gain, red, green and blue.
    tone: [Wander; 5],
    lift: Wander,
    shade: Wander,
    edge: [Wander; 2],
    noise: Wander,
}

impl DriveAugmentation {
    /// Alterations for a drive of `frames` frames.
    pub fn new(seed: u64, version: u32, frames: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(version));
        // Frames between two turning points, standard deviation, limit.
        let mut wander =
            |every: usize, deviation: f32, limit: f32| Wander::new(&mut rng, frames, every, deviation, limit);
        Self {
            version,
            seed,
            shift: [wander(120, 9.0, 20.0), wander(60, 2.5, 8.0)],
            rotation: wander(60, 1.2, 3.0),
            zoom: wander(120, 0.04, 0.1),
            blur: wander(60, 0.6, 1.5),
            tone: [
                wander(60, 0.25, 0.6),
                wander(60, 0.25, 0.7),
                wander(200, 0.06, 0.15),
                wander(200, 0.06, 0.15),
                wander(200, 0.06, 0.15),
            ],
            lift: wander(60, 12.0, 35.0),
            shade: wander(12, 0.25, 0.6),
            edge: [wander(12, 60.0, 120.0), wander(12, 60.0, 120.0)],
            noise: wander(60, 4.0, 10.0),
        }
    }

    /// How frame `frame` is altered.
    pub fn view(&self, frame: usize) -> View {
        let mirror = self.version % 2 == 1;
        if self.version < 2 {
            return View { mirror, ..View::default() };
        }
        let [gamma, gain, red, green, blue] = self.tone.each_ref().map(|tone| tone.at(frame).exp());
        View {
            mirror,
            shift_right_px: self.shift[0].at(frame),
            shift_down_px: self.shift[1].at(frame),
            rotation_deg: self.rotation.at(frame),
            zoom: self.zoom.at(frame).exp(),
            blur_px: self.blur.at(frame).abs(),
            gamma,
            gain,
            lift: self.lift.at(frame),
            colour: [red, green, blue],
            shade: self.shade.at(frame).max(0.0),
            shade_edge_px: self.edge.each_ref().map(|edge| 128.0 + edge.at(frame)),
            noise: self.noise.at(frame).abs(),
            noise_seed: self.seed ^ u64::from(self.version) << 40 ^ frame as u64,
        }
    }
}
