//! Frames in, snapshots out, each stage on its own named thread, bounded channels between them.
//!
//! ```text
//!  commands -> [decode] -> Item -> [look] ----- frames in order -----> [rnn] -> Event -> caller
//!                                     \-> Job -> [cnn] [cnn] ... -> answer /
//! ```
//!
//! `look` measures motion and decides which frames the CNN runs on. The frames keep their order in one queue; each carries the
//! place where its features will appear, so that any number of CNN workers gives the same angles.
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
mod look;
mod rnn;
mod snapshot;
mod stage;

pub use command::{Command, FrameRange, Pace};
pub use handle::{Pipeline, Settings};
pub use snapshot::{Before, Event, FrameResult, QueueLengths, RunEnd, SeenFrame, StageFailure, StageTimes};
pub use stage::Wake;
