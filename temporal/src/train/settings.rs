//! The settings of a training run; every technique is one field and any may be combined.

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::{Rounding, Technique, Thresholds};

/// All settings of a training run. `Default` and [`TrainSettings::delta_stage`] are the two stages of the recipe of the
/// shipped real-drive model.
///
/// A technique that is `None` (or a cost that is 0) is off: with `delta`, `rounding`, `noise`, `sparsity` and `learned` all
/// `None` this trains an ordinary dense GRU, which is still validated with the thresholds `theta_x` and `theta_h`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// Hidden units of the GRU.
    pub hidden: usize,
    /// Seeds the weights, the choice of windows and all noise.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Windows in one step.
    pub batch: usize,
    /// Frames in one window.
    pub window: usize,
    /// Windows follow on: each continues where the one before it in its place of the batch stopped, with the cell's state
    /// carried over (the gradient stops there), until the stretch of road ends or, with this chance before every window, a new
    /// place is drawn with a cold start. `None`: every window is drawn anew and starts cold. A drive has one cold start in
    /// thousands of frames; windows that all start cold teach a net to refresh its state, which costs savings.
    pub restart: Option<f32>,
    /// First frames of a window that carry no loss and no cost. The cell starts cold there, as it does on a drive: 0 teaches it
    /// to start well.
    pub burn_in: usize,
    /// Threshold on the inputs, in units of the features' standard deviation: stored with the model, used in validation.
    pub theta_x: f32,
    /// Threshold on the hidden state, likewise.
    pub theta_h: f32,
    /// The optimiser.
    pub optimiser: OptimiserSettings,
    /// The loss.
    pub loss: LossSettings,
    /// Noise and dropout on the features.
    pub inputs: InputNoise,
    /// Training as a delta network: thresholds in the forward pass and costs on what is transmitted.
    pub delta: Option<DeltaSettings>,
    /// Rounding network: features and hidden state rounded to fixed point in the forward pass, gradient straight through.
    pub rounding: Option<Rounding>,
    /// Gaussian noise on what is sent to the matrices.
    pub noise: Option<ActivationNoise>,
    /// Weight sparsity by magnitude.
    pub sparsity: Option<SparsitySettings>,
    /// Thresholds that are learned. Needs `delta`.
    pub learned: Option<LearnedThresholds>,
    /// When to validate and what is kept.
    pub validation: ValidationSettings,
}

/// AdamW with a warm-up and a cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimiserSettings {
    /// Highest learning rate.
    pub learning_rate: f32,
    /// Steps over which the rate rises linearly from zero.
    pub warmup_steps: u64,
    /// Share of the highest rate that is left at the end of the cosine.
    pub final_share: f32,
    /// Decay of the weights (not of biases or thresholds), per unit of learning rate.
    pub weight_decay: f32,
    /// The same for a feature layer that is trained together with the RNN.
    pub inputs_decay: f32,
    /// Factor on the learning rate of such a feature layer; 0: it stays as it is.
    pub inputs_rate: f32,
    /// The gradient's norm is cut to this.
    pub clip_norm: f32,
    /// Weights are also averaged exponentially with this decay per step, and the average is what is validated and kept;
    /// 0: no averaging.
    pub average: f32,
}

/// What an error costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossSettings {
    /// Beyond this error, radians, the cost grows linearly (Huber); `None`: squared error throughout.
    pub huber_rad: Option<f32>,
    /// A frame weighs `1 + curve_weight * |steering in rad|`, so that sharp curves are not neglected.
    pub curve_weight: f32,
    /// That weight is cut to this.
    pub curve_weight_limit: f32,
    /// Share of the loss that compares with the teacher's angle, where the data has one; the rest compares with the label.
    pub teacher_share: f32,
}

/// Disturbances of the features, against memorising ten minutes of road. All are drawn once for a walk along the road and stay
/// the same over its windows: flicker would punish exactly the quietness that a delta network lives from. (A feature layer
/// that is trained too should then draw no dropout of its own.)
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputNoise {
    /// Standard deviation of a gain on each feature around 1.
    pub gain: f32,
    /// Share of the features that is set to zero (the others are scaled up).
    pub dropout: f32,
}

/// Training as a delta network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeltaSettings {
    /// Cost per frame on `sum |dx|` over the transmitted deltas (acts on a feature layer that is trained too).
    pub beta_x: f32,
    /// Cost per frame on `sum |dh|` over the transmitted deltas.
    pub beta_h: f32,
    /// Cost per frame on the smooth number of events, `sum sigmoid((|delta| - theta) / (event_width theta))` over x and h: it
    /// also holds back values that are about to be transmitted, and it is what learned thresholds obey.
    pub beta_event: f32,
    /// Width of the smooth comparison as a share of the threshold.
    pub event_width: f32,
    /// All three costs rise while the training windows save less than this, and fall while they save more. `None`: they stay
    /// as given.
    pub savings: Option<f32>,
    /// Share of the steps before thresholds and costs begin to rise from zero.
    pub ramp_from: f32,
    /// Share of the steps at which they have reached their full value.
    pub ramp_to: f32,
}

