//! One setting: a model with thresholds, and what it has done lately.

use std::collections::VecDeque;
use std::sync::Arc;

use deltasteer_temporal::{StepCount, Thresholds, Totals};

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
    /// Everything computed with the thresholds of now, cold starts and warm-ups after jumps included.
    pub so_far: SoFar,
    /// The pipeline's totals at the newest frame; they start anew at every cold start.
    last: SoFar,
}

/// Sums over frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SoFar {
    /// Steps of the RNN.
    pub steps: u64,
    /// Multiply-accumulates done.
    pub macs: u64,
    /// Those that the dense RNN would have done.
    pub macs_dense: u64,
}

impl SoFar {
    /// The sums since the RNN's last cold start.
    fn of(totals: &Totals) -> Self {
        Self { steps: totals.steps, macs: totals.macs, macs_dense: totals.macs_dense }
    }

    fn plus(self, other: Self) -> Self {
        let Self { steps, macs, macs_dense } = other;
        Self { steps: self.steps + steps, macs: self.macs + macs, macs_dense: self.macs_dense + macs_dense }
    }

    /// What came since `earlier`; everything, if there was a cold start in between.
    fn since(self, earlier: Self) -> Self {
        if self.steps < earlier.steps || self.macs < earlier.macs {
            return self;
        }
        Self {
            steps: self.steps - earlier.steps,
            macs: self.macs - earlier.macs,
            macs_dense: self.macs_dense - earlier.macs_dense,
        }
    }
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
        Self {
            model: None,
            thresholds: Thresholds::ZERO,
            frame: None,
            recent: VecDeque::new(),
            so_far: SoFar::default(),
            last: SoFar::default(),
        }
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
        if self.frame.as_ref().is_some_and(|before| before.thresholds != frame.thresholds) {
            self.so_far = SoFar::default();
        }
        let now = SoFar::of(&frame.totals);
        // The frame shown again after a change repeats its cold start with as many steps: it counts as a new one.
        let again = self.frame.as_ref().is_some_and(|before| before.index >= frame.index);
        self.so_far = self.so_far.plus(if again { now } else { now.since(self.last) });
        self.last = now;
        self.frame = Some(frame.clone());
    }

    /// A setting with these thresholds, its model not yet known.
    pub(super) fn at(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
    }

    /// The same setting before anything was computed.
    pub(super) fn emptied(mut self) -> Self {
        self.clear();
        self
    }

    /// Forgets what was computed.
    pub(super) fn clear(&mut self) {
        self.frame = None;
        self.recent.clear();
        (self.so_far, self.last) = (SoFar::default(), SoFar::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_on_over_cold_starts() {
        let at = |steps, macs| SoFar { steps, macs, macs_dense: 100 * steps };
        let mut so_far = SoFar::default();
        let mut last = SoFar::default();
        // Three frames; a jump that warms up over two unseen frames; one more.
        for now in [at(1, 90), at(2, 90), at(3, 95), at(3, 80), at(4, 85)] {
            so_far = so_far.plus(now.since(last));
            last = now;
        }
        assert_eq!(so_far, SoFar { steps: 7, macs: 180, macs_dense: 700 });
    }
}
