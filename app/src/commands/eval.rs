//! `eval`: error and savings of a model on a drive with known angles.

use std::time::Duration;

use anyhow::{Context, bail};
use deltasteer_temporal::bench::{DriveTimes, time_drive};
use serde::Serialize;

use crate::cli::EvalArgs;
use crate::commands::summary;
use crate::drive::{self, Drive};
use crate::metrics::{BandError, median};
use crate::model::Model;
use crate::session::Session;

/// How long the RNN stage is timed on the drive's own features.
const TIMING: Duration = Duration::from_millis(500);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    source: &'a str,
    model: String,
    /// Frames that went through the network.
    frames: usize,
    zero_rmse_rad: f64,
    rmse_rad: f64,
    mae_rad: f64,
    eva: Option<f64>,
    rms_step_deg: Option<f64>,
    by_angle: Vec<BandError>,
    dense: Dense,
    rnn: Rnn,
    cnn: Cnn,
    network: Network,
}

/// The same weights at theta 0, run by the dense step.
#[derive(Debug, Serialize)]
struct Dense {
    rmse_rad: f64,
}

/// Sums are over the whole drive, the first frame included; times are means of the whole RNN stage, undisturbed.
#[derive(Debug, Serialize)]
struct Rnn {
    theta_x: f32,
    theta_h: f32,
    macs_dense: u64,
    macs_delta: u64,
    savings: f64,
    occupancy_x: f64,
    occupancy_h: f64,
    weight_bytes_dense: u64,
    weight_bytes_delta: u64,
    step_us_dense: f64,
    step_us_delta: f64,
}

#[derive(Debug, Serialize)]
struct Cnn {
    macs_per_frame: u64,
    ms_per_frame: f64,
}

/// CNN and RNN together, over the whole drive.
#[derive(Debug, Serialize)]
struct Network {
    macs_dense: u64,
    macs_delta: u64,
}

/// Runs `eval`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &EvalArgs) -> anyhow::Result<()> {
    let session = Session::open(&args.drive)?;
    if session.info.live {
        bail!("{}: a live source has no true angles to compare with; expected a recorded drive", session.info.name);
    }
    let (info, model, thresholds) = (session.info.clone(), session.model.clone(), session.thresholds);
    let drive = drive::run(session, |_| Ok(()))?;
    let features: Vec<f32> = drive.rows.iter().flat_map(|row| row.features.iter().copied()).collect();
    let times = time_drive(&model.rnn(), thresholds, &features, TIMING)?;
    if !args.json {
        summary::print(&info, &model, &drive);
        println!(
            "step alone   delta {:.2} us, dense {:.2} us: {:.1}x faster (theta_x {}, theta_h {})",
            times.step_us_delta,
            times.step_us_dense,
            times.step_us_dense / times.step_us_delta,
            thresholds.theta_x,
            thresholds.theta_h
        );
        return Ok(());
    }
    let report = report(&info.name, &model, &drive, thresholds, times)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn report<'a>(
    source: &'a str,
    model: &Model,
    drive: &Drive,
    thresholds: deltasteer_temporal::Thresholds,
    times: DriveTimes,
) -> anyhow::Result<Report<'a>> {
    let no_labels = || format!("{source}: no frame has a true angle to compare with; use replay instead");
    let delta = drive.errors(|row| row.steering_rad).with_context(no_labels)?;
    let dense = drive.errors(|row| row.steering_dense_rad).with_context(no_labels)?;
    let (totals, cnn) = (&drive.totals, drive.cnn_work());
    let mut cnn_us: Vec<f32> = drive.rows.iter().map(|row| row.times.cnn_us).collect();
    Ok(Report {
        source,
        model: model.folder().display().to_string(),
        frames: drive.rows.len(),
        zero_rmse_rad: delta.zero_rmse_rad,
        rmse_rad: delta.rmse_rad,
        mae_rad: delta.mae_rad,
        eva: delta.eva,
        rms_step_deg: drive.rms_step_deg(),
        by_angle: delta.by_angle,
        dense: Dense { rmse_rad: dense.rmse_rad },
        rnn: Rnn {
            theta_x: thresholds.theta_x,
            theta_h: thresholds.theta_h,
            macs_dense: totals.macs_dense,
            macs_delta: totals.macs,
            savings: totals.savings(),
            occupancy_x: totals.occupancy_x(),
            occupancy_h: totals.occupancy_h(),
            weight_bytes_dense: totals.weight_bytes_dense,
            weight_bytes_delta: totals.weight_bytes,
            step_us_dense: times.step_us_dense,
            step_us_delta: times.step_us_delta,
        },
        cnn: Cnn {
            macs_per_frame: cnn.macs / drive.rows.len() as u64,
            ms_per_frame: f64::from(median(&mut cnn_us)) / 1e3,
        },
        network: Network { macs_dense: cnn.macs_dense + totals.macs_dense, macs_delta: cnn.macs + totals.macs },
    })
}
