//! Where the camera sits and looks: enough to draw a predicted path into the picture.

use std::f32::consts::FRAC_PI_2;

/// Row of the horizon as a share of the height: that of the recorded drives of Udacity's Challenge 2, which the shipped models
/// learned on, as their own motion shows it (0.45 to 0.46; `deltasteer info --find-horizon`).
const USUAL_HORIZON: f32 = 0.45;

/// Where a drawn path begins, metres ahead of the camera.
const NEAR_M: f32 = 4.0;
/// Where it ends: two seconds and more at 80 km/h.
const FAR_M: f32 = 50.0;

/// A forward-looking pinhole camera fixed in a car, in pixels of the source's own frames.
///
/// Vehicle axes: `ahead_m` forward from the camera, `left_m` to its left, the road at `height_m` below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraGeometry {
    /// Focal length in pixels, the same in both directions.
    pub focal_px: f32,
    /// Column straight ahead.
    pub centre_column: f32,
    /// Row of the horizon on level ground.
    pub horizon_row: f32,
    /// Height of the camera above the road.
    pub height_m: f32,
    /// Camera's distance ahead of the rear axle.
    pub ahead_of_rear_axle_m: f32,
    /// Distance between the axles.
    pub wheelbase_m: f32,
    /// Angle of the steering wheel divided by that of the front wheels.
    pub steering_ratio: f32,
    /// False where the figures are only assumed.
    pub known: bool,
}

impl CameraGeometry {
    /// A guess for a recording that says nothing: a wide lens (about 60 degrees across) behind the windscreen of a
    /// saloon car, the horizon at [`USUAL_HORIZON`] of the height.
    pub fn assumed(width: usize, height: usize) -> Self {
        Self {
            focal_px: 0.85 * width as f32,
            centre_column: 0.5 * width as f32,
            horizon_row: USUAL_HORIZON * height as f32,
            height_m: 1.3,
            ahead_of_rear_axle_m: 1.6,
            wheelbase_m: 2.8,
            steering_ratio: 15.0,
            known: false,
        }
    }

    /// Curvature of the path (1/m, positive left) that a steering-wheel angle holds at low speed: the kinematic bicycle
    /// model, `tan(steering_rad / steering_ratio) / wheelbase_m`.
    pub fn curvature(&self, steering_rad: f32) -> f32 {
        (steering_rad / self.steering_ratio).tan() / self.wheelbase_m
    }

    /// Column and row of a point on a level road, or `None` if it is not in front of the camera.
    pub fn project(&self, ahead_m: f32, left_m: f32) -> Option<(f32, f32)> {
        (ahead_m > 0.1).then(|| {
            let scale = self.focal_px / ahead_m;
            (self.centre_column - left_m * scale, self.horizon_row + self.height_m * scale)
        })
    }

    /// Columns and rows of the line that runs `beside_m` to the left of the path of a steering-wheel angle, from 4 to 50 m
    /// ahead. The rear axle follows a circle of curvature `k`: after an arc `s` it has come `sin(ks)/k` ahead and
    /// `(1 - cos(ks))/k` to the left.
    pub fn path(&self, steering_rad: f32, beside_m: f32) -> Vec<(f32, f32)> {
        const STEPS: usize = 40;
        let k = self.curvature(steering_rad);
        let from = NEAR_M + self.ahead_of_rear_axle_m;
        let to = FAR_M + self.ahead_of_rear_axle_m;
        let mut points = Vec::with_capacity(STEPS + 1);
        for step in 0..=STEPS {
            // Steps grow with distance, because the picture shrinks with it.
            let share = step as f32 / STEPS as f32;
            let arc = from * (to / from).powf(share);
            let turn = k * arc;
            if turn.abs() > FRAC_PI_2 {
                break;
            }
            let (ahead, left) =
                if turn.abs() < 1e-4 { (arc, 0.5 * k * arc * arc) } else { (turn.sin() / k, (1.0 - turn.cos()) / k) };
            let (ahead, left) = (ahead - beside_m * turn.sin(), left + beside_m * turn.cos());
            points.extend(self.project(ahead - self.ahead_of_rear_axle_m, left));
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_bends_the_way_the_wheel_turns_and_ends_below_the_horizon() {
        let camera = CameraGeometry::assumed(640, 480);
        let straight = camera.path(0.0, 0.0);
        assert!(straight.iter().all(|&(column, row)| (column - 320.0).abs() < 1e-3 && row > camera.horizon_row));
        assert!(straight.windows(2).all(|pair| pair[1].1 < pair[0].1));
        assert_eq!(camera.project(-1.0, 0.0), None);
        let left = camera.path(0.8, 0.0);
        let right = camera.path(-0.8, 0.0);
        assert!(left.last().unwrap().0 < 300.0 && right.last().unwrap().0 > 340.0);
        for (l, r) in left.iter().zip(&right) {
            assert!((l.0 + r.0 - 640.0).abs() < 0.1 && (l.1 - r.1).abs() < 0.1, "left and right mirror each other");
        }
    }

    #[test]
    fn the_left_edge_lies_left_of_the_right_edge_even_in_a_sharp_turn() {
        let camera = CameraGeometry::assumed(640, 480);
        for steering_rad in [-6.0, -1.0, 0.0, 1.0, 6.0] {
            let (left, right) = (camera.path(steering_rad, 0.9), camera.path(steering_rad, -0.9));
            assert!(left.len() > 2 && left[0].0 < right[0].0, "{steering_rad}");
        }
    }
}
