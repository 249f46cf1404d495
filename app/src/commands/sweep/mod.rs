//! `sweep`: error against savings over a grid of thresholds and models.

mod chart;
mod png;
mod table;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use deltasteer_temporal::{SteeringRnn, Thresholds};
use sha2::{Digest, Sha256};

use crate::cli::{DriveArgs, SweepArgs};
use crate::drive::{self, Drive, interrupted};
use crate::metrics::ErrorFigures;
use crate::model::{CnnMode, Model};
use crate::output;
use crate::session::Session;
use table::{Record, Table};

/// What a scale multiplies where a model was trained without thresholds.
const NOMINAL: Thresholds = Thresholds { theta_x: 1.0, theta_h: 0.3 };

/// Runs `sweep`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &SweepArgs) -> anyhow::Result<()> {
    let mut table = Table::open(&args.csv)?;
    if !args.draw {
        check_scales(&args.scale)?;
        for named in &args.model {
            let (line, folder) = named_folder(named);
            sweep_model(args, &line, &folder, &mut table)?;
        }
    }
    if table.records().is_empty() {
        bail!("{}: holds nothing to draw", args.csv.display());
    }
    let svg = chart::svg(table.records());
    output::write_whole(&args.csv.with_extension("svg"), svg.as_bytes())?;
    output::write_whole(&args.csv.with_extension("png"), &png::render(&svg)?)?;
    println!("written      {} with .svg and .png beside it", args.csv.display());
    Ok(())
}

/// `NAME=DIR`, or a folder whose own name becomes the line's.
fn named_folder(text: &str) -> (String, PathBuf) {
    match text.split_once('=') {
        Some((name, folder)) => (name.to_owned(), PathBuf::from(folder)),
        None => {
            let folder = PathBuf::from(text);
            let name = folder.file_name().map_or_else(|| text.to_owned(), |name| name.to_string_lossy().into_owned());
            (name, folder)
        }
    }
}

fn check_scales(scales: &[f32]) -> anyhow::Result<()> {
    match scales.iter().find(|scale| !scale.is_finite() || **scale < 0.0) {
        Some(scale) => bail!("--scale holds {scale}; expected finite numbers of zero or more"),
        None => Ok(()),
    }
}

/// Adds what is missing of one model to the table, which is then complete for that model on disk.
fn sweep_model(args: &SweepArgs, line: &str, folder: &Path, table: &mut Table) -> anyhow::Result<()> {
    let model = Model::load(folder)?;
    let weights = fingerprint(&model);
    let known = |scale: f32| table.holds(line, &args.source, args.from, args.to, &weights, scale);
    let missing: Vec<f32> = args.scale.iter().copied().filter(|&scale| !known(scale)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let drive = run_drive(args, folder)?;
    let stored = model.thresholds();
    let unit = if stored == Thresholds::ZERO { NOMINAL } else { stored };
    let mut records = Vec::new();
    for scale in missing {
        if interrupted().load(Ordering::Relaxed) {
            bail!("interrupted; the same command goes on from {}", args.csv.display());
        }
        let thresholds = Thresholds::new(unit.theta_x * scale, unit.theta_h * scale)?;
        records.push(record(args, line, folder, &weights, &model, &drive, scale, thresholds)?);
    }
    table.add(records)
}

fn run_drive(args: &SweepArgs, folder: &Path) -> anyhow::Result<Drive> {
    let session = Session::open(&DriveArgs {
        source: args.source.clone(),
        model: Some(folder.to_owned()),
        theta_x: None,
        theta_h: None,
        cnn: CnnMode::Dense,
        from: args.from,
        to: args.to,
    })?;
    drive::run(session, |_| Ok(()))
}

/// One point: the drive's features again through the RNN at other thresholds, from a cold start.
fn record(
    args: &SweepArgs,
    line: &str,
    folder: &Path,
    weights: &str,
    model: &Model,
    drive: &Drive,
    scale: f32,
    thresholds: Thresholds,
) -> anyhow::Result<Record> {
    let mut rnn = SteeringRnn::new(model.rnn(), thresholds)?;
    let mut pairs = Vec::new();
    for row in &drive.rows {
        let (steering_rad, _) = rnn.step(&row.features)?;
        if let Some(truth) = row.steering_true_rad {
            pairs.push((steering_rad, truth));
        }
    }
    let unlabelled = || format!("{}: no frame has a true angle to compare with", args.source);
    let figures = ErrorFigures::of(&pairs).with_context(unlabelled)?;
    let rmse = |figures: Option<ErrorFigures>| figures.map_or(f64::NAN, |figures| figures.rmse_rad);
    let totals = rnn.totals();
    Ok(Record {
        line: line.to_owned(),
        model: folder.display().to_string(),
        weights: weights.to_owned(),
        source: table::short_name(&args.source),
        from_s: args.from,
        to_s: args.to,
        frames: drive.rows.len(),
        scale,
        theta_x: thresholds.theta_x,
        theta_h: thresholds.theta_h,
        rmse_rad: figures.rmse_rad,
        savings: totals.savings(),
        savings_with_weight_sparsity: totals.savings_after_weight_sparsity(),
        occupancy_x: totals.occupancy_x(),
        occupancy_h: totals.occupancy_h(),
        macs_a_frame: totals.macs as f64 / totals.steps.max(1) as f64,
        macs_a_frame_dense: totals.macs_dense as f64 / totals.steps.max(1) as f64,
        dense_rmse_rad: rmse(drive.errors(|row| row.steering_dense_rad)),
        single_frame_rmse_rad: rmse(drive.errors(|row| row.steering_single_frame_rad)),
        zero_rmse_rad: figures.zero_rmse_rad,
    })
}

fn fingerprint(model: &Model) -> String {
    Sha256::digest(model.tensors()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
