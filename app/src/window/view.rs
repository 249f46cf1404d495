//! Everything the panels read: plain data, brought up to date by the pipeline's events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltasteer_data::{CameraGeometry, SourceInfo};
use deltasteer_temporal::Thresholds;

use super::command::Lane;
use super::history::History;
pub use super::lane::{LaneView, ModelFacts};
pub use super::saliency::SaliencyMap;
use super::sent::SentRing;
use crate::pipeline::{Event, FrameRange, FrameResult, Pace, RunEnd};

/// Frames that the raster remembers.
pub const RASTER_FRAMES: usize = 400;
/// Messages that are no fault stay this long.
const GOOD_NEWS_STAYS: Duration = Duration::from_secs(7);
/// Messages kept.
const NOTICES: usize = 4;

/// Progress of writing a range.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportProgress {
    /// Frames written.
    pub done: usize,
    /// Frames to write.
    pub total: usize,
}

/// What is wrong, or worth knowing, in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When it came.
    pub since: Instant,
    /// True if something is wrong: it stays until it is dismissed.
    pub bad: bool,
    /// One sentence or two.
    pub text: String,
}

/// Everything the panels read.
#[derive(Debug)]
pub struct View {
    /// The source that is open.
    pub drive: Option<Arc<SourceInfo>>,
    /// The setting that is shown.
    pub main: LaneView,
    /// The setting that it is compared with, while it is.
    pub second: Option<LaneView>,
    /// What has been computed so far, by frame.
    pub history: History,
    /// What was sent lately.
    pub sent: SentRing,
    /// Frames flow.
    pub playing: bool,
    /// How fast.
    pub pace: Pace,
    /// The chosen range.
    pub range: Option<FrameRange>,
    /// The pipeline waits at the end.
    pub ended: Option<RunEnd>,
    /// Nothing will come any more until a source is opened.
    pub stopped: bool,
    /// A jump is being warmed up for: the frame asked for.
    pub jumping_to: Option<usize>,
    /// A source or model is being opened.
    pub opening: Option<String>,
    /// The part of the frame that the CNN sees: `x, y, width, height` in pixels.
    pub crop: Option<[usize; 4]>,
    /// The newest saliency map.
    pub saliency: Option<Arc<SaliencyMap>>,
    /// Progress of writing a range.
    pub export: Option<ExportProgress>,
    /// Newest last.
    pub notices: VecDeque<Notice>,
    /// Frames a second that came in lately.
    pub frames_per_second: f32,
    /// Redraws a second lately.
    pub redraws_per_second: f32,
    /// The user's own horizon as a share of the frame's height.
    pub horizon: Option<f32>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            drive: None,
            main: LaneView::default(),
            second: None,
            history: History::default(),
            sent: SentRing::default(),
            playing: false,
            pace: Pace::Times(1.0),
            range: None,
            ended: None,
            stopped: false,
            jumping_to: None,
            opening: None,
            crop: None,
            saliency: None,
            export: None,
            notices: VecDeque::new(),
            frames_per_second: 0.0,
            redraws_per_second: 0.0,
            horizon: None,
        }
    }
}

impl View {
    /// The setting of `lane`, if it is there.
    pub fn lane(&self, lane: Lane) -> Option<&LaneView> {
        match lane {
            Lane::Main => Some(&self.main),
            Lane::Second => self.second.as_ref(),
        }
    }

    /// Takes in one event of `lane`'s pipeline. Models are told apart by the caller: [`View::use_model`].
    pub fn apply(&mut self, lane: Lane, event: &Event) {
        match (lane, event) {
            (Lane::Main, Event::Frame(frame)) => self.push_main(frame),
            (Lane::Second, Event::Frame(frame)) => self.push_second(frame),
            (Lane::Main, Event::Opened(info)) => self.open(info.clone()),
            (Lane::Main, Event::Ended(end)) => {
                self.playing = false;
                self.jumping_to = None;
                self.ended = Some(end.clone());
            }
            (_, Event::Refused { command, reason }) => {
                self.opening = None;
                self.jumping_to = None;
                self.say(true, format!("{command}: {reason}"));
            }
            (_, Event::Failed(failure)) => {
                if lane == Lane::Main {
                    self.stopped = true;
                    self.playing = false;
                    self.opening = None;
                    self.jumping_to = None;
                }
                self.say(true, format!("The {} stage stopped: {}", failure.stage, failure.message));
            }
            // No bad news: it fades once the feed is back.
            (Lane::Main, Event::Waiting(reason)) => self.say(false, reason.clone()),
            (Lane::Second, Event::Opened(_) | Event::Ended(_) | Event::Waiting(_)) | (_, Event::ModelReady(_)) => {}
        }
    }

