//! Validation: whole sequences from a cold start through the delta network as it will run.

use serde::{Deserialize, Serialize};

use super::data::TrainingData;
use super::error::TrainError;
use super::parameters::Parameters;
use super::settings::TrainSettings;
use crate::{DeltaRnn, RnnConfig, RnnWeights, Thresholds, Totals};

/// The figures of one validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Optimiser steps taken.
    pub step: u64,
    /// The loss's error over the validation sequences.
    pub error: f64,
    /// Dense over executed multiply-accumulates of the layers at the settings' thresholds, first frames included.
    pub savings: f64,
    /// Mean error at 0.9, 1 and 1.1 times the thresholds.
    pub nearby_error: f64,
    /// What is compared to find the best state: `nearby_error * max(1, savings_target / savings)`.
    pub score: f64,
    /// The work done.
    pub totals: Totals,
}

/// The thresholds of each layer, with the factors that were learned.
pub(super) fn thresholds(parameters: &Parameters, settings: &TrainSettings) -> Vec<Thresholds> {
    let of = |(layer, theta): (usize, Thresholds)| {
        let [x, h] = parameters.theta_factors(layer);
        Thresholds { theta_x: theta.theta_x * x, theta_h: theta.theta_h * h }
    };
    settings.layer_thresholds().into_iter().enumerate().map(of).collect()
}

/// Error and savings of `parameters` after `step` steps.
pub(super) fn validate(
    parameters: &Parameters,
    settings: &TrainSettings,
    data: &mut TrainingData<'_>,
    step: u64,
) -> Result<Validation, TrainError> {
    let (gru, head) = parameters.to_weights();
    let config = RnnConfig::of(&gru, Some(&head));
    let weights = RnnWeights::new(gru, Some(head), &config)?;
    let own = thresholds(parameters, settings);
    let mut at = |factor: f32| -> Result<(f64, Totals), TrainError> {
        let scaled = own.iter().map(|t| Thresholds { theta_x: factor * t.theta_x, theta_h: factor * t.theta_h });
        let mut rnn = DeltaRnn::new(weights.clone(), &scaled.collect::<Vec<_>>())?;
        let mut outputs = Vec::with_capacity(data.validation);
        for index in 0..data.validation {
            let features = data.inputs.validation(index).map_err(TrainError::Inputs)?;
            outputs.push(rnn.run(features.view())?);
        }
        Ok((data.loss.error(&outputs), rnn.totals()))
    };
    let (error, totals) = at(1.0)?;
    let mut nearby_error = error;
    if own.iter().any(|t| t.theta_x > 0.0 || t.theta_h > 0.0) {
        nearby_error = (at(0.9)?.0 + error + at(1.1)?.0) / 3.0;
    }
    let savings = totals.savings();
    let score = nearby_error * (f64::from(settings.validation.savings_target) / savings).max(1.0);
    Ok(Validation { step, error, savings, nearby_error, score, totals })
}
