//! Where the camera is at one moment, and from the world to the picture.

use super::super::driver::{CAMERA_AHEAD_M, CarState, STEERING_RATIO, WHEELBASE_M};
use super::super::noise::wave;
use super::super::track::Track;
use crate::CameraGeometry;

/// Row of the horizon as a share of the height.
const HORIZON: f32 = 0.4;

/// The built-in road's camera for frames of a given size.
pub fn camera_geometry(width: usize, height: usize) -> CameraGeometry {
    CameraGeometry {
        ahead_of_rear_axle_m: CAMERA_AHEAD_M as f32,
        wheelbase_m: WHEELBASE_M as f32,
        steering_ratio: STEERING_RATIO as f32,
        horizon_row: HORIZON * height as f32,
        known: true,
        ..CameraGeometry::assumed(width, height)
    }
}

/// A point as the camera sees it: metres ahead, to the left and up.
pub type CameraPoint = [f32; 3];

/// The camera at one moment.
pub struct CameraPose {
    position: [f64; 3],
    /// Unit vectors in the world: ahead, left and up.
    axes: [[f32; 3]; 3],
    /// Pixels a unit of slope.
    pub focal_px: f32,
    /// Column straight ahead.
    pub centre_column: f32,
    /// Row straight ahead.
    pub centre_row: f32,
    /// Camera's distance along the road.
    pub s: f64,
    /// Camera's heading in the world, radians.
    pub heading: f64,
}

impl CameraPose {
    /// The view from the car, whose body pitches, rolls and shakes a little.
    pub fn new(seed: u64, track: &Track, car: &CarState, geometry: &CameraGeometry) -> Self {
        let here = track.at(car.s + 0.5 * WHEELBASE_M);
        let shake = 0.0011 * wave(seed, 0x7368_616b, car.s / 2.3) + 0.0016 * wave(seed, 0x626f_756e, car.s / 9.0);
        let sway = 0.0012 * wave(seed, 0x7377_6179, car.s / 3.1);
        let pitch = libm::atan(here.grade) - car.dip + f64::from(shake);
        let roll = libm::atan(here.bank) - car.roll + f64::from(sway);
        let ahead = direction(car.heading, pitch);
        let left = [-libm::sin(car.heading), libm::cos(car.heading), 0.0];
        let up = cross(ahead, left);
        let (sin, cos) = (libm::sin(roll), libm::cos(roll));
        let left_rolled = std::array::from_fn(|k| left[k] * cos - up[k] * sin);
        let up_rolled = std::array::from_fn(|k| up[k] * cos + left[k] * sin);
        let axle = track.at(car.s);
        let ground = [car.x, car.y, axle.z - axle.bank * car.left];
        let height = f64::from(geometry.height_m);
        let position = std::array::from_fn(|k| ground[k] + ahead[k] * CAMERA_AHEAD_M + up[k] * height);
        Self {
            position,
            axes: [ahead, left_rolled, up_rolled].map(|axis: [f64; 3]| axis.map(|c| c as f32)),
            focal_px: geometry.focal_px,
            centre_column: geometry.centre_column,
            centre_row: geometry.horizon_row,
            s: car.s + CAMERA_AHEAD_M,
            heading: car.heading,
        }
    }

    /// A world point as the camera sees it.
    pub fn see(&self, x: f64, y: f64, z: f64) -> CameraPoint {
        let from = [x - self.position[0], y - self.position[1], z - self.position[2]].map(|c| c as f32);
        self.axes.map(|axis| axis[0] * from[0] + axis[1] * from[1] + axis[2] * from[2])
    }

    /// Column and row of a point ahead of the camera.
    pub fn project(&self, point: CameraPoint) -> [f32; 2] {
        let scale = self.focal_px / point[0];
        [self.centre_column - point[1] * scale, self.centre_row - point[2] * scale]
    }

    /// World direction (not of unit length: one unit ahead) through a column and a row.
    pub fn ray(&self, column: f32, row: f32) -> [f32; 3] {
        let left = (self.centre_column - column) / self.focal_px;
        let up = (self.centre_row - row) / self.focal_px;
        std::array::from_fn(|k| self.axes[0][k] + self.axes[1][k] * left + self.axes[2][k] * up)
    }

    /// A world direction as the camera sees it.
    pub fn see_direction(&self, direction: [f32; 3]) -> CameraPoint {
        self.axes.map(|axis| axis[0] * direction[0] + axis[1] * direction[1] + axis[2] * direction[2])
    }

    /// The camera's place in the world.
    pub fn position(&self) -> [f64; 3] {
        self.position
    }
}

fn direction(heading: f64, pitch: f64) -> [f64; 3] {
    let flat = libm::cos(pitch);
    [flat * libm::cos(heading), flat * libm::sin(heading), libm::sin(pitch)]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::super::super::style::Style;
    use super::*;

    /// The published camera geometry and the renderer's own camera put a road point on the same pixel.
    #[test]
    fn the_published_geometry_is_the_one_rendered_with() {
        let style = Style::new(1);
        let track = Track::new(1, &style, 100.0);
        let geometry = camera_geometry(320, 160);
        let start = track.at(0.0);
        let car = CarState { x: start.x, y: start.y, heading: start.heading, ..CarState::default() };
        let view = CameraPose::new(1, &track, &car, &geometry);
        let (column, row) = geometry.project(12.0, 2.0).unwrap();
        let ahead = 12.0 + CAMERA_AHEAD_M;
        let seen = view.project(view.see(start.x + ahead, start.y + 2.0, start.z + ahead * start.grade));
        assert!((seen[0] - column).abs() < 1.5 && (seen[1] - row).abs() < 1.5, "{seen:?} {column} {row}");
    }
}
