//! The window, driven by its labels as a screen reader would drive it: real pipelines on the built-in road, no display.
#![allow(clippy::unwrap_used)] // a test that cannot get its data has failed

mod bench;
mod drive;
mod export;
mod hotspots;
mod keys;
mod lecture;
mod live;
mod model;
mod models;
mod screenshots;
mod whatif;
