//! The view that a model was trained on, and how a source's camera looks unlike it.

use deltasteer_data::{CameraGeometry, SourceInfo};
use serde::{Deserialize, Serialize};

/// Shapes and angles of view that differ by less than this share are the same.
const SAME_SHARE: f32 = 0.1;
/// The same for the height of the horizon, as a share of the picture's.
const SAME_HORIZON: f32 = 0.06;

/// How the pictures of a model's training drives show the road.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingView {
    /// Width over height.
    pub aspect: f32,
    /// Angle of view from the left edge to the right one, degrees.
    pub fov_deg: f32,
    /// Row of the horizon as a share of the height, from the top.
    pub horizon: f32,
    /// Whether angle of view and horizon were stated; else they are assumed.
    pub known: bool,
}

impl Default for TrainingView {
    /// The view of the shipped models.
    fn default() -> Self {
        Self::from_camera(&CameraGeometry { known: true, ..CameraGeometry::assumed(640, 480) }, 640, 480)
    }
}

impl TrainingView {
    /// The view of a source's pictures.
    pub fn of(info: &SourceInfo) -> Self {
        Self::from_camera(&info.camera, info.width, info.height)
    }

    fn from_camera(camera: &CameraGeometry, width: usize, height: usize) -> Self {
        let (width, height) = (width as f32, height as f32);
        let fov_deg = 2.0 * (0.5 * width / camera.focal_px).atan().to_degrees();
        Self { aspect: width / height, fov_deg, horizon: camera.horizon_row / height, known: camera.known }
    }

    /// What is different in a source's pictures, and what to do about it; `None` where nothing is known to be.
    pub fn difference(&self, info: &SourceInfo) -> Option<String> {
        let other = Self::of(info);
        let differs = |one: f32, other: f32| (one / other - 1.0).abs() > SAME_SHARE;
        if differs(self.aspect, other.aspect) {
            return Some(format!(
                "the picture's shape is {:.2}:1 and the model learned on {:.2}:1, so it sees this one squeezed; state the camera \
                 (--fov DEG --horizon ROW), and the part that corresponds is cut out",
                other.aspect, self.aspect
            ));
        }
        let view = differs(self.fov_deg, other.fov_deg) || (self.horizon - other.horizon).abs() > SAME_HORIZON;
        (self.known && other.known && view).then(|| {
            format!(
                "the camera sees {:.0} degrees with the horizon at {:.2} of the height, and the model learned on {:.0} degrees and {:.2}",
                other.fov_deg, other.horizon, self.fov_deg, self.horizon
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(spec: &str) -> SourceInfo {
        deltasteer_data::open(spec).unwrap().info().clone()
    }

    #[test]
    fn another_shape_and_another_view_are_told() {
        let usual = TrainingView::default();
        assert!((usual.fov_deg - 60.9).abs() < 0.1 && usual.horizon == 0.45);
        assert_eq!(usual.difference(&info("road:1,seconds=1,size=160x120")), None);
        let wide = info("road:1,seconds=1,size=320x160");
        let note = usual.difference(&wide).unwrap();
        assert!(note.contains("2.00:1") && note.contains("--fov"), "{note}");
        assert_eq!(TrainingView::of(&wide).difference(&wide), None, "it is the model's own");
        let cut = info("fov=61,horizon=72,source=road:1,seconds=1,size=320x160");
        assert_eq!(usual.difference(&cut), None, "a stated camera is cut to the usual view");
        let other = TrainingView { fov_deg: 100.0, ..usual };
        assert!(other.difference(&cut).unwrap().contains("100 degrees"));
    }
}
