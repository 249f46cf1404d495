//! The training loop.

use std::sync::atomic::Ordering;
use std::time::Instant;

use ndarray::{Array3, ArrayView3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::data::{InputsStep, TrainingData, Window, fnv1a};
use super::delta_encoder::DeltaCost;
use super::error::TrainError;
use super::layer::{CellState, Events, LayerTechnique, SPARSE_BELOW};
use super::network::NetworkTape;
use super::optimiser::{self, AdamW};
use super::parameters::{NetworkSize, Parameters};
use super::random::stream_of;
use super::run::{Control, Progress, Trained};
use super::sampler::{Sampler, SequenceSampler, WindowSampler};
use super::settings::{DeltaSettings, TrainSettings};
use super::sparsity;
use super::state::State;
use super::step::{self, Batch};
use super::validation::{Validation, thresholds, validate};
use crate::Thresholds;

/// Trains GRU layers with a head.
///
/// Starts from `initial` if given (its size must fit), else from random weights. With the same settings, data and initial
/// weights the result is the same to the last bit on one machine, interrupted and resumed or not. Inputs that learn hold the
/// parameters that belong to the result afterwards.
///
/// # Errors
/// [`TrainError::Setting`], [`TrainError::Sequence`], [`TrainError::Initial`], [`TrainError::Checkpoint`] of another run,
/// [`TrainError::Diverged`] (the checkpoint file then still holds the last good state), [`TrainError::Inputs`] or
/// [`TrainError::Thread`].
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
    sampler: Sampler,
    size: NetworkSize,
    adam: AdamW,
    state: State,
    /// Step of the last checkpoint written.
    kept_step: u64,
    /// Whether the validation just made is the best: the inputs' state belongs to it.
    keep_inputs: bool,
    tapes: Vec<NetworkTape>,
}

