//! Frames to features: a frozen CNN and one trained feature layer, as candle modules.
//!
//! Reading order: [`config`] (what the network sees), `preprocess`, `backbone` (the networks, in candle's own operations and as
//! fused operations on `kernels`), `feature_layer`, [`extractor`] (all of it behind one door), [`device`], [`motion`] (how the picture moves), [`horizon`] (the row of the horizon, found from that), [`schedule`] (on which frames the CNN runs), [`convert`] (where
//! the backbones' weights come from), [`augment`] and [`train`] (how the feature layer is learned).
//!
//! ndarray arrays cross this crate's border; angles are radians of the steering wheel, positive to the left.

pub mod augment;
mod backbone;
pub mod config;
pub mod convert;
pub mod device;
mod error;
pub mod extractor;
mod feature_layer;
mod files;
pub mod horizon;
mod kernels;
pub mod motion;
mod preprocess;
pub mod schedule;
pub mod train;
mod weights;

pub use backbone::BackboneName;
pub use config::PerceptionConfig;
pub use device::Device;
pub use error::PerceptionError;
pub use extractor::{CellExtractor, CnnWork, FeatureExtractor};
pub use kernels::InstructionSet;
pub use schedule::{CnnSchedule, CnnScheduler};
pub use weights::{NamedTensors, Storage, from_safetensors, to_safetensors};
