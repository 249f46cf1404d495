//! A camera or stream. A thread of its own reads the feed and keeps only the newest frame; it reconnects with growing pauses
//! when the feed ends or fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::Array3;

use crate::recorded::timeline;
use crate::{CameraGeometry, DataError, Frame, LiveHealth, SkipReport, Source, SourceInfo, SteeringUnit};

/// How long `next_frame` waits for a new frame before it says so.
const WAIT: Duration = Duration::from_millis(500);
/// Without a new frame for this long the feed is stale.
const STALE: Duration = Duration::from_millis(1000);
/// How long opening waits for the first frame.
const FIRST_FRAME: Duration = Duration::from_secs(20);
/// Pauses before reconnecting: doubled each time, up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// The rate of a feed that states none.
const ASSUMED_HZ: f64 = 30.0;

/// Where the frames of a live source come from. Both calls may take long; the messages are plain fragments.
pub(super) trait Feed: Send + 'static {
    /// Connects, or connects again. Reads end early once `stop` is set, if the feed can do that.
    fn connect(&mut self, stop: &Arc<AtomicBool>) -> Result<(), String>;
    /// Waits for the next frame; `None` for one that is damaged.
    fn read(&mut self) -> Result<Option<Array3<u8>>, String>;
    /// The rate that the feed states, if any.
    fn rate_hz(&self) -> Option<f64>;
}

/// A frame as it arrived.
struct Arrived {
    index: usize,
    at: Instant,
    image: Array3<u8>,
}

/// What the reader thread and the source share.
#[derive(Default)]
struct State {
    newest: Option<Arrived>,
    /// Frames that have arrived so far.
    count: usize,
    dropped: u64,
    last_arrival: Option<Instant>,
    rate_hz: Option<f64>,
    connects: usize,
    /// The last trouble, cleared by the next frame.
    trouble: String,
    /// How long it will be until the next attempt to connect, after a trouble.
    pause: Duration,
    /// Frames that arrived damaged.
    damaged: usize,
}

