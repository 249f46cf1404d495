//! The thread's loop: wishes first, then frames, then slices of the runs that wishes have started.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, never, select, unbounded};
use deltasteer_data::{SkipReport, SourceInfo};
use deltasteer_perception::Device;
use deltasteer_temporal::{TemporalError, Thresholds};

use super::lane::{LaneRun, Pacing, Setting};
use super::opening::{self, Arrived, Opened};
use super::runner::WARM_UP_FRAMES;
use super::store::{Added, FeatureStore};
use super::track::{Point, Track};
use super::trade_off::Ladder;
use super::{Lane, Shown, Update, Wake, Wish};
use crate::front_end::FrontEnd;
use crate::model::Model;
use crate::pipeline::{
    self, Before, Command, Event, FrameRange, FrameResult, Pipeline, QueueLengths, SeenFrame, StageTimes,
};
use crate::window::recorder::{self, Recorder, Tell};

/// A run is interrupted this often to look for frames and wishes.
const SLICE: Duration = Duration::from_millis(2);
/// Steps of the ladder in one slice.
const LADDER_STEPS: usize = 100;
/// A jump to a frame that lies no further than this behind the last one answered runs over the frames between.
const REACH_FRAMES: usize = 200;
/// The curve and the step times follow new frames this often.
const BACKGROUND: Duration = Duration::from_millis(500);

/// Why the thread ends: the window has gone.
struct Gone;
type Result<T = ()> = std::result::Result<T, Gone>;

/// A second model's own CNN, where its features are not the main model's, and what it has seen.
struct Eye {
    front_end: FrontEnd,
    /// The frame that it saw last.
    last: Option<usize>,
    store: FeatureStore,
}

impl Eye {
    /// Every frame is seen, in order, also one that is known: motion and schedule need it.
    fn see(&mut self, frame: &SeenFrame) -> Added {
        if frame.before != self.last.map_or(Before::Start, Before::Frame) {
            self.front_end.reset();
        }
        self.last = Some(frame.index);
        match self.front_end.see(frame.image.view(), frame.time_s) {
            Ok(_) if self.store.get(frame.index).is_some() => Added::Known,
            Ok(inputs) => self.store.add(frame, &inputs.to_vec()),
            Err(error) => Added::Refused(format!("frame {}: {error}", frame.index)),
        }
    }
}

/// The drive that is open.
struct Drive {
    pipeline: Pipeline,
    info: Arc<SourceInfo>,
    pacing: Pacing,
    store: FeatureStore,
    second_eye: Option<Eye>,
    /// In the order of [`Lane::ALL`].
    lanes: [Option<LaneRun>; 3],
    ladder: Option<Ladder>,
    refused: SkipReport,
    /// Of a live feed.
    recorder: Option<Recorder>,
    repeat: Option<FrameRange>,
    playing: bool,
    /// The frame shown last.
    index: usize,
    /// A model with other features: from the next [`Event::ModelReady`] on.
    coming: Option<(Arc<Model>, Thresholds)>,
    background_due: Instant,
    times_due: bool,
}

/// The thread.
pub(super) struct Stage {
    wishes: Receiver<Wish>,
    updates: Sender<Update>,
    wake: Wake,
    limit_bytes: usize,
    arrived: (Sender<Arrived>, Receiver<Arrived>),
    /// Number of the newest wish for a source.
    newest_source: Arc<AtomicU64>,
    /// The same for a model of the main and the second lane.
    newest_model: [u64; 2],
    drive: Option<Drive>,
    /// The window has missed frames.
    missed: bool,
}

fn place(lane: Lane) -> usize {
    Lane::ALL.iter().position(|&other| other == lane).unwrap_or(0)
}

impl Stage {
    pub fn new(wishes: Receiver<Wish>, updates: Sender<Update>, wake: Wake, limit_bytes: usize) -> Self {
        let (newest_source, newest_model) = (Arc::default(), [0; 2]);
        Self {
            wishes,
            updates,
            wake,
            limit_bytes,
            arrived: unbounded(),
            newest_source,
            newest_model,
            drive: None,
            missed: false,
        }
    }

