//! What travels in the queues between the stages: frames, and whatever must take effect between two of them.

use std::path::PathBuf;
use std::sync::Arc;

use deltasteer_data::{Frame, LiveHealth, SkipReport, SourceInfo};
use deltasteer_perception::CnnWork;
use deltasteer_temporal::Thresholds;
use ndarray::Array3;

use crate::model::Model;

/// A change for the stages after decode, in its place among the frames.
pub(super) enum Control {
    /// A new source: pass the news on and start cold.
    Opened(Arc<SourceInfo>),
    /// The RNN forgets everything.
    ColdStart,
    /// Load this model. The CNN stage turns it into [`Control::UseModel`].
    LoadModel(PathBuf),
    /// Use this model, from a cold start.
    UseModel(Arc<Model>),
    /// New thresholds.
    SetThresholds(Thresholds),
    /// Dense GRU beside the delta GRU, or not.
    ShadowDense(bool),
    /// The source is at its end. The CNN stage fills in what it dropped.
    End { skipped: SkipReport, dropped: usize },
}

/// A decoded frame on its way to the CNN.
pub(super) struct DecodedFrame {
    pub frame: Frame,
    /// The RNN needs it, the caller does not.
    pub warm_up: bool,
    pub decode_us: f32,
    pub skipped: usize,
    pub health: Option<LiveHealth>,
}

/// A frame's features on their way to the RNN.
pub(super) struct SeenFrame {
    pub index: usize,
    pub time_s: f64,
    pub image: Arc<Array3<u8>>,
    pub steering_true_rad: Option<f32>,
    pub steering_single_frame_rad: f32,
    pub features: Vec<f32>,
    pub cnn_work: CnnWork,
    pub warm_up: bool,
    pub decode_us: f32,
    pub cnn_us: f32,
    pub to_cnn: usize,
    pub skipped: usize,
    pub dropped: usize,
    pub health: Option<LiveHealth>,
}

/// A queue's element.
pub(super) enum Item<F> {
    Frame(F),
    Control(Control),
}
