//! Types that are known by name: pictures, and what tells the angle of a steering wheel or of the road wheels.

use crate::selection::{Side, Unit};

/// Definitions for recordings that hold none (ROS 2 bags from before 2023), by `package/Name`.
const DEFINITIONS: [(&str, &str); 9] = [
    ("sensor_msgs/CompressedImage", "std_msgs/Header header\nstring format\nuint8[] data"),
    (
        "sensor_msgs/Image",
        "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\nuint8[] data",
    ),
    ("dbw_mkz_msgs/SteeringReport", "std_msgs/Header header\nfloat32 steering_wheel_angle"),
    ("ackermann_msgs/AckermannDrive", "float32 steering_angle"),
    (
        "ackermann_msgs/AckermannDriveStamped",
        "std_msgs/Header header\nAckermannDrive drive\n====\nMSG: ackermann_msgs/AckermannDrive\nfloat32 steering_angle",
    ),
    ("autoware_vehicle_msgs/SteeringReport", AUTOWARE),
    ("autoware_auto_vehicle_msgs/SteeringReport", AUTOWARE),
    ("std_msgs/Float32", "float32 data"),
    ("std_msgs/Float64", "float64 data"),
];
const AUTOWARE: &str = "builtin_interfaces/Time stamp\nfloat32 steering_tire_angle";

/// The definition of a type, as far as it is needed here.
pub(super) fn definition(kind: &str) -> Option<&'static str> {
    let kind = super::ros::plain_name(kind);
    DEFINITIONS.iter().find(|(name, _)| *name == kind).map(|(_, text)| *text)
}

/// True for a type whose messages are pictures.
pub(super) fn is_picture(kind: &str) -> bool {
    const PICTURES: [&str; 6] = [
        "sensor_msgs/CompressedImage",
        "sensor_msgs/Image",
        "foxglove.CompressedImage",
        "foxglove.RawImage",
        "foxglove_msgs/CompressedImage",
        "foxglove_msgs/RawImage",
    ];
    PICTURES.contains(&super::ros::plain_name(kind).as_str())
}

/// A type that tells an angle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KnownSteering {
    pub kind: &'static str,
    pub field: &'static str,
    pub unit: Unit,
    pub positive: Side,
    /// The angle is that of the road wheels.
    pub road_wheels: bool,
}

/// In the order in which they are preferred: what the driver did before what a program asked for.
const STEERING: [KnownSteering; 6] = [
    known("deltasteer.Steering", "steering_true_rad", false),
    known("dbw_mkz_msgs/SteeringReport", "steering_wheel_angle", false),
    known("autoware_vehicle_msgs/SteeringReport", "steering_tire_angle", true),
    known("autoware_auto_vehicle_msgs/SteeringReport", "steering_tire_angle", true),
    known("ackermann_msgs/AckermannDriveStamped", "drive.steering_angle", true),
    known("ackermann_msgs/AckermannDrive", "steering_angle", true),
];

const fn known(kind: &'static str, field: &'static str, road_wheels: bool) -> KnownSteering {
    KnownSteering { kind, field, unit: Unit::Rad, positive: Side::Left, road_wheels }
}

/// What is known of a type, with its rank, lower before higher.
pub(super) fn steering(kind: &str) -> Option<(usize, KnownSteering)> {
    let kind = super::ros::plain_name(kind);
    STEERING.iter().copied().enumerate().find(|(_, known)| known.kind == kind)
}
