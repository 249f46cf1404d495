//! The settings of a training run; every technique is one field and any may be combined.

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::parameters::NetworkSize;
use crate::{HeadConfig, Pooling, Rounding, Technique, Thresholds};

/// All settings of a training run. `Default` and [`TrainSettings::delta_stage`] are the two stages of the recipe of the
/// shipped real-drive model.
///
/// A technique that is `None` (or a cost that is 0) is off: with `delta`, `rounding`, `noise`, `sparsity` and
/// `learned_thresholds` all `None` this trains an ordinary dense GRU, which is still validated with `thresholds`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// Hidden units of every layer (in each direction).
    pub hidden_size: usize,
    /// Stacked layers.
    pub num_layers: usize,
    /// Whether every layer has a second cell that reads the sequence backwards. Needs whole sequences (`window: None`).
    pub bidirectional: bool,
    /// The head.
    pub head: HeadConfig,
    /// Seeds the weights, the choice of windows and all noise.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Windows in one step.
    pub batch: usize,
    /// Frames in one window (truncated back-propagation through time). `None`: each window is a whole sequence, drawn once in an
    /// epoch, in batches of similar length.
    pub window: Option<usize>,
    /// Windows follow on: each continues where the one before it in its place of the batch stopped, with the cells' state
    /// carried over (the gradient stops there), until the stretch ends or, with this probability before every window, a new
    /// place is drawn with a cold start. `None`: every window is drawn anew and starts cold. A long sequence has one cold start
    /// in thousands of frames; windows that all start cold teach a net to refresh its state, which costs savings.
    pub reset_probability: Option<f32>,
    /// First frames of a window that carry no loss and no cost. The cells start cold there, as they do in use: 0 teaches them
    /// to start well.
    pub burn_in: usize,
    /// Thresholds of each layer: stored with the model, used in validation. Empty: all zero.
    pub thresholds: Vec<Thresholds>,
    /// The optimiser.
    pub optimiser: OptimiserSettings,
    /// Share of the features that is set to zero (the others are scaled up). Drawn once for a stream of windows: features
    /// that come and go would punish exactly the quietness that a delta network lives from.
    pub input_dropout: f32,
    /// The same for the inputs of the layers above the first.
    pub layer_dropout: f32,
    /// Training as a delta network: thresholds in the forward pass and costs on what is transmitted.
    pub delta: Option<DeltaSettings>,
    /// Rounding network: inputs and hidden states rounded to fixed point in the forward pass, gradient straight through.
    pub rounding: Option<Rounding>,
    /// Gaussian noise on what is transmitted to the matrices.
    pub noise: Option<ActivationNoise>,
    /// Weight sparsity by magnitude.
    pub sparsity: Option<SparsitySettings>,
    /// Thresholds that are learned, as one factor on each layer's `theta_x` and one on its `theta_h`. Needs `delta`.
    pub learned_thresholds: Option<LearnedThresholds>,
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
    /// The gradient's norm is clipped to this.
    pub clip_norm: f32,
    /// Weights are also averaged exponentially (EMA) with this decay per step, and the average is what is validated and kept;
    /// 0: no averaging.
    pub ema_decay: f32,
}

/// Training as a delta network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeltaSettings {
    /// Cost per frame on `sum |dx|` over the transmitted deltas (acts on layers below, and on a feature layer that is trained
    /// too).
    pub l1_x: f32,
    /// Cost per frame on `sum |dh|` over the transmitted deltas.
    pub l1_h: f32,
    /// Cost per frame on the smooth number of events, `sum sigmoid((|delta| - theta) / (event_width theta))` over x and h: it
    /// also holds back values that are about to be transmitted, and it is what learned thresholds obey.
    pub event_cost: f32,
    /// Width of the smooth comparison as a share of the threshold.
    pub event_width: f32,
    /// All three costs rise while the training windows save less than this, and fall while they save more. `None`: they stay
    /// as given.
    pub target_savings: Option<f32>,
    /// Share of the steps before thresholds and costs begin to rise from zero.
    pub ramp_begin: f32,
    /// Share of the steps at which they have reached their full value.
    pub ramp_end: f32,
}

