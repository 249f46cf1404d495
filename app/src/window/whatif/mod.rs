//! What if the thresholds, or the model, had been others? The answer for every seen frame, within a blink.
//!
//! A thread of its own ("what-if") owns the pipeline, which ends behind the CNN, and runs the RNNs itself:
//!
//! ```text
//!  window -> Wish -> [what-if] -> Command -> pipeline: decode, CNN
//!  window <- Update <-    |    <- Event::Seen <-
//!                         FeatureStore, a LaneRun per RNN (main, second, dense), Ladder
//! ```
//!
//! - [`store`]: the features of every seen frame, in 16 bits, within a limit
//! - [`runner`]: an RNN on its way along these frames, with states saved every second
//! - [`track`]: one setting's answers; every figure of the window comes from one of them
//! - [`lane`]: a setting and the next one wished for; a new setting runs over all seen frames and then takes over. Where that
//!   takes too long for an answer at once, a warmed-up RNN answers the last frames first, and they are marked as such
//! - [`trade_off`]: error against savings for a ladder of thresholds, in the background
//! - [`drive`]: the drive that is open; [`again`]: its frames once more, with another model's CNN
//! - [`stage`]: the thread's loop; [`opening`]: threads that open sources and load models for it

mod again;
mod drive;
pub mod lane;
mod opening;
pub mod runner;
mod stage;
pub mod store;
pub mod track;
pub mod trade_off;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, never, unbounded};
use deltasteer_data::SourceInfo;
use deltasteer_temporal::Thresholds;

pub use opening::{Place, Start};
use track::{Mark, Point, Track};
pub use trade_off::TradeOff;

use super::recorder::{self, Order};
use crate::model::Model;
use crate::pipeline::{FrameRange, Pace, RunEnd, SeenFrame};

/// Called from any thread when there is news.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Which of the RNNs is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The setting that is shown.
    Main,
    /// The setting that it is compared with.
    Second,
    /// The main model's weights at every column: the baseline.
    Dense,
}

impl Lane {
    /// Every lane, in the order of their places.
    pub const ALL: [Self; 3] = [Self::Main, Self::Second, Self::Dense];
}

/// What the window asks for.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Open a source with a model.
    Open(Start),
    /// Let frames flow.
    Play,
    /// Stop.
    Pause,
    /// This many frames on, and stop.
    Step(u64),
    /// Show this frame.
    Seek(usize),
    /// How fast.
    Pace(Pace),
    /// Start again at the first frame of the range after its last.
    Loop(Option<FrameRange>),
    /// Answer with these thresholds.
    Thresholds(Lane, Thresholds),
    /// Answer with this model folder.
    Model(Lane, PathBuf),
    /// Record a live feed.
    Record(Order),
    /// A second setting: the main model at these thresholds; or none.
    Compare(Option<Thresholds>),
}

/// A frame with the answers that are new with it: main, second, dense.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The frame. One that is read for the RNN's sake ([`SeenFrame::warm_up`]) is not to be shown.
    pub seen: Arc<SeenFrame>,
    /// `None` for a frame that was answered before, and for one whose RNN is not warm yet.
    pub answers: [Option<(Point, Vec<Mark>)>; 3],
    /// Frames whose features were refused so far.
    pub refused: usize,
    /// Bytes of features kept, and how many may be.
    pub kept_bytes: (usize, usize),
}

/// What the window is told.
#[derive(Debug)]
pub enum Update {
    /// A source is open; everything starts anew.
    Opened(Arc<SourceInfo>),
    /// A feed is not there yet, in words; it is tried again.
    Opening(String),
    /// A frame.
    Frame(Box<Shown>),
    /// New answers: they replace those of the lane.
    Answers {
        /// Whose.
        lane: Lane,
        /// By this model.
        model: Arc<Model>,
        /// For all seen frames, or for the last ones.
        track: Box<Track>,
        /// For the last ones: those for all frames are under way.
        partial: bool,
    },
    /// The second setting has ended.
    NoSecond,
    /// A new curve of error against savings.
    TradeOff(TradeOff),
    /// Microseconds of a step, measured back to back over the last seen frames: main, second, dense.
    StepTimes([Option<f64>; 3]),
    /// How far frames have been seen again with another model, in words; `None` once all have.
    Again(Option<String>),
    /// From the recorder of a live feed.
    Recorder(recorder::News),
    /// The drive is at its end.
    Ended(RunEnd),
    /// A live feed has had no new frame for a while, in words.
    Waiting(String),
    /// Something could not be done; everything goes on as before.
    Refused(String),
    /// Nothing will come any more until a source is opened.
    Stopped(String),
}

/// The window's end of the thread. Dropping it ends the thread.
pub struct WhatIf {
    wishes: Sender<Wish>,
    updates: Receiver<Update>,
    gone: bool,
    /// Closed when the thread has ended and recordings are complete.
    ended: Receiver<()>,
}

/// Updates that may wait for the window, which takes them only when it redraws.
const UPDATES: usize = 128;

impl WhatIf {
    /// Starts the thread; `wake` is called after each update. `limit_bytes` of features are kept.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn start(wake: Wake, limit_bytes: usize) -> std::io::Result<Self> {
        let (wishes, to_fulfil) = unbounded();
        let (tell, updates) = bounded(UPDATES);
        let (end, ended) = bounded(0);
        let stage = stage::Stage::new(to_fulfil, tell, wake, limit_bytes);
        std::thread::Builder::new().name("what-if".to_owned()).spawn(move || stage.run(end))?;
        Ok(Self { wishes, updates, gone: false, ended })
    }

    /// Asks for something; never waits.
    pub fn wish(&self, wish: Wish) {
        // A thread that has gone is told of by `poll`.
        let _ = self.wishes.send(wish);
    }

    /// The next update that is there already.
    pub fn poll(&mut self) -> Option<Update> {
        match self.updates.try_recv() {
            Ok(update) => Some(update),
            Err(TryRecvError::Disconnected) if !std::mem::replace(&mut self.gone, true) => {
                Some(Update::Stopped("A fault in the program: the thread that runs the RNN has ended.".to_owned()))
            }
            Err(_) => None,
        }
    }
}

impl Drop for WhatIf {
    fn drop(&mut self) {
        // The thread finds both of its neighbours gone, and a recording is completed before the program ends.
        self.wishes = unbounded().0;
        self.updates = never();
        let _ = self.ended.recv_timeout(Duration::from_secs(30));
    }
}
