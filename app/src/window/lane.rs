//! One setting as the panels see it: a model with thresholds, and what it has answered.

use std::sync::Arc;

use deltasteer_temporal::{StepCount, Thresholds};

use super::whatif::track::{Figures, Point, Track};
use crate::model::Model;
use crate::text;

/// Frames over which the newest figures are averaged: five seconds at 20 Hz.
pub const RECENT_FRAMES: usize = 100;

/// What the panels need to know of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFacts {
    /// The folder's name.
    pub name: String,
    /// Values that enter the RNN.
    pub inputs: usize,
    /// Units of the RNN.
    pub hidden: usize,
    /// The thresholds stored with the model.
    pub thresholds: Thresholds,
    /// The work of one dense step.
    pub dense: StepCount,
    /// What a reader of its figures must know.
    pub remark: Option<&'static str>,
}

impl ModelFacts {
    /// The facts of a loaded model.
    pub fn of(model: &Model) -> Self {
        let rnn = model.rnn();
        Self {
            name: model.name(),
            inputs: rnn.config.input_size,
            hidden: rnn.config.hidden_size,
            thresholds: model.thresholds(),
            dense: rnn.dense_count(),
            remark: model.remark(),
        }
    }

    /// A unit's name as the formulas have it: inputs come first, then hidden units.
    pub fn unit_name(&self, unit: usize) -> String {
        if unit < self.inputs { format!("input x[{unit}]") } else { format!("hidden h[{}]", unit - self.inputs) }
    }
}

/// One setting: a model, its thresholds and its answers.
#[derive(Debug)]
pub struct LaneView {
    /// The model in use.
    pub model: Option<ModelFacts>,
    /// The thresholds asked for; the answers may still be those of the ones before.
    pub thresholds: Thresholds,
    /// The answers: every figure that is shown of this setting comes from here.
    pub track: Track,
    /// The answers are for the last frames only; those for all seen frames are under way.
    pub partial: bool,
    /// Changes whenever the answers do.
    pub version: u64,
    /// Measured time of a step.
    pub step_us: Option<f64>,
}

impl Default for LaneView {
    fn default() -> Self {
        Self::at(Thresholds::ZERO)
    }
}

impl LaneView {
    /// A setting with these thresholds, its model not yet known.
    pub(super) fn at(thresholds: Thresholds) -> Self {
        Self { model: None, thresholds, track: Track::default(), partial: false, version: 0, step_us: None }
    }

    /// The answer for a frame.
    pub fn answer(&self, index: usize) -> Option<&Point> {
        self.track.get(index)
    }

    /// The error over all seen frames; `None` without labels, and while there are answers for the last frames only: it could not
    /// be compared with another setting's.
    pub fn rmse_rad(&self) -> Option<f64> {
        self.track.figures().rmse_rad().filter(|_| !self.partial)
    }

    /// How many `frames`, by whatever name, the figures are over.
    pub fn over(&self, frames: &str) -> String {
        let count = text::grouped(self.track.figures().work.steps);
        if self.partial {
            format!("only the last {count} {frames} yet …")
        } else {
            format!("{count} {frames} so far")
        }
    }

    /// Error and work of the newest frames up to `index`.
    pub fn recent(&self, index: usize) -> Figures {
        self.track.figures_of(self.track.up_to(index, RECENT_FRAMES))
    }

    /// Takes in new answers for all frames. A new model comes with its own thresholds.
    pub(super) fn replace(&mut self, model: &Arc<Model>, track: Track, partial: bool) {
        let facts = ModelFacts::of(model);
        if self.model.as_ref() != Some(&facts) {
            self.thresholds = track.thresholds;
            self.model = Some(facts);
            self.step_us = None;
        }
        self.track = track;
        self.partial = partial;
        self.version += 1;
    }
}
