//! The training loop.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ndarray::{Array3, ArrayView3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::bptt::{Carried, Events, SPARSE_BELOW, Tape, Technique};
use super::data::{InputsStep, TrainingData, Window, WindowSampler, check_labels, fnv1a};
use super::error::TrainError;
use super::hold::DeltaCost;
use super::optimiser::{self, AdamW};
use super::parameters::Parameters;
use super::random::stream_of;
use super::settings::{DeltaSettings, TrainSettings};
use super::sparsity;
use super::state::{Record, State, Validation};
use super::step;
use super::stream::{ColumnThresholds, StreamCount, stream};
use crate::{Gru, Head, RnnConfig, Thresholds};

/// How a run is watched, stopped and resumed.
#[derive(Clone, Copy, Default)]
pub struct Control<'a> {
    /// The checkpoint file: read if it exists (the run goes on exactly where it stopped), written at every validation and on
    /// interruption.
    pub checkpoint: Option<&'a Path>,
    /// Set it from anywhere to stop after the current step.
    pub interrupt: Option<&'a AtomicBool>,
}

/// What the progress callback sees after every step.
pub struct Progress<'a> {
    /// Steps taken and steps in all.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Loss of this step's windows, rad^2 (weighted mean).
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

/// What came out.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The weights kept: of the best validation, or the last (`validation.keep_last`, or no validation drives).
    pub parameters: Parameters,
    /// The thresholds that belong to them.
    pub thresholds: ColumnThresholds,
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
    /// The tensors and the config of a model, to be written with [`crate::weights::to_safetensors`].
    ///
    /// # Errors
    /// [`TrainError::Setting`] if every column has learned a threshold of its own: the streaming cell has one for all inputs
    /// and one for all hidden units.
    pub fn to_model(&self, settings: &TrainSettings) -> Result<(Gru, Head, RnnConfig), TrainError> {
        if settings.learned.is_some_and(|learned| learned.per_column) {
            let option = "learned.per_column";
            return Err(TrainError::Setting {
                option,
                value: "true".into(),
                expected: "false for a model that is to be kept",
            });
        }
        let (gru, head) = self.parameters.to_weights();
        let thresholds = Thresholds { theta_x: self.thresholds.theta_x[0], theta_h: self.thresholds.theta_h[0] };
        let config = RnnConfig {
            thresholds: vec![thresholds],
            technique: settings.technique(),
            ..RnnConfig::of(&gru, Some(&head))
        };
        Ok((gru, head, config))
    }
}

