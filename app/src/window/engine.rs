//! The window's end of the pipelines: starts them off the UI thread, passes requests on, hands events over.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use deltasteer_data::SourceInfo;
use deltasteer_temporal::Thresholds;

use super::command::Lane;
use crate::model::Model;
use crate::pipeline::{Command, Event, Pace, Pipeline, Settings};

/// Called from any thread when there is news.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What a pipeline is started with.
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
    /// The dense RNN beside it.
    pub dense: bool,
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

impl Start {
    /// The thresholds that this start means for a model with thresholds `own`.
    pub fn thresholds(&self, own: Thresholds) -> Thresholds {
        Thresholds { theta_x: self.theta_x.unwrap_or(own.theta_x), theta_h: self.theta_h.unwrap_or(own.theta_h) }
    }

    /// The same start with these thresholds, or with the model's own.
    pub fn with_thresholds(self, thresholds: Option<Thresholds>) -> Self {
        Self { theta_x: thresholds.map(|t| t.theta_x), theta_h: thresholds.map(|t| t.theta_h), ..self }
    }
}

impl Place {
    /// The frame's index in a source.
    fn index(self, info: &SourceInfo) -> usize {
        match self {
            Self::Frame(index) => index,
            Self::Seconds(time_s) => info.times_s.partition_point(|&t| t < time_s),
        }
    }
}

/// One message to the window.
pub enum News {
    /// From a pipeline.
    Event(Lane, Event),
    /// A pipeline could not be started.
    NotStarted(Lane, String),
}

/// Where requests go and news comes from.
pub trait Engine {
    /// Starts, or starts anew, the pipeline of `lane`; news follow.
    fn start(&mut self, lane: Lane, start: Start);
    /// Ends the pipeline of `lane`.
    fn stop(&mut self, lane: Lane);
    /// Passes a request on. False if there is no pipeline to take it, or it takes no more.
    fn send(&mut self, lane: Lane, command: Command) -> bool;
    /// The next message that is there already.
    fn poll(&mut self) -> Option<News>;
}

/// A pipeline that has come up, or why it has not.
type Started = (Lane, u64, Result<Pipeline, String>);

/// Real pipelines.
pub struct Pipelines {
    running: [Option<Pipeline>; 2],
    /// Number of the newest start of each lane: an older one that comes up late is let go.
    generation: [u64; 2],
    started: (Sender<Started>, Receiver<Started>),
    /// Ending a pipeline joins its threads, which may be in the middle of a frame: not on the UI thread.
    ended: Sender<Pipeline>,
    wake: Wake,
}

impl Pipelines {
    /// No pipeline yet. `wake` is called whenever there is news.
    pub fn new(wake: Wake) -> std::io::Result<Self> {
        let (ended, to_end) = unbounded::<Pipeline>();
        std::thread::Builder::new().name("end-pipelines".to_owned()).spawn(move || to_end.iter().for_each(drop))?;
        Ok(Self { running: [None, None], generation: [0, 0], started: unbounded(), ended, wake })
    }

    fn end(&self, pipeline: Pipeline) {
        // The receiver lives as long as this sender does.
        let _ = self.ended.send(pipeline);
    }
}

fn slot(lane: Lane) -> usize {
    match lane {
        Lane::Main => 0,
        Lane::Second => 1,
    }
}

impl Engine for Pipelines {
    fn start(&mut self, lane: Lane, start: Start) {
        self.stop(lane);
        let generation = self.generation[slot(lane)];
        let (done, wake) = (self.started.0.clone(), self.wake.clone());
        let spawned = std::thread::Builder::new().name("start-pipeline".to_owned()).spawn(move || {
            let result = bring_up(&start, wake.clone()).map_err(|error| format!("{error:#}"));
            let _ = done.send((lane, generation, result));
            wake();
        });
        if let Err(error) = spawned {
            let _ = self.started.0.send((lane, generation, Err(format!("no thread to be had: {error}"))));
        }
    }

    fn stop(&mut self, lane: Lane) {
        self.generation[slot(lane)] += 1;
        if let Some(pipeline) = self.running[slot(lane)].take() {
            self.end(pipeline);
        }
    }

    fn send(&mut self, lane: Lane, command: Command) -> bool {
        self.running[slot(lane)].as_ref().is_some_and(|pipeline| pipeline.send(command))
    }

    fn poll(&mut self) -> Option<News> {
        while let Ok((lane, generation, result)) = self.started.1.try_recv() {
            match result {
                Ok(pipeline) if generation == self.generation[slot(lane)] => self.running[slot(lane)] = Some(pipeline),
                Ok(outdated) => self.end(outdated),
                Err(message) if generation == self.generation[slot(lane)] => {
                    return Some(News::NotStarted(lane, message));
                }
                Err(_) => {}
            }
        }
        for lane in [Lane::Main, Lane::Second] {
            if let Some(event) = self.running[slot(lane)].as_ref().and_then(Pipeline::poll_event) {
                if matches!(event, Event::Failed(_)) {
                    self.stop(lane);
                }
                return Some(News::Event(lane, event));
            }
        }
        None
    }
}

/// Loads the model, opens the source and starts the stages: seconds, at worst.
fn bring_up(start: &Start, wake: Wake) -> anyhow::Result<Pipeline> {
    let model = Arc::new(Model::load(&start.model)?);
    let source = deltasteer_data::open(&start.source)?;
    let index = start.place.index(source.info());
    let settings = Settings {
        cnn: crate::model::CnnMode::Dense,
        thresholds: Some(start.thresholds(model.thresholds())),
        shadow_dense: start.dense,
        range: None,
        pace: Some(start.pace),
        playing: start.playing && index == 0,
        wake: Some(wake),
    };
    let pipeline = Pipeline::start(source, model, settings)?;
    if index > 0 {
        pipeline.send(Command::Seek(index));
        if start.playing {
            pipeline.send(Command::Play);
        }
    }
    Ok(pipeline)
}
