//! The built-in road: a seeded, procedural drive. The same seed gives the same drive, bit for bit.
//!
//! - [`settings`]: the text `SEED[,seconds=N][,size=WxH][,rate=HZ]`

pub mod settings;
mod source;

pub use settings::RoadSettings;
pub use source::RoadSource;
