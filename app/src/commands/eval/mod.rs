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

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::EvalArgs;

/// Runs `eval`.
///
/// # Errors
/// Options that are wrong, results of another run, a signal. A drive that fails is a line, and an exit status of 3.
pub fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    args.run.options().check_thresholds()?;
    let mut args = args.clone();
    if let Some(list) = args.drives.take() {
        args.sources.extend(listed(&list)?);
    }
    match &args.sources[..] {
        [source] if args.results.is_none() => one::run(&args, source),
        _ => fleet::run(&args),
    }
}

/// The drives that a list names.
fn listed(list: &Path) -> anyhow::Result<Vec<String>> {
    let text =
        if list == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(list) };
    let text = text.with_context(|| format!("--drives {}", list.display()))?;
    let named = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let drives: Vec<String> = text.lines().map(str::trim).filter(named).map(str::to_owned).collect();
    if drives.is_empty() {
        bail!("--drives {}: names no drive; expected one a line", list.display());
    }
    Ok(drives)
}