impl State {
    /// The last trouble and what is done about it; empty if there is none.
    fn message(&self) -> String {
        match self.trouble.as_str() {
            "" => String::new(),
            trouble => format!("{trouble}; connecting again in {:.2} s", self.pause.as_secs_f64()),
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Set by the source when it is dropped.
    stop: Arc<AtomicBool>,
}

impl Shared {
    /// The state; a thread that panicked while it held the lock leaves it usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` or the time is up.
    fn wait(&self, time: Duration, ready: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |state| !ready(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Tells the reader thread to end.
    fn end(&self) {
        // Under the lock, so that a thread that is about to wait sees it.
        let _state = self.lock();
        self.stop.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Puts a frame in the place of the last one.
    fn publish(&self, image: Array3<u8>, rate_hz: Option<f64>) {
        let mut state = self.lock();
        let at = Instant::now();
        let arrived = Arrived { index: state.count, at, image };
        state.dropped += u64::from(state.newest.replace(arrived).is_some());
        state.count += 1;
        state.last_arrival = Some(at);
        state.rate_hz = rate_hz;
        state.trouble.clear();
        self.changed.notify_all();
    }
}

/// A live source; dropping it ends its thread after the read under way.
pub(super) struct LiveSource {
    info: SourceInfo,
    shared: Arc<Shared>,
    skipped: SkipReport,
    started: Instant,
    /// Age of the last frame when it was handed over.
    delay: Duration,
    /// Columns and rows of the last frame.
    size: (usize, usize),
}

impl LiveSource {
    /// Connects and waits for the first frame.
    ///
    /// # Errors
    /// [`DataError::NoFeed`] if the first attempt fails, or no frame comes in time.
    pub(super) fn start(name: &str, format: &'static str, feed: impl Feed) -> Result<Self, DataError> {
        let no_feed = |reason: String| DataError::NoFeed { name: name.to_owned(), reason };
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("live-feed".to_owned())
            .spawn(move || read_on(feed, &of_thread))
            .map_err(|e| no_feed(format!("no thread: {e}")))?;
        let state = shared.wait(FIRST_FRAME, |state| state.newest.is_some() || !state.trouble.is_empty());
        let trouble = state.trouble.clone();
        let first = state.newest.as_ref().map(|first| (first.at, first.image.dim()));
        let rate_hz = state.rate_hz.unwrap_or(ASSUMED_HZ);
        drop(state);
        let Some((started, (height, width, _))) = first else {
            shared.end();
            let silence = || format!("no frame came within {} s", FIRST_FRAME.as_secs());
            return Err(no_feed(if trouble.is_empty() { silence() } else { trouble }));
        };
        let info = SourceInfo {
            name: name.to_owned(),
            format,
            live: true,
            frame_count: None,
            width,
            height,
            rate_hz,
            times_s: Vec::new(),
            steering_true_rad: Vec::new(),
            steering_unit: SteeringUnit::Radians,
            gaps: Vec::new(),
            notes: Vec::new(),
            camera: CameraGeometry::assumed(width, height),
        };
        Ok(Self { info, shared, skipped: SkipReport::default(), started, delay: Duration::ZERO, size: (width, height) })
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        // Not joined: the thread may be inside a read that lasts, and ends by itself after it.
        self.shared.end();
    }
}

impl Source for LiveSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        let mut state = self.shared.wait(WAIT, |state| state.newest.is_some());
        let Some(arrived) = state.newest.take() else {
            let reason = match state.message() {
                silent if silent.is_empty() => "the feed is silent".to_owned(),
                trouble => trouble,
            };
            return Err(DataError::Waiting { name: self.info.name.clone(), reason });
        };
        while self.skipped.count < state.damaged {
            self.skipped.add(format!("before frame {}: a frame arrived damaged", arrived.index));
        }
        drop(state);
        let (height, width, _) = arrived.image.dim();
        if (width, height) != self.size {
            self.info.notes.push(timeline::other_size(arrived.index, (width, height), self.size));
            self.size = (width, height);
        }
        self.delay = arrived.at.elapsed();
        let time_s = arrived.at.duration_since(self.started).as_secs_f64();
        Ok(Some(Frame { index: arrived.index, time_s, image: arrived.image, steering_true_rad: None }))
    }

    fn seek(&mut self, index: usize) -> Result<(), DataError> {
        let reason = "a live feed cannot go back".to_owned();
        Err(DataError::Seek { name: self.info.name.clone(), index, reason })
    }

    fn skipped(&self) -> &SkipReport {
        &self.skipped
    }

    fn health(&self) -> Option<LiveHealth> {
        let state = self.shared.lock();
        let silent = state.last_arrival.map_or(Duration::ZERO, |at| at.elapsed());
        let stale = silent > STALE;
        let message = match (state.message(), stale) {
            (none, true) if none.is_empty() => format!("no frame for {:.1} s", silent.as_secs_f64()),
            (trouble, _) => trouble,
        };
        // While nothing comes, the picture on the screen grows old.
        let delay_s = if stale { silent.as_secs_f64() } else { self.delay.as_secs_f64() };
        Some(LiveHealth { delay_s, dropped: state.dropped, stale, message })
    }
}

/// The reader thread: connect, read until it fails, pause, connect again.
fn read_on(mut feed: impl Feed, shared: &Shared) {
    let mut pause = PAUSES.0;
    loop {
        let trouble = match feed.connect(&shared.stop) {
            Ok(()) => {
                shared.lock().connects += 1;
                let (frames, reason) = read_until_failure(&mut feed, shared);
                if frames > 0 {
                    pause = PAUSES.0;
                }
                reason
            }
            Err(reason) => reason,
        };
        let mut state = shared.lock();
        if shared.stopped() {
            return;
        }
        state.trouble = trouble;
        state.pause = pause;
        drop(state);
        shared.changed.notify_all();
        drop(shared.wait(pause, |_| shared.stopped()));
        if shared.stopped() {
            return;
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Publishes frames until reading fails or the source is gone: their number and the reason.
fn read_until_failure(feed: &mut impl Feed, shared: &Shared) -> (usize, String) {
    let mut frames = 0;
    while !shared.stopped() {
        match feed.read() {
            Ok(Some(image)) => shared.publish(image, feed.rate_hz()),
            Ok(None) => {
                shared.lock().damaged += 1;
                continue;
            }
            Err(reason) => return (frames, reason),
        }
        frames += 1;
    }
    (frames, String::new())
}

#[cfg(test)]
mod tests;
