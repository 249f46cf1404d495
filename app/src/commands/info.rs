//! `info`: what a source or a model is.

use std::path::Path;

use deltasteer_data::{SourceInfo, SteeringUnit};

use crate::cli::InfoArgs;
use crate::model::Model;

/// Runs `info`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &InfoArgs) -> anyhow::Result<()> {
    let folder = Path::new(&args.what);
    if folder.join("config.json").is_file() {
        print_model(&Model::load(folder)?)
    } else {
        print_source(deltasteer_data::open(&args.camera.spec(&args.what))?.info());
        Ok(())
    }
}

fn print_source(info: &SourceInfo) {
    println!("{}: {}", info.name, info.format);
    let frames = info.frame_count.map_or("unknown".to_owned(), |count| count.to_string());
    println!(
        "frames   {frames}, {}x{}, {:.2} Hz{}",
        info.width,
        info.height,
        info.rate_hz,
        if info.live { ", live" } else { "" }
    );
    if let (Some(first), Some(last)) = (info.times_s.first(), info.times_s.last()) {
        println!("time     {:.3} s from the first frame to the last", last - first);
    }
    print_labels(info);
    println!("gaps     {}", info.gaps.len());
    for gap in info.gaps.iter().take(10) {
        println!("  {:.3} s after frame {}", gap.seconds, gap.after_index);
    }
    for note in &info.notes {
        println!("note     {note}");
    }
}

fn print_labels(info: &SourceInfo) {
    let known: Vec<f64> = info.steering_true_rad.iter().flatten().map(|&angle| f64::from(angle)).collect();
    if known.is_empty() {
        println!("labels   none");
        return;
    }
    let (low, high) = known.iter().fold((f64::MAX, f64::MIN), |(low, high), &angle| (low.min(angle), high.max(angle)));
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let std = (known.iter().map(|angle| (angle - mean).powi(2)).sum::<f64>() / known.len() as f64).sqrt();
    println!(
        "labels   {} of {} frames: {low:+.4} to {high:+.4} rad ({:+.1} to {:+.1} deg), mean {mean:+.4}, std {std:.4}; positive is left",
        known.len(),
        info.steering_true_rad.len(),
        low.to_degrees(),
        high.to_degrees(),
    );
    if let SteeringUnit::Normalised { full_scale_rad } = info.steering_unit {
        println!("  recorded as a command from -1 to 1; 1 is taken as {full_scale_rad} rad");
    }
}

fn print_model(model: &Model) -> anyhow::Result<()> {
    let (config, rnn) = (model.config(), model.rnn());
    let perception = model.extractor(deltasteer_perception::Device::Cpu)?;
    println!("{}: model {}", model.folder().display(), model.name());
    println!("CNN        {} weights, {} MACs a frame", perception.weight_count(), perception.macs_per_frame());
    println!("  {}", serde_json::to_string(&config.perception)?);
    let macs = rnn.dense_count().macs;
    println!(
        "RNN        {} features -> GRU {} -> angle: {} weights, {macs} MACs a dense step",
        rnn.config.input_size,
        rnn.config.hidden_size,
        macs + rnn.config.hidden_size as u64,
    );
    let thresholds = model.thresholds();
    println!("thresholds theta_x {} theta_h {}", thresholds.theta_x, thresholds.theta_h);
    println!("  {}", serde_json::to_string(&rnn.config)?);
    println!("training   {}", serde_json::to_string_pretty(&config.training)?);
    Ok(())
}
