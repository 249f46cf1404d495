//! `replay`: a drive through a model, frame by frame into a CSV.

use anyhow::Context;

use crate::cli::ReplayArgs;
use crate::commands::summary;
use crate::drive;
use crate::output::OutputFile;
use crate::pipeline::FrameResult;
use crate::session::Session;

/// The CSV's columns.
const HEADER: [&str; 9] = [
    "frame",
    "time_s",
    "steering_true_rad",
    "steering_rad",
    "steering_dense_rad",
    "columns_x",
    "columns_h",
    "macs_delta",
    "macs_dense",
];

/// Runs `replay`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let mut table =
        args.csv.as_deref().map(|path| OutputFile::create(path).map(csv::Writer::from_writer)).transpose()?;
    let session = Session::open(&args.drive)?;
    let (info, model) = (session.info.clone(), session.model.clone());
    if let Some(table) = &mut table {
        table.write_record(HEADER)?;
    }
    let macs_dense = model.rnn().packed.dense_count().macs;
    let drive = drive::run(session, |result| match &mut table {
        Some(table) => Ok(table.write_record(record(result, macs_dense))?),
        None => Ok(()),
    })?;
    if let Some(table) = table {
        // into_inner's error holds the whole writer, which is no error type that can be passed on.
        table.into_inner().map_err(|error| error.into_error()).context("writing the CSV")?.finish()?;
    }
    summary::print(&info, &model, &drive);
    if let Some(path) = &args.csv {
        println!("written      {} ({} frames)", path.display(), drive.rows.len());
    }
    Ok(())
}

/// One frame as the CSV tells it; an unknown angle stays empty.
fn record(result: &FrameResult, macs_dense: u64) -> [String; 9] {
    let angle = |angle: Option<f32>| angle.map_or(String::new(), |angle| format!("{angle:.6}"));
    [
        result.index.to_string(),
        format!("{:.6}", result.time_s),
        angle(result.steering_true_rad),
        angle(Some(result.steering_rad)),
        angle(result.steering_dense_rad),
        result.count.columns_x.to_string(),
        result.count.columns_h.to_string(),
        result.count.macs.to_string(),
        macs_dense.to_string(),
    ]
}
