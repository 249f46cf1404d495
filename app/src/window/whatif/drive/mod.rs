//! The drive that is open: its pipeline, what has been seen of it, and the RNNs that answer.

mod seek;

use std::sync::Arc;
use std::time::{Duration, Instant};

use deltasteer_data::{SkipReport, SourceInfo};
use deltasteer_temporal::{TemporalError, Thresholds};

use super::again::{Again, Eye, Progress, Wanted};
use super::lane::{LaneRun, Pacing, Setting};
use super::store::{Added, FeatureStore};
use super::trade_off::Ladder;
use super::{Lane, Shown, Update, Wish};
use crate::model::Model;
use crate::pipeline::{Before, Command, FrameRange, Pipeline, SeenFrame};
use crate::window::recorder::Recorder;

/// A run is interrupted this often to look for frames and wishes.
const SLICE: Duration = Duration::from_millis(2);
/// Steps of the ladder in one slice.
const LADDER_STEPS: usize = 100;
/// The curve and the step times follow new frames this often.
const BACKGROUND: Duration = Duration::from_millis(500);
/// Frames that are seen again are looked for this often.
const AGAIN: Duration = Duration::from_millis(3);

/// Frames that are to be seen again with another model's CNN.
pub(super) struct SeeAgain {
    pub lane: Lane,
    pub model: Arc<Model>,
    pub wanted: Wanted,
}

/// The drive that is open.
pub(super) struct Drive {
    pub pipeline: Pipeline,
    pub info: Arc<SourceInfo>,
    /// Of a live feed.
    pub recorder: Option<Recorder>,
    pub repeat: Option<FrameRange>,
    pub playing: bool,
    pub refused: SkipReport,
    pub again: Option<Again>,
    limit_bytes: usize,
    pacing: Pacing,
    store: FeatureStore,
    second_eye: Option<Eye>,
    /// In the order of [`Lane::ALL`].
    lanes: [Option<LaneRun>; 3],
    ladder: Option<Ladder>,
    /// The frame shown last.
    index: usize,
    /// The CNNs run on the frames that they would run on in the full run.
    certain: bool,
    /// A model with other features: in use from its [`crate::pipeline::Event::ModelReady`] on.
    coming: Option<(Arc<Model>, Thresholds)>,
    background_due: Instant,
    times_due: bool,
}

fn place(lane: Lane) -> usize {
    Lane::ALL.iter().position(|&other| other == lane).unwrap_or(0)
}

impl Drive {
    /// Before the first frame of `pipeline`.
    pub fn new(
        pipeline: Pipeline,
        info: Arc<SourceInfo>,
        recorder: Option<Recorder>,
        playing: bool,
        limit_bytes: usize,
    ) -> Self {
        Self {
            pipeline,
            recorder,
            repeat: None,
            playing,
            refused: SkipReport::default(),
            again: None,
            limit_bytes,
            pacing: Pacing::of(info.rate_hz, info.live),
            info,
            store: FeatureStore::new(0, limit_bytes),
            second_eye: None,
            lanes: [None, None, None],
            ladder: None,
            index: 0,
            certain: true,
            coming: None,
            background_due: Instant::now(),
            times_due: false,
        }
    }

    /// The model of a lane, or the one that it is to have next.
    pub fn model(&self, lane: Lane) -> Option<Arc<Model>> {
        self.lanes[place(lane)].as_ref().map(|run| run.wanted().model.clone())
    }

    /// The answers of a lane as a whole.
    pub fn answers(&self, lane: Lane) -> Option<Update> {
        let run = self.lanes[place(lane)].as_ref()?;
        let (model, track) = (run.setting().model.clone(), Box::new(run.track().clone()));
        Some(Update::Answers { lane, model, track, partial: run.partial() })
    }

    /// How long there is nothing to do but wait; nothing for now where a run is under way.
    pub fn patience(&self) -> Duration {
        if self.lanes.iter().flatten().any(LaneRun::busy) {
            return Duration::ZERO;
        }
        let dense = self.lanes[2].as_ref().map(LaneRun::track);
        let behind = self.ladder.as_ref().zip(dense).is_some_and(|(ladder, dense)| ladder.behind(dense));
        let background = if behind || self.times_due {
            self.background_due.saturating_duration_since(Instant::now())
        } else {
            Duration::MAX
        };
        if self.again.is_some() { background.min(AGAIN) } else { background }
    }

    /// Starts to answer with `model`. Frames that were seen by another model before are to be seen again.
    pub fn begin(&mut self, model: &Arc<Model>, thresholds: Thresholds) -> Result<Option<SeeAgain>, TemporalError> {
        let setting = |thresholds| Setting { model: model.clone(), thresholds };
        let wanted = Wanted::of(&self.store);
        self.store = FeatureStore::new(model.rnn().config.input_size, self.limit_bytes);
        self.lanes[0] = Some(LaneRun::new(setting(Some(thresholds)), self.pacing, false)?);
        self.lanes[2] = Some(LaneRun::new(setting(None), self.pacing, false)?);
        self.ladder = Some(Ladder::new(&model.rnn(), model.thresholds())?);
        Ok(self.see_again(Lane::Main, model, wanted))
    }

    fn see_again(&self, lane: Lane, model: &Arc<Model>, wanted: Wanted) -> Option<SeeAgain> {
        (!wanted.is_empty() && !self.info.live).then(|| SeeAgain { lane, model: model.clone(), wanted })
    }

    /// The pipeline's CNN is that of `model` from here on. `None`: it was so before.
    pub fn model_ready(&mut self, model: &Arc<Model>) -> Result<Option<Option<SeeAgain>>, TemporalError> {
        let Some((_, thresholds)) = self.coming.take_if(|(coming, _)| Arc::ptr_eq(coming, model)) else {
            return Ok(None);
        };
        let again = self.begin(model, thresholds)?;
        self.seek(self.index);
        if self.playing {
            self.pipeline.send(Command::Play);
        }
        Ok(Some(again))
    }

