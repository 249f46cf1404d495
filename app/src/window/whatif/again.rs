//! A second model's eyes, and seeing again: frames that were seen by one model pass through another one's CNN, in a pipeline of their own, in the
//! background, so that its answers cover the same frames.

use std::collections::VecDeque;
use std::sync::Arc;

use deltasteer_data::{Source, SourceInfo};
use deltasteer_perception::{CnnSchedule, Device};

use super::Lane;
use super::store::{Added, FeatureStore, Kept};
use crate::front_end::FrontEnd;
use crate::model::Model;
use crate::pipeline::{Before, Command, Event, Pipeline, SeenFrame, Settings};

/// The lane's answers are brought up to date each time so many frames have been seen again.
const BATCH: usize = 200;

/// A second model's own CNN, where its features are not the main model's, and what it has seen.
pub(super) struct Eye {
    front_end: FrontEnd,
    /// The frame that it saw last.
    last: Option<usize>,
    pub store: FeatureStore,
}

impl Eye {
    /// An eye that has seen nothing of the source.
    ///
    /// # Errors
    /// Weights that do not fit the model's config.
    pub fn new(model: &Model, info: &SourceInfo, limit_bytes: usize) -> anyhow::Result<Self> {
        let store = FeatureStore::new(model.rnn().config.input_size, limit_bytes);
        let front_end = FrontEnd::new(model, info, model.schedule(None)?, Device::Cpu)?;
        Ok(Self { front_end, last: None, store })
    }

    /// Sees a frame, also one that is known: motion and schedule need every frame, in order.
    pub fn see(&mut self, frame: &SeenFrame, certain: bool) -> Added {
        if frame.before != self.last.map_or(Before::Start, Before::Frame) {
            self.front_end.reset();
        }
        self.last = Some(frame.index);
        match self.front_end.see(frame.image.view(), frame.time_s) {
            Ok(_) if self.store.get(frame.index).is_some() => Added::Known,
            Ok(inputs) => self.store.add(frame, &inputs.to_vec(), certain),
            Err(error) => Added::Refused(format!("frame {}: {error}", frame.index)),
        }
    }
}

/// A run over frames that are to be seen again.
pub(super) struct Again {
    pub lane: Lane,
    pipeline: Pipeline,
    schedule: CnnSchedule,
    /// First and last frame of each unbroken stretch that is still to come, the one under way first.
    stretches: VecDeque<(usize, usize)>,
    total: usize,
    done: usize,
}

/// What a pipeline's event meant.
pub(super) enum Progress {
    Nothing,
    Frame(Arc<SeenFrame>),
    /// No more frames come; in words, if that is a fault.
    Over(Option<String>),
}

impl Again {
    /// Starts on `source`, anew, with the CNN of `model`.
    ///
    /// # Errors
    /// As [`Pipeline::start`].
    pub fn start(lane: Lane, source: Box<dyn Source>, model: Arc<Model>, wanted: Wanted) -> anyhow::Result<Self> {
        let schedule = model.schedule(None)?;
        let settings = Settings { features_only: true, ..Settings::default() };
        let pipeline = Pipeline::start(source, model, settings)?;
        let again = Self { lane, pipeline, schedule, stretches: wanted.stretches, total: wanted.total, done: 0 };
        again.begin_stretch();
        Ok(again)
    }

    fn begin_stretch(&self) {
        if let Some(&(first, last)) = self.stretches.front() {
            self.pipeline.send(Command::PlayUntil(Some(last + 1)));
            // The frame before it is read as well, so that it is known what came before, and all from the last one on that the
            // CNN runs on in the full run.
            let before = first.saturating_sub(1);
            let from = if let CnnSchedule::Every(n) = self.schedule { before - before % n.max(1) } else { before };
            self.pipeline.send(Command::Seek { index: first, from });
            self.pipeline.send(Command::Play);
        }
    }

    /// What has come, if anything.
    pub fn poll(&mut self) -> Option<Progress> {
        Some(match self.pipeline.poll_event()? {
            Event::Seen(frame) => {
                let within =
                    self.stretches.front().is_some_and(|(first, last)| (*first..=*last).contains(&frame.index));
                if within { Progress::Frame(frame) } else { Progress::Nothing }
            }
            Event::Ended(_) => {
                self.stretches.pop_front();
                self.begin_stretch();
                if self.stretches.is_empty() { Progress::Over(None) } else { Progress::Nothing }
            }
            Event::Failed(failure) => Progress::Over(Some(failure.to_string())),
            _ => Progress::Nothing,
        })
    }

    /// Whether the full run has the same features.
    pub fn certain(&self) -> bool {
        !self.schedule.needs_motion() || self.stretches.front().is_some_and(|&(first, _)| first == 0)
    }

    /// Counts a frame. True when the lane's answers are to be brought up to date.
    pub fn count(&mut self) -> bool {
        self.done += 1;
        self.done.is_multiple_of(BATCH)
    }

    /// How far it is, in words.
    pub fn words(&self) -> String {
        format!("seeing the drive again with the other model: {} of {} frames …", self.done, self.total)
    }
}

/// The frames that are to be seen again.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    stretches: VecDeque<(usize, usize)>,
    total: usize,
}

impl Wanted {
    /// All frames of a store.
    pub fn of(store: &FeatureStore) -> Self {
        let mut wanted = Self::default();
        for (index, Kept { before, .. }) in store.from(0) {
            wanted.total += 1;
            match wanted.stretches.back_mut() {
                Some((_, last)) if *before == Before::Frame(*last) => *last = index,
                _ => wanted.stretches.push_back((index, index)),
            }
        }
        wanted
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}
