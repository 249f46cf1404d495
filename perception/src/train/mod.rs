//! Training the feature layer on cached trunk outputs, the trunk itself frozen; and, for comparison, a whole CNN from scratch
//! ([`train_cnn`]).
//!
//! The caches hold, for each version of each drive, the pooled cells of all frames as 16-bit floats `[frames][pooled]`
//! (`Front::pooled`, `Front::pooled_altered`). [`Basis`] reduces them to coordinates; [`train_features`] trains layer and
//! single-frame output on shuffled frames, [`JointFeatures`] lets a sequence trainer train the layer together with a
//! recurrent network. Everything is seeded and runs in a fixed order: the same data and seed give the same weights.

mod basis;
mod checkpoint;
mod cnn;
mod descent;
mod deviations;
mod head;
mod joint;
mod layer;
mod optimiser;
mod product;
mod settings;
mod single_frame;

pub use basis::Basis;
pub use cnn::{CnnSettings, CnnTraining, PictureDrive, train_cnn};
pub use deviations::Deviations;
pub use head::SingleFrameHead;
pub use joint::{FrameRef, JointFeatures, JointSettings};
pub use layer::TrainableLayer;
pub use settings::{Drive, FeatureSettings, Version};
pub use single_frame::{Control, FeatureProgress, FeatureTraining, Validation, train_features};