    /// Runs until the window has gone.
    pub fn run(mut self, end: Sender<()>) {
        while self.turn().is_ok() {}
        // A feed that is still being waited for is given up.
        self.newest_source.fetch_add(1, Ordering::Relaxed);
        if let Some(recorder) = self.drive.as_mut().and_then(|drive| drive.recorder.take()) {
            recorder.finish();
        }
        drop(end);
    }

    /// As [`Stage::tell`], of a live feed's frame: a window that does not redraw now must not hold the feed up. It gets
    /// the answers as a whole once it looks again.
    fn tell_frame(&mut self, shown: Shown, live: bool) -> Result {
        if !live {
            return self.tell(Update::Frame(Box::new(shown)));
        }
        match self.updates.try_send(Update::Frame(Box::new(shown))) {
            Ok(()) if std::mem::take(&mut self.missed) => {
                Lane::ALL.into_iter().try_for_each(|lane| self.tell_answers(lane))
            }
            Ok(()) => {
                (self.wake)();
                Ok(())
            }
            Err(TrySendError::Full(_)) => {
                self.missed = true;
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Err(Gone),
        }
    }

    fn tell(&self, update: Update) -> Result {
        self.updates.send(update).map_err(|_| Gone)?;
        (self.wake)();
        Ok(())
    }

    /// Fulfils one wish, takes in one frame, or works for a slice.
    fn turn(&mut self) -> Result {
        if let Ok(arrived) = self.arrived.1.try_recv() {
            return self.arrive(arrived);
        }
        let events = self.drive.as_ref().and_then(|drive| drive.pipeline.events()).cloned().unwrap_or_else(never);
        let patience = self.drive.as_ref().map_or(Duration::MAX, Drive::patience);
        let timeout = if patience == Duration::MAX { never() } else { crossbeam_channel::after(patience) };
        // Wishes first: the newest one counts, and no queue of frames may delay it.
        if let Ok(wish) = self.wishes.try_recv() {
            return self.fulfil(wish);
        }
        if let Ok(event) = events.try_recv() {
            return self.take(event);
        }
        if patience == Duration::ZERO {
            return self.work();
        }
        select! {
            recv(self.wishes) -> wish => self.fulfil(wish.map_err(|_| Gone)?),
            recv(self.arrived.1) -> arrived => arrived.map_or(Err(Gone), |arrived| self.arrive(arrived)),
            recv(events) -> event => event.map_or(Ok(()), |event| self.take(event)),
            recv(timeout) -> _ => Ok(()),
        }
    }

    fn fulfil(&mut self, wish: Wish) -> Result {
        let mut wish = wish;
        // Of a run of wishes of one kind only the last counts.
        while let Ok(next) = self.wishes.try_recv() {
            match (&wish, &next) {
                (Wish::Seek(_), Wish::Seek(_)) => {}
                (Wish::Thresholds(a, _), Wish::Thresholds(b, _)) if a == b => {}
                _ => self.grant(wish)?,
            }
            wish = next;
        }
        self.grant(wish)
    }

    fn grant(&mut self, wish: Wish) -> Result {
        match wish {
            Wish::Open(start) => {
                self.newest_source.fetch_add(1, Ordering::Relaxed);
                let known = self.drive.as_ref().and_then(|drive| drive.model(Lane::Main));
                opening::open(start, known, self.newest_source.clone(), self.arrived.0.clone());
            }
            Wish::Model(lane, folder) => self.load(lane, folder),
            other => {
                let Some(drive) = &mut self.drive else { return Ok(()) };
                if drive.grant(&other) {
                    return self.tell(Update::NoSecond);
                }
            }
        }
        Ok(())
    }

    fn load(&mut self, lane: Lane, folder: PathBuf) {
        let newest = &mut self.newest_model[place(lane).min(1)];
        *newest += 1;
        opening::load(*newest, lane, folder, self.arrived.0.clone());
    }

    fn arrive(&mut self, arrived: Arrived) -> Result {
        let newest = self.newest_source.load(Ordering::Relaxed);
        match arrived {
            Arrived::Waiting(number, words) if number == newest => self.tell(Update::Opening(words)),
            Arrived::Opened(number, result) if number == newest => match result {
                Ok(opened) => self.open(*opened),
                Err(message) if self.drive.is_some() => self.tell(Update::Refused(message)),
                Err(message) => self.tell(Update::Stopped(message)),
            },
            Arrived::Model(number, lane, result) if number == self.newest_model[place(lane).min(1)] => match result {
                Ok(model) => self.use_model(lane, &model),
                Err(message) => self.tell(Update::Refused(message)),
            },
            // Outdated; what was opened ends here.
            Arrived::Opened(..) | Arrived::Model(..) | Arrived::Waiting(..) => Ok(()),
        }
    }

    fn open(&mut self, opened: Opened) -> Result {
        let Opened { pipeline, info, model, thresholds, start } = opened;
        // A recording takes time to complete, and a pipeline joins its threads, perhaps in the middle of a slow feed's frame.
        if let Some(mut old) = self.drive.take() {
            let end = move || {
                old.recorder.take().into_iter().for_each(Recorder::finish);
                drop(old);
            };
            let _ = std::thread::Builder::new().name("end-pipeline".to_owned()).spawn(end);
        }
        let recorder = match info.live.then(|| Recorder::start(info.clone(), model.clone(), self.recorders_tell())) {
            Some(Err(error)) => return self.tell(Update::Stopped(format!("no thread to be had: {error}"))),
            Some(Ok(recorder)) => Some(recorder),
            None => None,
        };
        let mut drive = Drive {
            pipeline,
            info: info.clone(),
            pacing: Pacing::of(info.rate_hz, info.live),
            store: FeatureStore::new(0, self.limit_bytes),
            second_eye: None,
            lanes: [None, None, None],
            ladder: None,
            refused: SkipReport::default(),
            recorder,
            repeat: None,
            playing: start.playing,
            index: 0,
            coming: None,
            background_due: Instant::now(),
            times_due: false,
        };
        let began = drive.begin(&model, thresholds, self.limit_bytes);
        let index = start.place.index(&info);
        if index > 0 {
            drive.seek(index);
            if start.playing {
                drive.pipeline.send(Command::Play);
            }
        }
        self.drive = Some(drive);
        self.tell(Update::Opened(info))?;
        self.check(began)?;
        self.tell_answers(Lane::Main)?;
        self.tell_answers(Lane::Dense)
    }

    /// The recorder never waits for the window: old news of it are worth nothing.
    fn recorders_tell(&self) -> Tell {
        let (updates, wake) = (self.updates.clone(), self.wake.clone());
        Arc::new(move |news| {
            let _ = match news {
                recorder::News::Status(_) => updates.try_send(Update::Recorder(news)).is_ok(),
                _ => updates.send(Update::Recorder(news)).is_ok(),
            };
            wake();
        })
    }

    fn tell_answers(&self, lane: Lane) -> Result {
        let Some(run) = self.drive.as_ref().and_then(|drive| drive.lanes[place(lane)].as_ref()) else { return Ok(()) };
        self.tell(Update::Answers(lane, run.setting().model.clone(), Box::new(run.track().clone())))
    }

    /// An RNN that cannot go on ends the drive, in words.
    fn check<T>(&mut self, result: std::result::Result<T, TemporalError>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.drive = None;
                self.tell(Update::Stopped(format!("The RNN stopped: {error}"))).map(|()| None)
            }
        }
    }

    fn use_model(&mut self, lane: Lane, model: &Arc<Model>) -> Result {
        let Some(drive) = &mut self.drive else { return Ok(()) };
        match drive.use_model(lane, model, self.limit_bytes) {
            Ok(Some(Change::NoSecond)) => self.tell(Update::NoSecond),
            Ok(Some(Change::Answers)) => self.tell_answers(lane),
            Ok(None) => Ok(()),
            Err(error) => self.tell(Update::Refused(format!("{error:#}"))),
        }
    }

    fn take(&mut self, event: Event) -> Result {
        match event {
            Event::Seen(frame) => {
                let Some(drive) = &mut self.drive else { return Ok(()) };
                let shown = drive.see(frame);
                let live = drive.recorder.is_some();
                if let Some(shown) = self.check(shown)? {
                    self.tell_frame(shown, live)?;
                }
            }
            Event::ModelReady(model) => {
                let Some(drive) = &mut self.drive else { return Ok(()) };
                let Some((_, thresholds)) = drive.coming.take_if(|(coming, _)| Arc::ptr_eq(coming, &model)) else {
                    return Ok(());
                };
                let index = drive.index;
                let began = drive.begin(&model, thresholds, self.limit_bytes);
                drive.seek(index);
                if drive.playing {
                    drive.pipeline.send(Command::Play);
                }
                self.check(began)?;
                self.tell_answers(Lane::Main)?;
                self.tell_answers(Lane::Dense)?;
            }
            Event::Ended(end) => {
                let Some(drive) = &mut self.drive else { return Ok(()) };
                if let Some(range) = drive.repeat.filter(|_| drive.playing) {
                    drive.seek(range.first);
                    drive.pipeline.send(Command::Play);
                } else {
                    drive.playing = false;
                    let refused = drive.refused.clone();
                    self.tell(Update::Ended(pipeline::RunEnd { refused, ..end }))?;
                }
            }
            Event::Waiting(words) => self.tell(Update::Waiting(words))?,
            Event::Refused { command, reason } => self.tell(Update::Refused(format!("{command}: {reason}")))?,
            Event::Failed(failure) => {
                self.drive = None;
                let words = format!("The {} stage stopped: {}", failure.stage, failure.message);
                self.tell(Update::Stopped(words))?;
            }
            // The news of its own source came with the pipeline; frames with answers come from a pipeline with an RNN.
            Event::Opened(_) | Event::Frame(_) => {}
        }
        Ok(())
    }

    /// One slice of whatever is most urgent.
    fn work(&mut self) -> Result {
        let Some(drive) = &mut self.drive else { return Ok(()) };
        let until = Instant::now() + SLICE;
        for lane in Lane::ALL {
            let store =
                drive.second_eye.as_ref().filter(|_| lane == Lane::Second).map_or(&drive.store, |eye| &eye.store);
            let Some(run) = drive.lanes[place(lane)].as_mut().filter(|run| run.busy()) else { continue };
            let complete = run.work(store, until);
            return match self.check(complete)? {
                Some(true) => {
                    if let Some(drive) = &mut self.drive {
                        drive.times_due = true;
                    }
                    self.tell_answers(lane)
                }
                _ => Ok(()),
            };
        }
        if let (Some(ladder), Some(dense)) = (&mut drive.ladder, &drive.lanes[2])
            && ladder.begin(dense.track())
        {
            let curve = ladder.work(LADDER_STEPS, &drive.store, dense.track());
            let Some(curve) = self.check(curve)?.flatten() else { return Ok(()) };
            if let Some(drive) = &mut self.drive {
                drive.background_due = Instant::now() + BACKGROUND;
            }
            return self.tell(Update::TradeOff(curve));
        }
        drive.background_due = Instant::now() + BACKGROUND;
        if std::mem::take(&mut drive.times_due) {
            let times = drive.step_times();
            self.tell(Update::StepTimes(times))?;
        }
        Ok(())
    }
}