impl<'a, 's> Trainer<'a, 's> {
    fn new(
        data: TrainingData<'a>,
        settings: &'s TrainSettings,
        initial: Option<&Parameters>,
        control: Control,
    ) -> Result<Self, TrainError> {
        let sampler = match settings.window {
            Some(window) => Sampler::Windows(WindowSampler::new(data.training, window, settings.burn_in)?),
            None => Sampler::Sequences(SequenceSampler::new(data.training, settings.batch, settings.seed)?),
        };
        let size = settings.size(data.inputs.inputs());
        let start = match initial {
            Some(p) if p.size() == size => p.clone(),
            Some(p) => return Err(TrainError::Initial(format!("are of {:?}, expected {size:?}", p.size()))),
            None => Parameters::random(size, &mut stream_of(settings.seed, u64::MAX)),
        };
        let fingerprint = fingerprint(&data, &start.values);
        let carried = if settings.window.is_some() { cold(size, settings.batch) } else { Vec::new() };
        let mut state = State::fresh(settings, fingerprint, start.values, carried);
        if let Some(path) = control.checkpoint.filter(|path| path.exists()) {
            state = state.load(path)?;
            data.inputs.restore(&state.inputs).map_err(TrainError::Inputs)?;
        }
        let (rate, decay) = rates(size, settings);
        let mut adam = AdamW::new(rate, decay);
        adam.moment1.copy_from_slice(&state.moment1);
        adam.moment2.copy_from_slice(&state.moment2);
        let kept_step = state.record.step;
        Ok(Self { data, settings, sampler, size, adam, state, kept_step, keep_inputs: false, tapes: Vec::new() })
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
            let due = step.is_multiple_of(self.settings.validation.interval) || step == self.settings.steps;
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
        let frames = settings.window.unwrap_or_else(|| windows.iter().map(|w| w.frames).max().unwrap_or(1));
        let parameters = self.parameters(&self.state.values);
        let shape = [frames, windows.len(), self.size.input_size];
        let x = standard(self.data.inputs.gather(number, &windows, frames).map_err(TrainError::Inputs)?, shape)?;
        let learned: u64 = windows.iter().map(|w| w.frames.saturating_sub(settings.burn_in) as u64).sum();
        let techniques = self.techniques(&parameters, learned);
        let want_dx = self.data.inputs.learns() && settings.optimiser.inputs_rate > 0.0;
        let batch = Batch {
            windows: &windows,
            frames,
            x: &x,
            start: if settings.window.is_some() { &self.state.carried } else { &cold(self.size, windows.len()) },
            want_dx,
            loss: self.data.loss,
            threads: if control.single_thread { 1 } else { 2 },
        };
        let result = step::run(settings, &techniques, &parameters, &batch, &mut rng, &mut self.tapes)?;
        let gradient = result.gradient.values;
        let mut inputs_square = 0.0;
        if want_dx {
            let dx =
                ArrayView3::from_shape(shape, &result.dx).map_err(|error| TrainError::Inputs(error.to_string()))?;
            inputs_square = self.data.inputs.backward(dx).map_err(TrainError::Inputs)?;
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
        let keep = optimiser::keep(settings.optimiser.ema_decay, number);
        self.adam.step(rate, clip, number, &mut self.state.values, &gradient);
        if want_dx {
            let (rate, decay) = (rate * settings.optimiser.inputs_rate, settings.optimiser.inputs_decay);
            let step = InputsStep { rate, decay, scale: clip, keep };
            self.data.inputs.update(step).map_err(TrainError::Inputs)?;
        }
        let State { values, average, mask, .. } = &mut self.state;
        if let Some(sparsity) = &settings.sparsity {
            sparsity::prune(sparsity, number + 1, settings.steps, &self.size.matrices(), values, mask);
            values.iter_mut().zip(&*mask).for_each(|(value, mask)| *value *= mask);
        }
        optimiser::update_average(average, values, keep);
        if settings.sparsity.is_some() {
            average.iter_mut().zip(&*mask).for_each(|(value, mask)| *value *= mask);
        }
        self.state.record.step += 1;
        self.state.record.windows = windows;
        if settings.window.is_some() {
            self.state.carried = result.end;
        }
        let savings = self.window_savings(learned, &result.events);
        self.control_costs(savings);
        Ok((result.loss, norm, savings))
    }

    /// Dense over active columns in the batch's windows after the burn-in.
    fn window_savings(&self, frames: u64, events: &Events) -> f64 {
        let columns: usize =
            (0..self.size.num_layers).map(|layer| self.size.inputs(layer) + self.size.hidden_size).sum();
        let dense = frames * (columns * self.size.directions()) as u64;
        dense as f64 / (events.columns[0] + events.columns[1]).max(1) as f64
    }

    /// The windows of the coming step: those that follow on the last ones, or new ones from a cold start.
    fn next_windows(&mut self, rng: &mut ChaCha8Rng) -> Vec<Window> {
        let (batch, step) = (self.settings.batch, self.state.record.step);
        let sampler = match &mut self.sampler {
            Sampler::Sequences(sampler) => return sampler.draw(step, rng),
            Sampler::Windows(sampler) => sampler,
        };
        let mut windows = Vec::with_capacity(batch);
        for place in 0..batch {
            let before = self.state.record.windows.get(place);
            let follows = self.settings.reset_probability.is_some_and(|chance| rng.random::<f32>() >= chance);
            let next = before.filter(|_| follows).and_then(|window| sampler.next(window));
            if next.is_none() {
                for cell in &mut self.state.carried {
                    for (array, units) in cell.arrays_mut(batch) {
                        array[place * units..][..units].fill(0.0);
                    }
                }
            }
            let stream = step * batch as u64 + place as u64;
            windows.push(next.unwrap_or_else(|| sampler.draw(rng, stream)));
        }
        windows
    }

    /// Raises the costs while the windows save too little, lowers them while they save more than asked.
    fn control_costs(&mut self, savings: f64) {
        let now = 1.0 / savings;
        let occupancy = self.state.record.occupancy.map_or(now, |mean| 0.9 * mean + 0.1 * now);
        self.state.record.occupancy = Some(occupancy);
        let target = self.settings.delta.as_ref().and_then(|delta| delta.target_savings);
        if let (Some(target), true) = (target, self.ramp() > 0.0) {
            let short = (occupancy * f64::from(target)).ln().clamp(-1.0, 1.0) as f32;
            let log = &mut self.state.record.log_cost;
            *log = (*log + 0.03 * short).clamp(-5.0, 5.0);
        }
    }

    /// How far thresholds and costs have risen, 0 to 1.
    fn ramp(&self) -> f32 {
        self.settings.delta.as_ref().map_or(0.0, |delta| {
            let done = self.state.record.step as f32 / self.settings.steps as f32;
            ((done - delta.ramp_begin) / (delta.ramp_end - delta.ramp_begin).max(1e-6)).clamp(0.0, 1.0)
        })
    }

    /// The techniques of each layer as they stand at the coming step, whose windows have `frames` frames after the burn-in.
    fn techniques(&self, parameters: &Parameters, frames: u64) -> Vec<LayerTechnique> {
        let (settings, ramp) = (self.settings, self.ramp());
        let off = DeltaSettings { l1_x: 0.0, l1_h: 0.0, ..DeltaSettings::default() };
        let delta = settings.delta.as_ref().unwrap_or(&off);
        let factor = ramp * self.state.record.log_cost.exp() / frames as f32;
        let cost = |l1: f32| DeltaCost { l1: factor * l1, event: factor * delta.event_cost, width: delta.event_width };
        let of = |(layer, theta): (usize, Thresholds)| {
            let [x, h] = parameters.theta_factors(layer);
            LayerTechnique {
                theta_x: ramp * theta.theta_x * x,
                theta_h: ramp * theta.theta_h * h,
                cost_x: cost(delta.l1_x),
                cost_h: cost(delta.l1_h),
                rounding: settings.rounding,
                burn_in: settings.burn_in,
                smooth: settings.learned_thresholds.is_some() || delta.event_cost > 0.0,
                sparse_below: SPARSE_BELOW,
            }
        };
        settings.layer_thresholds().into_iter().enumerate().map(of).collect()
    }

    /// An array's numbers as parameters.
    fn parameters(&self, values: &[f32]) -> Parameters {
        let mut parameters = Parameters::zeros(self.size);
        parameters.values.copy_from_slice(values);
        parameters
    }

    /// Runs the validation sequences through the averaged weights and keeps them if they are the best so far.
    fn validate(&mut self) -> Result<Option<Validation>, TrainError> {
        if self.data.validation == 0 {
            return Ok(None);
        }
        let parameters = self.parameters(&self.state.average);
        let validation = validate(&parameters, self.settings, &mut self.data, self.state.record.step)?;
        self.state.record.history.push(validation.clone());
        let risen = self.settings.delta.is_none() || self.ramp() >= 1.0;
        let better = risen && self.state.record.best.as_ref().is_none_or(|best| validation.score < best.score);
        if better || self.settings.validation.keep_last {
            self.state.record.best = Some(validation.clone());
            self.state.best.copy_from_slice(&self.state.average);
            self.keep_inputs = true;
        }
        Ok(Some(validation))
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
            thresholds: thresholds(&parameters, self.settings),
            parameters,
            best: self.state.record.best,
            history: self.state.record.history,
            finished,
            elapsed_s: self.state.record.elapsed_s,
        })
    }
}

