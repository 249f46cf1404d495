//! A single drive, with more detail than one among many.

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::bail;
use ndarray::ArrayView2;

use super::drives::Asked;
use super::frames::{self, FramesFolder};
use super::outcome::{print_json, status};
use super::report::{Report, Run};
use super::results::stem;
use super::time::time_drive;
use super::total::Total;
use crate::cli::EvalArgs;
use crate::commands::summary;
use crate::drive::{self, interrupted};
use crate::fingerprint::Fingerprint;
use crate::session::Session;
use crate::stdout::StdoutError;
use crate::text::one_line;
use crate::{say, warn};

/// How long the RNN stage is timed on the drive's own features.
const TIMING: Duration = Duration::from_millis(500);
/// Most numbers that are kept for it: 64 MB.
const TIMED_FEATURES: usize = 16_000_000;

/// Evaluates `drive`; the RNN stage is timed by itself, too.
///
/// # Errors
/// A signal, or standard output that cannot be written. A drive that fails is an exit status of 3.
pub fn run(args: &EvalArgs, drive: &Asked) -> anyhow::Result<ExitCode> {
    let folder = args.parquet.as_deref().map(FramesFolder::open).transpose()?;
    let outcome = report(args, drive, folder.as_ref());
    if interrupted().load(Ordering::Relaxed) {
        bail!("interrupted before the drive was done");
    }
    let outcome = match outcome {
        Err(error) if error.is::<StdoutError>() => return Err(error),
        outcome => outcome.map_err(|error| format!("{error:#}")),
    };
    if let Err(error) = &outcome {
        warn!("deltasteer: {} failed: {error}", one_line(&drive.source));
    }
    let total = Total::of(&outcome.iter().collect::<Vec<_>>(), usize::from(outcome.is_err()));
    if args.json {
        print_json(std::slice::from_ref(drive), &[outcome], &total)?;
    }
    Ok(status(&total))
}

fn report(args: &EvalArgs, asked: &Asked, folder: Option<&FramesFolder>) -> anyhow::Result<Report> {
    let session = Session::open(&asked.spec, &asked.run)?.for_numbers();
    session.refuse_live()?;
    let (info, model, thresholds) = (session.info.clone(), session.model.clone(), session.thresholds);
    let files = Fingerprint::of(&asked.spec)?;
    let run = Run::of(&asked.run, &model)?;
    let open = |folder: &FramesFolder| folder.create(&stem(&files, run.range_s()), &info, &model);
    let mut exports = folder.map(open).transpose()?;
    let mut features: Vec<f32> = Vec::new();
    let drive = drive::run(session, |frame| {
        exports.iter_mut().for_each(|exports| exports.frame(frame));
        if features.len() < TIMED_FEATURES {
            features.extend_from_slice(&frame.features);
        }
        Ok(())
    })?;
    let report = Report::of(&info, files.content, run, &model, &drive)?;
    exports.map_or(Ok(()), |exports| frames::finish(exports, &drive))?;
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
