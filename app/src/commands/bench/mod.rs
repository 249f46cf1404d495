//! `bench`: what this machine does.

mod cnn;
pub mod rnn;
#[cfg(feature = "window")]
mod what_if;

use std::time::Instant;

use anyhow::{Context, bail};
use serde::Serialize;

use self::rnn::{BenchRow, BenchSettings};
use crate::cli::{BenchArgs, BenchCommand, BenchPipelineArgs};
use crate::drive::{self, interrupted, progress_bar};
use crate::say;
use crate::session::Session;
use crate::stdout::StdoutError;

/// Runs one of the benches.
///
/// # Errors
/// As those of the bench.
pub fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Rnn(args) => table(args),
        BenchCommand::Cnn(args) => cnn::run(args),
        BenchCommand::Pipeline(args) => pipeline(args),
        #[cfg(feature = "window")]
        BenchCommand::WhatIf(args) => what_if::run(args),
        #[cfg(not(feature = "window"))]
        BenchCommand::WhatIf(_) => bail!("bench what-if: this build has no window; build with the default features"),
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

/// Frames a second: the whole chain, and each stage alone.
#[derive(Debug, Serialize)]
struct PipelineRates {
    source: String,
    frames: usize,
    chain_hz: f64,
    decode_hz: f64,
    cnn_hz: f64,
    rnn_hz: f64,
    /// The chain's rate over that of its slowest stage alone.
    share_of_slowest: f64,
}

fn pipeline(args: &BenchPipelineArgs) -> anyhow::Result<()> {
    let spec = args.drive.spec();
    let session = Session::open(&spec, &args.drive.run.options())?;
    let frames = match (session.range, session.info.frame_count) {
        (Some(range), _) => range.end - range.first,
        (None, Some(count)) => count,
        (None, None) => bail!("{}: a live source has a rate of its own; expected a recorded drive", args.drive.source),
    };
    let first = session.range.map_or(0, |range| range.first);
    let decode_hz = decode_alone(&spec, first, frames)?;
    let cnn_hz = cnn_alone(&session)?;
    let source = session.info.name.clone();
    let drive = drive::run(session, |_| Ok(()))?;
    let rnn_hz = 1e6 / drive.times.step_delta.mean_us();
    let chain_hz = drive.frames as f64 / drive.seconds;
    let slowest = decode_hz.min(cnn_hz).min(rnn_hz);
    let rates =
        PipelineRates { source, frames, chain_hz, decode_hz, cnn_hz, rnn_hz, share_of_slowest: chain_hz / slowest };
    if args.json {
        say!("{}", serde_json::to_string(&rates)?)?;
        return Ok(());
    }
    say!("frames a second over {} frames of {}", rates.frames, rates.source)?;
    say!("  decode alone {:9.0}", rates.decode_hz)?;
    say!("  CNN alone    {:9.0}", rates.cnn_hz)?;
    say!("  RNN alone    {:9.0}", rates.rnn_hz)?;
    say!("  whole chain  {:9.0}: {:.0}% of its slowest stage", rates.chain_hz, 100.0 * rates.share_of_slowest)?;
    Ok(())
}

fn decode_alone(spec: &str, first: usize, frames: usize) -> anyhow::Result<f64> {
    let mut source = deltasteer_data::open(spec)?;
    source.seek(first)?;
    let (start, mut count) = (Instant::now(), 0);
    while count < frames {
        let Some(frame) = source.next_frame()? else { break };
        std::hint::black_box(frame);
        count += 1;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// On one frame of the drive, again and again.
fn cnn_alone(session: &Session) -> anyhow::Result<f64> {
    let mut source = deltasteer_data::open(&session.info.name)?;
    let frame = source.next_frame()?.context("a drive without a readable frame")?;
    let mut extractor = session.model.extractor(session.device)?;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < 0.5 {
        extractor.features(frame.image.view())?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}
