//! One RNN of the window: the setting that its answers stand for, and the run that prepares the next one.

use std::sync::Arc;
use std::time::Instant;

use deltasteer_temporal::{TemporalError, Thresholds};

use super::runner::{Cell, Runner};
use super::store::{FeatureStore, Kept};
use super::track::{Gaps, Mark, Point, Track};
use crate::model::Model;

/// What answers a lane gives.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The model.
    pub model: Arc<Model>,
    /// `None`: dense.
    pub thresholds: Option<Thresholds>,
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.model, &other.model) && self.thresholds == other.thresholds
    }
}

/// How a source's time is cut up.
#[derive(Debug, Clone, Copy)]
pub struct Pacing {
    /// Frames in a second: a state of the RNN is saved that often.
    pub frames_per_second: u32,
    /// What is a gap in the curves.
    pub gaps: Gaps,
}

impl Pacing {
    /// Of a source with this rate; a live one may come slower than it says.
    pub fn of(rate_hz: f64, live: bool) -> Self {
        let rate_hz = if rate_hz.is_finite() { rate_hz.clamp(1.0, 1000.0) } else { 20.0 };
        let longest_s = if live { 1.0 } else { (3.0 / rate_hz).max(0.3) };
        Self { frames_per_second: rate_hz.round() as u32, gaps: Gaps { longest_s, by_index: !live } }
    }
}

/// A setting with its answers so far.
#[derive(Debug)]
struct Run {
    setting: Setting,
    runner: Runner,
    track: Track,
}

impl Run {
    fn new(setting: Setting, pacing: Pacing) -> Result<Self, TemporalError> {
        let (weights, thresholds) = (setting.model.rnn(), setting.thresholds.unwrap_or(Thresholds::ZERO));
        let track = Track::new(thresholds, weights.dense_count(), pacing.gaps);
        let cell = match setting.thresholds {
            Some(thresholds) => Cell::delta(weights, thresholds)?,
            None => Cell::dense(weights)?,
        };
        Ok(Self { setting, runner: Runner::new(cell, pacing.frames_per_second), track })
    }
}

/// One RNN of the window.
#[derive(Debug)]
pub struct LaneRun {
    now: Run,
    wanted: Setting,
    /// The run over all seen frames that will take the place of `now`, and the frame that it comes to next.
    next: Option<(Run, usize)>,
    /// The answers of now lack seen frames, or rest on a gap that has been closed since.
    outdated: bool,
    pacing: Pacing,
}

impl LaneRun {
    /// A setting that has answered nothing; `seen`: frames have been seen already.
    ///
    /// # Errors
    /// A threshold that is negative or not finite.
    pub fn new(setting: Setting, pacing: Pacing, seen: bool) -> Result<Self, TemporalError> {
        Ok(Self { wanted: setting.clone(), now: Run::new(setting, pacing)?, next: None, outdated: seen, pacing })
    }

    /// The setting of the answers.
    pub fn setting(&self) -> &Setting {
        &self.now.setting
    }

    /// The answers.
    pub fn track(&self) -> &Track {
        &self.now.track
    }

    /// The states saved on the way.
    pub fn runner(&self) -> &Runner {
        &self.now.runner
    }

    /// Wishes for another setting. The answers of now stand until the new ones are complete.
    pub fn want(&mut self, setting: Setting) {
        self.wanted = setting;
    }

    /// The setting that is wished for.
    pub fn wanted(&self) -> &Setting {
        &self.wanted
    }

    /// All frames must be run again: a gap between them was closed.
    pub fn outdate(&mut self) {
        self.outdated = true;
        self.next = None;
    }

    /// Whether there is a run to be done.
    pub fn busy(&self) -> bool {
        self.next.is_some() || self.outdated || self.wanted != self.now.setting
    }

    /// Answers the frame `index`, which was not seen before.
    ///
    /// # Errors
    /// As [`Cell::step`].
    pub fn step(
        &mut self,
        store: &FeatureStore,
        index: usize,
        kept: &Kept,
    ) -> Result<Option<(Point, Vec<Mark>)>, TemporalError> {
        if self.next.as_ref().is_some_and(|(_, next)| index < *next) {
            self.next = None; // the run has passed this place already: it starts again
        }
        if self.outdated {
            return Ok(None); // the run to come answers it
        }
        let answer = self.now.runner.jump(store, index, kept)?.map(|(point, marks)| (point, marks.to_vec()));
        if let Some((point, marks)) = &answer {
            self.now.track.push(*point, marks);
        }
        Ok(answer)
    }

    /// Runs over seen frames until `until`. True when the new answers are complete and have taken over.
    ///
    /// # Errors
    /// As [`Cell::step`].
    pub fn work(&mut self, store: &FeatureStore, until: Instant) -> Result<bool, TemporalError> {
        let (mut run, first) = match self.next.take() {
            Some(started) => started,
            None => (Run::new(self.wanted.clone(), self.pacing)?, 0),
        };
        for (count, (index, kept)) in store.from(first).enumerate() {
            if count % 8 == 7 && Instant::now() >= until {
                self.next = Some((run, index));
                return Ok(false);
            }
            if let Some((point, marks)) = run.runner.advance(index, kept)? {
                run.track.push(point, marks);
            }
        }
        self.outdated = false;
        self.now = run;
        Ok(true)
    }
}
