//! Starting, steering and ending a pipeline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};
use deltasteer_data::Source;
use deltasteer_perception::{CnnSchedule, Device};
use deltasteer_temporal::Thresholds;

use super::cnn::{InOrder, Worker};
use super::command::{Command, FrameRange, Pace};
use super::decode::{Decode, Run};
use super::look::{Look, LookState};
use super::rnn::{Rnn, hand_out};
use super::snapshot::Event;
use super::stage::{Events, Wake, spawn};
use crate::model::Model;

/// Items that may wait between two stages.
const QUEUE: usize = 4;
/// Events that may wait for the caller: a window takes them only when it redraws, and must not hold the stages up.
const EVENTS: usize = 128;
/// Commands that may wait; more are refused.
const COMMANDS: usize = 256;

/// How a pipeline starts.
#[derive(Clone, Default)]
pub struct Settings {
    /// `None`: as stored with the model.
    pub thresholds: Option<Thresholds>,
    /// Where the CNN runs.
    pub device: Device,
    /// The frames that it runs on; `None`: as stored with the model.
    pub schedule: Option<CnnSchedule>,
    /// Frames of a recorded source that it works on side by side; `None`: as many as there are cores. The angles are the same
    /// to the last bit.
    pub workers: Option<usize>,
    /// Dense GRU beside the delta GRU.
    pub shadow_dense: bool,
    /// No RNN: [`Event::Seen`] instead of [`Event::Frame`].
    pub features_only: bool,
    /// Frames to play; the RNN starts cold at the first. `None`: all.
    pub range: Option<FrameRange>,
    /// `None`: unpaced.
    pub pace: Option<Pace>,
    /// Whether frames flow at once; the first one is shown in any case.
    pub playing: bool,
    /// Called after each event, so that a caller need not poll.
    pub wake: Option<Wake>,
}

/// A running pipeline. Dropping it ends its threads.
pub struct Pipeline {
    commands: Option<Sender<Command>>,
    events: Option<Receiver<Event>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pipeline {
    /// Starts the stages on `source`.
    ///
    /// # Errors
    /// Weights that do not fit the model's config, or no threads to be had.
    pub fn start(source: Box<dyn Source>, model: Arc<Model>, settings: Settings) -> anyhow::Result<Self> {
        let (command_tx, command_rx) = bounded(COMMANDS);
        let (frames_tx, frames_rx) = bounded(QUEUE);
        let workers = match (source.info().live, settings.workers) {
            (true, _) => 1,
            (false, Some(workers)) => workers.max(1),
            (false, None) => std::thread::available_parallelism().map_or(1, usize::from),
        };
        // A recorded source keeps a job ready for each worker; a live one hands out its newest frame when the CNN is free.
        let ahead = if source.info().live { 0 } else { workers };
        let (jobs_tx, jobs_rx) = bounded(workers + ahead);
        let (free_tx, free_rx) = bounded(workers + ahead);
        for _ in 0..ahead {
            let _ = free_tx.try_send(());
        }
        let (features_tx, features_rx) = bounded(QUEUE + 2 * workers);
        let (event_tx, event_rx) = bounded(EVENTS);
        let events = Events { sender: event_tx, wake: settings.wake };
        let range = settings.range.unwrap_or(FrameRange { first: 0, end: usize::MAX });
        model.schedule(settings.schedule)?;
        let look = Look {
            model: model.clone(),
            schedule: settings.schedule,
            input: frames_rx,
            jobs: jobs_tx,
            free: free_rx,
            out: features_tx,
            state: LookState::default(),
        };
        let decode = Decode {
            source,
            commands: command_rx,
            out: frames_tx,
            events: events.clone(),
            playing: settings.playing,
            pace: settings.pace.unwrap_or(Pace::Unpaced),
            range,
            until: None,
            run: Run::at(range.first),
            pending: VecDeque::new(),
        };
        let mut threads = Vec::new();
        for _ in 0..workers {
            let (extractor, model) = (model.extractor(settings.device)?, model.clone());
            let (device, jobs, free) = (settings.device, jobs_rx.clone(), free_tx.clone());
            let worker = Worker { extractor, model, device, jobs, free };
            threads.push(spawn("cnn", events.clone(), || worker.run()).context("thread cnn")?);
        }
        let in_order = InOrder::new(features_rx);
        threads.push(if settings.features_only {
            let last_events = events.clone();
            spawn("hand-out", events.clone(), move || hand_out(model, in_order, &last_events))?
        } else {
            let rnn = Rnn::new(&model, settings.thresholds, settings.shadow_dense, in_order, events.clone())?;
            spawn("rnn", events.clone(), || rnn.run())?
        });
        threads.push(spawn("look", events.clone(), || look.run()).context("thread look")?);
        threads.push(spawn("decode", events, || decode.run()).context("thread decode")?);
        Ok(Self { commands: Some(command_tx), events: Some(event_rx), threads })
    }

    /// Asks for something; never waits. False when the pipeline has stopped or too much is waiting already.
    pub fn send(&self, command: Command) -> bool {
        self.commands.as_ref().is_some_and(|commands| commands.try_send(command).is_ok())
    }

    /// The next event, waiting for it; `None` once the pipeline has stopped and everything has been read.
    pub fn next_event(&self) -> Option<Event> {
        self.events.as_ref()?.recv().ok()
    }

    /// An event that is there already.
    pub fn poll_event(&self) -> Option<Event> {
        self.events.as_ref()?.try_recv().ok()
    }

    /// Where the events come from, to be waited for beside other channels.
    pub fn events(&self) -> Option<&Receiver<Event>> {
        self.events.as_ref()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // With both ends gone each stage finds its neighbour missing and returns.
        self.commands = None;
        self.events = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
