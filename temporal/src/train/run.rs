//! How a training run is watched and stopped, and what it gives.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::parameters::Parameters;
use super::settings::TrainSettings;
use super::validation::Validation;
use crate::{Gru, Head, RnnConfig, Thresholds};

/// How a run is watched, stopped and resumed.
#[derive(Clone, Copy, Default)]
pub struct Control<'a> {
    /// The checkpoint file: read if it exists (the run goes on exactly where it stopped), written at every validation and on
    /// interruption.
    pub checkpoint: Option<&'a Path>,
    /// Set it from anywhere to stop after the current step.
    pub interrupt: Option<&'a AtomicBool>,
    /// Work on one thread instead of two. The result is the same.
    pub single_thread: bool,
}

/// What the progress callback sees after every step.
pub struct Progress<'a> {
    /// Steps taken.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Loss of this step's windows (weighted mean).
    pub loss: f64,
    /// The gradient's norm before clipping.
    pub gradient_norm: f64,
    /// Savings in this step's windows after the burn-in, at the thresholds of this step.
    pub window_savings: f64,
    /// Figures of the validation after this step, if there was one.
    pub validation: Option<&'a Validation>,
    /// The best validation so far.
    pub best: Option<&'a Validation>,
    /// Seconds trained, over all runs.
    pub elapsed_s: f64,
}

/// The result of a training run.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The weights kept: of the best validation, or the last (`validation.keep_last`, or no validation sequences).
    pub parameters: Parameters,
    /// The thresholds of each layer that belong to them.
    pub thresholds: Vec<Thresholds>,
    /// Figures of the state kept.
    pub best: Option<Validation>,
    /// All validations.
    pub history: Vec<Validation>,
    /// Whether all steps were taken (false: interrupted).
    pub finished: bool,
    /// Seconds trained, over all runs.
    pub elapsed_s: f64,
}

impl Trained {
    /// The tensors and the config of a model, for [`crate::RnnWeights::new`] or [`crate::weights::save`].
    pub fn to_model(&self, settings: &TrainSettings) -> (Gru, Head, RnnConfig) {
        let (gru, head) = self.parameters.to_weights();
        let config = RnnConfig {
            thresholds: self.thresholds.clone(),
            technique: settings.technique(),
            ..RnnConfig::of(&gru, Some(&head))
        };
        (gru, head, config)
    }
}
