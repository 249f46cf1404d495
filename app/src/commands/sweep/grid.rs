//! The RNNs over the drive's features: every model at every pair of thresholds, models on several threads.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use deltasteer_temporal::{DeltaRnn, DenseRnn, Thresholds};
use ndarray::ArrayView2;

use super::features::{Features, Seen};
use super::plan::{Candidate, Part, Plan};
use crate::drive::interrupted;
use crate::figures::results::Row;
use crate::metrics::ErrorFigures;

/// Computes all rows; `each` gets those of a model when it is finished (when interrupted, those that are).
///
/// # Errors
/// A step that fails, or an error of `each`.
pub fn run(
    plan: &Plan,
    features: &Features,
    each: &mut dyn FnMut(Vec<Row>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(plan.candidates.len());
    let (job_sender, jobs) = unbounded::<usize>();
    for job in 0..plan.candidates.len() {
        job_sender.send(job).context("queue of models")?;
    }
    drop(job_sender);
    let (sender, results) = bounded::<anyhow::Result<Vec<Row>>>(workers);
    let (candidates, part) = (&plan.candidates, &plan.part);
    let stop: &AtomicBool = interrupted();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..workers {
            let (jobs, sender) = (jobs.clone(), sender.clone());
            std::thread::Builder::new()
                .name("sweep".into())
                .spawn_scoped(scope, move || work(candidates, part, features, stop, &jobs, &sender))
                .context("thread sweep")?;
        }
        drop(sender);
        for rows in results {
            each(rows?)?;
        }
        Ok(())
    })
}

/// Takes models until none is left; stops early when nobody wants the results any more.
fn work(
    candidates: &[Candidate],
    part: &Part,
    features: &Features,
    stop: &AtomicBool,
    jobs: &Receiver<usize>,
    results: &Sender<anyhow::Result<Vec<Row>>>,
) {
    for job in jobs {
        let rows = rows_of(&candidates[job], &features.models[job], part, features, stop)
            .with_context(|| candidates[job].model.folder().display().to_string());
        if results.send(rows).is_err() || stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// One model at each of its thresholds; only the finished ones after an interruption.
fn rows_of(
    candidate: &Candidate,
    seen: &Seen,
    part: &Part,
    all: &Features,
    stop: &AtomicBool,
) -> anyhow::Result<Vec<Row>> {
    let rnn = candidate.model.rnn();
    let inputs = rnn.config.input_size;
    let features = ArrayView2::from_shape((seen.features.len() / inputs, inputs), &seen.features)?;
    let dense = DenseRnn::new(rnn.clone())?.run(features)?.into_raw_vec_and_offset().0;
    let (dense, single) = (errors(&dense, all)?, errors(&seen.single_frame_rad, all)?);
    let cnn_macs_per_frame = [seen.cnn_macs, seen.cnn_macs_dense].map(|macs| macs as f64 / features.nrows() as f64);
    let mut rows = Vec::with_capacity(candidate.settings.len());
    for &thresholds in &candidate.settings {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut delta = DeltaRnn::new(rnn.clone(), &[thresholds])?;
        let angles = delta.run(features)?.into_raw_vec_and_offset().0;
        let errors = errors(&angles, all)?;
        let references = [&dense, &single];
        rows.push(row(candidate, part, thresholds, &delta, &errors, references, cnn_macs_per_frame));
    }
    Ok(rows)
}

fn errors(angles: &[f32], all: &Features) -> anyhow::Result<ErrorFigures> {
    let pairs = angles.iter().zip(&all.steering_true_rad).filter_map(|(&angle, truth)| Some((angle, (*truth)?)));
    ErrorFigures::of(pairs).context("no frame has a true angle")
}

fn row(
    candidate: &Candidate,
    part: &Part,
    thresholds: Thresholds,
    delta: &DeltaRnn,
    errors: &ErrorFigures,
    [dense, single]: [&ErrorFigures; 2],
    [cnn_macs, cnn_macs_dense]: [f64; 2],
) -> Row {
    let (totals, own) = (delta.totals(), candidate.model.thresholds());
    let frames = totals.steps as f64;
    let (delta_macs, dense_macs) = (totals.macs as f64 / frames, totals.macs_dense as f64 / frames);
    Row {
        technique: candidate.technique.clone(),
        seed: candidate.seed,
        model: candidate.name.clone(),
        weights: candidate.weights.clone(),
        source: part.source.clone(),
        files: part.files.clone(),
        from_s: part.from_s,
        to_s: part.to_s,
        inputs: delta.weights().config.input_size,
        hidden: delta.weights().config.hidden_size,
        own_theta_x: own.theta_x,
        own_theta_h: own.theta_h,
        theta_x: thresholds.theta_x,
        theta_h: thresholds.theta_h,
        frames: totals.steps as usize,
        rmse_rad: errors.rmse_rad,
        dense_rmse_rad: dense.rmse_rad,
        single_frame_rmse_rad: single.rmse_rad,
        zero_rmse_rad: errors.zero_rmse_rad,
        savings: totals.savings(),
        savings_after_weight_sparsity: totals.savings_after_weight_sparsity(),
        occupancy_x: totals.occupancy_x(),
        occupancy_h: totals.occupancy_h(),
        macs_delta_per_frame: delta_macs,
        macs_dense_per_frame: dense_macs,
        cnn_macs_per_frame: cnn_macs,
        network_savings: (cnn_macs_dense + dense_macs) / (cnn_macs + delta_macs),
    }
}
