//! What is trained on, and how.

use crate::error::PerceptionError;
use half::f16;
use serde::{Deserialize, Serialize};

/// One version of a drive: as recorded, or altered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Version {
    /// `[frames][components]` of `Basis::project`.
    pub coordinates: Vec<f16>,
    /// One angle a frame, radians, positive to the left, corrected for the alteration; NaN where there is none.
    pub steering_rad: Vec<f32>,
}

/// All versions of one drive; all have the same number of frames.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drive {
    /// For messages.
    pub name: String,
    /// Version 0 is the drive as recorded.
    pub versions: Vec<Version>,
}

impl Drive {
    /// Frames of each version.
    pub fn frames(&self) -> usize {
        self.versions.first().map_or(0, |version| version.steering_rad.len())
    }

    /// Checks that every version has as many rows as angles, and all have the same.
    pub(super) fn check(&self, components: usize) -> Result<(), PerceptionError> {
        for version in &self.versions {
            crate::error::check_length("the angles of a version", version.steering_rad.len(), self.frames())?;
            let expected = self.frames() * components;
            crate::error::check_length("the coordinates of a version", version.coordinates.len(), expected)?;
        }
        Ok(())
    }

    /// Coordinates and angle of one frame.
    pub(super) fn row(&self, version: usize, frame: usize, components: usize) -> (&[f16], f32) {
        let version = &self.versions[version];
        (&version.coordinates[frame * components..(frame + 1) * components], version.steering_rad[frame])
    }
}

/// Settings of the training on single frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureSettings {
    /// Seed of the start, the order of frames, dropout and noise.
    pub seed: u64,
    /// Outputs of the feature layer.
    pub features: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// Frames a step; half of them are followed by their successors when `quiet_cost` is above 0.
    pub batch: usize,
    /// Highest learning rate.
    pub learning_rate: f32,
    /// Decay of all weights, not of biases.
    pub weight_decay: f32,
    /// Share of features that are dropped.
    pub dropout: f32,
    /// Deviation of normal noise on the coordinates.
    pub input_noise: f32,
    /// An error at angle a counts `1 + curve_weight * |a|` times.
    pub curve_weight: f32,
    /// Cost of the mean absolute change of a feature from one frame to the next, relative to its mean.
    pub quiet_cost: f32,
    /// Share of the averaged weights that stays at each step.
    pub averaging: f32,
    /// Steps between two validations.
    pub validate_every: u64,
}

impl Default for FeatureSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            features: 64,
            steps: 3000,
            batch: 512,
            learning_rate: 2e-3,
            weight_decay: 0.3,
            dropout: 0.2,
            input_noise: 0.5,
            curve_weight: 0.0,
            quiet_cost: 0.0,
            averaging: 0.99,
            validate_every: 250,
        }
    }
}

impl FeatureSettings {
    /// Checks every field.
    pub(super) fn check(&self) -> Result<(), PerceptionError> {
        let bad = |field, found: String, expected| Err(PerceptionError::Option { field, found, expected });
        if !(1..=4096).contains(&self.features) {
            return bad("features", self.features.to_string(), "1 to 4096");
        }
        if self.steps == 0 || self.batch < 2 || self.validate_every == 0 {
            let found = format!("{}/{}/{}", self.steps, self.batch, self.validate_every);
            return bad("steps/batch/validate_every", found, "at least 1, 2 and 1");
        }
        for (field, value) in [("dropout", self.dropout), ("averaging", self.averaging)] {
            if !(0.0..1.0).contains(&value) {
                return bad(field, value.to_string(), "0 or more and below 1");
            }
        }
        for (field, value) in [
            ("learning_rate", self.learning_rate),
            ("weight_decay", self.weight_decay),
            ("input_noise", self.input_noise),
            ("curve_weight", self.curve_weight),
            ("quiet_cost", self.quiet_cost),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return bad(field, value.to_string(), "a finite number, 0 or more");
            }
        }
        Ok(())
    }
}
