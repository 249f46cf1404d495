//! One stage, one named thread: its error or panic becomes an event.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;

use super::snapshot::{Event, StageFailure};

/// Why a stage stopped.
pub(super) enum Stop {
    /// Its neighbours have gone: nothing is left to do.
    Neighbours,
    /// It cannot go on.
    Failed(anyhow::Error),
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

/// The result of a stage's steps.
pub(super) type StageResult<T = ()> = Result<T, Stop>;

/// Sends, or learns that the receiver has gone.
pub(super) fn pass<T>(to: &Sender<T>, item: T) -> StageResult {
    to.send(item).map_err(|_| Stop::Neighbours)
}

/// Called after every event, from the pipeline's threads.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The way out: the caller's bounded queue, and a call that wakes the caller.
#[derive(Clone)]
pub(super) struct Events {
    pub sender: Sender<Event>,
    pub wake: Option<Wake>,
}

impl Events {
    /// Hands one event to the caller; waits while the caller's queue is full.
    pub fn send(&self, event: Event) -> StageResult {
        pass(&self.sender, event)?;
        if let Some(wake) = &self.wake {
            wake();
        }
        Ok(())
    }

    /// Tells the caller that a command was not carried out.
    pub fn refuse(&self, command: impl Into<String>, reason: impl std::fmt::Display) -> StageResult {
        self.send(Event::Refused { command: command.into(), reason: format!("{reason:#}") })
    }
}

/// Runs `body` on a thread named `stage`. When it returns an error or panics, the caller learns so through `events`.
pub(super) fn spawn(
    stage: &'static str,
    events: Events,
    body: impl FnOnce() -> StageResult + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(stage.to_owned()).spawn(move || {
        let message = match catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(()) | Err(Stop::Neighbours)) => return,
            Ok(Err(Stop::Failed(error))) => format!("{error:#}"),
            Err(panic) => format!("stopped by a fault in the program: {}", panic_text(panic.as_ref())),
        };
        // A caller that has gone needs no news.
        let _ = events.send(Event::Failed(StageFailure { stage, message }));
    })
}

/// The words a panic carries.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
