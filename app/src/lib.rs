//! The command `deltasteer`, as a library so that tests, benches and the window can use its parts.
//!
//! - [`cli`]: the command line as typed; [`commands`]: one file a subcommand
//! - [`model`]: the model folder, loaded and saved whole; [`shipped`]: the models inside the program
//! - [`pipeline`]: decode, CNN and RNN on their threads; commands in, snapshots out
//! - [`session`]: source, model, thresholds and range, opened and checked; [`drive`]: a whole drive run to its end
//! - [`front_end`]: motion, schedule and CNN frame by frame on one thread
//! - [`interrupt`]: Ctrl-C and its relatives; [`stdout`]: printing that cannot panic
//! - [`fingerprint`]: what a result or a cached picture was made from
//! - [`view`]: the camera that a model was trained on; [`horizon`]: where a drive's horizon lies; [`metrics`]: error figures
//! - [`terminal`]: a live view in a text terminal
//! - [`training`]: what the training commands share
//! - [`figures`]: recorded results and the pictures drawn from them
//! - [`export`]: a drive's results as files; [`output`]: files that are never half-written; [`text`]: figures in words

/// Of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub mod cli;
pub mod commands;
pub mod drive;
pub mod export;
pub mod figures;
pub mod fingerprint;
pub mod front_end;
pub mod horizon;
pub mod interrupt;
pub mod metrics;
pub mod model;
pub mod output;
pub mod pipeline;
pub mod session;
pub mod shipped;
pub mod stdout;
pub mod terminal;
pub mod text;
pub mod training;
pub mod view;
#[cfg(feature = "window")]
pub mod window;
