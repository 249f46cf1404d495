//! `eval`: error and savings of a model on drives with known angles.
//!
//! - `drives`: those that the command line, a list or a manifest names
//! - `one`: a single drive, with more detail; `time`: the time of the RNN stage
//! - `fleet`: many drives at once; `results`: the folder that keeps those that are finished; `failures`: those that failed
//! - `frames`: every frame's figures as Parquet
//! - `report`: what is known of one evaluated drive; `total`: sums over drives; `outcome`: both as JSON, and the exit status

mod drives;
mod failures;
mod fleet;
mod frames;
mod one;
mod outcome;
mod report;
mod results;
#[cfg(test)]
mod tests;
mod time;
mod total;

use std::process::ExitCode;

use anyhow::{Context, bail};

use self::results::Results;
use crate::cli::EvalArgs;

/// Runs `eval`.
///
/// # Errors
/// Options that are wrong, results of another run, a signal. A drive that fails is a line, and an exit status of 3.
pub fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    args.run.options().check_thresholds()?;
    let drives = drives::all(args)?;
    if args.failed {
        let folder = args.results.as_deref().context("--failed: expected --results FOLDER")?;
        if !folder.is_dir() {
            bail!("--results {}: no such folder; expected one that eval --results wrote", folder.display());
        }
        return failures::run(args, &Results::open(folder)?, &drives);
    }
    match &drives[..] {
        [drive] if args.results.is_none() => one::run(args, drive),
        _ => fleet::run(args, &drives),
    }
}
