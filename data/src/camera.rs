//! Where the camera sits and looks: enough to draw a predicted path into the picture.

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
    /// saloon car, the horizon at 0.4 of the height.
    pub fn assumed(width: usize, height: usize) -> Self {
        Self {
            focal_px: 0.85 * width as f32,
            centre_column: 0.5 * width as f32,
            horizon_row: 0.4 * height as f32,
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

    /// Columns and rows of the path that a steering-wheel angle predicts, at the given distances ahead of the camera.
    /// The car turns about a point beside its rear axle, so a point `d` ahead of that axle lies
    /// `curvature * d^2 / 2` to the left (small angles).
    pub fn path(&self, steering_rad: f32, ahead_m: &[f32]) -> Vec<(f32, f32)> {
        let curvature = self.curvature(steering_rad);
        let lateral = |d: f32| 0.5 * curvature * d * d;
        ahead_m.iter().filter_map(|&d| self.project(d, lateral(d + self.ahead_of_rear_axle_m))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_left_turn_leads_to_the_left_and_far_points_to_the_horizon() {
        let camera = CameraGeometry::assumed(320, 160);
        let path = camera.path(0.3, &[5.0, 20.0, 80.0]);
        assert_eq!(path.len(), 3);
        assert!(path.windows(2).all(|p| p[1].0 < p[0].0 && p[1].1 < p[0].1));
        assert!(path[2].1 > camera.horizon_row && path[2].1 < camera.horizon_row + 6.0);
        assert_eq!(camera.project(-1.0, 0.0), None);
    }
}