/// Gaussian noise on the values that go into the matrices, fresh in every frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivationNoise {
    /// Standard deviation on the inputs of a layer.
    pub x: f32,
    /// Standard deviation on the hidden state.
    pub h: f32,
}

/// Weight sparsity: the smallest weights of each matrix of the cells become zero and stay so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparsitySettings {
    /// Share of zero weights at the end, 0 to below 1.
    pub final_sparsity: f32,
    /// Share of the steps at which pruning begins.
    pub begin: f32,
    /// Share of the steps at which `final_sparsity` is reached (cubic in between, Zhu and Gupta 2017); after it the mask is
    /// fixed.
    pub end: f32,
}

/// Thresholds that are learned through the smooth comparison of `delta.event_width`, against `delta.event_cost`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedThresholds {
    /// Learning rate of the thresholds' logarithms, as a multiple of the weights'.
    pub rate: f32,
}

/// When to validate and which state is kept as the best.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidationSettings {
    /// Steps between two validations.
    pub interval: u64,
    /// The state with the lowest `error * max(1, savings_target / savings)` is kept: the lowest error among those that reach
    /// the target, and a fair exchange below it. 0: the lowest error alone. The error is the mean of those at 0.9, 1 and 1.1
    /// times the thresholds, because one of them alone moves by a tenth for no reason; states from before the thresholds have
    /// risen to their full height are not considered.
    pub savings_target: f32,
    /// Keep the last state instead of the best: nothing is chosen by the validation sequences.
    pub keep_last: bool,
}

/// The recipe's first stage: a dense GRU, to be trained together with its feature layer.
impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            hidden_size: 32,
            num_layers: 1,
            bidirectional: false,
            head: HeadConfig { output_size: 1, fc_size: None, pooling: Pooling::None },
            seed: 1,
            steps: 1500,
            batch: 24,
            window: Some(96),
            reset_probability: None,
            burn_in: 0,
            thresholds: Vec::new(),
            optimiser: OptimiserSettings::default(),
            input_dropout: 0.2,
            layer_dropout: 0.0,
            delta: None,
            rounding: None,
            noise: None,
            sparsity: None,
            learned_thresholds: None,
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
            ema_decay: 0.99,
        }
    }
}

impl Default for DeltaSettings {
    fn default() -> Self {
        Self {
            l1_x: 1e-3,
            l1_h: 1e-3,
            event_cost: 0.0,
            event_width: 0.25,
            target_savings: None,
            ramp_begin: 0.0,
            ramp_end: 0.5,
        }
    }
}

impl Default for ValidationSettings {
    fn default() -> Self {
        Self { interval: 100, savings_target: 0.0, keep_last: false }
    }
}

impl TrainSettings {
    /// The recipe's second stage: the dense GRU, its features scaled to unit deviation, is trained on as a delta network.
    pub fn delta_stage() -> Self {
        Self {
            steps: 500,
            batch: 16,
            window: Some(64),
            reset_probability: Some(0.08),
            thresholds: vec![Thresholds { theta_x: 1.0, theta_h: 0.3 }],
            optimiser: OptimiserSettings { learning_rate: 2e-3, ..OptimiserSettings::default() },
            delta: Some(DeltaSettings::default()),
            validation: ValidationSettings { interval: 50, savings_target: 100.0, ..ValidationSettings::default() },
            ..Self::default()
        }
    }

    /// The size of the network for `input_size` features.
    pub fn size(&self, input_size: usize) -> NetworkSize {
        let Self { hidden_size, num_layers, bidirectional, head, .. } = *self;
        NetworkSize { input_size, hidden_size, num_layers, bidirectional, head }
    }

