//! One step's loss and gradient: the batch is split into a fixed number of parts, each on its own thread.
//!
//! The number of parts does not depend on the machine and their gradients are added in order, so that the same seed and
//! data give the same weights, bit by bit, on one core or many.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayViewMut3, s};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::data::Window;
use super::error::TrainError;
use super::layer::{CellState, Events, LayerTechnique};
use super::loss::Loss;
use super::network::{NetworkTape, Part, disturb};
use super::parameters::{NetworkSize, Parameters};
use super::random::{add_noise, stream_of};
use super::settings::TrainSettings;
use crate::Pooling;

/// Parts of a batch.
const PARTS: usize = 2;

/// The batch of one step.
pub(super) struct Batch<'a> {
    pub windows: &'a [Window],
    /// Frames in each window, with padding.
    pub frames: usize,
    /// Features `[frames][windows][inputs]`.
    pub x: &'a [f32],
    /// State of each cell before the first frame.
    pub start: &'a [CellState],
    /// Whether the features' gradient is wanted.
    pub want_dx: bool,
    pub loss: &'a dyn Loss,
    /// Threads: 1 or [`PARTS`].
    pub threads: usize,
}

/// Loss, events and gradients of one batch.
pub(super) struct StepResult {
    /// Weighted mean loss.
    pub loss: f64,
    /// What was transmitted after the burn-in.
    pub events: Events,
    /// Gradient by the network's parameters.
    pub gradient: Parameters,
    /// Gradient by the features `[frames][windows][inputs]`, if wanted.
    pub dx: Vec<f32>,
    /// The state of each cell after the last frame of every window.
    pub end: Vec<CellState>,
}

/// A part of the batch on its way.
struct Job {
    part: Part,
    tape: NetworkTape,
    /// Sum of the windows' losses, and of their weights.
    loss: (f64, f64),
    /// Gradient by the outputs `[frames or 1][batch][outputs]`, not yet divided by the batch's weight.
    d_outputs: Vec<f32>,
    gradient: Parameters,
    dx: Vec<f32>,
}

/// Loss and gradient of a batch.
pub(super) fn run(
    settings: &TrainSettings,
    techniques: &[LayerTechnique],
    parameters: &Parameters,
    batch: &Batch<'_>,
    rng: &mut ChaCha8Rng,
    tapes: &mut Vec<NetworkTape>,
) -> Result<StepResult, TrainError> {
    let share = batch.windows.len().div_ceil(PARTS);
    let mut jobs = Vec::new();
    for (index, windows) in batch.windows.chunks(share).enumerate() {
        let columns = index * share..index * share + windows.len();
        jobs.push(Job {
            part: make_part(settings, techniques, parameters.size(), batch, columns, rng),
            tape: tapes.pop().unwrap_or_default(),
            loss: (0.0, 0.0),
            d_outputs: Vec::new(),
            gradient: Parameters::zeros(parameters.size()),
            dx: Vec::new(),
        });
    }
    let forward = |job: &mut Job| {
        job.tape.forward(parameters, &job.part, techniques);
        loss_of(settings.burn_in, parameters.size(), batch.loss, job);
    };
    on_threads(&mut jobs, batch.threads, &forward)?;
    let total = jobs.iter().map(|job| job.loss.1).sum::<f64>().max(1e-9);
    let backward = |job: &mut Job| {
        job.d_outputs.iter_mut().for_each(|d| *d = (f64::from(*d) / total) as f32);
        job.dx = job.tape.backward(parameters, &job.part, techniques, &job.d_outputs, &mut job.gradient, batch.want_dx);
    };
    on_threads(&mut jobs, batch.threads, &backward)?;
    Ok(merge(jobs, batch, settings.burn_in, total, tapes))
}

/// The windows' losses and their gradients by the outputs.
fn loss_of(burn_in: usize, size: NetworkSize, loss: &dyn Loss, job: &mut Job) {
    let (part, outputs) = (&job.part, size.head.output_size);
    let rows = job.tape.outputs.len() / (part.batch() * outputs);
    let shape = (rows, part.batch(), outputs);
    job.d_outputs = vec![0.0; job.tape.outputs.len()];
    let (Ok(y), Ok(mut d)) =
        (ArrayView3::from_shape(shape, &job.tape.outputs), ArrayViewMut3::from_shape(shape, &mut job.d_outputs))
    else {
        unreachable!("the shape is that of the outputs");
    };
    for (w, window) in part.windows.iter().enumerate() {
        let frames = match size.head.pooling {
            Pooling::None => burn_in.min(window.frames)..window.frames,
            _ => 0..1,
        };
        let after = Window { start: window.start + frames.start, frames: window.frames - frames.start, ..*window };
        let (value, weight) = loss.loss(&after, y.slice(s![frames.clone(), w, ..]), d.slice_mut(s![frames, w, ..]));
        job.loss.0 += value;
        job.loss.1 += weight;
    }
}

