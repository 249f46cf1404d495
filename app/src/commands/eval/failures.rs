//! `eval --failed`: what the runs that share a results folder could not evaluate, and why.

use std::process::ExitCode;

use serde::Serialize;

use super::drives::Asked;
use super::outcome::SOME_FAILED;
use super::results::{Failure, Results};
use crate::cli::EvalArgs;
use crate::say;
use crate::text::one_line;

/// Everything that a fleet has still to do.
#[derive(Serialize)]
struct Open<'a> {
    failed: Vec<Failure>,
    missing: Vec<&'a str>,
}

/// Lists the failures of the drives named, or of all where none is, without evaluating anything.
///
/// # Errors
/// A record that cannot be read, or standard output that cannot be written.
pub fn run(args: &EvalArgs, results: &Results, drives: &[Asked]) -> anyhow::Result<ExitCode> {
    let mut open = Open { failed: Vec::new(), missing: Vec::new() };
    if drives.is_empty() {
        open.failed = results.failures()?;
    }
    for drive in drives {
        match results.failure(drive)? {
            Some(failure) => open.failed.push(failure),
            None if results.has(drive) => {}
            None => open.missing.push(&drive.source),
        }
    }
    if args.json {
        say!("{}", serde_json::to_string(&open)?)?;
    } else {
        for Failure { source, error, .. } in &open.failed {
            say!("{}: {}", one_line(source), one_line(error))?;
        }
        for source in &open.missing {
            say!("{}: not evaluated yet", one_line(source))?;
        }
        say!("{} failed, {} not evaluated yet", open.failed.len(), open.missing.len())?;
    }
    let done = open.failed.is_empty() && open.missing.is_empty();
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(SOME_FAILED) })
}
