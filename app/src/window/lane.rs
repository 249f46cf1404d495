//! One setting: a model with thresholds, and what it has done lately.

use std::collections::VecDeque;
use std::sync::Arc;

use deltasteer_temporal::{StepCount, Thresholds};

use crate::pipeline::FrameResult;

/// Frames over which the live savings are averaged: five seconds at 20 Hz.
pub const RECENT_FRAMES: usize = 100;

/// What the panels need to know of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFacts {
    /// The folder's name.
    pub name: String,
    /// Features that enter the RNN.
    pub inputs: usize,
    /// Units of the RNN.
    pub hidden: usize,
    /// The thresholds stored with the model.
    pub thresholds: Thresholds,
    /// The work of one dense step.
    pub dense: StepCount,
}

/// One setting: a model, its thresholds and what they last answered.
#[derive(Debug)]
pub struct LaneView {
    /// The model in use.
    pub model: Option<ModelFacts>,
    /// The thresholds asked for; frames in flight may still carry the old ones.
    pub thresholds: Thresholds,
    /// The newest frame.
    pub frame: Option<Arc<FrameResult>>,
    /// The work of the newest frames in order of computation.
    pub recent: VecDeque<Recent>,
}

/// The work of one frame's RNN step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Recent {
    /// Multiply-accumulates.
    pub macs: f64,
    /// Weight bytes fetched.
    pub weight_bytes: f64,
    /// Measured time of the delta step.
    pub delta_us: f64,
    /// Measured time of the dense step, while it runs.
    pub dense_us: Option<f64>,
}

impl Default for LaneView {
    fn default() -> Self {
        Self { model: None, thresholds: Thresholds::ZERO, frame: None, recent: VecDeque::new() }
    }
}

impl LaneView {
    /// Means over the newest frames: five seconds at 20 Hz.
    pub fn recent_mean(&self) -> Option<Recent> {
        let frames = self.recent.len() as f64;
        if self.recent.is_empty() {
            return None;
        }
        let mean = |pick: fn(&Recent) -> f64| self.recent.iter().map(pick).sum::<f64>() / frames;
        let timed: Vec<f64> = self.recent.iter().filter_map(|recent| recent.dense_us).collect();
        Some(Recent {
            macs: mean(|r| r.macs),
            weight_bytes: mean(|r| r.weight_bytes),
            delta_us: mean(|r| r.delta_us),
            dense_us: (!timed.is_empty()).then(|| timed.iter().sum::<f64>() / timed.len() as f64),
        })
    }

    /// Takes in a new frame.
    pub(super) fn push(&mut self, frame: &Arc<FrameResult>) {
        if self.recent.len() == RECENT_FRAMES {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent {
            macs: frame.count.macs as f64,
            weight_bytes: frame.count.weight_bytes as f64,
            delta_us: f64::from(frame.times.step_us_delta),
            dense_us: frame.times.step_us_dense.map(f64::from),
        });
        self.frame = Some(frame.clone());
    }

    /// Forgets what was computed.
    pub(super) fn clear(&mut self) {
        self.frame = None;
        self.recent.clear();
    }
}