/// What a new model changes at once.
enum Change {
    NoSecond,
    Answers,
}

impl Drive {
    fn model(&self, lane: Lane) -> Option<Arc<Model>> {
        self.lanes[place(lane)].as_ref().map(|run| run.wanted().model.clone())
    }

    /// How long there is nothing to do but wait; nothing for now where a run is under way.
    fn patience(&self) -> Duration {
        if self.lanes.iter().flatten().any(LaneRun::busy) {
            return Duration::ZERO;
        }
        let dense = self.lanes[2].as_ref().map(LaneRun::track);
        let behind = self.ladder.as_ref().zip(dense).is_some_and(|(ladder, dense)| ladder.behind(dense));
        if behind || self.times_due {
            self.background_due.saturating_duration_since(Instant::now())
        } else {
            Duration::MAX
        }
    }

    /// The first frames of a model: nothing is seen yet.
    fn begin(
        &mut self,
        model: &Arc<Model>,
        thresholds: Thresholds,
        limit_bytes: usize,
    ) -> std::result::Result<(), TemporalError> {
        let setting = |thresholds| Setting { model: model.clone(), thresholds };
        self.store = FeatureStore::new(model.rnn().config.input_size, limit_bytes);
        self.lanes[0] = Some(LaneRun::new(setting(Some(thresholds)), self.pacing, false)?);
        self.lanes[2] = Some(LaneRun::new(setting(None), self.pacing, false)?);
        self.ladder = Some(Ladder::new(&model.rnn(), model.thresholds())?);
        Ok(())
    }

