//! What becomes of the drives of an `eval`, for any number of them.

use std::process::ExitCode;

use serde::Serialize;

use super::drives::Asked;
use super::report::Report;
use super::total::Total;
use crate::say;

/// The exit status when some drive could not be evaluated; the others were.
pub const SOME_FAILED: u8 = 3;

/// A drive's report, or why there is none.
pub type Outcome = Result<Report, String>;

/// One drive in the printed JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Done(&'a Report),
    Failed { source: &'a str, error: &'a str },
}

/// One object for any number of drives.
///
/// # Errors
/// Standard output that cannot be written.
pub fn print_json<'a>(drives: &'a [Asked], outcomes: &'a [Outcome], total: &Total) -> anyhow::Result<()> {
    let line = |(source, outcome): (_, &'a Outcome)| match outcome {
        Ok(report) => Line::Done(report),
        Err(error) => Line::Failed { source, error },
    };
    let sources = drives.iter().map(|drive| drive.source.as_str());
    let drives: Vec<Line<'_>> = sources.zip(outcomes).map(line).collect();
    Ok(say!("{}", serde_json::to_string(&serde_json::json!({ "drives": drives, "total": total }))?)?)
}

/// The process's exit status.
pub fn status(total: &Total) -> ExitCode {
    if total.failed > 0 { ExitCode::from(SOME_FAILED) } else { ExitCode::SUCCESS }
}
