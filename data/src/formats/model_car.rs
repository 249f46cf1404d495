//! Cars without a steering wheel: a command from -1 to 1 stands for an angle of the road wheels.

use crate::{CameraGeometry, SteeringUnit};

/// Angle of the road wheels at full lock, in degrees. The Udacity simulator turns its wheels by exactly this much; a model
/// car's servo by about as much, which its recordings do not state.
const FULL_LOCK_DEG: f32 = 25.0;

/// A command of 1 in radians.
pub(crate) const FULL_LOCK_RAD: f32 = FULL_LOCK_DEG * std::f32::consts::PI / 180.0;

/// The unit of such recordings.
pub(crate) const UNIT: SteeringUnit = SteeringUnit::Normalised { full_scale_rad: FULL_LOCK_RAD };

/// The camera of a 1:10 model car: there is no steering wheel, so the ratio is 1.
pub(super) fn model_car_camera(width: usize, height: usize) -> CameraGeometry {
    CameraGeometry {
        height_m: 0.2,
        ahead_of_rear_axle_m: 0.2,
        wheelbase_m: 0.26,
        steering_ratio: 1.0,
        ..CameraGeometry::assumed(width, height)
    }
}

/// The camera of the simulator's car, of ordinary size.
pub(crate) fn simulator_camera(width: usize, height: usize) -> CameraGeometry {
    CameraGeometry { steering_ratio: 1.0, ..CameraGeometry::assumed(width, height) }
}