/// Trains a GRU with a linear steering head.
///
/// Starts from `initial` if given (its sizes must fit), else from random weights. With the same settings, data and initial
/// weights the result is the same to the last bit on one machine, interrupted and resumed or not. Inputs that learn hold the
/// parameters that belong to the result afterwards.
///
/// # Errors
/// [`TrainError`]: a setting out of range, a drive of the wrong shape, a checkpoint of another run, or a loss that is no longer
/// finite (the checkpoint file then still holds the last good state).
pub fn train_rnn(
    data: TrainingData,
    settings: &TrainSettings,
    initial: Option<&Parameters>,
    control: Control,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Trained, TrainError> {
    settings.check()?;
    let mut trainer = Trainer::new(data, settings, initial, control)?;
    let finished = trainer.run(control, progress)?;
    trainer.finish(finished)
}

struct Trainer<'a, 's> {
    data: TrainingData<'a>,
    settings: &'s TrainSettings,
    sampler: WindowSampler,
    /// Sizes of the RNN; the numbers are in `state`.
    shape: Parameters,
    adam: AdamW,
    state: State,
    /// Step of the last checkpoint written.
    kept_step: u64,
    /// Whether the validation just made is the best: the inputs' state belongs to it.
    keep_inputs: bool,
    tapes: Vec<Tape>,
}

impl<'a, 's> Trainer<'a, 's> {
    fn new(
        data: TrainingData<'a>,
        settings: &'s TrainSettings,
        initial: Option<&Parameters>,
        control: Control,
    ) -> Result<Self, TrainError> {
        let sampler = WindowSampler::new(&data.training, settings.window, settings.burn_in)?;
        data.validation.iter().try_for_each(check_labels)?;
        let inputs = data.inputs.inputs();
        let mut rng = stream_of(settings.seed, u64::MAX);
        let start = match initial {
            Some(p) if (p.inputs(), p.hidden()) == (inputs, settings.hidden) => p.clone(),
            Some(p) => {
                let problem = format!(
                    "hold {} inputs and {} hidden units, expected {inputs} and {}",
                    p.inputs(),
                    p.hidden(),
                    settings.hidden
                );
                return Err(TrainError::Initial(problem));
            }
            None => Parameters::random(inputs, settings.hidden, &mut rng),
        };
        let values = start.values.clone();
        let (rate, decay) = rates(&start, settings);
        let fingerprint = fingerprint(&data, &values);
        let cold = Carried::cold(settings.batch, inputs, settings.hidden);
        let state = match control.checkpoint.filter(|path| path.exists()) {
            Some(path) => {
                let state = State::load(path, settings, fingerprint, values.len(), &cold)?;
                data.inputs.restore(&state.inputs).map_err(TrainError::Inputs)?;
                state
            }
            None => fresh_state(settings, fingerprint, values, cold),
        };
        let mut adam = AdamW::new(rate, decay);
        adam.moment1.copy_from_slice(&state.moment1);
        adam.moment2.copy_from_slice(&state.moment2);
        let kept_step = state.record.step;
        let (keep_inputs, tapes) = (false, Vec::new());
        Ok(Self { data, settings, sampler, shape: start, adam, state, kept_step, keep_inputs, tapes })
    }

    /// Trains until all steps are taken (true) or the interruption flag is set (false).
    fn run(&mut self, control: Control, progress: &mut dyn FnMut(&Progress)) -> Result<bool, TrainError> {
        let begun = Instant::now();
        let before = self.state.record.elapsed_s;
        while self.state.record.step < self.settings.steps {
            if control.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                // Inputs that learn can only be saved where an uninterrupted run saves them: see `SequenceInputs::save`.
                if !self.data.inputs.learns() {
                    self.save(control)?;
                }
                return Ok(false);
            }
            let (loss, gradient_norm, window_savings) = self.step(control)?;
            let step = self.state.record.step;
            let due = step.is_multiple_of(self.settings.validation.every) || step == self.settings.steps;
            let validation = if due { self.validate()? } else { None };
            self.state.record.elapsed_s = before + begun.elapsed().as_secs_f64();
            if due {
                self.save(control)?;
            }
            let record = &self.state.record;
            progress(&Progress {
                step,
                steps: self.settings.steps,
                loss,
                gradient_norm,
                window_savings,
                validation: validation.as_ref(),
                best: record.best.as_ref(),
                elapsed_s: record.elapsed_s,
            });
        }
        Ok(true)
    }

    /// One optimiser step; returns loss, gradient norm and the windows' savings.
    fn step(&mut self, control: Control) -> Result<(f64, f64, f64), TrainError> {
        let (settings, number) = (self.settings, self.state.record.step);
        let mut rng = stream_of(settings.seed, number);
        let windows = self.next_windows(&mut rng);
        let parameters = self.parameters(&self.state.values);
        let x = self.data.inputs.gather(number, &windows, settings.window).map_err(TrainError::Inputs)?;
        let x = standard(x, [settings.window, settings.batch, parameters.inputs()])?;
        let technique = self.technique(&parameters);
        let (drives, start) = (&self.data.training, &self.state.carried);
        let result =
            step::run(settings, &technique, &parameters, drives, &windows, &x, start, &mut rng, &mut self.tapes)?;
        let mut gradient = result.gradient.values;
        let mut inputs_square = 0.0;
        if technique.want_dx {
            let shape = (settings.window, settings.batch, parameters.inputs());
            let dx =
                ArrayView3::from_shape(shape, &result.dx).map_err(|error| TrainError::Inputs(error.to_string()))?;
            inputs_square = self.data.inputs.backward(dx).map_err(TrainError::Inputs)?;
        }
        if settings.learned.is_some_and(|learned| !learned.per_column) {
            share_gradient(&mut gradient[self.shape.log_theta_x_range()]);
            share_gradient(&mut gradient[self.shape.log_theta_h_range()]);
        }
        let norm = (gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>() + inputs_square).sqrt();
        if !result.loss.is_finite() || !norm.is_finite() {
            let place = control.checkpoint.map(|path| format!(" in {}", path.display())).unwrap_or_default();
            return Err(TrainError::Diverged { step: number + 1, loss: result.loss, kept_step: self.kept_step, place });
        }
        let (rate, clip) = (
            optimiser::learning_rate(&settings.optimiser, number, settings.steps),
            optimiser::clip_factor(norm, settings.optimiser.clip_norm),
        );
        let keep = optimiser::keep(settings.optimiser.average, number);
        self.adam.step(rate, clip, number, &mut self.state.values, &gradient);
        if technique.want_dx {
            let (rate, decay) = (rate * settings.optimiser.inputs_rate, settings.optimiser.inputs_decay);
            let step = InputsStep { rate, decay, scale: clip, keep };
            self.data.inputs.update(step).map_err(TrainError::Inputs)?;
        }
        if let Some(sparsity) = &settings.sparsity {
            let matrices = [self.shape.w_x_range(), self.shape.w_h_range()];
            sparsity::prune(sparsity, number + 1, settings.steps, matrices, &self.state.values, &mut self.state.alive);
            self.state.values.iter_mut().zip(&self.state.alive).for_each(|(value, alive)| *value *= alive);
        }
        optimiser::average(&mut self.state.average, &self.state.values, keep);
        if settings.sparsity.is_some() {
            self.state.average.iter_mut().zip(&self.state.alive).for_each(|(value, alive)| *value *= alive);
        }
        self.state.record.step += 1;
        self.state.record.windows = windows;
        self.state.carried = result.end;
        let savings = self.window_savings(&result.events);
        self.control_costs(savings);
        Ok((result.loss, norm, savings))
    }

    /// Dense over transmitted columns in the batch's windows after the burn-in.
    fn window_savings(&self, events: &Events) -> f64 {
        let frames = self.settings.batch * (self.settings.window - self.settings.burn_in);
        let dense = frames * (self.shape.inputs() + self.shape.hidden());
        dense as f64 / (events.columns[0] + events.columns[1]).max(1) as f64
    }

    /// The windows of the coming step: those that follow on the last ones, or new ones from a cold start.
    fn next_windows(&mut self, rng: &mut ChaCha8Rng) -> Vec<Window> {
        let batch = self.settings.batch;
        let (inputs, hidden) = (self.shape.inputs(), self.shape.hidden());
        let mut windows = Vec::with_capacity(batch);
        for place in 0..batch {
            let before = self.state.record.windows.get(place);
            let follows = self.settings.restart.is_some_and(|chance| rng.random::<f32>() >= chance);
            let next = before.filter(|_| follows).and_then(|window| self.sampler.next(window));
            if next.is_none() {
                self.state.carried.h[place * hidden..][..hidden].fill(0.0);
                self.state.carried.h_ref[place * hidden..][..hidden].fill(0.0);
                self.state.carried.x_ref[place * inputs..][..inputs].fill(0.0);
            }
            let walk = self.state.record.step * batch as u64 + place as u64;
            windows.push(next.unwrap_or_else(|| self.sampler.draw(rng, walk)));
        }
        windows
    }

    /// Raises the costs while the windows save too little, lowers them while they save more than asked.
    fn control_costs(&mut self, savings: f64) {
        let now = 1.0 / savings;
        let occupancy = self.state.record.occupancy.map_or(now, |mean| 0.9 * mean + 0.1 * now);
        self.state.record.occupancy = Some(occupancy);
        if let (Some(target), true) = (self.settings.delta.as_ref().and_then(|delta| delta.savings), self.ramp() > 0.0)
        {
            let short = (occupancy * f64::from(target)).ln().clamp(-1.0, 1.0) as f32;
            let log = &mut self.state.record.log_cost;
            *log = (*log + 0.03 * short).clamp(-5.0, 5.0);
        }
    }

    /// How far thresholds and costs have risen, 0 to 1.
    fn ramp(&self) -> f32 {
        self.settings.delta.as_ref().map_or(0.0, |delta| {
            let done = self.state.record.step as f32 / self.settings.steps as f32;
            ((done - delta.ramp_from) / (delta.ramp_to - delta.ramp_from).max(1e-6)).clamp(0.0, 1.0)
        })
    }

    /// The techniques as they stand at the coming step.
    fn technique(&self, parameters: &Parameters) -> Technique {
        let settings = self.settings;
        let ramp = self.ramp();
        let thresholds = ColumnThresholds::of(parameters, ramp * settings.theta_x, ramp * settings.theta_h);
        let frames = (settings.batch * (settings.window - settings.burn_in)) as f32;
        let delta =
            settings.delta.clone().unwrap_or(DeltaSettings { beta_x: 0.0, beta_h: 0.0, ..DeltaSettings::default() });
        let factor = ramp * self.state.record.log_cost.exp() / frames;
        let cost =
            |beta: f32| DeltaCost { l1: factor * beta, event: factor * delta.beta_event, width: delta.event_width };
        Technique {
            theta_x: thresholds.theta_x,
            theta_h: thresholds.theta_h,
            cost_x: cost(delta.beta_x),
            cost_h: cost(delta.beta_h),
            rounding: settings.rounding,
            burn_in: settings.burn_in,
            smooth: settings.learned.is_some() || delta.beta_event > 0.0,
            sparse_below: SPARSE_BELOW,
            want_dx: self.data.inputs.learns() && settings.optimiser.inputs_rate > 0.0,
        }
    }

    /// An array's numbers as parameters.
    fn parameters(&self, values: &[f32]) -> Parameters {
        let mut parameters = self.shape.clone();
        parameters.values.copy_from_slice(values);
        parameters
    }

    /// Streams the validation drives through the averaged weights and keeps them if they are the best so far.
    fn validate(&mut self) -> Result<Option<Validation>, TrainError> {
        if self.data.validation.is_empty() {
            return Ok(None);
        }
        let parameters = self.parameters(&self.state.average);
        let (rmse_rad, count) = self.stream_validation(&parameters, 1.0)?;
        let mut nearby_rmse_rad = rmse_rad;
        if self.settings.theta_x > 0.0 || self.settings.theta_h > 0.0 {
            let (below, _) = self.stream_validation(&parameters, 0.9)?;
            let (above, _) = self.stream_validation(&parameters, 1.1)?;
            nearby_rmse_rad = (below + rmse_rad + above) / 3.0;
        }
        let savings = count.savings();
        let score = nearby_rmse_rad * (f64::from(self.settings.validation.savings_target) / savings).max(1.0);
        let validation = Validation { step: self.state.record.step, rmse_rad, savings, nearby_rmse_rad, score, count };
        self.state.record.history.push(validation.clone());
        let risen = self.settings.delta.is_none() || self.ramp() >= 1.0;
        let better = risen && self.state.record.best.as_ref().is_none_or(|best| score < best.score);
        if better || self.settings.validation.keep_last {
            self.state.record.best = Some(validation.clone());
            self.state.best.copy_from_slice(&self.state.average);
            self.keep_inputs = true;
        }
        Ok(Some(validation))
    }

    /// Error and work of all validation drives at `factor` times the settings' thresholds.
    fn stream_validation(&mut self, parameters: &Parameters, factor: f32) -> Result<(f64, StreamCount), TrainError> {
        let (theta_x, theta_h) = (factor * self.settings.theta_x, factor * self.settings.theta_h);
        let thresholds = ColumnThresholds::of(parameters, theta_x, theta_h);
        let mut count = StreamCount::default();
        let (mut sum, mut frames) = (0.0, 0u64);
        for (index, drive) in self.data.validation.iter().enumerate() {
            let features = self.data.inputs.validation(index).map_err(TrainError::Inputs)?;
            let (steering, drive_count) = stream(parameters, &thresholds, features.view());
            count.add(&drive_count);
            let labels = drive.versions[0].steering_rad.iter();
            for (predicted, label) in steering.iter().zip(labels).filter(|(_, label)| !label.is_nan()) {
                sum += (f64::from(*predicted) - f64::from(*label)).powi(2);
                frames += 1;
            }
        }
        Ok(((sum / frames.max(1) as f64).sqrt(), count))
    }

    /// Takes the inputs' state after a validation, and writes the checkpoint.
    fn save(&mut self, control: Control) -> Result<(), TrainError> {
        self.state.inputs = self.data.inputs.save().map_err(TrainError::Inputs)?;
        if std::mem::take(&mut self.keep_inputs) {
            self.state.best_inputs.clone_from(&self.state.inputs);
        }
        if let Some(path) = control.checkpoint {
            self.state.moment1.copy_from_slice(&self.adam.moment1);
            self.state.moment2.copy_from_slice(&self.adam.moment2);
            self.state.save(path)?;
            self.kept_step = self.state.record.step;
        }
        Ok(())
    }

    fn finish(self, finished: bool) -> Result<Trained, TrainError> {
        let best = self.state.record.best.is_some();
        let kept = if best { &self.state.best } else { &self.state.average };
        if best && finished {
            self.data.inputs.restore(&self.state.best_inputs).map_err(TrainError::Inputs)?;
        }
        let parameters = self.parameters(kept);
        Ok(Trained {
            thresholds: ColumnThresholds::of(&parameters, self.settings.theta_x, self.settings.theta_h),
            parameters,
            best: self.state.record.best,
            history: self.state.record.history,
            finished,
            elapsed_s: self.state.record.elapsed_s,
        })
    }
}

