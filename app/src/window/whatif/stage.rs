//! The thread's loop: wishes first, then frames, then slices of the runs that wishes have started.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, never, select, unbounded};
use deltasteer_temporal::TemporalError;

use super::drive::{Drive, SeeAgain};
use super::opening::{self, Arrived, Opened};
use super::{Lane, Shown, Update, Wake, Wish};
use crate::model::Model;
use crate::pipeline::{Command, Event, RunEnd};
use crate::window::recorder::{self, Recorder, Tell};

/// Why the thread ends: the window has gone.
struct Gone;
type Result<T = ()> = std::result::Result<T, Gone>;

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

/// The place of a lane's number.
fn number_of(lane: Lane) -> usize {
    usize::from(lane == Lane::Second)
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
        if let Some(told) = self.drive.as_mut().and_then(Drive::take_again) {
            return told.map_or(Ok(()), |update| self.tell(update));
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
        let newest = &mut self.newest_model[number_of(lane)];
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
            Arrived::Model(number, lane, result) if number == self.newest_model[number_of(lane)] => match result {
                Ok(model) => self.use_model(lane, &model),
                Err(message) => self.tell(Update::Refused(message)),
            },
            Arrived::Again(number, lane, result) if number == self.newest_model[number_of(lane)] => match result {
                Ok(again) => {
                    if let Some(drive) = &mut self.drive {
                        drive.again = Some(*again);
                    }
                    Ok(())
                }
                Err(message) => self.tell(Update::Refused(message)),
            },
            // Outdated; what was opened ends here.
            _ => Ok(()),
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
        let mut drive = Drive::new(pipeline, info.clone(), recorder, start.playing, self.limit_bytes);
        let began = drive.begin(&model, thresholds);
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
        let answers = self.drive.as_ref().and_then(|drive| drive.answers(lane));
        answers.map_or(Ok(()), |answers| self.tell(answers))
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
        match drive.use_model(lane, model) {
            Ok((update, again)) => {
                self.see_again(again);
                update.map_or(Ok(()), |update| self.tell(update))
            }
            Err(error) => self.tell(Update::Refused(format!("{error:#}"))),
        }
    }

    fn see_again(&self, again: Option<SeeAgain>) {
        if let (Some(again), Some(drive)) = (again, &self.drive) {
            let number = self.newest_model[number_of(again.lane)];
            opening::see_again(number, drive.info.name.clone(), again, self.arrived.0.clone());
        }
    }

    fn take(&mut self, event: Event) -> Result {
        let Some(drive) = &mut self.drive else { return Ok(()) };
        match event {
            Event::Seen(frame) => {
                let (shown, live) = (drive.see(frame), drive.info.live);
                match self.check(shown)? {
                    Some(shown) => self.tell_frame(shown, live),
                    None => Ok(()),
                }
            }
            Event::ModelReady(model) => {
                let ready = drive.model_ready(&model);
                let Some(again) = self.check(ready)?.flatten() else { return Ok(()) };
                self.see_again(again);
                self.tell_answers(Lane::Main)?;
                self.tell_answers(Lane::Dense)
            }
            Event::Ended(_) if drive.playing && drive.repeat.is_some() => {
                drive.seek(drive.repeat.map_or(0, |range| range.first));
                drive.pipeline.send(Command::Play);
                Ok(())
            }
            Event::Ended(end) => {
                drive.playing = false;
                let refused = drive.refused.clone();
                self.tell(Update::Ended(RunEnd { refused, ..end }))
            }
            Event::Waiting(words) => self.tell(Update::Waiting(words)),
            Event::Refused { command, reason } => self.tell(Update::Refused(format!("{command}: {reason}"))),
            Event::Failed(failure) => {
                self.drive = None;
                self.tell(Update::Stopped(format!("The {} stage stopped: {}", failure.stage, failure.message)))
            }
            // The news of its own source came with the pipeline; frames with answers come from a pipeline with an RNN.
            Event::Opened(_) | Event::Frame(_) => Ok(()),
        }
    }

    /// One slice of whatever is most urgent.
    fn work(&mut self) -> Result {
        let Some(drive) = &mut self.drive else { return Ok(()) };
        let update = drive.work();
        self.check(update)?.flatten().map_or(Ok(()), |update| self.tell(update))
    }
}