/// Works on the first job here and on the others on named threads, or on all of them here.
fn on_threads(jobs: &mut [Job], threads: usize, work: &(impl Fn(&mut Job) + Sync)) -> Result<(), TrainError> {
    if threads == 1 {
        jobs.iter_mut().for_each(work);
        return Ok(());
    }
    std::thread::scope(|scope| {
        let mut jobs = jobs.iter_mut();
        let first = jobs.next();
        let mut others = Vec::new();
        for job in jobs {
            let builder = std::thread::Builder::new().name("train-part".into());
            others.push(builder.spawn_scoped(scope, move || work(job)).map_err(TrainError::Thread)?);
        }
        first.into_iter().for_each(work);
        for thread in others {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        Ok(())
    })
}

/// Adds up the parts in their order.
fn merge(jobs: Vec<Job>, batch: &Batch<'_>, burn_in: usize, total: f64, tapes: &mut Vec<NetworkTape>) -> StepResult {
    let inputs = batch.x.len() / (batch.frames * batch.windows.len());
    let mut dx = vec![0.0; if batch.want_dx { batch.x.len() } else { 0 }];
    let mut first = 0;
    let mut sum: Option<StepResult> = None;
    for job in jobs {
        if batch.want_dx {
            let n = job.part.batch() * inputs;
            for (t, row) in job.dx.chunks_exact(n).enumerate() {
                dx[(t * batch.windows.len() + first) * inputs..][..n].copy_from_slice(row);
            }
        }
        first += job.part.batch();
        let (loss, events, end) = (job.loss.0 / total, job.tape.events(burn_in), job.tape.end());
        match &mut sum {
            None => sum = Some(StepResult { loss, events, gradient: job.gradient, dx: Vec::new(), end }),
            Some(sum) => {
                sum.loss += loss;
                sum.events.add(&events);
                for (to, from) in sum.end.iter_mut().zip(end) {
                    to.h.extend(from.h);
                    to.h_ref.extend(from.h_ref);
                    to.x_ref.extend(from.x_ref);
                }
                sum.gradient.values.iter_mut().zip(&job.gradient.values).for_each(|(s, g)| *s += g);
            }
        }
        tapes.push(job.tape);
    }
    // Each part finds its own tape again, whose arrays then have the right size.
    tapes.reverse();
    let mut sum = sum.unwrap_or_else(|| unreachable!("a batch has at least one part"));
    sum.dx = dx;
    sum
}

/// The features of some columns of the batch, disturbed as the settings say, and the noise inside the network.
fn make_part(
    settings: &TrainSettings,
    techniques: &[LayerTechnique],
    size: NetworkSize,
    batch: &Batch<'_>,
    columns: Range<usize>,
    rng: &mut ChaCha8Rng,
) -> Part {
    let windows = batch.windows[columns.clone()].to_vec();
    let (all, frames, count) = (batch.windows.len(), batch.frames, windows.len());
    let rows = |array: &[f32]| {
        let units = array.len() / all;
        array[columns.start * units..columns.end * units].to_vec()
    };
    let of = |state: &CellState| CellState { h: rows(&state.h), h_ref: rows(&state.h_ref), x_ref: rows(&state.x_ref) };
    let start = batch.start.iter().map(of).collect();
    let mut x = vec![0.0; frames * count * size.input_size];
    for (t, row) in x.chunks_exact_mut(count * size.input_size).enumerate() {
        row.copy_from_slice(&batch.x[(t * all + columns.start) * size.input_size..][..count * size.input_size]);
    }
    let gains: Vec<_> =
        (0..size.num_layers).map(|layer| dropout(settings, layer, size.inputs(layer), &windows)).collect();
    disturb(&mut x, &gains[0], &techniques[0], &[]);
    let (mut noise_x, mut noise_h) = (vec![Vec::new(); size.num_layers], vec![Vec::new(); size.cells()]);
    if let Some(noise) = settings.noise {
        for layer in 0..size.num_layers {
            if noise.x > 0.0 {
                if layer > 0 {
                    noise_x[layer] = vec![0.0; frames * count * size.inputs(layer)];
                }
                add_noise(rng, noise.x, if layer == 0 { &mut x } else { &mut noise_x[layer] });
            }
            for noise_h in noise_h.iter_mut().skip(layer * size.directions()).take(size.directions()) {
                if noise.h > 0.0 {
                    *noise_h = vec![0.0; frames * count * size.hidden_size];
                    add_noise(rng, noise.h, noise_h);
                }
            }
        }
    }
    let lengths = windows.iter().map(|window| window.frames.min(frames)).collect();
    Part { windows, frames, lengths, x, gains, noise_x, noise_h, start }
}

/// One factor for each input of each window, the same along a whole stream of windows, or empty if all would be 1.
fn dropout(settings: &TrainSettings, layer: usize, inputs: usize, windows: &[Window]) -> Vec<f32> {
    let share = if layer == 0 { settings.input_dropout } else { settings.layer_dropout };
    if share == 0.0 {
        return Vec::new();
    }
    let kept = 1.0 / (1.0 - share);
    let mut gains = Vec::with_capacity(windows.len() * inputs);
    for window in windows {
        let mut rng = stream_of(settings.seed ^ 0x6761_696e ^ (layer as u64) << 48, window.stream);
        gains.extend((0..inputs).map(|_| {
            // Two numbers are skipped: recorded trainings drew a random gain from them.
            let [_, _, draw]: [f32; 3] = rng.random();
            if draw < share { 0.0 } else { kept }
        }));
    }
    gains
}
