//! What a pipeline hands out: immutable snapshots.

use std::sync::Arc;
use std::time::Instant;

use deltasteer_data::{LiveHealth, SkipReport, SourceInfo};
use deltasteer_perception::CnnWork;
use deltasteer_temporal::{StepCount, Thresholds, Totals};
use ndarray::Array3;

use crate::model::Model;

/// Everything known about one frame once it has left the last stage.
#[derive(Debug, Clone)]
pub struct FrameResult {
    /// Place of the frame in its source; skipped frames leave holes.
    pub index: usize,
    /// Seconds from the source's first frame.
    pub time_s: f64,
    /// The picture as it was recorded, `[height][width][3]`.
    pub image: Arc<Array3<u8>>,
    /// The human driver's angle, where the source knows it.
    pub steering_true_rad: Option<f32>,
    /// The delta GRU's angle: the answer.
    pub steering_rad: f32,
    /// The dense GRU's angle from the same weights, while the shadow runs.
    pub steering_dense_rad: Option<f32>,
    /// The CNN's own angle from this frame alone.
    pub steering_single_frame_rad: f32,
    /// The thresholds this frame was run with.
    pub thresholds: Thresholds,
    /// The work of this frame's delta step, counted from the columns it walked.
    pub count: StepCount,
    /// Input columns sent on, each with the signed change that was sent.
    pub sent_x: Vec<(u32, f32)>,
    /// Hidden columns sent on, each with the signed change that was sent.
    pub sent_h: Vec<(u32, f32)>,
    /// The RNN's inputs: features, then motion values where the model takes them; `[inputs]`.
    pub features: Vec<f32>,
    /// The hidden state after the step, `[hidden]`.
    pub hidden: Vec<f32>,
    /// Whether the CNN ran on this frame; else its last features stand.
    pub looked: bool,
    /// The work of CNN and motion sensor for this frame.
    pub cnn_work: CnnWork,
    /// When the frame had been read from its source.
    pub read_at: Instant,
    /// Time spent in each stage.
    pub times: StageTimes,
    /// Frames waiting when this one left the RNN.
    pub queues: QueueLengths,
    /// Frames that the source could not read so far.
    pub skipped: usize,
    /// Live frames dropped so far because a newer one had come.
    pub dropped: usize,
    /// Live feed's health, where the source tells it.
    pub health: Option<LiveHealth>,
    /// Sums over every step since the RNN last started cold, warm-up steps and the first frame included.
    pub totals: Totals,
}

/// What was read directly before a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing: the drive, or the range to run, starts here.
    Start,
    /// The source jumped here.
    Jump,
    /// This frame.
    Frame(usize),
}

/// A frame that the CNN has seen: everything but the RNN's answer. Fields as in [`FrameResult`].
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct SeenFrame {
    pub index: usize,
    pub time_s: f64,
    pub before: Before,
    pub image: Arc<Array3<u8>>,
    pub steering_true_rad: Option<f32>,
    pub steering_single_frame_rad: f32,
    pub features: Vec<f32>,
    pub looked: bool,
    pub cnn_work: CnnWork,
    /// Read for the RNN's sake before a frame that was jumped to; not to be shown.
    pub warm_up: bool,
    /// When it was read from its source.
    pub read_at: Instant,
    pub decode_us: f32,
    pub cnn_us: f32,
    /// Decoded frames that waited for the CNN.
    pub to_cnn: usize,
    pub skipped: usize,
    pub dropped: usize,
    pub health: Option<LiveHealth>,
}

/// Microseconds spent on one frame in each stage, waiting not included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageTimes {
    /// Reading and decoding.
    pub decode_us: f32,
    /// Pre-processing, trunk, feature layer and motion sensor.
    pub cnn_us: f32,
    /// The delta step and the head.
    pub step_us_delta: f32,
    /// The dense step and the head, while the shadow runs.
    pub step_us_dense: Option<f32>,
}

/// Items waiting in the bounded queues between the stages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueLengths {
    /// Decoded frames that wait for the CNN.
    pub to_cnn: usize,
    /// Feature vectors that wait for the RNN.
    pub to_rnn: usize,
}

/// How a source ended.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// Frames that could not be read, counted, the first of them named.
    pub skipped: SkipReport,
    /// Live frames dropped because a newer one had come, before the pipeline or in it.
    pub dropped: usize,
    /// What the source found wrong, at opening and since.
    pub notes: Vec<String>,
    /// Frames whose features were refused (NaN or infinite), counted, the first of them named.
    pub refused: SkipReport,
}

/// A stage that failed, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stage}: {message}")]
pub struct StageFailure {
    /// `decode`, `cnn` or `rnn`.
    pub stage: &'static str,
    /// The error with its causes, or the panic's message.
    pub message: String,
}

/// One message from the pipeline to its caller.
#[derive(Debug, Clone)]
pub enum Event {
    /// A source is open; its frames follow.
    Opened(Arc<SourceInfo>),
    /// A model is in use from the next frame on.
    ModelReady(Arc<Model>),
    /// A frame is done.
    Frame(Arc<FrameResult>),
    /// A frame has been seen, by a pipeline that ends there ([`super::Settings::features_only`]).
    Seen(Arc<SeenFrame>),
    /// The source (or the range asked for) is at its end; the pipeline waits for commands.
    Ended(RunEnd),
    /// A live feed has had no new frame for a while, in words; the last angle still stands, and the feed is tried again.
    Waiting(String),
    /// A command could not be carried out; everything goes on as before.
    Refused {
        /// What was asked for.
        command: String,
        /// Why it could not be done.
        reason: String,
    },
    /// A stage failed; the pipeline has stopped.
    Failed(StageFailure),
}
