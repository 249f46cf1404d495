//! One step's loss and gradient: the batch is split into a fixed number of parts, each on its own thread.
//!
//! The number of parts does not depend on the machine and their gradients are added in order, so that the same seed and
//! data give the same weights, bit by bit, on one core or many.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::bptt::{Carried, Events, Part, Tape, Technique, round_to};
use super::data::{DriveLabels, Window};
use super::error::TrainError;
use super::loss::{self, Targets};
use super::parameters::Parameters;
use super::random::{add_noise, normal, stream_of};
use super::settings::TrainSettings;

/// Parts of a batch.
const PARTS: usize = 2;

/// Loss, events and gradients of one batch.
pub(super) struct StepResult {
    /// Weighted mean loss, rad^2.
    pub loss: f64,
    /// What was transmitted after the burn-in.
    pub events: Events,
    /// Gradient by the RNN's parameters.
    pub gradient: Parameters,
    /// Gradient by the features `[frames][windows][inputs]`, if wanted.
    pub dx: Vec<f32>,
    /// The state after the last frame of every window.
    pub end: Carried,
}

/// Loss and gradient of `windows` with features `x[frames][windows][inputs]`.
pub(super) fn run(
    settings: &TrainSettings,
    technique: &Technique,
    parameters: &Parameters,
    drives: &[DriveLabels],
    windows: &[Window],
    x: &[f32],
    start: &Carried,
    rng: &mut ChaCha8Rng,
    tapes: &mut Vec<Tape>,
) -> Result<StepResult, TrainError> {
    let (inputs, frames) = (parameters.inputs(), settings.window);
    let size = windows.len().div_ceil(PARTS);
    let mut jobs = Vec::new();
    let mut total = 0.0;
    for (index, windows_of_part) in windows.chunks(size).enumerate() {
        let columns = index * size..index * size + windows_of_part.len();
        let part = make_part(settings, parameters, x, windows, columns, start, rng);
        let targets = targets(drives, windows_of_part, frames);
        total += loss::total_weight(&settings.loss, &targets, settings.burn_in * windows_of_part.len());
        jobs.push((part, targets));
    }
    let total = total.max(1e-9);
    let work = |(part, targets): &(Part, Targets), tape: &mut Tape| {
        tape.forward(parameters, part, technique);
        let from = settings.burn_in * part.batch;
        let (loss, d_steering) = loss::loss(&settings.loss, targets, &tape.steering_rad, from, total);
        let mut gradient = Parameters::zeros(inputs, parameters.hidden());
        let mut dx = tape.backward(parameters, technique, &d_steering, &mut gradient);
        scale_rows(&mut dx, &part.gains);
        StepResult { loss, events: tape.events(settings.burn_in), gradient, dx, end: tape.end() }
    };
    tapes.resize_with(jobs.len(), Tape::default);
    let results = on_threads(&jobs, tapes, &work)?;
    let columns: Vec<usize> = jobs.iter().map(|(part, _)| part.batch).collect();
    Ok(merge(results, &columns, frames, inputs))
}

