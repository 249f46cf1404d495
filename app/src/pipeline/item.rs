//! What travels in the queues between the stages: frames, and whatever must take effect between two of them.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;
use deltasteer_data::{Frame, LiveHealth, SourceInfo};

use super::cnn::Looked;
use super::snapshot::{Before, RunEnd, SeenFrame};
use crate::model::Model;

/// A change for the stages after decode, in its place among the frames.
pub(super) enum Control {
    /// A new source: pass the news on and start cold.
    Opened(Arc<SourceInfo>),
    /// A jump: the RNN forgets everything.
    ColdStart,
    /// Use this model, from a cold start.
    UseModel(Arc<Model>),
    /// The source is at its end. The later stages add what they dropped and refused.
    End(RunEnd),
}

/// A decoded frame on its way to the CNN.
pub(super) struct DecodedFrame {
    pub frame: Frame,
    pub before: Before,
    /// The RNN needs it, the caller does not.
    pub warm_up: bool,
    pub read_at: Instant,
    pub decode_us: f32,
    pub skipped: usize,
    pub health: Option<LiveHealth>,
}

/// A frame whose features may still be under way.
pub(super) struct Pending {
    /// Its features hold the motion values alone.
    pub frame: SeenFrame,
    /// Where the CNN's answer comes from, if it runs on this frame.
    pub result: Option<Receiver<Looked>>,
}

/// A queue's element.
pub(super) enum Item<F> {
    Frame(F),
    Control(Control),
}
