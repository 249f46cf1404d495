//! Trains a (delta) GRU on exported sequences and prints what it reaches: for experiments without the whole pipeline.
//!
//! ```text
//! cargo run --release -p deltasteer-temporal --example train_sequences -- DATA SETTINGS.json OUT [--from CHECKPOINT] [--seed N]
//! ```
//!
//! DATA holds `index.json` and the raw arrays it names (little-endian f32, `[frames][inputs]` and `[frames]`):
//! `{"inputs": 384, "drives": [{"name": "a", "validation": false, "gaps_after": [], "versions": [{"features": "a0.f32",
//! "steering_rad": "a0_angle.f32"}]}]}`. SETTINGS holds `{"rnn": {...}, "feature_layer": {...} or null, "thresholds":
//! [[theta_x, theta_h], ...]}` with the fields of `TrainSettings` and `FeatureLayerSettings`. OUT gets `checkpoint.safetensors`,
//! with which an interrupted run goes on, and the kept numbers as `kept.f32`, which `--from` starts another run with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use deltasteer_temporal::train::*;
use deltasteer_temporal::{Head, TemporalError};
use feature_layer::{FeatureLayer, FeatureLayerSettings};
use serde::Deserialize;

mod feature_layer;

type Failure = Box<dyn std::error::Error>;

#[derive(Deserialize)]
struct Index {
    inputs: usize,
    drives: Vec<IndexDrive>,
}

#[derive(Deserialize)]
struct IndexDrive {
    name: String,
    validation: bool,
    gaps_after: Vec<usize>,
    versions: Vec<IndexVersion>,
}

#[derive(Deserialize)]
struct IndexVersion {
    features: PathBuf,
    steering_rad: PathBuf,
}

#[derive(Deserialize)]
struct Settings {
    rnn: TrainSettings,
    feature_layer: Option<FeatureLayerSettings>,
    #[serde(default)]
    thresholds: Vec<[f32; 2]>,
}

fn read_f32(path: &Path) -> Result<Vec<f32>, Failure> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

fn read_drives(folder: &Path) -> Result<(usize, Vec<FeatureDrive>, Vec<FeatureDrive>), Failure> {
    let index: Index = serde_json::from_slice(&std::fs::read(folder.join("index.json"))?)?;
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    for drive in index.drives {
        let mut versions = Vec::new();
        let mut features: Vec<Arc<[f32]>> = Vec::new();
        for version in &drive.versions {
            let steering_rad = read_f32(&folder.join(&version.steering_rad))?.into();
            versions.push(Labels { steering_rad, teacher_rad: None });
            features.push(read_f32(&folder.join(&version.features))?.into());
        }
        let labels = DriveLabels { name: drive.name, gaps_after: drive.gaps_after, versions };
        if drive.validation { &mut validation } else { &mut training }.push(FeatureDrive { labels, features });
    }
    Ok((index.inputs, training, validation))
}