fn fresh_state(settings: &TrainSettings, data: u64, values: Vec<f32>, carried: Carried) -> State {
    let zeros = vec![0.0; values.len()];
    State {
        record: Record {
            settings: settings.clone(),
            data,
            step: 0,
            log_cost: 0.0,
            occupancy: None,
            windows: Vec::new(),
            best: None,
            history: Vec::new(),
            elapsed_s: 0.0,
        },
        average: values.clone(),
        best: values.clone(),
        inputs: Vec::new(),
        best_inputs: Vec::new(),
        moment1: zeros.clone(),
        moment2: zeros,
        alive: vec![1.0; values.len()],
        carried,
        values,
    }
}

/// Each number's factor on the learning rate, and its decay.
fn rates(shape: &Parameters, settings: &TrainSettings) -> (Vec<f32>, Vec<f32>) {
    let len = shape.values.len();
    let mut rate = vec![1.0; len];
    let theta_rate = settings.learned.map_or(0.0, |learned| learned.rate);
    rate[shape.log_theta_x_range().start..shape.log_theta_h_range().end].fill(theta_rate);
    let mut decay = vec![0.0; len];
    for range in [shape.w_x_range(), shape.w_h_range(), shape.head_w_range()] {
        decay[range].fill(settings.optimiser.weight_decay);
    }
    (rate, decay)
}