    /// True if the second setting has ended.
    fn grant(&mut self, wish: &Wish) -> bool {
        match wish {
            Wish::Play => {
                self.playing = true;
                self.pipeline.send(Command::Play);
            }
            Wish::Pause => {
                self.playing = false;
                self.pipeline.send(Command::Pause);
            }
            Wish::Step(frames) => {
                self.playing = false;
                self.pipeline.send(Command::Step(*frames));
            }
            Wish::Seek(index) => self.seek(*index),
            Wish::Pace(pace) => {
                self.pipeline.send(Command::Speed(*pace));
            }
            Wish::Loop(range) => {
                self.repeat = *range;
                self.pipeline.send(Command::PlayUntil(range.map(|range| range.end)));
            }
            Wish::Thresholds(lane, thresholds) => {
                if let Some(run) = &mut self.lanes[place(*lane)] {
                    let model = run.wanted().model.clone();
                    run.want(Setting { model, thresholds: Some(*thresholds) });
                }
            }
            Wish::Record(order) => {
                if let Some(recorder) = &self.recorder {
                    recorder.order(order.clone());
                }
            }
            Wish::Compare(None) => {
                self.lanes[1] = None;
                self.second_eye = None;
                return true;
            }
            Wish::Compare(Some(thresholds)) => {
                let setting = self.model(Lane::Main).map(|model| Setting { model, thresholds: Some(*thresholds) });
                self.second_eye = None;
                self.lanes[1] = setting.and_then(|setting| LaneRun::new(setting, self.pacing, true).ok());
            }
            Wish::Open(_) | Wish::Model(..) => {}
        }
        false
    }