/// Gaussian noise on the values that go into the matrices, fresh in every frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivationNoise {
    /// Standard deviation on the features.
    pub x: f32,
    /// Standard deviation on the hidden state.
    pub h: f32,
}

/// Weight sparsity: the smallest weights of `w_x` and of `w_h` become zero and stay so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparsitySettings {
    /// Share of zero weights at the end, 0 to below 1.
    pub share: f32,
    /// Share of the steps at which pruning begins.
    pub from: f32,
    /// Share of the steps at which `share` is reached (cubic in between, Zhu and Gupta 2017); after it the mask is fixed.
    pub to: f32,
}

/// Thresholds that are learned through the smooth comparison of `delta.event_width`, against `delta.beta_event`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedThresholds {
    /// One threshold a column, or (false) one factor for all of x and one for all of h.
    pub per_column: bool,
    /// Learning rate of the thresholds' logarithms, as a multiple of the weights'.
    pub rate: f32,
}

/// When to validate and which state is kept as the best.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidationSettings {
    /// Steps between two validations.
    pub every: u64,
    /// The state with the lowest `rmse * max(1, savings_target / savings)` is kept: the lowest error among those that reach
    /// the target, and a fair exchange below it. 0: the lowest error alone. The error is the mean of those at 0.9, 1 and 1.1
    /// times the thresholds, because one of them alone moves by a tenth for no reason; states from before the thresholds have
    /// risen to their full height are not considered.
    pub savings_target: f32,
    /// Keep the last state instead of the best: nothing is chosen by the validation drive.
    pub keep_last: bool,
}

/// The recipe's first stage: a dense GRU, to be trained together with its feature layer.
impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            hidden: 32,
            seed: 1,
            steps: 1500,
            batch: 24,
            window: 96,
            restart: None,
            burn_in: 0,
            theta_x: 0.0,
            theta_h: 0.0,
            optimiser: OptimiserSettings::default(),
            loss: LossSettings::default(),
            inputs: InputNoise { gain: 0.0, dropout: 0.2 },
            delta: None,
            rounding: None,
            noise: None,
            sparsity: None,
            learned: None,
            validation: ValidationSettings::default(),
        }
    }
}

impl Default for OptimiserSettings {
    fn default() -> Self {
        Self {
            learning_rate: 3e-3,
            warmup_steps: 50,
            final_share: 0.0,
            weight_decay: 0.05,
            inputs_decay: 0.3,
            inputs_rate: 1.0,
            clip_norm: 1.0,
            average: 0.99,
        }
    }
}

impl Default for LossSettings {
    fn default() -> Self {
        Self { huber_rad: None, curve_weight: 0.0, curve_weight_limit: 5.0, teacher_share: 0.0 }
    }
}

impl Default for DeltaSettings {
    fn default() -> Self {
        Self {
            beta_x: 1e-3,
            beta_h: 1e-3,
            beta_event: 0.0,
            event_width: 0.25,
            savings: None,
            ramp_from: 0.0,
            ramp_to: 0.5,
        }
    }
}

impl Default for ValidationSettings {
    fn default() -> Self {
        Self { every: 100, savings_target: 0.0, keep_last: false }
    }
}

impl TrainSettings {
    /// The recipe's second stage: the dense GRU, its features scaled to unit deviation, is trained on as a delta network.
    pub fn delta_stage() -> Self {
        Self {
            steps: 500,
            batch: 16,
            window: 64,
            restart: Some(0.08),
            theta_x: 1.0,
            theta_h: 0.3,
            optimiser: OptimiserSettings { learning_rate: 2e-3, ..OptimiserSettings::default() },
            delta: Some(DeltaSettings::default()),
            validation: ValidationSettings { every: 50, savings_target: 100.0, ..ValidationSettings::default() },
            ..Self::default()
        }
    }

