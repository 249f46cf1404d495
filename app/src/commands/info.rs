//! `info`: what a source or a model is.

use std::path::Path;

use anyhow::ensure;
use deltasteer_data::{Source, SourceInfo, SteeringUnit};

use crate::cli::InfoArgs;
use crate::commands::summary::print_notes;
use crate::model::Model;
use crate::shipped;
use crate::text::one_line;
use crate::{horizon, say};

/// Runs `info`.
///
/// # Errors
/// A source or model folder that cannot be opened.
pub fn run(args: &InfoArgs) -> anyhow::Result<()> {
    let folder = Path::new(&args.what);
    if folder.join("config.json").is_file() || shipped::built_in(folder).is_some() {
        ensure!(!args.find_horizon, "{}: is a model; --find-horizon expects a recorded drive", args.what);
        print_model(&Model::load(folder)?)
    } else {
        let mut source = deltasteer_data::open(&args.camera.spec(&args.what))?;
        print_source(source.info())?;
        if args.find_horizon { print_horizon(source.as_mut()) } else { Ok(()) }
    }
}

fn print_horizon(source: &mut dyn Source) -> anyhow::Result<()> {
    let (found, info) = (horizon::find(source)?, source.info());
    say!("horizon  {}", horizon::words(found, info))?;
    // A camera that is known needs no advice.
    let advised = found.filter(|_| !info.camera.known);
    Ok(advised.map_or(Ok(()), |found| say!("  {}", horizon::advice(found, info)))?)
}

fn print_source(info: &SourceInfo) -> anyhow::Result<()> {
    say!("{}: {}", one_line(&info.name), info.format)?;
    let frames = info.frame_count.map_or("unknown".to_owned(), |count| count.to_string());
    let live = if info.live { ", live" } else { "" };
    say!("frames   {frames}, {}x{}, {:.2} Hz{live}", info.width, info.height, info.rate_hz)?;
    if let (Some(first), Some(last)) = (info.times_s.first(), info.times_s.last()) {
        say!("time     {:.3} s from the first frame to the last", last - first)?;
    }
    print_labels(info)?;
    say!("gaps     {}", info.gaps.len())?;
    for gap in info.gaps.iter().take(10) {
        say!("  {:.3} s after frame {}", gap.seconds, gap.after_index)?;
    }
    Ok(print_notes(&info.notes)?)
}

fn print_labels(info: &SourceInfo) -> anyhow::Result<()> {
    let known: Vec<f64> = info.steering_true_rad.iter().flatten().map(|&angle| f64::from(angle)).collect();
    if known.is_empty() {
        return Ok(say!("labels   none")?);
    }
    let (low, high) = known.iter().fold((f64::MAX, f64::MIN), |(low, high), &angle| (low.min(angle), high.max(angle)));
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let std = (known.iter().map(|angle| (angle - mean).powi(2)).sum::<f64>() / known.len() as f64).sqrt();
    say!(
        "labels   {} of {} frames: {low:+.4} to {high:+.4} rad ({:+.1} to {:+.1} deg), mean {mean:+.4}, std {std:.4}; positive is left",
        known.len(),
        info.steering_true_rad.len(),
        low.to_degrees(),
        high.to_degrees(),
    )?;
    if let SteeringUnit::Normalised { full_scale_rad } = info.steering_unit {
        say!("  recorded as a command from -1 to 1; 1 is taken as {full_scale_rad} rad")?;
    }
    Ok(())
}

fn print_model(model: &Model) -> anyhow::Result<()> {
    let (config, rnn) = (model.config(), model.rnn());
    let perception = model.extractor(deltasteer_perception::Device::Cpu)?;
    say!("{}: model {}", model.folder().display(), model.name())?;
    let (weights, macs, schedule) =
        (perception.weight_count(), perception.macs_per_frame(), config.perception.schedule);
    say!("CNN        {weights} weights, {macs} MACs on each frame that it runs on: {schedule}")?;
    say!("  {}", serde_json::to_string(&config.perception)?)?;
    if let Some(remark) = model.remark() {
        say!("  {remark}")?;
    }
    let macs = rnn.dense_count().macs;
    let motion = config.perception.motion.as_ref();
    say!(
        "RNN        {} features{} -> GRU {} -> angle: {} weights, {macs} MACs a dense step",
        config.perception.feature_count,
        motion.map_or(String::new(), |motion| format!(" and {} motion values", motion.value_count())),
        rnn.config.hidden_size,
        macs + rnn.config.hidden_size as u64,
    )?;
    let thresholds = model.thresholds();
    say!("thresholds theta_x {} theta_h {}", thresholds.theta_x, thresholds.theta_h)?;
    say!("  {}", serde_json::to_string(&rnn.config)?)?;
    Ok(say!("training   {}", serde_json::to_string_pretty(&config.training)?)?)
}