    /// True if the second setting has ended.
    pub fn grant(&mut self, wish: &Wish) -> bool {
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
                self.end_second();
                return true;
            }
            Wish::Compare(Some(thresholds)) => {
                self.end_second();
                let setting = self.model(Lane::Main).map(|model| Setting { model, thresholds: Some(*thresholds) });
                self.lanes[1] = setting.and_then(|setting| LaneRun::new(setting, self.pacing, true).ok());
            }
            Wish::Open(_) | Wish::Model(..) => {}
        }
        false
    }

    fn end_second(&mut self) {
        self.lanes[1] = None;
        self.second_eye = None;
        self.again.take_if(|again| again.lane == Lane::Second);
    }

    /// Keeps a frame's features and answers it where that is new.
    pub fn see(&mut self, frame: Arc<SeenFrame>) -> Result<Shown, TemporalError> {
        if !frame.warm_up {
            self.index = frame.index;
        }
        // Frames in flight while the model changes still carry the old one's features.
        let fits = frame.features.len() == self.store.inputs();
        self.certain |= frame.before == Before::Start;
        let added = if fits { self.store.add(&frame, &frame.features, self.certain) } else { Added::Known };
        self.note(&added, frame.index);
        let certain = self.certain;
        let second = self.second_eye.as_mut().map(|eye| eye.see(&frame, certain));
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
            recorder.frame(&frame, point, dense, main.track());
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

    /// Takes in what was seen again. `None` if nothing has come; within, what there is to tell.
    pub fn take_again(&mut self) -> Option<Option<Update>> {
        let again = self.again.as_mut()?;
        let (lane, progress) = (again.lane, again.poll()?);
        let (words, over) = match progress {
            Progress::Nothing => return Some(None),
            Progress::Frame(frame) => {
                let store = match &mut self.second_eye {
                    Some(eye) if lane == Lane::Second => &mut eye.store,
                    _ => &mut self.store,
                };
                if frame.features.len() == store.inputs() {
                    store.add(&frame, &frame.features, again.certain());
                }
                if !again.count() {
                    return Some(None);
                }
                (Some(again.words()), None)
            }
            Progress::Over(fault) => (None, Some(fault)),
        };
        if lane == Lane::Main {
            let main = self.lanes[0].as_ref().map(|run| run.setting().model.clone());
            self.ladder = main.and_then(|model| Ladder::new(&model.rnn(), model.thresholds()).ok());
        }
        let places: &[usize] = if lane == Lane::Main { &[0, 2] } else { &[1] };
        places.iter().filter_map(|place| self.lanes[*place].as_mut().map(LaneRun::outdate)).count();
        Some(Some(match over {
            None => Update::Again(words),
            Some(fault) => {
                self.again = None;
                fault.map_or(Update::Again(None), Update::Refused)
            }
        }))
    }

    /// Another model for a lane: at once where its features are those that are kept; else what is to be seen again.
    ///
    /// # Errors
    /// A model that cannot be used.
    pub fn use_model(&mut self, lane: Lane, model: &Arc<Model>) -> anyhow::Result<(Option<Update>, Option<SeeAgain>)> {
        let own = model.thresholds();
        let setting = Setting { model: model.clone(), thresholds: Some(own) };
        let same = match self.model(Lane::Main) {
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
                Ok((None, None))
            }
            Lane::Main => {
                self.coming = Some((model.clone(), own));
                self.pipeline.send(Command::UseModel(model.clone()));
                self.end_second();
                self.again = None;
                Ok((Some(Update::NoSecond), None))
            }
            _ => {
                self.end_second();
                self.lanes[1] = Some(LaneRun::new(setting, self.pacing, same)?);
                if same {
                    return Ok((self.answers(lane), None));
                }
                self.second_eye = Some(Eye::new(model, &self.info, self.limit_bytes)?);
                Ok((self.answers(lane), self.see_again(lane, model, Wanted::of(&self.store))))
            }
        }
    }

    /// One slice of whatever is most urgent.
    pub fn work(&mut self) -> Result<Option<Update>, TemporalError> {
        let until = Instant::now() + SLICE;
        for lane in Lane::ALL {
            let Some(run) = self.lanes[place(lane)].as_mut().filter(|run| run.busy()) else { continue };
            let second = self.second_eye.as_ref().filter(|_| lane == Lane::Second);
            let progress = run.work(second.map_or(&self.store, |eye| &eye.store), until)?;
            self.times_due |= progress == super::lane::Progress::Whole;
            return Ok(if progress == super::lane::Progress::Going { None } else { self.answers(lane) });
        }
        // Before the ladder, which is behind for as long as a drive of many units plays.
        if std::mem::take(&mut self.times_due) {
            return Ok(Some(Update::StepTimes(self.step_times())));
        }
        if let (Some(ladder), Some(dense)) = (&mut self.ladder, &self.lanes[2])
            && ladder.begin(dense.track())
        {
            let curve = ladder.work(LADDER_STEPS, &self.store, dense.track())?;
            if curve.is_some() {
                self.background_due = Instant::now() + BACKGROUND;
            }
            return Ok(curve.map(Update::TradeOff));
        }
        self.background_due = Instant::now() + BACKGROUND;
        Ok(None)
    }

    fn step_times(&self) -> [Option<f64>; 3] {
        std::array::from_fn(|place| {
            let store = self.second_eye.as_ref().filter(|_| place == 1).map_or(&self.store, |eye| &eye.store);
            self.lanes[place].as_ref()?.runner().time_steps_us(store)
        })
    }
}