    /// The thresholds of each layer.
    pub fn layer_thresholds(&self) -> Vec<Thresholds> {
        if self.thresholds.is_empty() { vec![Thresholds::ZERO; self.num_layers] } else { self.thresholds.clone() }
    }

    /// This training in three stages, each of which goes on from the weights of the one before: a quarter, a quarter and half of the
    /// steps, at 0.35, 0.7 and 1 times the thresholds and the target savings. Each stage warms up anew; the learning rate falls in the
    /// last alone. A delta network that gets there in stages errs less than one that is trained at the last thresholds at once.
    pub fn rising_stages(&self) -> Vec<Self> {
        let stage = |(steps, share): (u64, f32)| {
            let mut stage = Self { steps, ..self.clone() };
            for thresholds in &mut stage.thresholds {
                (thresholds.theta_x, thresholds.theta_h) = (share * thresholds.theta_x, share * thresholds.theta_h);
            }
            if let Some(target) = stage.delta.as_mut().and_then(|delta| delta.target_savings.as_mut()) {
                *target = (share * *target).max(1.0);
            }
            if share < 1.0 {
                stage.optimiser.final_share = 1.0;
            }
            stage
        };
        let quarter = (self.steps / 4).max(1);
        [(quarter, 0.35), (quarter, 0.7), (self.steps.saturating_sub(2 * quarter).max(1), 1.0)].map(stage).to_vec()
    }

