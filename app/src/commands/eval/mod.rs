//! `eval`: error and savings of a model on drives with known angles.
//!
//! - `report`: what is known of one evaluated drive, as JSON tells it
//! - `total`: many drives in one line
//! - `time`: the time of the RNN stage
//! - `fleet`: many drives at once; `results`: the folder that keeps those that are finished

mod fleet;
mod report;
mod results;
#[cfg(test)]
mod tests;
mod time;
mod total;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use ndarray::ArrayView2;

use self::report::Report;
use self::time::time_drive;
use crate::cli::{DriveArgs, EvalArgs};
use crate::commands::summary;
use crate::drive;
use crate::session::Session;

/// How long the RNN stage is timed on the drive's own features.
const TIMING: Duration = Duration::from_millis(500);

/// Runs `eval`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    match &args.sources[..] {
        [source] if args.results.is_none() => one(args, source).map(|()| ExitCode::SUCCESS),
        _ => fleet::run(args),
    }
}

/// One drive, looked at closely: the RNN stage is timed by itself, too.
fn one(args: &EvalArgs, source: &str) -> anyhow::Result<()> {
    let session = Session::open(&DriveArgs { source: source.to_owned(), run: args.run.clone() })?;
    refuse_live(&session)?;
    let (info, model, thresholds) = (session.info.clone(), session.model.clone(), session.thresholds);
    let drive = drive::run(session, |_| Ok(()))?;
    let features: Vec<f32> = drive.rows.iter().flat_map(|row| row.features.iter().copied()).collect();
    let features = ArrayView2::from_shape((drive.rows.len(), model.rnn().config.input_size), &features)?;
    let times = time_drive(&model.rnn(), thresholds, features, TIMING)?;
    if args.json {
        let figures = Report::of(&info, &args.run, &model, &drive)?.figures.with_times(&times);
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    summary::print(&info, &model, &drive);
    println!(
        "step alone   delta {:.2} us, dense {:.2} us: {:.1}x faster (theta_x {}, theta_h {})",
        times.step_us_delta,
        times.step_us_dense,
        times.step_us_dense / times.step_us_delta,
        thresholds.theta_x,
        thresholds.theta_h
    );
    Ok(())
}

fn refuse_live(session: &Session) -> anyhow::Result<()> {
    if session.info.live {
        bail!("{}: a live source has no true angles to compare with; expected a recorded drive", session.info.name);
    }
    Ok(())
}
