//! `eval`: error and savings of a model on drives with known angles.
//!
//! - `report`: what is known of one evaluated drive, as JSON
//! - `total`: sums over drives; `time`: the time of the RNN stage
//! - `fleet`: many drives at once; `results`: the folder that keeps those that are finished

mod fleet;
mod report;
mod results;
#[cfg(test)]
mod tests;
mod time;
mod total;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::bail;
use ndarray::ArrayView2;
use serde::Serialize;

use self::report::{Report, Run};
use self::time::time_drive;
use self::total::Total;
use crate::cli::EvalArgs;
use crate::commands::summary;
use crate::drive::{self, interrupted};
use crate::fingerprint::Fingerprint;
use crate::session::Session;
use crate::stdout::StdoutError;
use crate::text::one_line;
use crate::{say, warn};

/// The exit status when some drive could not be evaluated; the others were.
const SOME_FAILED: u8 = 3;
/// How long the RNN stage is timed on the drive's own features.
const TIMING: Duration = Duration::from_millis(500);
/// Most numbers that are kept for it: 64 MB.
const TIMED_FEATURES: usize = 16_000_000;

/// A drive's report, or why there is none.
type Outcome = Result<Report, String>;

/// One drive in the printed JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Done(&'a Report),
    Failed { source: &'a str, error: &'a str },
}

/// Runs `eval`.
///
/// # Errors
/// Options that are wrong, results of another run, a signal. A drive that fails is a line, and an exit status of 3.
pub fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    args.run.options().check_thresholds()?;
    match &args.sources[..] {
        [source] if args.results.is_none() => one(args, source),
        _ => fleet::run(args),
    }
}

/// One drive, with more detail: the RNN stage is timed by itself, too.
fn one(args: &EvalArgs, source: &str) -> anyhow::Result<ExitCode> {
    let outcome = one_report(args, source);
    if interrupted().load(Ordering::Relaxed) {
        bail!("interrupted before the drive was done");
    }
    let outcome = match outcome {
        Err(error) if error.is::<StdoutError>() => return Err(error),
        outcome => outcome.map_err(|error| format!("{error:#}")),
    };
    if let Err(error) = &outcome {
        warn!("deltasteer: {} failed: {error}", one_line(source));
    }
    let total = Total::of(&outcome.iter().collect::<Vec<_>>(), usize::from(outcome.is_err()));
    if args.json {
        print_json(args, &[outcome], &total)?;
    }
    Ok(status(&total))
}

fn one_report(args: &EvalArgs, source: &str) -> anyhow::Result<Report> {
    let (spec, options) = (args.run.camera.spec(source), args.run.options());
    let session = Session::open(&spec, &options)?;
    session.refuse_live()?;
    let (info, model, thresholds) = (session.info.clone(), session.model.clone(), session.thresholds);
    let files = Fingerprint::of(&spec)?.content;
    let mut features: Vec<f32> = Vec::new();
    let drive = drive::run(session, |frame| {
        if features.len() < TIMED_FEATURES {
            features.extend_from_slice(&frame.features);
        }
        Ok(())
    })?;
    let report = Report::of(&info, files, Run::of(&options, &model)?, &model, &drive)?;
    let inputs = model.rnn().config.input_size;
    let features = ArrayView2::from_shape((features.len() / inputs, inputs), &features)?;
    let times = time_drive(&model.rnn(), thresholds, features, TIMING)?;
    if !args.json {
        summary::print(&info, &model, &drive)?;
        say!(
            "step alone   delta {:.2} us, dense {:.2} us: {:.1}x faster (theta_x {}, theta_h {})",
            times.step_us_delta,
            times.step_us_dense,
            times.step_us_dense / times.step_us_delta,
            thresholds.theta_x,
            thresholds.theta_h
        )?;
    }
    Ok(report.with_times(&times))
}

/// One object for any number of drives.
fn print_json<'a>(args: &'a EvalArgs, outcomes: &'a [Outcome], total: &Total) -> anyhow::Result<()> {
    let line = |(source, outcome): (_, &'a Outcome)| match outcome {
        Ok(report) => Line::Done(report),
        Err(error) => Line::Failed { source, error },
    };
    let drives: Vec<Line<'_>> = args.sources.iter().map(String::as_str).zip(outcomes).map(line).collect();
    Ok(say!("{}", serde_json::to_string(&serde_json::json!({ "drives": drives, "total": total }))?)?)
}

fn status(total: &Total) -> ExitCode {
    if total.failed > 0 { ExitCode::from(SOME_FAILED) } else { ExitCode::SUCCESS }
}