/// Cold starts of all cells.
fn cold(size: NetworkSize, batch: usize) -> Vec<CellState> {
    let of = |cell: usize| CellState::cold(batch, size.inputs(cell / size.directions()), size.hidden_size);
    (0..size.cells()).map(of).collect()
}

/// Each number's factor on the learning rate, and its decay.
fn rates(size: NetworkSize, settings: &TrainSettings) -> (Vec<f32>, Vec<f32>) {
    let len = size.log_thetas().end;
    let mut rate = vec![1.0; len];
    rate[size.log_thetas()].fill(settings.learned_thresholds.map_or(0.0, |learned| learned.rate));
    let mut decay = vec![0.0; len];
    let linears =
        size.linears().into_iter().map(|(inputs, outputs, range)| range.start..range.start + inputs * outputs);
    for range in size.matrices().into_iter().chain(linears) {
        decay[range].fill(settings.optimiser.weight_decay);
    }
    (rate, decay)
}

/// The values of an array of the expected shape, row after row.
fn standard(x: Array3<f32>, expected: [usize; 3]) -> Result<Vec<f32>, TrainError> {
    if x.shape() != expected {
        return Err(TrainError::Inputs(format!("features of shape {:?}, expected {expected:?}", x.shape())));
    }
    let x = if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() };
    Ok(x.into_raw_vec_and_offset().0)
}

/// Hash of sequences, features, targets and starting weights: tells whether a checkpoint belongs to this run.
fn fingerprint(data: &TrainingData, values: &[f32]) -> u64 {
    let sequences = data.training.iter().flat_map(|sequence| {
        [sequence.frames as u64].into_iter().chain(sequence.gaps_after.iter().map(|gap| *gap as u64))
    });
    let start = [data.inputs.fingerprint(), data.loss.fingerprint(), data.validation as u64];
    fnv1a(start.into_iter().chain(sequences).chain(values.iter().map(|x| u64::from(x.to_bits()))))
}
