//! `bench cnn SOURCE`: the CNN on changes between the frames of a drive, layer by layer beside the dense one.

use anyhow::Context;
use deltasteer_data::rgb_bytes;
use deltasteer_perception::LayerWork;
use deltasteer_perception::bench::LayerTime;
use serde::Serialize;

use crate::cli::{BenchCnnArgs, RunArgs};
use crate::drive::progress_bar;
use crate::model::CnnMode;
use crate::session::{Session, load_model};

/// Frames that each dense layer is timed on.
const ROUNDS: usize = 200;

/// One layer, means over the drive's frames.
#[derive(Debug, Serialize)]
struct Layer {
    layer: String,
    theta: f32,
    macs_dense: f64,
    macs_delta: f64,
    /// Share of the inputs that were sent, of the frames that were looked at.
    sent: f64,
    us_dense: f64,
    us_delta: f64,
}

/// The whole CNN on a drive.
#[derive(Debug, Serialize)]
struct Layers {
    source: String,
    frames: usize,
    /// The CNN looks at every n-th frame.
    every: usize,
    layers: Vec<Layer>,
}

/// Runs it.
///
/// # Errors
/// In words for the user.
pub fn run(args: &BenchCnnArgs, source: &str) -> anyhow::Result<()> {
    let run = RunArgs { from: args.from, to: args.to, cnn: CnnMode::Delta, ..RunArgs::default() };
    let model = std::sync::Arc::new(load_model(args.model.as_deref(), source)?);
    let session = Session::open_with(source, &run, model.clone())?;
    let dense = deltasteer_perception::bench::measure_layers(model.tensors(), &model.config().perception, ROUNDS)?;
    let found = on_changes(session, &dense)?;
    if args.json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        print(&found);
    }
    Ok(())
}

/// All frames of the session through the CNN on changes.
fn on_changes(mut session: Session, dense: &[LayerTime]) -> anyhow::Result<Layers> {
    let mut perception = session.model.perception(CnnMode::Delta)?;
    let first = session.range.map_or(0, |range| range.first);
    let count = session.range.map(|range| range.end - range.first).or(session.info.frame_count);
    let bar = progress_bar(count);
    session.source.seek(first)?;
    let mut features = vec![0.0; perception.feature_count()];
    let mut frames = 0;
    while count.is_none_or(|count| frames < count) {
        let Some(frame) = session.source.next_frame()? else { break };
        perception.features(rgb_bytes(&frame.image), frame.image.dim().1, frame.image.dim().0, &mut features)?;
        frames += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if frames == 0 {
        anyhow::bail!("{}: not one frame could be read", session.info.name);
    }
    let layers = perception.delta_work().iter().map(|work| layer(work, dense, frames)).collect::<Result<_, _>>()?;
    Ok(Layers { source: session.info.name, frames, every: perception.config().delta_every, layers })
}

fn layer(work: &LayerWork, dense: &[LayerTime], frames: usize) -> anyhow::Result<Layer> {
    let dense = dense.iter().find(|layer| layer.layer == work.layer).context("a layer without a dense time")?;
    Ok(Layer {
        layer: work.layer.clone(),
        theta: work.theta,
        macs_dense: dense.macs as f64,
        macs_delta: work.macs as f64 / frames as f64,
        sent: work.sent as f64 / work.values.max(1) as f64,
        us_dense: dense.median_us,
        us_delta: work.time.as_secs_f64() * 1e6 / frames as f64,
    })
}

fn print(found: &Layers) {
    println!("{} frames of {}; the CNN looks at every {}. frame", found.frames, found.source, found.every);
    println!("layer                 theta    MACs dense   on changes   fewer   sent  us dense  on changes");
    for layer in &found.layers {
        println!(
            "{:<18} {:8.4} {:13.0} {:12.0} {:6.1}x {:5.1}% {:9.1} {:11.1}",
            layer.layer,
            layer.theta,
            layer.macs_dense,
            layer.macs_delta,
            layer.macs_dense / layer.macs_delta.max(f64::MIN_POSITIVE),
            100.0 * layer.sent,
            layer.us_dense,
            layer.us_delta
        );
    }
    let sum = |pick: fn(&Layer) -> f64| found.layers.iter().map(pick).sum::<f64>();
    let (dense, delta) = (sum(|layer| layer.macs_dense), sum(|layer| layer.macs_delta));
    println!(
        "{:<27} {:13.0} {:12.0} {:6.1}x        {:9.1} {:11.1}",
        "CNN, a frame",
        dense,
        delta,
        dense / delta,
        sum(|layer| layer.us_dense),
        sum(|layer| layer.us_delta)
    );
}
