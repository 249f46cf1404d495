//! `bench what-if`: how long the window's answer to a new threshold takes, over all seen frames.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use deltasteer_temporal::weights::to_safetensors;
use deltasteer_temporal::{Gru, Head, Linear, RnnConfig, Thresholds};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::cli::BenchWhatIfArgs;
use crate::model::{Model, ModelParts};
use crate::pipeline::{Before, Event, Pipeline, Settings};
use crate::session::load_model;
use crate::window::whatif::lane::{LaneRun, Pacing, Progress, Setting};
use crate::window::whatif::store::{FeatureStore, LIMIT_BYTES};

/// Runs of each setting.
const ROUNDS: usize = 7;

#[derive(Debug, Serialize)]
struct Row {
    theta_x: f32,
    theta_h: f32,
    savings: f64,
    /// Until the first answers are there, and the frames that they cover.
    first_ms: f64,
    first_frames: usize,
    fastest_ms: f64,
    median_ms: f64,
}

/// Runs `bench what-if`.
///
/// # Errors
/// A source or model that cannot be opened, or standard output that cannot be written.
pub fn run(args: &BenchWhatIfArgs) -> anyhow::Result<()> {
    let mut model = Arc::new(load_model(args.model.as_deref(), &args.source)?);
    let store = features(&args.source, &model, args.frames)?;
    let folder = tempfile::tempdir()?;
    if let Some(hidden) = args.hidden {
        let parts = with_random_rnn(&model, hidden)?;
        parts.save(folder.path())?;
        model = Arc::new(Model::load(folder.path())?);
    }
    let own = model.thresholds();
    let scaled = |scale: f32| Thresholds { theta_x: scale * own.theta_x, theta_h: scale * own.theta_h };
    let settings = [0.0, 0.25, 0.5, 1.0, 2.0].map(|scale| Some(scaled(scale)));
    let rows = settings.into_iter().chain([None]).map(|thresholds| measure(&store, &model, thresholds));
    let rows = rows.collect::<anyhow::Result<Vec<_>>>()?;
    if args.json {
        crate::say!("{}", serde_json::to_string(&rows)?)?;
        return Ok(());
    }
    let config = &model.rnn().config;
    crate::say!(
        "{} frames of {}, {} inputs, {} units",
        args.frames,
        args.source,
        config.input_size,
        config.hidden_size
    )?;
    crate::say!("theta_x theta_h   savings  first ms  (frames)  all: fastest ms  median ms")?;
    for (place, row) in rows.iter().enumerate() {
        let Row { theta_x, theta_h, savings, first_ms, first_frames, fastest_ms, median_ms } = row;
        let dense = if place + 1 == rows.len() { "  dense RNN" } else { "" };
        crate::say!(
            "{theta_x:7.3} {theta_h:7.3} {savings:8.1}x {first_ms:9.2} {first_frames:9} {fastest_ms:16.2} {median_ms:10.2}{dense}"
        )?;
    }
    Ok(())
}

/// The features of the first `frames` frames; a drive that is shorter is seen forwards and backwards in turn.
fn features(source: &str, model: &Arc<Model>, frames: usize) -> anyhow::Result<FeatureStore> {
    let settings = Settings { features_only: true, playing: true, ..Settings::default() };
    let pipeline = Pipeline::start(deltasteer_data::open(source)?, model.clone(), settings)?;
    let mut seen = Vec::new();
    while seen.len() < frames {
        match pipeline.next_event().context("the pipeline stopped without a reason")? {
            Event::Seen(frame) => seen.push(frame),
            Event::Ended(_) => break,
            Event::Failed(failure) => return Err(failure.into()),
            _ => {}
        }
    }
    if seen.is_empty() {
        bail!("{source}: not one frame could be read");
    }
    let mut store = FeatureStore::new(model.rnn().config.input_size, LIMIT_BYTES);
    let there_and_back: Vec<_> = seen.iter().chain(seen.iter().rev()).collect();
    for index in 0..frames {
        let mut frame = (**there_and_back[index % there_and_back.len()]).clone();
        frame.index = index;
        frame.before = index.checked_sub(1).map_or(Before::Start, Before::Frame);
        let features = std::mem::take(&mut frame.features);
        store.add(&frame, &features, true);
    }
    Ok(store)
}

/// `model` with an RNN of `hidden` units that nobody trained.
fn with_random_rnn(model: &Model, hidden: usize) -> anyhow::Result<ModelParts> {
    let inputs = model.rnn().config.input_size;
    let config = RnnConfig { thresholds: vec![model.thresholds()], ..RnnConfig::new(inputs, hidden) };
    let gru = Gru::random(inputs, hidden, 1, false, &mut StdRng::seed_from_u64(1))?;
    let mut output = Linear::zeros(hidden, 1);
    output.weight.fill(0.01);
    let mut parts = ModelParts { config: model.config().clone(), tensors: model.tensors().to_vec() };
    parts.merge(&to_safetensors(&gru, Some(&Head::linear(output)), &config)?)?;
    parts.config.temporal = Some(config);
    Ok(parts)
}

fn measure(store: &FeatureStore, model: &Arc<Model>, thresholds: Option<Thresholds>) -> anyhow::Result<Row> {
    let setting = |thresholds| Setting { model: model.clone(), thresholds };
    let before = setting(Some(Thresholds { theta_x: 1e6, theta_h: 1e6 }));
    let (mut all_ms, mut firsts) = (Vec::new(), Vec::new());
    let mut savings = 0.0;
    for _ in 0..ROUNDS {
        let mut lane = LaneRun::new(before.clone(), Pacing::of(20.0, false), false)?;
        lane.want(setting(thresholds));
        let start = Instant::now();
        let passed_ms = || 1e3 * start.elapsed().as_secs_f64();
        let mut first = None;
        // In slices, as the window's thread does it.
        loop {
            match lane.work(store, Instant::now() + Duration::from_millis(2))? {
                Progress::Going => {}
                Progress::Part => first = Some((passed_ms(), lane.track().points().len())),
                Progress::Whole => break,
            }
        }
        all_ms.push(passed_ms());
        firsts.push(first.unwrap_or((passed_ms(), lane.track().points().len())));
        savings = lane.track().figures().work.savings();
    }
    all_ms.sort_by(f64::total_cmp);
    firsts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (first_ms, first_frames) = firsts[ROUNDS / 2];
    let Thresholds { theta_x, theta_h } = thresholds.unwrap_or(Thresholds::ZERO);
    let (fastest_ms, median_ms) = (all_ms[0], all_ms[ROUNDS / 2]);
    Ok(Row { theta_x, theta_h, savings, first_ms, first_frames, fastest_ms, median_ms })
}
