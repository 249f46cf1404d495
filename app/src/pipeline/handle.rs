//! Starting, steering and ending a pipeline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};
use deltasteer_data::Source;
use deltasteer_perception::Device;
use deltasteer_temporal::Thresholds;

use super::cnn::Cnn;
use super::command::{Command, FrameRange, Pace};
use super::decode::{Decode, Run};
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
        let cnn = Cnn::new(&model, settings.device, frames_rx, features_tx, events.clone())?;
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
        let last = if settings.features_only {
            let last_events = events.clone();
            spawn("hand-out", events.clone(), move || hand_out(model, &features_rx, &last_events))
        } else {
            let rnn = Rnn::new(&model, settings.thresholds, settings.shadow_dense, features_rx, events.clone())?;
            spawn("rnn", events.clone(), || rnn.run())
        };
        let threads = vec![
            spawn("decode", events.clone(), || decode.run()).context("thread decode")?,
            spawn("cnn", events, || cnn.run()).context("thread cnn")?,
            last.context("thread of the last stage")?,
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