    /// What a model's config says of its training.
    pub fn technique(&self) -> Technique {
        let thresholds = Thresholds { theta_x: self.theta_x, theta_h: self.theta_h };
        let (l1_x, l1_h) = self.delta.as_ref().map_or((0.0, 0.0), |delta| (delta.beta_x, delta.beta_h));
        Technique {
            rounding: self.rounding,
            noise_std: self.noise.map_or(0.0, |noise| noise.x.max(noise.h)),
            delta_thresholds: self.delta.iter().map(|_| thresholds).collect(),
            l1_x,
            l1_h,
            weight_sparsity: self.sparsity.map_or(0.0, |sparsity| sparsity.share),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first field that is outside its range.
    pub fn check(&self) -> Result<(), TrainError> {
        const AT_LEAST_ONE: &str = "at least 1";
        const SHARE: &str = "a number from 0 to below 1";
        const NOT_NEGATIVE: &str = "a finite number, zero or above";
        const POSITIVE: &str = "a finite number above zero";
        let not_negative = |x: f32| x.is_finite() && x >= 0.0;
        let positive = |x: f32| x.is_finite() && x > 0.0;
        let share = |x: f32| (0.0..1.0).contains(&x);
        let ramp = |from: f32, to: f32| from >= 0.0 && to <= 1.0 && from <= to;

        ensure("hidden", self.hidden, self.hidden >= 1, AT_LEAST_ONE)?;
        ensure("steps", self.steps, self.steps >= 1, AT_LEAST_ONE)?;
        ensure("batch", self.batch, self.batch >= 1, AT_LEAST_ONE)?;
        ensure("window", self.window, self.window >= 2, "at least 2")?;
        ensure("burn_in", self.burn_in, self.burn_in < self.window, "fewer frames than `window`")?;
        if let Some(restart) = self.restart {
            ensure("restart", restart, share(restart), SHARE)?;
        }
        ensure("theta_x", self.theta_x, not_negative(self.theta_x), NOT_NEGATIVE)?;
        ensure("theta_h", self.theta_h, not_negative(self.theta_h), NOT_NEGATIVE)?;
        let o = &self.optimiser;
        ensure("optimiser.learning_rate", o.learning_rate, positive(o.learning_rate), POSITIVE)?;
        ensure("optimiser.final_share", o.final_share, (0.0..=1.0).contains(&o.final_share), "a number from 0 to 1")?;
        ensure("optimiser.weight_decay", o.weight_decay, not_negative(o.weight_decay), NOT_NEGATIVE)?;
        ensure("optimiser.inputs_decay", o.inputs_decay, not_negative(o.inputs_decay), NOT_NEGATIVE)?;
        ensure("optimiser.inputs_rate", o.inputs_rate, not_negative(o.inputs_rate), NOT_NEGATIVE)?;
        ensure("optimiser.clip_norm", o.clip_norm, positive(o.clip_norm), POSITIVE)?;
        ensure("optimiser.average", o.average, share(o.average), SHARE)?;
        let l = &self.loss;
        if let Some(huber) = l.huber_rad {
            ensure("loss.huber_rad", huber, positive(huber), POSITIVE)?;
        }
        ensure("loss.curve_weight", l.curve_weight, not_negative(l.curve_weight), NOT_NEGATIVE)?;
        ensure("loss.curve_weight_limit", l.curve_weight_limit, l.curve_weight_limit >= 1.0, AT_LEAST_ONE)?;
        ensure("loss.teacher_share", l.teacher_share, (0.0..=1.0).contains(&l.teacher_share), "a number from 0 to 1")?;
        ensure("inputs.gain", self.inputs.gain, not_negative(self.inputs.gain), NOT_NEGATIVE)?;
        ensure("inputs.dropout", self.inputs.dropout, share(self.inputs.dropout), SHARE)?;
        if let Some(d) = &self.delta {
            ensure("delta.beta_x", d.beta_x, not_negative(d.beta_x), NOT_NEGATIVE)?;
            ensure("delta.beta_h", d.beta_h, not_negative(d.beta_h), NOT_NEGATIVE)?;
            ensure("delta.beta_event", d.beta_event, not_negative(d.beta_event), NOT_NEGATIVE)?;
            ensure("delta.event_width", d.event_width, positive(d.event_width), POSITIVE)?;
            if let Some(savings) = d.savings {
                ensure("delta.savings", savings, savings.is_finite() && savings >= 1.0, AT_LEAST_ONE)?;
            }
            ensure("delta.ramp_from", d.ramp_from, ramp(d.ramp_from, d.ramp_to), "0 <= ramp_from <= ramp_to <= 1")?;
        }
        if let Some(q) = self.rounding {
            ensure("rounding.integer_bits", q.integer_bits, q.integer_bits <= 8, "at most 8")?;
            ensure("rounding.fraction_bits", q.fraction_bits, q.fraction_bits <= 16, "at most 16")?;
        }
        if let Some(n) = self.noise {
            ensure("noise.x", n.x, not_negative(n.x), NOT_NEGATIVE)?;
            ensure("noise.h", n.h, not_negative(n.h), NOT_NEGATIVE)?;
        }
        if let Some(s) = self.sparsity {
            ensure("sparsity.share", s.share, share(s.share), SHARE)?;
            ensure("sparsity.from", s.from, ramp(s.from, s.to), "0 <= from <= to <= 1")?;
        }
        if let Some(t) = self.learned {
            ensure("learned", "on", self.delta.is_some(), "`delta` to be on as well")?;
            ensure("learned.rate", t.rate, not_negative(t.rate), NOT_NEGATIVE)?;
        }
        let v = &self.validation;
        ensure("validation.every", v.every, v.every >= 1, AT_LEAST_ONE)?;
        ensure("validation.savings_target", v.savings_target, not_negative(v.savings_target), NOT_NEGATIVE)
    }
}

fn ensure(option: &'static str, value: impl ToString, holds: bool, expected: &'static str) -> Result<(), TrainError> {
    if holds { Ok(()) } else { Err(TrainError::Setting { option, value: value.to_string(), expected }) }
}
