//! Everything the panels read: plain data, brought up to date by what the engine tells.

use std::sync::Arc;
use std::time::Instant;

use deltasteer_data::SourceInfo;

use super::hotspots::Filter;
pub use super::lane::{LaneView, ModelFacts};
use super::live::Live;
pub use super::notices::{Notice, Notices};
use super::recorder;
pub use super::saliency::SaliencyMap;
use super::trained::Trained;
use super::whatif::track::Point;
use super::whatif::{Lane, Shown, TradeOff, Update};
use crate::pipeline::{FrameRange, Pace, RunEnd, SeenFrame};

/// Progress of writing a range.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportProgress {
    /// Frames written.
    pub done: usize,
    /// Frames to write.
    pub total: usize,
}

/// Where the tour of captions stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tour {
    /// The caption that is shown.
    pub caption: usize,
    /// Seconds of the drive's playing for which it has been shown.
    pub shown_s: f64,
    /// The user has taken over: it stays until the next one is asked for.
    pub held: bool,
}

/// Everything the panels read.
#[derive(Debug)]
pub struct View {
    /// The source that is open.
    pub drive: Option<Arc<SourceInfo>>,
    /// The frame that is shown.
    pub shown: Option<Arc<SeenFrame>>,
    /// The setting that is shown.
    pub main: LaneView,
    /// The setting that it is compared with, while it is.
    pub second: Option<LaneView>,
    /// The dense RNN with the main model's weights.
    pub dense: LaneView,
    /// Error against savings over the seen part of the drive.
    pub trade_off: Option<TradeOff>,
    /// The places where the main setting errs most, worst first.
    pub hotspots: Vec<Point>,
    /// Which places may be among them.
    pub hot_filter: Filter,
    /// The stretches that the main model has learned from.
    pub trained: Vec<Trained>,
    /// Frames flow.
    pub playing: bool,
    /// How fast.
    pub pace: Pace,
    /// The stretch of time that the charts show; `None`: they follow the frame shown.
    pub looking_at: Option<[f64; 2]>,
    /// The chosen range.
    pub range: Option<FrameRange>,
    /// The engine waits at the end.
    pub ended: Option<RunEnd>,
    /// Nothing will come any more until a source is opened.
    pub stopped: bool,
    /// The frame that was asked for and has not come yet.
    pub jumping_to: Option<usize>,
    /// A source or model is being opened.
    pub opening: Option<String>,
    /// How far frames have been seen again with another model.
    pub again: Option<String>,
    /// The part of the frame that the CNN sees: `x, y, width, height` in pixels.
    pub crop: Option<[usize; 4]>,
    /// The newest saliency map.
    pub saliency: Option<Arc<SaliencyMap>>,
    /// Progress of writing a range.
    pub export: Option<ExportProgress>,
    /// Messages.
    pub notices: Notices,
    /// Frames a second that came in lately.
    pub frames_per_second: f32,
    /// Redraws a second lately.
    pub redraws_per_second: f32,
    /// How a live feed fares.
    pub live: Live,
    /// How its recording goes.
    pub recorder: recorder::Status,
    /// Large type and everyday words, for a talk; the drive is repeated.
    pub lecture: bool,
    /// The tour, while it lasts.
    pub tour: Option<Tour>,
    /// The user's own horizon as a share of the frame's height.
    pub horizon: Option<f32>,
    /// Frames whose features were refused.
    pub refused: usize,
    /// Bytes of features kept for new answers, and how many may be.
    pub kept_bytes: (usize, usize),
}

impl Default for View {
    fn default() -> Self {
        Self {
            drive: None,
            shown: None,
            main: LaneView::default(),
            second: None,
            dense: LaneView::default(),
            trade_off: None,
            hotspots: Vec::new(),
            hot_filter: Filter::default(),
            trained: Vec::new(),
            playing: false,
            pace: Pace::Times(1.0),
            looking_at: None,
            range: None,
            ended: None,
            stopped: false,
            jumping_to: None,
            opening: None,
            again: None,
            crop: None,
            saliency: None,
            export: None,
            notices: Notices::default(),
            frames_per_second: 0.0,
            redraws_per_second: 0.0,
            live: Live::default(),
            recorder: recorder::Status::default(),
            lecture: false,
            tour: None,
            horizon: None,
            refused: 0,
            kept_bytes: (0, 0),
        }
    }
}

