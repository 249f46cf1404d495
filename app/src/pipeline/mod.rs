//! Frames in, snapshots out: decode, CNN and RNN, each on its own named thread, bounded channels between them.
//!
//! ```text
//!  commands -> [decode] -> Item -> [cnn] -> Item -> [rnn] -> Event -> caller
//! ```
//!
//! Whatever changes the later stages (a model, a cold start) travels in the same queues as the frames, so each
//! change takes effect at one known frame. A recorded source never loses a frame: a full queue makes the stage before it
//! wait. A live source keeps the newest frame and counts what it drops. A stage that fails or panics ends the pipeline with
//! [`Event::Failed`]. A pipeline can also end behind the CNN and hand out features. Nothing here knows of a window.

mod cnn;
mod command;
mod decode;
mod handle;
mod item;
mod rnn;
mod snapshot;
mod stage;

pub use command::{Command, FrameRange, Pace};
pub use handle::{Pipeline, Settings};
pub use snapshot::{Before, Event, FrameResult, QueueLengths, RunEnd, SeenFrame, StageFailure, StageTimes};
pub use stage::Wake;
