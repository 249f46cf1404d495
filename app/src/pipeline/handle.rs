//! Starting, steering and ending a pipeline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};
use deltasteer_data::Source;
use deltasteer_temporal::Thresholds;

use super::cnn::Cnn;
use super::command::{Command, FrameRange, Pace};
use super::decode::{Decode, Run};
use super::rnn::Rnn;
use super::snapshot::Event;
use super::stage::{Events, Wake, spawn};
use crate::model::{CnnMode, Model};

/// Frames over which the RNN is run, unseen, before a frame that was jumped to: two seconds at 20 Hz.
pub const WARM_UP_FRAMES: usize = 40;

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
    /// How the CNN runs.
    pub cnn: CnnMode,
    /// Dense GRU beside the delta GRU.
    pub shadow_dense: bool,
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
    /// Starts the three stages on `source`.
    ///
    /// # Errors
    /// Weights that do not fit the model's config, or no threads to be had.
    pub fn start(source: Box<dyn Source>, model: Arc<Model>, settings: Settings) -> anyhow::Result<Self> {
        let (command_tx, command_rx) = bounded(COMMANDS);
        let (frames_tx, frames_rx) = bounded(QUEUE);
        let (features_tx, features_rx) = bounded(QUEUE);
        let (event_tx, event_rx) = bounded(EVENTS);
        let events = Events { sender: event_tx, wake: settings.wake };
        let range = settings.range.unwrap_or(FrameRange { first: 0, end: usize::MAX });
        let cnn = Cnn::new(&model, settings.cnn, frames_rx, features_tx, events.clone())?;
        let rnn = Rnn::new(&model, settings.thresholds, settings.shadow_dense, features_rx, events.clone())?;
        let decode = Decode {
            source,
            commands: command_rx,
            out: frames_tx,
            events: events.clone(),
            playing: settings.playing,
            pace: settings.pace.unwrap_or(Pace::Unpaced),
            range,
            repeat: None,
            run: Run::at(range.first),
            pending: VecDeque::new(),
        };
        let threads = vec![
            spawn("decode", events.clone(), || decode.run()).context("thread decode")?,
            spawn("cnn", events.clone(), || cnn.run()).context("thread cnn")?,
            spawn("rnn", events, || rnn.run()).context("thread rnn")?,
        ];
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
