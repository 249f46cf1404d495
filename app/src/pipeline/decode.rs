//! The first stage: obeys commands, keeps the pace, reads frames.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use deltasteer_data::{DataError, Frame, Source};

use super::command::{Command, FrameRange, Pace};
use super::handle::WARM_UP_FRAMES;
use super::item::{Control, DecodedFrame, Item};
use super::snapshot::Event;
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
    pub repeat: Option<FrameRange>,
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
    /// The last frame meant for the caller.
    shown: Option<usize>,
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
        Self { next: first, show_from: first, shown: None, owed: 1, ended: false, anchor: None }
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

    /// The next command, waiting for one only when there is nothing else to do. Of a run of seeks (or thresholds) only
    /// the last counts.
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
        while let (Some(Command::Seek(_)), Some(Command::Seek(_)))
        | (Some(Command::SetThresholds(_)), Some(Command::SetThresholds(_))) = (&command, self.pending.front())
        {
            command = self.pending.pop_front();
        }
        Ok(command)
    }

    fn obey(&mut self, command: Command) -> StageResult {
        match command {
            Command::Play => self.play(),
            Command::Pause => {
                self.playing = false;
                self.run.owed = 0;
                Ok(())
            }
            Command::Step(n) => self.step(n),
            Command::Seek(index) => self.show(index),
            Command::Speed(pace) => self.set_pace(pace),
            Command::Loop(range) => self.set_loop(range),
            Command::OpenSource(spec) => self.open(&spec),
            Command::SetThresholds(thresholds) => self.change(Control::SetThresholds(thresholds)),
            Command::ShadowDense(on) => self.change(Control::ShadowDense(on)),
            Command::SwitchModel(folder) => {
                pass(&self.out, Item::Control(Control::LoadModel(folder)))?;
                self.show_again()
            }
        }
    }

    fn play(&mut self) -> StageResult {
        self.playing = true;
        self.run.anchor = None;
        if self.run.ended { self.start_over() } else { Ok(()) }
    }

    fn step(&mut self, n: i64) -> StageResult {
        self.playing = false;
        if n >= 0 {
            // A frame that is still to be shown (after a jump, or once more for another model) is shown as well.
            self.run.owed = self.run.owed.saturating_add(n.unsigned_abs());
            return Ok(());
        }
        let shown = self.run.shown.unwrap_or(self.run.show_from);
        self.show(shown.saturating_sub(n.unsigned_abs() as usize))
    }

    fn set_pace(&mut self, pace: Pace) -> StageResult {
        match pace {
            Pace::Times(speed) if !(speed.is_finite() && speed > 0.0) => {
                self.events.refuse("speed", format!("{speed} is no speed; expected a number above zero"))
            }
            _ => {
                self.pace = pace;
                self.run.anchor = None;
                Ok(())
            }
        }
    }

    fn set_loop(&mut self, range: Option<FrameRange>) -> StageResult {
        match range {
            Some(_) if self.source.info().live => self.events.refuse("loop", "a live source cannot be repeated"),
            Some(FrameRange { first, end }) if first >= end => {
                self.events.refuse("loop", format!("frames {first}..{end} hold no frame"))
            }
            _ => {
                self.repeat = range;
                Ok(())
            }
        }
    }

    /// Sends a change after the frames; while paused the shown frame is run again with it.
    fn change(&mut self, control: Control) -> StageResult {
        pass(&self.out, Item::Control(control))?;
        if self.playing && !self.run.ended { Ok(()) } else { self.show_again() }
    }

    fn open(&mut self, spec: &str) -> StageResult {
        match deltasteer_data::open(spec) {
            Ok(source) => {
                self.source = source;
                self.range = FrameRange { first: 0, end: usize::MAX };
                self.repeat = None;
                self.run = Run::at(0);
                self.announce()
            }
            Err(error) => self.events.refuse(format!("open {spec}"), error),
        }
    }

    fn announce(&self) -> StageResult {
        pass(&self.out, Item::Control(Control::Opened(Arc::new(self.source.info().clone()))))
    }

    /// From the first frame of the range, cold.
    fn start_over(&mut self) -> StageResult {
        if self.source.info().live {
            self.run.ended = false;
            return Ok(());
        }
        self.source.seek(self.range.first)?;
        self.run = Run::at(self.range.first);
        pass(&self.out, Item::Control(Control::ColdStart))
    }

    /// Runs the shown frame again, where there is one and the source can go back.
    fn show_again(&mut self) -> StageResult {
        match self.run.shown {
            Some(index) if !self.source.info().live => self.show(index),
            _ => Ok(()),
        }
    }

    /// Shows frame `index`, with the RNN warmed up over the frames just before it.
    fn show(&mut self, index: usize) -> StageResult {
        let info = self.source.info();
        let last = info.frame_count.unwrap_or(usize::MAX).saturating_sub(1);
        if info.live {
            return self.events.refuse(format!("go to frame {index}"), "a live source cannot go back");
        }
        let index = index.min(last);
        let warm_from = index.saturating_sub(WARM_UP_FRAMES);
        if let Err(error) = self.source.seek(warm_from) {
            return self.events.refuse(format!("go to frame {index}"), error);
        }
        self.run = Run { next: warm_from, ..Run::at(index) };
        pass(&self.out, Item::Control(Control::ColdStart))
    }

    /// Reads one frame when it is due and sends it on.
    fn advance(&mut self) -> StageResult {
        if !self.wait_until_due()? {
            return Ok(());
        }
        let start = Instant::now();
        match self.source.next_frame() {
            Ok(Some(frame)) if frame.index < self.end() => self.send(frame, micros(start)),
            Ok(_) => self.end_reached(),
            // A feed that stalls is no end: the last angle holds, commands are obeyed, and the source connects again.
            Err(error @ DataError::Waiting { .. }) => self.events.send(Event::Waiting(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// One past the last frame to show.
    fn end(&self) -> usize {
        self.repeat.map_or(self.range.end, |range| range.end)
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
            self.run.shown = Some(index);
            self.run.owed = self.run.owed.saturating_sub(1);
        }
        let decoded = DecodedFrame {
            frame,
            warm_up,
            decode_us,
            skipped: self.source.skipped().count,
            health: self.source.health(),
        };
        pass(&self.out, Item::Frame(decoded))
    }

    fn end_reached(&mut self) -> StageResult {
        if let Some(range) = self.repeat.filter(|_| self.playing) {
            return self.show(range.first);
        }
        self.run.ended = true;
        self.run.owed = 0;
        self.playing = false;
        let skipped = self.source.skipped().clone();
        pass(&self.out, Item::Control(Control::End { skipped, dropped: 0 }))
    }
}

/// Microseconds since `start`.
pub(super) fn micros(start: Instant) -> f32 {
    start.elapsed().as_secs_f32() * 1e6
}
