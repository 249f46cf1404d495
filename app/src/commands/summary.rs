//! The table at the end of a run.

use deltasteer_data::{SkipReport, SourceInfo, SteeringUnit};

use crate::drive::{Drive, Row};
use crate::metrics::{ErrorFigures, quantile};
use crate::model::Model;

/// Prints error, savings, rate, latency of each stage and what was skipped.
pub fn print(info: &SourceInfo, model: &Model, drive: &Drive) {
    println!("source       {} ({}, {}x{})", info.name, info.format, info.width, info.height);
    println!("model        {}", model.folder().display());
    println!(
        "frames       {} in {:.2} s: {:.1} frames/s ({:.1} x real time)",
        drive.rows.len(),
        drive.seconds,
        drive.rows.len() as f64 / drive.seconds,
        drive.rows.len() as f64 / drive.seconds / info.rate_hz.max(f64::MIN_POSITIVE),
    );
    print_errors(info, drive);
    print_savings(drive);
    print_latencies(drive);
    print_skips("skipped", &drive.end.skipped);
    print_skips("refused", &drive.end.refused);
    if drive.end.dropped > 0 {
        println!("dropped      {} live frames gave way to newer ones", drive.end.dropped);
    }
}

fn print_errors(info: &SourceInfo, drive: &Drive) {
    let Some(delta) = drive.errors(|row| row.steering_rad) else {
        println!("error        no true angles are known");
        return;
    };
    println!("error        RMSE rad  MAE rad    EVA   (over {} labelled frames)", delta.frames);
    let line = |name: &str, figures: &ErrorFigures| {
        let eva = figures.eva.map_or("-".to_owned(), |eva| format!("{eva:.3}"));
        println!(
            "  {name:<11}{:8.4} {:8.4} {eva:>6}{}",
            figures.rmse_rad,
            figures.mae_rad,
            own_unit(info, figures.rmse_rad)
        );
    };
    line("delta GRU", &delta);
    if let Some(dense) = drive.errors(|row| row.steering_dense_rad) {
        line("dense GRU", &dense);
    }
    if let Some(single) = drive.errors(|row| row.steering_single_frame_rad) {
        line("CNN alone", &single);
    }
    println!("  {:<11}{:8.4}", "zero", delta.zero_rmse_rad);
    for band in &delta.by_angle {
        let rmse = band.rmse_rad.map_or("-".to_owned(), |rmse| format!("{rmse:.4}"));
        println!("  |angle| {:>5} deg: {rmse:>7} rad over {} frames", band.band_deg, band.frames);
    }
    if let Some(step) = drive.rms_step_deg() {
        println!("  smoothness: {step:.2} deg RMS from frame to frame");
    }
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

fn print_savings(drive: &Drive) {
    let totals = &drive.totals;
    let cnn = drive.cnn_work();
    println!(
        "RNN work     {:.1}x fewer MACs: {} of {} ({:.0} of {:.0} a frame, the first frame included)",
        totals.savings(),
        totals.macs,
        totals.macs_dense,
        per(totals.macs, totals.steps),
        per(totals.macs_dense, totals.steps),
    );
    if totals.macs_after_weight_sparsity < totals.macs {
        println!("  {:.1}x with zero weights left out as well", totals.savings_after_weight_sparsity());
    }
    println!(
        "  columns sent: {:.2}% of the features, {:.2}% of the hidden state; {:.1}x fewer weight bytes",
        100.0 * totals.occupancy_x(),
        100.0 * totals.occupancy_h(),
        totals.weight_bytes_dense as f64 / totals.weight_bytes.max(1) as f64,
    );
    let (dense, delta) = (cnn.macs_dense + totals.macs_dense, cnn.macs + totals.macs);
    println!(
        "whole network {:.1} MMAC a frame instead of {:.1}: the RNN is {:.2}% of the dense work",
        per(delta, totals.steps) / 1e6,
        per(dense, totals.steps) / 1e6,
        100.0 * totals.macs_dense as f64 / dense.max(1) as f64,
    );
}

fn per(sum: u64, count: u64) -> f64 {
    sum as f64 / count.max(1) as f64
}

fn print_latencies(drive: &Drive) {
    println!("latency      median    99%   (per frame, waiting not included)");
    let line = |name: &str, unit: &str, scale: f32, pick: &dyn Fn(&Row) -> Option<f32>| {
        let mut values: Vec<f32> = drive.rows.iter().filter_map(pick).map(|us| us * scale).collect();
        let (middle, high) = (quantile(&mut values, 0.5), quantile(&mut values, 0.99));
        println!("  {name:<11}{middle:7.2} {high:7.2} {unit}");
    };
    line("decode", "ms", 1e-3, &|row| Some(row.times.decode_us));
    line("CNN", "ms", 1e-3, &|row| Some(row.times.cnn_us));
    line("delta step", "us", 1.0, &|row| Some(row.times.step_us_delta));
    line("dense step", "us", 1.0, &|row| row.times.step_us_dense);
}

fn print_skips(what: &str, report: &SkipReport) {
    if report.count == 0 {
        return;
    }
    println!("{what:<12} {} frames", report.count);
    for example in &report.examples {
        println!("  {example}");
    }
    if report.count > report.examples.len() {
        println!("  and {} more", report.count - report.examples.len());
    }
}