/// Runs the first job here and the others on named threads, each with its own tape.
fn on_threads<J: Sync, R: Send>(
    jobs: &[J],
    tapes: &mut [Tape],
    work: &(impl Fn(&J, &mut Tape) -> R + Sync),
) -> Result<Vec<R>, TrainError> {
    std::thread::scope(|scope| {
        let mut pairs = jobs.iter().zip(tapes);
        let first = pairs.next();
        let mut threads = Vec::new();
        for (job, tape) in pairs {
            let builder = std::thread::Builder::new().name("train-part".into());
            threads.push(builder.spawn_scoped(scope, move || work(job, tape)).map_err(TrainError::Thread)?);
        }
        let mut results: Vec<R> = first.map(|(job, tape)| work(job, tape)).into_iter().collect();
        for thread in threads {
            results.push(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        Ok(results)
    })
}

/// Adds up the parts in their order.
fn merge(results: Vec<StepResult>, columns: &[usize], frames: usize, inputs: usize) -> StepResult {
    let windows: usize = columns.iter().sum();
    let want_dx = results.iter().all(|r| !r.dx.is_empty());
    let mut dx = vec![0.0; if want_dx { frames * windows * inputs } else { 0 }];
    let mut first = 0;
    let mut sum: Option<StepResult> = None;
    for (mut result, batch) in results.into_iter().zip(columns) {
        if want_dx {
            let n = batch * inputs;
            for (t, row) in result.dx.chunks_exact(n).enumerate() {
                dx[(t * windows + first) * inputs..][..n].copy_from_slice(row);
            }
        }
        first += batch;
        match &mut sum {
            None => {
                result.dx = Vec::new();
                sum = Some(result);
            }
            Some(sum) => {
                sum.loss += result.loss;
                for i in 0..2 {
                    sum.events.columns[i] += result.events.columns[i];
                    sum.events.magnitude[i] += result.events.magnitude[i];
                }
                sum.end.h.extend(result.end.h);
                sum.end.h_ref.extend(result.end.h_ref);
                sum.end.x_ref.extend(result.end.x_ref);
                sum.gradient.values.iter_mut().zip(&result.gradient.values).for_each(|(s, g)| *s += g);
            }
        }
    }
    let mut sum = sum.unwrap_or_else(|| unreachable!("a batch has at least one part"));
    sum.dx = dx;
    sum
}

/// The features of some columns of the batch, disturbed as the settings say, and the noise of their hidden states.
fn make_part(
    settings: &TrainSettings,
    parameters: &Parameters,
    x: &[f32],
    windows: &[Window],
    columns: Range<usize>,
    start: &Carried,
    rng: &mut ChaCha8Rng,
) -> Part {
    let (inputs, hidden) = (parameters.inputs(), parameters.hidden());
    let (frames, batch) = (settings.window, columns.len());
    let rows = |array: &[f32], units: usize| array[columns.start * units..columns.end * units].to_vec();
    let start =
        Carried { h: rows(&start.h, hidden), h_ref: rows(&start.h_ref, hidden), x_ref: rows(&start.x_ref, inputs) };
    let mut part =
        Part { frames, batch, x: vec![0.0; frames * batch * inputs], start, gains: Vec::new(), noise_h: Vec::new() };
    for (t, row) in part.x.chunks_exact_mut(batch * inputs).enumerate() {
        row.copy_from_slice(&x[(t * windows.len() + columns.start) * inputs..][..batch * inputs]);
    }
    part.gains = gains(settings, inputs, &windows[columns]);
    scale_rows(&mut part.x, &part.gains);
    if let Some(q) = settings.rounding {
        part.x.iter_mut().for_each(|x| *x = round_to(q, *x));
    }
    if let Some(noise) = settings.noise {
        if noise.x > 0.0 {
            add_noise(rng, noise.x, &mut part.x);
        }
        if noise.h > 0.0 {
            part.noise_h = vec![0.0; frames * batch * parameters.hidden()];
            add_noise(rng, noise.h, &mut part.noise_h);
        }
    }
    part
}

/// Multiplies every frame's row of `x[frames][gains]` by the gains, unless there are none.
fn scale_rows(x: &mut [f32], gains: &[f32]) {
    if !gains.is_empty() {
        for row in x.chunks_exact_mut(gains.len()) {
            row.iter_mut().zip(gains).for_each(|(x, gain)| *x *= gain);
        }
    }
}

/// One factor for each feature of each window, the same along a whole walk, or empty if all would be 1.
fn gains(settings: &TrainSettings, inputs: usize, windows: &[Window]) -> Vec<f32> {
    let noise = &settings.inputs;
    if noise.gain == 0.0 && noise.dropout == 0.0 {
        return Vec::new();
    }
    let kept = 1.0 / (1.0 - noise.dropout);
    let mut gains = Vec::with_capacity(windows.len() * inputs);
    for window in windows {
        let mut rng = stream_of(settings.seed ^ 0x6761_696e, window.walk);
        gains.extend((0..inputs).map(|_| {
            let gain = 1.0 + noise.gain * normal(&mut rng);
            if rng.random::<f32>() < noise.dropout { 0.0 } else { gain * kept }
        }));
    }
    gains
}

/// The labels of some windows, `[frames][windows]`; frames after a short stretch's end have none.
fn targets(drives: &[DriveLabels], windows: &[Window], frames: usize) -> Targets {
    let n = frames * windows.len();
    let mut targets = Targets { steering_rad: vec![f32::NAN; n], teacher_rad: vec![f32::NAN; n] };
    for (w, window) in windows.iter().enumerate() {
        let labels = &drives[window.drive].versions[window.version];
        for t in 0..window.frames.min(frames) {
            targets.steering_rad[t * windows.len() + w] = labels.steering_rad[window.start + t];
            if let Some(teacher) = &labels.teacher_rad {
                targets.teacher_rad[t * windows.len() + w] = teacher[window.start + t];
            }
        }
    }
    targets
}
