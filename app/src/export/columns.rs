//! What is written of each frame, whatever the kind of table.

use crate::pipeline::FrameResult;

/// The numbers of one frame. Angles are radians of the steering wheel, positive to the left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Numbers {
    /// Place of the frame in its source.
    pub frame: usize,
    /// Seconds from the source's first frame.
    pub time_s: f64,
    /// The human driver's angle, where it is known.
    pub steering_true_rad: Option<f32>,
    /// The delta GRU's angle.
    pub steering_rad: f32,
    /// The dense GRU's angle from the same weights.
    pub steering_dense_rad: Option<f32>,
    /// Columns of the input matrix that were sent.
    pub columns_x: u32,
    /// Columns of the hidden matrix that were sent.
    pub columns_h: u32,
    /// Multiply-accumulates of the delta step.
    pub macs_delta: u64,
    /// Multiply-accumulates of a dense step.
    pub macs_dense: u64,
}

impl Numbers {
    /// Their names, in the order in which they are written.
    pub const NAMES: [&str; 9] = [
        "frame",
        "time_s",
        "steering_true_rad",
        "steering_rad",
        "steering_dense_rad",
        "columns_x",
        "columns_h",
        "macs_delta",
        "macs_dense",
    ];

    /// Of one frame, run by a model whose dense step takes `macs_dense`.
    pub fn of(result: &FrameResult, macs_dense: u64) -> Self {
        Self {
            frame: result.index,
            time_s: result.time_s,
            steering_true_rad: result.steering_true_rad,
            steering_rad: result.steering_rad,
            steering_dense_rad: result.steering_dense_rad,
            columns_x: result.count.columns_x,
            columns_h: result.count.columns_h,
            macs_delta: result.count.macs,
            macs_dense,
        }
    }
}
