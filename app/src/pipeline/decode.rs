//! The first stage: obeys commands, keeps the pace, reads frames.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use deltasteer_data::{DataError, Frame, Source};

use super::command::{Command, FrameRange, Pace};
use super::item::{Control, DecodedFrame, Item};
use super::snapshot::{Before, Event, RunEnd};
use super::stage::{Events, StageResult, Stop, pass};

/// The stage's state between two frames.
pub(super) struct Decode {
    pub source: Box<dyn Source>,
    pub commands: Receiver<Command>,
    pub out: Sender<Item<DecodedFrame>>,
    pub events: Events,
    pub playing: bool,
    pub pace: Pace,
    /// What is played; `end` is `usize::MAX` for all.
    pub range: FrameRange,
    /// An earlier end.
    pub until: Option<usize>,
    pub run: Run,
    /// Commands taken from the channel but not yet obeyed.
    pub pending: VecDeque<Command>,
}

/// Where the stage is in its source.
pub(super) struct Run {
    /// Index of the frame that comes next.
    next: usize,
    /// Frames below this are for the RNN alone.
    show_from: usize,
    /// What was read last.
    before: Before,
    /// Frames still to show although playing is off.
    owed: u64,
    /// Set at the end of the source or range.
    ended: bool,
    /// Wall clock and source time of the frame that pacing counts from.
    anchor: Option<(Instant, f64)>,
}

impl Run {
    /// Before the frame `first`, which is shown at once, also while paused.
    pub fn at(first: usize) -> Self {
        Self { next: first, show_from: first, before: Before::Start, owed: 1, ended: false, anchor: None }
    }
}

impl Decode {
    /// Runs until the caller has gone or the source fails.
    pub fn run(mut self) -> StageResult {
        self.announce()?;
        if self.range.first > 0 {
            self.source.seek(self.range.first)?;
        }
        loop {
            match self.take_command()? {
                Some(command) => self.obey(command)?,
                None => self.advance()?,
            }
        }
    }

