//! What the training commands share: drives by part, cached trunk outputs, recipes.
//!
//! - [`part`]: a source, or the seconds of it that are meant
//! - [`pooling`]: frames of a drive, as recorded and altered, through the frozen trunk, on all cores
//! - [`cache`]: those outputs on disk, by what they were made from
//! - [`recipe`]: the settings of a training, from a file and from `--set`
//! - [`joint`]: the feature layer as an input of the RNN's training
//! - [`targets`]: angles as targets
//! - [`data`]: from cached outputs to what the RNN's trainer takes
//! - [`together`]: feature layer and RNN, phase by phase
//! - [`own`]: an own model from own drives: split, label checks, purposes, choice of thresholds, report
//! - [`cnn`]: a CNN from scratch on single frames

pub mod cache;
pub mod cnn;
pub mod data;
pub mod joint;
pub mod motion;
pub mod own;
pub mod part;
pub mod pooling;
pub mod recipe;
pub mod targets;
pub mod together;
