//! What a caller can ask of a running pipeline.

use std::sync::Arc;

use crate::model::Model;

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
#[derive(Debug, Clone)]
pub enum Command {
    /// Let frames flow.
    Play,
    /// End here, as at the end of the source: what has been read goes through, then comes [`Event::Ended`](super::Event).
    End,
    /// Stop after the frame in hand.
    Pause,
    /// Show this many more frames and stop.
    Step(u64),
    /// Show frame `index`. The frames `from..index` are read and computed before it, but not shown.
    Seek {
        /// The frame to show.
        index: usize,
        /// The first frame to read.
        from: usize,
    },
    /// New pace from the next frame on.
    Speed(Pace),
    /// End before this frame; `None`: at the end of the range or source.
    PlayUntil(Option<usize>),
    /// Use this model from the next frame on.
    UseModel(Arc<Model>),
}
