//! What a caller can ask of a running pipeline.

use std::path::PathBuf;

use deltasteer_temporal::Thresholds;

/// How fast frames are let through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as the slowest stage allows.
    Unpaced,
    /// This many times the recording's own speed; 1.0 is real time. Must be finite and above zero.
    Times(f32),
}

/// Frames `first..end` by their index in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRange {
    /// First frame shown.
    pub first: usize,
    /// One past the last frame shown.
    pub end: usize,
}

/// One request. Requests are answered in the order of sending; a run of seeks is answered by its last one.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let frames flow.
    Play,
    /// Stop after the frame in hand.
    Pause,
    /// Show `n` more frames and stop; a negative `n` goes back, as [`Command::Seek`] does.
    Step(i64),
    /// Show this frame. The RNN starts cold a little earlier and runs over the frames before it unseen.
    Seek(usize),
    /// New thresholds from the next frame on.
    SetThresholds(Thresholds),
    /// New pace from the next frame on.
    Speed(Pace),
    /// Start again at `first` after the last frame of the range; `None` plays on to the end.
    Loop(Option<FrameRange>),
    /// Load this model folder and run the shown frame again through it.
    SwitchModel(PathBuf),
    /// Open another source, as `deltasteer_data::open` names it, and start at its first frame.
    OpenSource(String),
    /// Run the dense GRU (the same weights, every column) beside the delta GRU, or not.
    ShadowDense(bool),
}
