//! On which frames the CNN runs. On the others its last features stand, and the work of the CNN is saved, in time as well.

use crate::error::PerceptionError;
use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The rule, as text `every:N` or `adaptive:CHANGE:N`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CnnSchedule {
    /// Every n-th frame, from the first one on; 1 is every frame.
    Every(usize),
    /// When a motion value has moved by `change` (standard deviations over the training drives) or more since the CNN ran last,
    /// and at the latest after `at_most` frames.
    Adaptive {
        /// In standard deviations.
        change: f32,
        /// In frames.
        at_most: usize,
    },
}

impl Default for CnnSchedule {
    fn default() -> Self {
        Self::Every(1)
    }
}

impl CnnSchedule {
    /// Whether the CNN runs on every frame.
    pub fn is_every_frame(&self) -> bool {
        *self == Self::Every(1)
    }

    /// Whether it needs motion values.
    pub fn needs_motion(&self) -> bool {
        matches!(self, Self::Adaptive { .. })
    }
}

impl FromStr for CnnSchedule {
    type Err = PerceptionError;

    fn from_str(text: &str) -> Result<Self, PerceptionError> {
        let frames = |text: &str| text.parse().ok().filter(|frames| (1..=1000).contains(frames));
        let change = |text: &str| text.parse().ok().filter(|change: &f32| change.is_finite() && *change >= 0.0);
        let parsed = match *text.split(':').collect::<Vec<_>>() {
            ["every", n] => frames(n).map(Self::Every),
            ["adaptive", moved, n] => {
                change(moved).zip(frames(n)).map(|(change, at_most)| Self::Adaptive { change, at_most })
            }
            _ => None,
        };
        parsed.ok_or_else(|| PerceptionError::Schedule { found: text.into() })
    }
}

impl fmt::Display for CnnSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(n) => write!(f, "every:{n}"),
            Self::Adaptive { change, at_most } => write!(f, "adaptive:{change}:{at_most}"),
        }
    }
}

impl TryFrom<String> for CnnSchedule {
    type Error = PerceptionError;

    fn try_from(text: String) -> Result<Self, PerceptionError> {
        text.parse()
    }
}

impl From<CnnSchedule> for String {
    fn from(schedule: CnnSchedule) -> Self {
        schedule.to_string()
    }
}

/// Follows a drive and says of each frame whether the CNN runs on it.
#[derive(Debug, Clone)]
pub struct CnnScheduler {
    schedule: CnnSchedule,
    /// Frames by which the first interval is shorter.
    phase: usize,
    /// Frames since the CNN ran last; `None`: it has not run yet.
    since: Option<usize>,
    /// The motion values of then.
    motion: Vec<f32>,
}

impl CnnScheduler {
    /// Before the first frame, which is always due.
    pub fn new(schedule: CnnSchedule) -> Self {
        Self::with_phase(schedule, 0)
    }

    /// The same with a first interval that is shorter by `phase` frames: for training, where versions of a drive should not all
    /// be looked at on the same frames.
    pub fn with_phase(schedule: CnnSchedule, phase: usize) -> Self {
        Self { schedule, phase, since: None, motion: Vec::new() }
    }

    /// Before the first frame again.
    pub fn reset(&mut self) {
        self.since = None;
    }

    /// Whether the CNN runs on the next frame, whose motion values are `motion` (empty where none are measured).
    pub fn due(&mut self, motion: ArrayView1<'_, f32>) -> bool {
        let moved = |by: f32| motion.iter().zip(&self.motion).any(|(now, then)| (now - then).abs() >= by);
        let due = match (self.since, self.schedule) {
            (None, _) => true,
            (Some(since), CnnSchedule::Every(n)) => since + 1 >= n,
            (Some(since), CnnSchedule::Adaptive { change, at_most }) => since + 1 >= at_most || moved(change),
        };
        self.since = Some(match self.since {
            None => self.phase,
            Some(_) if due => 0,
            Some(since) => since + 1,
        });
        if due {
            self.motion.clear();
            self.motion.extend(motion);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, aview1};

    #[test]
    fn rules_are_read_and_written() {
        for text in ["every:1", "every:12", "adaptive:0.5:16"] {
            assert_eq!(text.parse::<CnnSchedule>().unwrap().to_string(), text);
        }
        for text in ["every:0", "every", "adaptive", "adaptive:-1:4", "adaptive:nan:4", "dense", "every:2:3"] {
            let error = text.parse::<CnnSchedule>().unwrap_err().to_string();
            assert!(error.contains(&format!("\"{text}\"")) && error.contains("every:N"), "{error}");
        }
    }

    #[test]
    fn every_nth_frame_from_the_first_one_on() {
        let mut scheduler = CnnScheduler::new(CnnSchedule::Every(3));
        let mut due = || scheduler.due(Array1::zeros(0).view());
        assert_eq!([due(), due(), due(), due(), due()], [true, false, false, true, false]);
        scheduler.reset();
        assert!(scheduler.due(aview1(&[])));
        let mut scheduler = CnnScheduler::with_phase(CnnSchedule::Every(3), 1);
        let mut due = || scheduler.due(Array1::zeros(0).view());
        assert_eq!([due(), due(), due(), due(), due()], [true, false, true, false, false]);
    }

    #[test]
    fn a_change_of_motion_is_looked_at_and_a_long_calm_as_well() {
        let mut scheduler = CnnScheduler::new(CnnSchedule::Adaptive { change: 0.5, at_most: 4 });
        let values = [0.0, 0.2, 0.4, 0.6, 0.7, 0.7, 0.7, 0.7, 0.1];
        let due = values.map(|value| scheduler.due(aview1(&[0.0, value])));
        assert_eq!(due, [true, false, false, true, false, false, false, true, true]);
    }
}
