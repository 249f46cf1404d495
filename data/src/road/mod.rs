//! The built-in road: a seeded, procedural drive. The same seed gives the same drive, bit for bit, on every machine:
//! sines and the like come from `libm`, not from the system.
//!
//! - [`settings`]: the text `SEED[,seconds=N][,size=WxH][,rate=HZ]`
//! - [`source`]: the drive as a [`Source`](crate::Source)
//! - [`noise`]: randomness that depends only on a seed and a place
//! - [`style`]: what the seed decides for the whole drive
//! - [`track`]: the course of the road
//! - [`driver`]: the car, the human in it, and so the label
//! - [`render`]: the picture at any moment of the drive

mod driver;
mod noise;
mod render;
pub mod settings;
mod source;
mod style;
mod track;

pub use settings::RoadSettings;
pub use source::RoadSource;
