//! `bench`: what this machine does.

mod cnn;
mod pipeline;
pub mod rnn;
#[cfg(feature = "window")]
mod what_if;
#[cfg(feature = "window")]
mod window;

use self::rnn::{BenchRow, BenchSettings};
use crate::cli::{BenchArgs, BenchCommand};
use crate::drive::{interrupted, progress_bar};
use crate::say;
use crate::stdout::StdoutError;

/// Runs one of the benches.
///
/// # Errors
/// As those of the bench.
pub fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Rnn(args) => table(args),
        BenchCommand::Cnn(args) => cnn::run(args),
        BenchCommand::Pipeline(args) => pipeline::run(args),
        #[cfg(feature = "window")]
        BenchCommand::WhatIf(args) => what_if::run(args),
        #[cfg(feature = "window")]
        BenchCommand::Window(args) => window::run(args),
        #[cfg(not(feature = "window"))]
        BenchCommand::WhatIf(_) | BenchCommand::Window(_) => {
            anyhow::bail!("bench: this build has no window; build with the default features")
        }
    }
}

fn table(args: &BenchArgs) -> anyhow::Result<()> {
    let bar = progress_bar(None);
    let rows = rnn::run(&BenchSettings::default(), &mut |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
        !interrupted().load(std::sync::atomic::Ordering::Relaxed)
    })?;
    bar.finish_and_clear();
    if args.json {
        say!("{}", serde_json::to_string(&serde_json::json!({ "rows": rows }))?)?;
        return Ok(());
    }
    say!("kernel {}", rows.first().map_or("none", |row| row.kernel))?;
    say!("inputs hidden storage  occupancy   delta us   dense us  MACs saved  time saved  dense GB/s")?;
    Ok(rows.iter().try_for_each(print_row)?)
}

fn print_row(row: &BenchRow) -> Result<(), StdoutError> {
    say!(
        "{:6} {:6} {:7} {:9.2}% {:10.2} {:10.2} {:10.1}x {:10.1}x {:11.1}",
        row.inputs,
        row.hidden,
        row.storage.name(),
        100.0 * row.occupancy,
        row.step_us_delta,
        row.step_us_dense,
        row.savings_macs,
        row.savings_time,
        row.dense_gb_s,
    )
}
