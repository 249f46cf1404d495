//! `eval`: error and savings of a model on drives with known angles.
//!
//! - `one`: a single drive, with more detail; `time`: the time of the RNN stage
//! - `fleet`: many drives at once; `results`: the folder that keeps those that are finished
//! - `report`: what is known of one evaluated drive; `total`: sums over drives; `outcome`: both as JSON, and the exit status

mod fleet;
mod one;
mod outcome;
mod report;
mod results;
#[cfg(test)]
mod tests;
mod time;
mod total;

use std::process::ExitCode;

use crate::cli::EvalArgs;

/// Runs `eval`.
///
/// # Errors
/// Options that are wrong, results of another run, a signal. A drive that fails is a line, and an exit status of 3.
pub fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    args.run.options().check_thresholds()?;
    match &args.sources[..] {
        [source] if args.results.is_none() => one::run(args, source),
        _ => fleet::run(args),
    }
}
