//! One RNN of the window: the setting that its answers stand for, and the run that prepares the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deltasteer_temporal::{TemporalError, Thresholds};

use super::runner::{Cell, Runner, WARM_UP_FRAMES};
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
    /// A wish for another setting has its first answers after so long: for all seen frames, or else for the last ones.
    pub soon: Duration,
}

impl Pacing {
    /// Of a source with this rate; a live one may come slower than it says.
    pub fn of(rate_hz: f64, live: bool) -> Self {
        let rate_hz = if rate_hz.is_finite() { rate_hz.clamp(1.0, 1000.0) } else { 20.0 };
        let longest_s = if live { 1.0 } else { (3.0 / rate_hz).max(0.3) };
        Self { frames_per_second: rate_hz.round() as u32, gaps: Gaps { longest_s, by_index: !live }, soon: SOON }
    }
}

/// See [`Pacing::soon`]: within the tenth of a second that feels like at once, with some of it left for a redraw.
const SOON: Duration = Duration::from_millis(80);
/// First answers cover so many frames at least.
const PART_FRAMES: usize = 20;

/// What a slice of work has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing to show yet.
    Going,
    /// Answers for the last frames, by a warmed-up RNN; those for all frames follow.
    Part,
    /// Answers for all seen frames.
    Whole,
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

/// A run on its way over the seen frames.
#[derive(Debug)]
struct Walk {
    run: Run,
    /// The frame that it comes to next.
    next: usize,
    /// Frames gone over.
    done: usize,
}

impl Walk {
    fn new(setting: &Setting, pacing: Pacing, first: usize) -> Result<Self, TemporalError> {
        Ok(Self { run: Run::new(setting.clone(), pacing)?, next: first, done: 0 })
    }

    /// Goes on until `until`; true once there are no more frames.
    fn go(&mut self, store: &FeatureStore, until: Instant) -> Result<bool, TemporalError> {
        for (count, (index, kept)) in store.from(self.next).enumerate() {
            if count % 8 == 7 && Instant::now() >= until {
                self.next = index;
                return Ok(false);
            }
            if let Some((point, marks)) = self.run.runner.advance(index, kept)? {
                self.run.track.push(point, marks);
            }
            self.done += 1;
        }
        Ok(true)
    }
}

/// What will take the place of the answers of now.
#[derive(Debug)]
struct Next {
    whole: Walk,
    /// Time that went into the whole so far.
    spent: Duration,
    part: Part,
}

/// The answers that are shown while those for all frames take longer.
#[derive(Debug)]
enum Part {
    /// The whole may still be fast enough.
    Undecided,
    Going(Box<Walk>),
    Given,
    /// None are needed: the answers of now have the same setting.
    Needless,
}

/// One RNN of the window.
#[derive(Debug)]
pub struct LaneRun {
    now: Run,
    wanted: Setting,
    next: Option<Next>,
    /// The answers of now lack seen frames, or rest on a gap that has been closed since.
    outdated: bool,
    /// The answers of now are for the last frames only.
    partial: bool,
    pacing: Pacing,
}

impl LaneRun {
    /// A setting that has answered nothing; `seen`: frames have been seen already.
    ///
    /// # Errors
    /// A threshold that is negative or not finite.
    pub fn new(setting: Setting, pacing: Pacing, seen: bool) -> Result<Self, TemporalError> {
        let now = Run::new(setting.clone(), pacing)?;
        Ok(Self { wanted: setting, now, next: None, outdated: seen, partial: false, pacing })
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

    /// Whether the answers are for the last frames only, with those for all frames under way.
    pub fn partial(&self) -> bool {
        self.partial
    }

    /// Wishes for another setting. The answers of now stand until there are new ones.
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
        self.next.is_some() || self.outdated || self.partial || self.wanted != self.now.setting
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
        let passed =
            |next: &Next| index < next.whole.next || matches!(&next.part, Part::Going(part) if index < part.next);
        if self.next.as_ref().is_some_and(passed) {
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

    /// Runs over seen frames until `until`. What has become complete has taken over.
    ///
    /// # Errors
    /// As [`Cell::step`].
    pub fn work(&mut self, store: &FeatureStore, until: Instant) -> Result<Progress, TemporalError> {
        // First answers to a wish are given even if there is a newer one, so that a slider that moves on and on shows some.
        let old =
            |next: &Next| matches!(next.part, Part::Given | Part::Needless) && next.whole.run.setting != self.wanted;
        let mut next = match self.next.take().filter(|next| !old(next)) {
            Some(next) => next,
            None => {
                let part = if self.wanted == self.now.setting { Part::Needless } else { Part::Undecided };
                Next { whole: Walk::new(&self.wanted, self.pacing, 0)?, spent: Duration::ZERO, part }
            }
        };
        if let Part::Going(part) = &mut next.part {
            let complete = part.go(store, until)?;
            if complete && let Part::Going(part) = std::mem::replace(&mut next.part, Part::Given) {
                (self.now, self.partial, self.outdated) = (part.run, true, false);
            }
            self.next = Some(next);
            return Ok(if complete { Progress::Part } else { Progress::Going });
        }
        let began = Instant::now();
        if next.whole.go(store, until)? {
            (self.now, self.partial, self.outdated) = (next.whole.run, false, false);
            return Ok(Progress::Whole);
        }
        next.spent += began.elapsed();
        if matches!(next.part, Part::Undecided)
            && let Some(frames) = part_frames(next.spent, next.whole.done, store.len(), self.pacing.soon)
        {
            let first = store.last_frames(frames).next().map_or(0, |(index, _)| index);
            let part = Walk::new(&next.whole.run.setting, self.pacing, first)?;
            next.part = Part::Going(Box::new(part));
        }
        self.next = Some(next);
        Ok(Progress::Going)
    }
}

/// How many of the last frames fit into what is left of `soon`, with those that warm the RNN up. `None`: it is not yet known,
/// or all `frames` will be done by then, or nearly so.
fn part_frames(spent: Duration, done: usize, frames: usize, soon: Duration) -> Option<usize> {
    if 2 * spent < soon {
        return None;
    }
    let a_frame_s = spent.as_secs_f64() / done.max(1) as f64;
    let fit = (soon.saturating_sub(spent).as_secs_f64() / a_frame_s) as usize;
    let part = fit.max(WARM_UP_FRAMES as usize + PART_FRAMES);
    (done + part < frames).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_answers_cover_what_there_is_time_for() {
        let ms = Duration::from_millis;
        // 0.1 ms a frame: of 4,000 frames the last 400 are done after another 40 ms; 700 are done as a whole.
        assert_eq!(part_frames(ms(40), 400, 4000, ms(80)), Some(400));
        assert_eq!(part_frames(ms(40), 400, 700, ms(80)), None);
        assert_eq!(part_frames(ms(30), 300, 4000, ms(80)), None, "too early to know");
        assert_eq!(part_frames(ms(90), 9, 4000, ms(80)), Some(WARM_UP_FRAMES as usize + PART_FRAMES));
    }
}
