//! Opening sources and loading models, which takes seconds at worst: on threads of their own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use deltasteer_data::{DataError, SourceInfo};
use deltasteer_temporal::Thresholds;

use super::Lane;
use super::again::Again;
use super::drive::SeeAgain;
use crate::model::Model;
use crate::pipeline::{Pace, Pipeline, Settings};

/// What a window is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// As `deltasteer_data::open` names it.
    pub source: String,
    /// The model folder.
    pub model: PathBuf,
    /// `None`: as stored with the model.
    pub theta_x: Option<f32>,
    /// `None`: as stored with the model.
    pub theta_h: Option<f32>,
    /// How fast.
    pub pace: Pace,
    /// Whether frames flow at once.
    pub playing: bool,
    /// The first frame to show.
    pub place: Place,
}

/// A place in a drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// By the frame's index.
    Frame(usize),
    /// By seconds from the first frame.
    Seconds(f64),
}

impl Place {
    /// The frame's index in a source.
    pub(super) fn index(self, info: &SourceInfo) -> usize {
        match self {
            Self::Frame(index) => index,
            Self::Seconds(time_s) => info.times_s.partition_point(|&t| t < time_s),
        }
    }
}

/// An open source behind a model's CNN.
pub(super) struct Opened {
    pub pipeline: Pipeline,
    pub info: Arc<SourceInfo>,
    pub model: Arc<Model>,
    pub thresholds: Thresholds,
    pub start: Start,
}

/// Pauses between attempts to open a feed: doubled each time, up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// What such a thread hands back. The number is that of the wish: an older one that comes late is let go.
pub(super) enum Arrived {
    /// A feed is not there yet; it is tried again.
    Waiting(u64, String),
    Opened(u64, Result<Box<Opened>, String>),
    Model(u64, Lane, Result<Arc<Model>, String>),
    Again(u64, Lane, Result<Box<Again>, String>),
}

/// Opens `start`; paused, at its first frame, if that is not where it is to begin. `known` is a model that is loaded already.
/// A feed that is not there is tried again for as long as `newest` is this wish's number.
pub(super) fn open(start: Start, known: Option<Arc<Model>>, newest: Arc<AtomicU64>, done: Sender<Arrived>) {
    let number = newest.load(Ordering::Relaxed);
    on_a_thread(
        "open-source",
        done,
        move |result| Arrived::Opened(number, result),
        move |waiting| {
            let mut pause = PAUSES.0;
            loop {
                let error = match bring_up(start.clone(), known.clone()) {
                    Ok(opened) => return Ok(Box::new(opened)),
                    Err(error) => error,
                };
                let no_feed = matches!(error.downcast_ref::<DataError>(), Some(DataError::NoFeed { .. }));
                let words = format!("{error:#}; trying again in {:.1} s", pause.as_secs_f64());
                if !no_feed || waiting.send(Arrived::Waiting(number, words)).is_err() {
                    return Err(error);
                }
                std::thread::sleep(pause);
                pause = (2 * pause).min(PAUSES.1);
                anyhow::ensure!(newest.load(Ordering::Relaxed) == number, "something else is wanted now");
            }
        },
    );
}

/// Loads the model folder.
pub(super) fn load(number: u64, lane: Lane, folder: PathBuf, done: Sender<Arrived>) {
    on_a_thread(
        "load-model",
        done,
        move |result| Arrived::Model(number, lane, result),
        move |_| Ok(Arc::new(Model::load(&folder)?)),
    );
}

/// Opens `source` once more, for another model's CNN.
pub(super) fn see_again(number: u64, source: String, wanted: SeeAgain, done: Sender<Arrived>) {
    let lane = wanted.lane;
    on_a_thread(
        "see-again",
        done,
        move |result| Arrived::Again(number, lane, result),
        move |_| {
            let source = deltasteer_data::open(&source)?;
            Ok(Box::new(Again::start(lane, source, wanted.model, wanted.wanted)?))
        },
    );
}

/// Does `work` on a thread of its own and hands its result back.
fn on_a_thread<T: 'static>(
    name: &str,
    done: Sender<Arrived>,
    told: impl Fn(Result<T, String>) -> Arrived + Clone + Send + 'static,
    work: impl FnOnce(&Sender<Arrived>) -> anyhow::Result<T> + Send + 'static,
) {
    let (failed, told_failed) = (done.clone(), told.clone());
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let result = work(&done).map_err(|error| format!("{error:#}"));
        // A window that has gone needs no news.
        let _ = done.send(told(result));
    });
    if let Err(error) = spawned {
        let _ = failed.send(told_failed(Err(format!("no thread to be had: {error}"))));
    }
}

fn bring_up(start: Start, known: Option<Arc<Model>>) -> anyhow::Result<Opened> {
    let known = known.filter(|model| model.folder() == start.model);
    let model = known.map_or_else(|| Model::load(&start.model).map(Arc::new), Ok)?;
    let source = deltasteer_data::open(&start.source)?;
    let mut info = source.info().clone();
    // Of several notes the window shows the first ones.
    model.view_note(&info).into_iter().for_each(|note| info.notes.insert(0, note));
    let info = Arc::new(info);
    let settings = Settings {
        device: deltasteer_perception::Device::Cpu,
        features_only: true,
        pace: Some(start.pace),
        playing: start.playing && start.place.index(&info) == 0,
        ..Settings::default()
    };
    let own = model.thresholds();
    let (theta_x, theta_h) = (start.theta_x.unwrap_or(own.theta_x), start.theta_h.unwrap_or(own.theta_h));
    let pipeline = Pipeline::start(source, model.clone(), settings)?;
    Ok(Opened { pipeline, info, model, thresholds: Thresholds { theta_x, theta_h }, start })
}