fn initial(inputs: usize, hidden: usize, values: &[f32]) -> Result<(Parameters, usize), TemporalError> {
    let mut parts = values.iter().copied();
    let mut take = |n: usize| -> Vec<f32> { parts.by_ref().take(n).collect() };
    let rows = 3 * hidden;
    let gru = deltasteer_temporal::GruWeights {
        inputs,
        hidden,
        w_x: take(inputs * rows),
        w_h: take(hidden * rows),
        b_x: take(rows),
        b_h: take(rows),
    };
    let head = Head { weight: take(hidden), bias: take(1).first().copied().unwrap_or(f32::NAN) };
    let parameters = Parameters::from_weights(&gru, &head)?;
    Ok((parameters, (inputs + hidden) * rows + 2 * rows + hidden + 1))
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, settings, out, options @ ..] = &arguments[..] else {
        return Err("expected DATA SETTINGS.json OUT [--from CHECKPOINT] [--seed N]".into());
    };
    let option = |name: &str| options.iter().position(|o| o == name).and_then(|i| options.get(i + 1));
    let mut settings: Settings = serde_json::from_slice(&std::fs::read(settings)?)?;
    if let Some(seed) = option("--seed") {
        settings.rnn.seed = seed.parse()?;
        settings.feature_layer.iter_mut().for_each(|layer| layer.seed = settings.rnn.seed);
    }
    let out = Path::new(out);
    std::fs::create_dir_all(out)?;
    let (inputs, training, validation) = read_drives(Path::new(data))?;
    let hidden = settings.rnn.hidden;
    let values = option("--from").map(|path| read_f32(Path::new(path))).transpose()?;
    let mut start = None;
    let mut features: Box<dyn SequenceInputs> = match &settings.feature_layer {
        Some(l) => {
            let mut layer = FeatureLayer::new(l.clone(), inputs, &training, &validation)?;
            if let Some(values) = &values {
                let (mut parameters, used) = initial(l.features, hidden, values)?;
                layer.set_parameters(&values[used..]);
                layer.scale_to_unit_deviation(&mut parameters)?;
                start = Some(parameters);
            }
            Box::new(layer)
        }
        None => {
            start =
                values.map(|values| initial(inputs, hidden, &values)).transpose()?.map(|(parameters, _)| parameters);
            Box::new(FixedFeatures::new(inputs, &training, &validation)?)
        }
    };
    let features = &mut *features;
    let validation_labels: Vec<_> = validation.iter().map(|d| d.labels.clone()).collect();
    let data = TrainingData {
        training: training.into_iter().map(|d| d.labels).collect(),
        validation: validation_labels.clone(),
        inputs: features,
    };
    let checkpoint = out.join("checkpoint.safetensors");
    let control = Control { checkpoint: Some(&checkpoint), interrupt: None };
    let begun = Instant::now();
    let mut last = (0, 0.0);
    let trained = train_rnn(data, &settings.rnn, start.as_ref(), control, &mut |p| {
        if let Some(v) = p.validation {
            let ms = (p.elapsed_s - last.1) * 1e3 / (p.step - last.0) as f64;
            last = (p.step, p.elapsed_s);
            println!(
                "step {:5}  loss {:.5}  window savings {:6.1}  validation {:.4} rad, {:6.1}x  {ms:.1} ms a step",
                p.step, p.loss, p.window_savings, v.rmse_rad, v.savings
            );
        }
    })?;
    println!("{:.1} s", begun.elapsed().as_secs_f64());
    report(&settings, &trained, features, &validation_labels)?;
    let (gru, head) = trained.parameters.to_weights();
    let kept =
        [&gru.w_x[..], &gru.w_h, &gru.b_x, &gru.b_h, &head.weight, &[head.bias], &trained.inputs_parameters].concat();
    let bytes: Vec<u8> = kept.iter().flat_map(|x| x.to_le_bytes()).collect();
    Ok(std::fs::write(out.join("kept.f32"), bytes)?)
}

/// Streams the validation drives with the kept weights at other thresholds.
fn report(
    settings: &Settings,
    trained: &Trained,
    features: &mut dyn SequenceInputs,
    drives: &[DriveLabels],
) -> Result<(), Failure> {
    if let Some(best) = &trained.best {
        println!("kept step {}: {:.4} rad, {:.1}x", best.step, best.rmse_rad, best.savings);
    }
    if !trained.inputs_parameters.is_empty() {
        features.set_parameters(&trained.inputs_parameters);
    }
    let own = [settings.rnn.theta_x, settings.rnn.theta_h];
    for [theta_x, theta_h] in settings.thresholds.iter().chain([&[0.0, 0.0], &own]) {
        let thresholds = ColumnThresholds::of(&trained.parameters, *theta_x, *theta_h);
        let (mut sum, mut frames, mut count) = (0.0, 0, StreamCount::default());
        for (index, drive) in drives.iter().enumerate() {
            let x = features.validation(index)?;
            let (steering, work) = stream(&trained.parameters, &thresholds, &x);
            count.add(&work);
            for (predicted, label) in
                steering.iter().zip(drive.versions[0].steering_rad.iter()).filter(|(_, l)| !l.is_nan())
            {
                sum += f64::from(predicted - label).powi(2);
                frames += 1;
            }
        }
        let per_frame = |columns: u64| columns as f64 / count.frames as f64;
        println!(
            "theta {theta_x:.3} {theta_h:.3}: {:.4} rad, {:6.1}x, columns a frame x {:.2} h {:.2}",
            (sum / f64::from(frames.max(1))).sqrt(),
            count.savings(),
            per_frame(count.columns_x[0]),
            per_frame(count.columns_h[0])
        );
    }
    Ok(())
}