/// One threshold for the whole layer: every column gets the sum of the gradients.
fn share_gradient(gradient: &mut [f32]) {
    let sum: f32 = gradient.iter().sum();
    gradient.fill(sum);
}

/// The values of an array of the expected shape, row after row.
fn standard(x: Array3<f32>, expected: [usize; 3]) -> Result<Vec<f32>, TrainError> {
    if x.shape() != expected {
        return Err(TrainError::Inputs(format!("features of shape {:?}, expected {expected:?}", x.shape())));
    }
    let x = if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() };
    Ok(x.into_raw_vec_and_offset().0)
}

/// Hash of sizes, labels, features and starting numbers: tells whether a checkpoint belongs to this run.
fn fingerprint(data: &TrainingData, values: &[f32]) -> u64 {
    let bits = |x: &f32| u64::from(x.to_bits());
    let drives = data.training.iter().chain(&data.validation).flat_map(|drive| {
        let labels = drive.versions.iter().flat_map(move |labels| labels.steering_rad.iter().map(bits));
        [drive.frames() as u64].into_iter().chain(drive.gaps_after.iter().map(|gap| *gap as u64)).chain(labels)
    });
    fnv1a([data.inputs.fingerprint()].into_iter().chain(drives).chain(values.iter().map(bits)))
}
