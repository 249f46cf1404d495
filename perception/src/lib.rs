//! Frames to features: a frozen, pre-trained CNN trunk and one trained feature layer.
//!
//! Reading order: [`config`] (what the network sees), `preprocess`, [`trunk`] with `kernels`, `feature`,
//! [`perception`] (all of it behind one door), [`convert`] (where the trunk's weights come from), [`augment`] and
//! [`train`] (how the feature layer is learned).
//!
//! Only plain arrays cross this crate's border; angles are radians of the steering wheel, positive to the left.

pub mod augment;
pub mod bench;
pub mod config;
pub mod convert;
pub mod delta;
mod error;
mod feature;
mod files;
mod kernels;
pub mod motion;
pub mod perception;
mod preprocess;
mod team;
pub mod train;
pub mod trunk;
mod weights;

pub use config::PerceptionConfig;
pub use delta::LayerWork;
pub use error::PerceptionError;
pub use kernels::InstructionSet;
pub use perception::{CnnWork, Front, Perception};
pub use weights::{NamedTensor, Storage, from_safetensors, to_safetensors};