    /// What a model's config says of its training.
    pub fn technique(&self) -> Technique {
        let (l1_x, l1_h) = self.delta.as_ref().map_or((0.0, 0.0), |delta| (delta.l1_x, delta.l1_h));
        Technique {
            rounding: self.rounding,
            noise_std: self.noise.map_or(0.0, |noise| noise.x.max(noise.h)),
            delta_thresholds: if self.delta.is_some() { self.layer_thresholds() } else { Vec::new() },
            l1_x,
            l1_h,
            weight_sparsity: self.sparsity.map_or(0.0, |sparsity| sparsity.final_sparsity),
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
        let ramp = |begin: f32, end: f32| begin >= 0.0 && end <= 1.0 && begin <= end;

        let sizes = [("hidden_size", self.hidden_size), ("num_layers", self.num_layers), ("batch", self.batch)];
        let head = [("head.output_size", self.head.output_size), ("head.fc_size", self.head.fc_size.unwrap_or(1))];
        for (option, value) in sizes.into_iter().chain(head) {
            ensure(option, value, value >= 1, AT_LEAST_ONE)?;
        }
        ensure("steps", self.steps, self.steps >= 1, AT_LEAST_ONE)?;
        match self.window {
            Some(window) => {
                ensure("window", window, window >= 2, "at least 2")?;
                ensure("burn_in", self.burn_in, self.burn_in < window, "fewer frames than `window`")?;
                ensure("bidirectional", "true", !self.bidirectional, "false where `window` is set")?;
                let pooled = self.head.pooling != Pooling::None;
                ensure("head.pooling", "on", !pooled, "\"none\" where `window` is set")?;
            }
            None => ensure("burn_in", self.burn_in, self.burn_in == 0, "0 for whole sequences (`window: null`)")?,
        }
        if let Some(chance) = self.reset_probability {
            ensure("reset_probability", chance, share(chance), SHARE)?;
            ensure("reset_probability", chance, self.window.is_some(), "null for whole sequences (`window: null`)")?;
        }
        if !self.thresholds.is_empty() {
            let pairs = self.thresholds.len();
            ensure("thresholds", format!("{pairs} pairs"), pairs == self.num_layers, "one pair for each layer")?;
        }
        for Thresholds { theta_x, theta_h } in &self.thresholds {
            ensure("thresholds.theta_x", theta_x, not_negative(*theta_x), NOT_NEGATIVE)?;
            ensure("thresholds.theta_h", theta_h, not_negative(*theta_h), NOT_NEGATIVE)?;
        }
        let o = &self.optimiser;
        ensure("optimiser.learning_rate", o.learning_rate, positive(o.learning_rate), POSITIVE)?;
        ensure("optimiser.final_share", o.final_share, (0.0..=1.0).contains(&o.final_share), "a number from 0 to 1")?;
        ensure("optimiser.weight_decay", o.weight_decay, not_negative(o.weight_decay), NOT_NEGATIVE)?;
        ensure("optimiser.inputs_decay", o.inputs_decay, not_negative(o.inputs_decay), NOT_NEGATIVE)?;
        ensure("optimiser.inputs_rate", o.inputs_rate, not_negative(o.inputs_rate), NOT_NEGATIVE)?;
        ensure("optimiser.clip_norm", o.clip_norm, positive(o.clip_norm), POSITIVE)?;
        ensure("optimiser.ema_decay", o.ema_decay, share(o.ema_decay), SHARE)?;
        ensure("input_dropout", self.input_dropout, share(self.input_dropout), SHARE)?;
        ensure("layer_dropout", self.layer_dropout, share(self.layer_dropout), SHARE)?;
        if let Some(d) = &self.delta {
            ensure("delta.l1_x", d.l1_x, not_negative(d.l1_x), NOT_NEGATIVE)?;
            ensure("delta.l1_h", d.l1_h, not_negative(d.l1_h), NOT_NEGATIVE)?;
            ensure("delta.event_cost", d.event_cost, not_negative(d.event_cost), NOT_NEGATIVE)?;
            ensure("delta.event_width", d.event_width, positive(d.event_width), POSITIVE)?;
            if let Some(savings) = d.target_savings {
                ensure("delta.target_savings", savings, savings.is_finite() && savings >= 1.0, AT_LEAST_ONE)?;
            }
            let order = "0 <= ramp_begin <= ramp_end <= 1";
            ensure("delta.ramp_begin", d.ramp_begin, ramp(d.ramp_begin, d.ramp_end), order)?;
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
            ensure("sparsity.final_sparsity", s.final_sparsity, share(s.final_sparsity), SHARE)?;
            ensure("sparsity.begin", s.begin, ramp(s.begin, s.end), "0 <= begin <= end <= 1")?;
        }
        if let Some(t) = self.learned_thresholds {
            ensure("learned_thresholds", "on", self.delta.is_some(), "`delta` to be on as well")?;
            ensure("learned_thresholds.rate", t.rate, not_negative(t.rate), NOT_NEGATIVE)?;
        }
        let v = &self.validation;
        ensure("validation.interval", v.interval, v.interval >= 1, AT_LEAST_ONE)?;
        ensure("validation.savings_target", v.savings_target, not_negative(v.savings_target), NOT_NEGATIVE)
    }
}

fn ensure(option: &'static str, value: impl ToString, holds: bool, expected: &'static str) -> Result<(), TrainError> {
    if holds { Ok(()) } else { Err(TrainError::Setting { option, value: value.to_string(), expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_rise_to_the_settings_that_they_come_from() {
        let last = TrainSettings {
            steps: 1022,
            delta: Some(DeltaSettings { target_savings: Some(10.0), ..DeltaSettings::default() }),
            ..TrainSettings::delta_stage()
        };
        let stages = last.rising_stages();
        assert_eq!(stages.iter().map(|stage| stage.steps).collect::<Vec<_>>(), [255, 255, 512]);
        assert_eq!(stages[2], TrainSettings { steps: 512, ..last.clone() });
        let savings = |stage: &TrainSettings| stage.delta.as_ref().and_then(|delta| delta.target_savings);
        assert_eq!(stages.iter().map(savings).collect::<Vec<_>>(), [Some(3.5), Some(7.0), Some(10.0)]);
        assert!(stages.windows(2).all(|pair| pair[0].thresholds[0].theta_h < pair[1].thresholds[0].theta_h));
        assert!(stages.iter().map(|stage| stage.optimiser.final_share).eq([1.0, 1.0, last.optimiser.final_share]));
        stages.iter().for_each(|stage| stage.check().unwrap());
    }
}
