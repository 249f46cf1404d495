//! The command, from its options to its files. One program for all these tests: each would link everything once more.
#![allow(clippy::unwrap_used)] // a test that cannot get its data has failed

mod bad_input;
mod common;
mod figures;
mod fleet;
#[cfg(all(feature = "opencv", unix))]
mod live;
#[cfg(unix)]
mod outputs;
mod own_model;
mod pipeline;
mod remote;
mod shipped;
mod sweep;
mod training;