    /// The next command, waiting for one only when there is nothing else to do. Of a run of seeks only the last counts.
    fn take_command(&mut self) -> StageResult<Option<Command>> {
        let idle = self.run.ended || (!self.playing && self.run.owed == 0);
        if idle && self.pending.is_empty() {
            self.pending.push_back(self.commands.recv().map_err(|_| Stop::Neighbours)?);
        }
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.pending.push_back(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(Stop::Neighbours),
            }
        }
        let mut command = self.pending.pop_front();
        while let (Some(Command::Seek { .. }), Some(Command::Seek { .. })) = (&command, self.pending.front()) {
            command = self.pending.pop_front();
        }
        Ok(command)
    }

    fn obey(&mut self, command: Command) -> StageResult {
        match command {
            Command::Play => {
                self.playing = true;
                self.run.anchor = None;
                self.run.ended = false;
            }
            Command::Pause => {
                self.playing = false;
                self.run.owed = 0;
            }
            Command::Step(frames) => {
                self.playing = false;
                // A frame that is still to be shown (after a jump) is shown as well.
                self.run.owed = self.run.owed.saturating_add(frames);
                self.run.ended = false;
            }
            Command::Seek { index, from } => self.show(index, from)?,
            Command::Speed(Pace::Times(speed)) if !(speed.is_finite() && speed > 0.0) => {
                self.events.refuse("speed", format!("{speed} is no speed; expected a number above zero"))?;
            }
            Command::Speed(pace) => {
                self.pace = pace;
                self.run.anchor = None;
            }
            Command::PlayUntil(end) => self.until = end,
            Command::End => self.end_reached()?,
            Command::UseModel(model) => pass(&self.out, Item::Control(Control::UseModel(model)))?,
        }
        Ok(())
    }

    fn announce(&self) -> StageResult {
        pass(&self.out, Item::Control(Control::Opened(Arc::new(self.source.info().clone()))))
    }

    /// Shows frame `index` after reading the frames `from..index` for the stages behind.
    fn show(&mut self, index: usize, from: usize) -> StageResult {
        let info = self.source.info();
        let last = info.frame_count.unwrap_or(usize::MAX).saturating_sub(1);
        if info.live {
            return self.events.refuse(format!("go to frame {index}"), "a live source cannot go back");
        }
        let index = index.min(last);
        let from = from.min(index);
        if let Err(error) = self.source.seek(from) {
            return self.events.refuse(format!("go to frame {index}"), error);
        }
        let before = if from == self.range.first { Before::Start } else { Before::Jump };
        self.run = Run { next: from, before, ..Run::at(index) };
        pass(&self.out, Item::Control(Control::ColdStart))
    }

    /// Reads one frame when it is due and sends it on.
    fn advance(&mut self) -> StageResult {
        if self.run.next >= self.end() {
            return self.end_reached();
        }
        if !self.wait_until_due()? {
            return Ok(());
        }
        let start = Instant::now();
        match self.source.next_frame() {
            Ok(Some(frame)) if frame.index < self.end() => self.send(frame, micros(start)),
            Ok(Some(beyond)) => {
                // It may still be wanted, should the end be taken back.
                self.source.seek(beyond.index)?;
                self.end_reached()
            }
            Ok(None) => self.end_reached(),
            // A feed that stalls is no end: the last angle holds, commands are obeyed, and the source connects again.
            Err(error @ DataError::Waiting { .. }) => self.events.send(Event::Waiting(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// One past the last frame to show.
    fn end(&self) -> usize {
        self.until.map_or(self.range.end, |until| until.min(self.range.end))
    }

    /// Waits for the next frame's time; false when a command came first.
    fn wait_until_due(&mut self) -> StageResult<bool> {
        let Pace::Times(speed) = self.pace else { return Ok(true) };
        let info = self.source.info();
        let hurried = !self.playing || self.run.next < self.run.show_from;
        let Some(&time_s) = info.times_s.get(self.run.next).filter(|_| !hurried && !info.live) else { return Ok(true) };
        let now = Instant::now();
        let (from, from_s) = *self.run.anchor.get_or_insert((now, time_s));
        let due = from + Duration::from_secs_f64(((time_s - from_s) / f64::from(speed)).max(0.0));
        if due <= now {
            // A machine that is too slow plays slowly; it does not race to catch up.
            if now - due > Duration::from_millis(200) {
                self.run.anchor = Some((now, time_s));
            }
            return Ok(true);
        }
        match self.commands.recv_timeout(due - now) {
            Ok(command) => {
                self.pending.push_back(command);
                Ok(false)
            }
            Err(RecvTimeoutError::Timeout) => Ok(true),
            Err(RecvTimeoutError::Disconnected) => Err(Stop::Neighbours),
        }
    }

    fn send(&mut self, frame: Frame, decode_us: f32) -> StageResult {
        let index = frame.index;
        let warm_up = index < self.run.show_from;
        self.run.next = index + 1;
        if !warm_up {
            self.run.owed = self.run.owed.saturating_sub(1);
        }
        let before = std::mem::replace(&mut self.run.before, Before::Frame(index));
        let decoded = DecodedFrame {
            frame,
            before,
            warm_up,
            read_at: Instant::now(),
            decode_us,
            skipped: self.source.skipped().count,
            health: self.source.health(),
        };
        pass(&self.out, Item::Frame(decoded))
    }

    fn end_reached(&mut self) -> StageResult {
        self.run.ended = true;
        self.run.owed = 0;
        self.playing = false;
        let dropped = self.source.health().map_or(0, |health| health.dropped as usize);
        let end = RunEnd {
            skipped: self.source.skipped().clone(),
            dropped,
            notes: self.source.info().notes.clone(),
            ..RunEnd::default()
        };
        pass(&self.out, Item::Control(Control::End(end)))
    }
}

/// Microseconds since `start`.
pub(super) fn micros(start: Instant) -> f32 {
    start.elapsed().as_secs_f32() * 1e6
}
