//! The table at the end of a run.

use deltasteer_data::{SkipReport, SourceInfo, SteeringUnit};

use crate::drive::{Drive, Quantiles};
use crate::metrics::ErrorFigures;
use crate::model::Model;
use crate::say;
use crate::stdout::StdoutError;
use crate::text::one_line;

/// Whether standard output could be written.
type Printed = Result<(), StdoutError>;

/// Prints error, savings, rate, latency of each stage, what was skipped, and what the source found wrong.
///
/// # Errors
/// Standard output that cannot be written.
pub fn print(info: &SourceInfo, model: &Model, drive: &Drive) -> Printed {
    say!("source       {} ({}, {}x{})", one_line(&info.name), info.format, info.width, info.height)?;
    say!("model        {}", model.folder().display())?;
    if let Some(remark) = model.remark() {
        say!("             {remark}")?;
    }
    let rate_hz = drive.frames as f64 / drive.seconds;
    say!(
        "frames       {} in {:.2} s: {rate_hz:.1} frames/s ({:.1} x real time)",
        drive.frames,
        drive.seconds,
        rate_hz / info.rate_hz.max(f64::MIN_POSITIVE),
    )?;
    print_errors(info, drive)?;
    print_savings(drive)?;
    print_latencies(drive)?;
    print_report("skipped", "frames", &drive.end.skipped)?;
    print_report("refused", "frames", &drive.end.refused)?;
    if drive.end.dropped > 0 {
        say!("dropped      {} live frames, because newer ones had come", drive.end.dropped)?;
    }
    print_report("stalled", &format!("times, {:.1} s in all", drive.stalled.as_secs_f64()), &drive.stalls)?;
    print_notes(&drive.end.notes)
}

/// What a source found wrong, one line a finding.
///
/// # Errors
/// Standard output that cannot be written.
pub fn print_notes(notes: &[String]) -> Printed {
    notes.iter().try_for_each(|note| say!("note         {}", one_line(note)))
}

fn print_errors(info: &SourceInfo, drive: &Drive) -> Printed {
    let Some(delta) = drive.delta.figures() else {
        return say!("error        no true angles are known");
    };
    say!("error        RMSE rad  MAE rad    EVA   (over {} labelled frames)", delta.frames)?;
    let line = |name: &str, figures: &ErrorFigures| {
        let eva = figures.eva.map_or("-".to_owned(), |eva| format!("{eva:.3}"));
        let own_unit = own_unit(info, figures.rmse_rad);
        say!("  {name:<11}{:8.4} {:8.4} {eva:>6}{own_unit}", figures.rmse_rad, figures.mae_rad)
    };
    line("delta GRU", &delta)?;
    for (name, errors) in [("dense GRU", &drive.dense), ("CNN alone", &drive.single_frame)] {
        errors.figures().map_or(Ok(()), |figures| line(name, &figures))?;
    }
    say!("  {:<11}{:8.4}", "zero", delta.zero_rmse_rad)?;
    for band in &delta.by_angle {
        let rmse = band.rmse_rad.map_or("-".to_owned(), |rmse| format!("{rmse:.4}"));
        say!("  |angle| {:>5} deg: {rmse:>7} rad over {} frames", band.band_deg, band.frames)?;
    }
    let step = drive.smoothness.rms_step_deg();
    step.map_or(Ok(()), |step| say!("  smoothness: {step:.2} deg RMS from frame to frame"))
}

/// An error in the recording's own unit, where that is not an angle.
fn own_unit(info: &SourceInfo, rad: f64) -> String {
    match info.steering_unit {
        SteeringUnit::Radians => String::new(),
        SteeringUnit::Normalised { full_scale_rad } => {
            format!("  = {:.4} of full lock", rad / f64::from(full_scale_rad))
        }
    }
}

fn print_savings(drive: &Drive) -> Printed {
    let (totals, cnn) = (&drive.totals, &drive.cnn_work);
    let per_frame = |sum: u64| sum as f64 / totals.steps.max(1) as f64;
    say!(
        "RNN work     {:.1}x fewer MACs: {} of {} ({:.0} of {:.0} a frame, the first frame included)",
        totals.savings(),
        totals.macs,
        totals.macs_dense,
        per_frame(totals.macs),
        per_frame(totals.macs_dense),
    )?;
    if totals.macs_after_weight_sparsity < totals.macs {
        say!("  {:.1}x with zero weights left out as well", totals.savings_after_weight_sparsity())?;
    }
    say!(
        "  columns sent: {:.2}% of the features, {:.2}% of the hidden state; {:.1}x fewer weight bytes",
        100.0 * totals.occupancy_x(),
        100.0 * totals.occupancy_h(),
        totals.weight_bytes_dense as f64 / totals.weight_bytes.max(1) as f64,
    )?;
    say!("CNN work     ran on {} of {} frames", drive.looked, drive.frames)?;
    let (dense, delta) = (cnn.macs_dense + totals.macs_dense, cnn.macs + totals.macs);
    say!(
        "whole network {:.1}x fewer MACs: {:.1} M a frame instead of {:.1}; the RNN is {:.2}% of the dense work",
        dense as f64 / delta.max(1) as f64,
        per_frame(delta) / 1e6,
        per_frame(dense) / 1e6,
        100.0 * totals.macs_dense as f64 / dense.max(1) as f64,
    )
}

fn print_latencies(drive: &Drive) -> Printed {
    say!("latency      median    99%   (per frame, waiting not included)")?;
    let line = |name: &str, unit: &str, scale: f64, times: &Quantiles| {
        say!("  {name:<11}{:7.2} {:7.2} {unit}", scale * times.us(0.5), scale * times.us(0.99))
    };
    line("decode", "ms", 1e-3, &drive.times.decode)?;
    line("CNN", "ms", 1e-3, &drive.times.cnn)?;
    line("delta step", "us", 1.0, &drive.times.step_delta)?;
    line("dense step", "us", 1.0, &drive.times.step_dense)
}

fn print_report(what: &str, unit: &str, report: &SkipReport) -> Printed {
    if report.count == 0 {
        return Ok(());
    }
    say!("{what:<12} {} {unit}", report.count)?;
    for example in &report.examples {
        say!("  {}", one_line(example))?;
    }
    match report.count - report.examples.len() {
        0 => Ok(()),
        more => say!("  and {more} more"),
    }
}