    /// Shows frame `index` as the full run would answer it where that is known or near; else with a warmed-up RNN.
    fn seek(&mut self, index: usize) {
        let from = self.read_from(index);
        self.pipeline.send(Command::Seek { index, from });
    }

    /// The first frame to read for an answer at `index`.
    fn read_from(&self, index: usize) -> usize {
        let cold = index.saturating_sub(WARM_UP_FRAMES as usize + 1);
        let Some(main) = &self.lanes[0] else { return cold };
        let known = main.track().get(index);
        if known.is_some_and(|point| point.exact) {
            return index;
        }
        let kept = main.track().below(index).iter().rev().find(|point| self.store.get(point.index).is_some());
        let kept = kept.map(|point| (point.index, point.exact));
        let saved = main.runner().exact_state_before(index).map(|index| (index, true));
        let last = kept.max(saved).filter(|(last, _)| index - last <= REACH_FRAMES);
        match last {
            Some((last, exact)) if exact || known.is_none() => last,
            _ if known.is_some() => index,
            _ if index <= REACH_FRAMES => 0,
            _ => cold,
        }
    }

    /// Keeps a frame's features and answers it where that is new.
    fn see(&mut self, frame: Arc<SeenFrame>) -> std::result::Result<Shown, TemporalError> {
        if !frame.warm_up {
            self.index = frame.index;
        }
        let features = &frame.features;
        let fits = features.len() == self.store.inputs();
        // Frames in flight while the model changes still carry the old one's features.
        let added = if fits { self.store.add(&frame, features) } else { Added::Known };
        self.note(&added, frame.index);
        let second = self.second_eye.as_mut().map(|eye| eye.see(&frame));
        if let Some(Added::Refused(words)) = &second {
            self.refused.add(format!("second model: {words}"));
        }
        let mut answers = [None, None, None];
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            let Some(lane) = lane else { continue };
            let (store, added) = match (&self.second_eye, &second) {
                (Some(eye), Some(added)) if place == 1 => (&eye.store, added),
                _ => (&self.store, &added),
            };
            match added {
                Added::New => {
                    if let Some(kept) = store.get(frame.index) {
                        answers[place] = lane.step(store, frame.index, kept)?;
                    }
                }
                Added::TooOld(kept) => answers[place] = lane.step(store, frame.index, kept)?,
                Added::Joined => lane.outdate(),
                Added::Known | Added::Unlinked | Added::Refused(_) => {}
            }
        }
        if let (Some(recorder), Some((point, _))) = (&mut self.recorder, &answers[0])
            && let Some(main) = &self.lanes[0]
        {
            let dense = answers[2].as_ref().map(|(dense, _)| dense.steering_rad);
            recorder.frame(result(&frame, point, dense, main.track()));
        }
        let kept_bytes = self.store.bytes();
        Ok(Shown { seen: frame, answers, refused: self.refused.count, kept_bytes })
    }

    /// What a new frame means for the work in the background.
    fn note(&mut self, added: &Added, index: usize) {
        match added {
            Added::Refused(words) => self.refused.add(words.clone()),
            Added::New | Added::Joined => {
                self.times_due |= index.is_multiple_of(100);
                if self.store.last() != Some(index)
                    && let Some(run) = &self.lanes[0]
                {
                    let model = run.setting().model.clone();
                    // Frames in between: the sums begin anew.
                    self.ladder = Ladder::new(&model.rnn(), model.thresholds()).ok();
                }
            }
            Added::Known | Added::Unlinked | Added::TooOld(_) => {}
        }
    }

    /// Another model for a lane: at once where its features are those that are kept.
    fn use_model(&mut self, lane: Lane, model: &Arc<Model>, limit_bytes: usize) -> anyhow::Result<Option<Change>> {
        let own = model.thresholds();
        let setting = Setting { model: model.clone(), thresholds: Some(own) };
        let main = self.model(Lane::Main);
        let same = match &main {
            Some(main) => main.feature_key()? == model.feature_key()?,
            None => false,
        };
        match lane {
            Lane::Main if same => {
                for (place, thresholds) in [(0, Some(own)), (2, None)] {
                    if let Some(run) = &mut self.lanes[place] {
                        run.want(Setting { thresholds, ..setting.clone() });
                    }
                }
                self.ladder = Some(Ladder::new(&model.rnn(), own)?);
                Ok(None)
            }
            Lane::Main => {
                self.coming = Some((model.clone(), own));
                self.pipeline.send(Command::UseModel(model.clone()));
                self.lanes[1] = None;
                self.second_eye = None;
                Ok(Some(Change::NoSecond))
            }
            _ => {
                self.second_eye = None;
                if !same {
                    let schedule = model.schedule(None)?;
                    let front_end = FrontEnd::new(model, &self.info, schedule, Device::Cpu)?;
                    let store = FeatureStore::new(model.rnn().config.input_size, limit_bytes);
                    self.second_eye = Some(Eye { front_end, last: None, store });
                }
                self.lanes[1] = Some(LaneRun::new(setting, self.pacing, same)?);
                Ok(Some(Change::Answers))
            }
        }
    }

    fn step_times(&self) -> [Option<f64>; 3] {
        std::array::from_fn(|place| {
            let store = self.second_eye.as_ref().filter(|_| place == 1).map_or(&self.store, |eye| &eye.store);
            self.lanes[place].as_ref()?.runner().time_steps_us(store)
        })
    }
}

/// A frame with the main setting's answer, as files have it.
fn result(frame: &SeenFrame, point: &Point, dense_rad: Option<f32>, track: &Track) -> FrameResult {
    let times = StageTimes { decode_us: frame.decode_us, cnn_us: frame.cnn_us, ..StageTimes::default() };
    FrameResult {
        index: frame.index,
        time_s: frame.time_s,
        image: frame.image.clone(),
        steering_true_rad: frame.steering_true_rad,
        steering_rad: point.steering_rad,
        steering_dense_rad: dense_rad,
        steering_single_frame_rad: frame.steering_single_frame_rad,
        thresholds: track.thresholds,
        count: point.count,
        sent_x: Vec::new(),
        sent_h: Vec::new(),
        features: Vec::new(),
        hidden: Vec::new(),
        looked: frame.looked,
        cnn_work: frame.cnn_work,
        read_at: frame.read_at,
        times,
        queues: QueueLengths { to_cnn: frame.to_cnn, to_rnn: 0 },
        skipped: frame.skipped,
        dropped: frame.dropped,
        health: frame.health.clone(),
        totals: track.figures().work,
    }
}