impl View {
    /// The setting of `lane`, if it is there.
    pub fn lane(&self, lane: Lane) -> Option<&LaneView> {
        match lane {
            Lane::Main => Some(&self.main),
            Lane::Second => self.second.as_ref(),
            Lane::Dense => Some(&self.dense),
        }
    }

    /// The same, to be changed.
    pub(super) fn lane_mut(&mut self, lane: Lane) -> Option<&mut LaneView> {
        match lane {
            Lane::Main => Some(&mut self.main),
            Lane::Second => self.second.as_mut(),
            Lane::Dense => Some(&mut self.dense),
        }
    }

    /// The answer of `lane` for the frame that is shown.
    pub fn answer(&self, lane: Lane) -> Option<&Point> {
        self.lane(lane)?.answer(self.shown.as_ref()?.index)
    }

    /// The angle of `lane` for the frame that is shown.
    pub fn steering_rad(&self, lane: Lane) -> Option<f32> {
        self.answer(lane).map(|point| point.steering_rad)
    }

    /// Takes in one update.
    pub fn apply(&mut self, update: Update) {
        match update {
            Update::Opened(info) => self.open(info),
            Update::Frame(shown) => self.show(*shown),
            Update::Answers { lane, model, track, partial } => {
                if lane == Lane::Main && self.main.model.as_ref() != Some(&ModelFacts::of(&model)) {
                    self.trade_off = None;
                }
                self.opening = None;
                if let Some(view) = self.lane_mut(lane) {
                    view.replace(&model, *track, partial);
                }
            }
            Update::Again(words) => self.again = words,
            Update::Recorder(recorder::News::Status(status)) => self.recorder = status,
            Update::Recorder(recorder::News::Saved(files)) => {
                let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
                self.notices.say(false, format!("Saved {}", names.join(" and ")));
            }
            Update::Recorder(recorder::News::Failed(words)) => self.notices.say(true, words),
            Update::NoSecond => self.second = None,
            Update::TradeOff(curve) => self.trade_off = Some(curve),
            Update::StepTimes(times) => {
                for (lane, time) in Lane::ALL.into_iter().zip(times) {
                    if let Some(view) = self.lane_mut(lane) {
                        view.step_us = time.or(view.step_us);
                    }
                }
            }
            Update::Ended(end) => {
                self.playing = false;
                self.jumping_to = None;
                self.ended = Some(end);
            }
            Update::Opening(words) => self.opening = Some(words),
            Update::Waiting(words) => self.live.words = words,
            Update::Refused(words) => {
                self.opening = None;
                self.jumping_to = None;
                self.notices.say(true, words);
            }
            Update::Stopped(words) => {
                self.stopped = true;
                self.playing = false;
                self.opening = None;
                self.jumping_to = None;
                self.notices.say(true, words);
            }
        }
    }

    fn open(&mut self, info: Arc<SourceInfo>) {
        for note in info.notes.iter().take(2) {
            self.notices.say(false, note.clone());
        }
        *self = Self {
            drive: Some(info),
            playing: self.playing,
            pace: self.pace,
            hot_filter: self.hot_filter,
            lecture: self.lecture,
            tour: self.tour,
            notices: std::mem::take(&mut self.notices),
            ..Self::default()
        };
    }

    fn show(&mut self, shown: Shown) {
        for (lane, answer) in Lane::ALL.into_iter().zip(shown.answers) {
            if let (Some(view), Some((point, marks))) = (self.lane_mut(lane), answer) {
                view.track.push(point, &marks);
                view.version += 1;
            }
        }
        self.refused = shown.refused;
        self.kept_bytes = shown.kept_bytes;
        if shown.seen.warm_up {
            return;
        }
        if self.jumping_to.is_some_and(|target| target <= shown.seen.index) {
            self.jumping_to = None;
        }
        self.ended = None;
        self.stopped = false;
        self.live.frame(&shown.seen, Instant::now());
        self.shown = Some(shown.seen);
    }
}