    /// A model is in use from the next frame on.
    pub fn use_model(&mut self, lane: Lane, facts: ModelFacts, thresholds: Thresholds) {
        self.opening = None;
        let view = match lane {
            Lane::Main => &mut self.main,
            Lane::Second => self.second.get_or_insert_default(),
        };
        if lane == Lane::Main {
            self.sent = SentRing::new(facts.inputs, facts.hidden, RASTER_FRAMES);
        }
        view.clear();
        view.thresholds = thresholds;
        view.model = Some(facts);
    }

    /// Adds a message.
    pub fn say(&mut self, bad: bool, text: impl Into<String>) {
        let notice = Notice { since: Instant::now(), bad, text: text.into() };
        self.notices.retain(|old| old.text != notice.text);
        if self.notices.len() == NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// Takes away good news that everybody has read. How long until the next is due, if there is one.
    pub fn fade_notices(&mut self, now: Instant) -> Option<Duration> {
        self.notices.retain(|notice| notice.bad || now.duration_since(notice.since) < GOOD_NEWS_STAYS);
        let good = self.notices.iter().filter(|notice| !notice.bad);
        good.map(|notice| GOOD_NEWS_STAYS.saturating_sub(now.duration_since(notice.since))).min()
    }

    /// Index of the frame shown.
    pub fn index(&self) -> usize {
        self.main.frame.as_ref().map_or(0, |frame| frame.index)
    }

    /// Frames in the drive, if it has an end.
    pub fn frame_count(&self) -> Option<usize> {
        self.drive.as_ref().and_then(|drive| drive.frame_count)
    }

    /// Seconds from the first frame to frame `index`.
    pub fn time_of(&self, index: usize) -> f64 {
        let Some(drive) = &self.drive else { return 0.0 };
        let by_rate = index as f64 / drive.rate_hz.max(f64::MIN_POSITIVE);
        drive.times_s.get(index).copied().unwrap_or(by_rate)
    }

    /// The frame nearest to `time_s`.
    pub fn index_at(&self, time_s: f64) -> usize {
        let Some(drive) = &self.drive else { return 0 };
        let after = if drive.times_s.is_empty() {
            (time_s * drive.rate_hz).round().max(0.0) as usize
        } else {
            let after = drive.times_s.partition_point(|&t| t < time_s);
            let nearer_before = after > 0
                && (after == drive.times_s.len() || time_s - drive.times_s[after - 1] < drive.times_s[after] - time_s);
            after - usize::from(nearer_before)
        };
        drive.frame_count.map_or(after, |count| after.min(count.saturating_sub(1)))
    }

    /// Length of the drive in seconds.
    pub fn duration_s(&self) -> f64 {
        match self.frame_count() {
            Some(count) => self.time_of(count.saturating_sub(1)),
            None => self.main.frame.as_ref().map_or(0.0, |frame| frame.time_s),
        }
    }

    /// The camera, with the user's horizon if one was set.
    pub fn camera(&self) -> Option<CameraGeometry> {
        let drive = self.drive.as_ref()?;
        let mut camera = drive.camera;
        if let Some(horizon) = self.horizon {
            camera.horizon_row = horizon * drive.height as f32;
        }
        Some(camera)
    }

    fn open(&mut self, info: Arc<SourceInfo>) {
        for note in info.notes.iter().take(2) {
            self.say(false, note.clone());
        }
        *self = Self {
            drive: Some(info),
            main: std::mem::take(&mut self.main).emptied(),
            second: self.second.take().map(LaneView::emptied),
            sent: SentRing::new(self.sent.inputs(), self.sent.units() - self.sent.inputs(), RASTER_FRAMES),
            playing: self.playing,
            pace: self.pace,
            notices: std::mem::take(&mut self.notices),
            ..Self::default()
        };
    }

    fn push_main(&mut self, frame: &Arc<FrameResult>) {
        if self.jumping_to.is_some_and(|target| target <= frame.index) {
            self.jumping_to = None;
        }
        self.ended = None;
        self.stopped = false;
        let sample = self.history.entry(frame.index);
        sample.time_s = frame.time_s;
        sample.truth_rad = frame.steering_true_rad;
        sample.delta_rad = Some(frame.steering_rad);
        if frame.steering_dense_rad.is_some() {
            sample.dense_rad = frame.steering_dense_rad;
        }
        sample.macs = Some(frame.count.macs);
        self.sent.push(frame.index, &frame.sent_x, &frame.sent_h);
        self.main.push(frame);
    }

    fn push_second(&mut self, frame: &Arc<FrameResult>) {
        let Some(second) = &mut self.second else { return };
        second.push(frame);
        let sample = self.history.entry(frame.index);
        sample.time_s = frame.time_s;
        sample.truth_rad = frame.steering_true_rad;
        sample.second_rad = Some(frame.steering_rad);
        sample.second_macs = Some(frame.count.macs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{QueueLengths, StageFailure, StageTimes};
    use deltasteer_perception::CnnWork;
    use deltasteer_temporal::{StepCount, Totals};

    fn frame(index: usize, macs: u64) -> Arc<FrameResult> {
        Arc::new(FrameResult {
            index,
            time_s: index as f64 * 0.05,
            image: Arc::new(ndarray::Array3::zeros((1, 1, 3))),
            steering_true_rad: Some(0.1),
            steering_rad: 0.2,
            steering_dense_rad: None,
            steering_single_frame_rad: 0.0,
            thresholds: Thresholds::ZERO,
            count: StepCount { macs, ..StepCount::default() },
            sent_x: vec![(1, 0.5)],
            sent_h: Vec::new(),
            features: Vec::new(),
            hidden: Vec::new(),
            cnn_work: CnnWork { macs_dense: 10, macs: 10 },
            times: StageTimes::default(),
            queues: QueueLengths::default(),
            skipped: 0,
            dropped: 0,
            health: None,
            totals: Totals::default(),
        })
    }

    fn view() -> View {
        let mut view = View::default();
        let info = deltasteer_data::open("road:1,seconds=3").unwrap().info().clone();
        view.apply(Lane::Main, &Event::Opened(Arc::new(info)));
        let facts = ModelFacts {
            name: "test".to_owned(),
            inputs: 4,
            hidden: 2,
            thresholds: Thresholds::ZERO,
            dense: StepCount::default(),
        };
        view.use_model(Lane::Main, facts, Thresholds::ZERO);
        view
    }

    #[test]
    fn frames_fill_the_history_and_the_raster_and_end_a_jump() {
        let mut view = view();
        view.jumping_to = Some(7);
        for (index, macs) in [(6, 100), (7, 50)] {
            view.apply(Lane::Main, &Event::Frame(frame(index, macs)));
        }
        assert_eq!(view.jumping_to, None);
        assert_eq!((view.index(), view.history.len(), view.sent.columns().len()), (7, 2, 2));
        assert_eq!(view.main.recent_mean().unwrap().macs, 75.0);
        assert_eq!(view.history.get(7).unwrap().delta_rad, Some(0.2));
        let sample = view.history.get(7).unwrap();
        assert_eq!((sample.second_rad, sample.dense_rad), (None, None));
    }

    #[test]
    fn the_second_setting_keeps_to_its_own_curve() {
        let mut view = view();
        view.apply(Lane::Second, &Event::Frame(frame(3, 9)));
        assert!(view.history.is_empty(), "nobody asked for a comparison");
        view.second = Some(LaneView::default());
        view.apply(Lane::Second, &Event::Frame(frame(3, 9)));
        let sample = view.history.get(3).unwrap();
        assert_eq!((sample.second_macs, sample.macs), (Some(9), None));
    }

    #[test]
    fn the_nearest_frame_is_found_and_the_ends_hold() {
        let view = view();
        let count = view.frame_count().unwrap();
        assert_eq!(view.index_at(-1.0), 0);
        assert_eq!(view.index_at(0.99), 20);
        assert_eq!(view.index_at(1.03), 21);
        assert_eq!(view.index_at(1e9), count - 1);
    }

    #[test]
    fn faults_are_said_once_and_stay_while_good_news_fades() {
        let mut view = view();
        view.notices.clear();
        view.say(false, "done");
        let refused = Event::Refused { command: "open x".to_owned(), reason: "no such folder".to_owned() };
        view.apply(Lane::Main, &refused);
        view.apply(Lane::Main, &refused);
        assert_eq!(view.notices.len(), 2);
        assert!(view.fade_notices(Instant::now()).is_some());
        assert_eq!(view.fade_notices(Instant::now() + 2 * GOOD_NEWS_STAYS), None);
        assert_eq!(view.notices.iter().map(|n| n.text.as_str()).collect::<Vec<_>>(), ["open x: no such folder"]);
        let failed = Event::Failed(StageFailure { stage: "cnn", message: "gone".to_owned() });
        view.apply(Lane::Main, &failed);
        assert!(view.stopped && !view.playing);
    }

    #[test]
    fn another_drive_starts_with_an_empty_history_and_the_same_model() {
        let mut view = view();
        view.apply(Lane::Main, &Event::Frame(frame(1, 1)));
        view.range = Some(FrameRange { first: 0, end: 2 });
        let info = deltasteer_data::open("road:2,seconds=3").unwrap().info().clone();
        view.apply(Lane::Main, &Event::Opened(Arc::new(info)));
        assert!(view.history.is_empty() && view.main.frame.is_none() && view.range.is_none());
        assert!(view.main.model.is_some());
        assert_eq!(view.sent.units(), 6);
    }
}
