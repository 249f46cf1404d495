//! `train rnn`: the (delta) GRU with its head, alone on frozen features or together with the feature layer.

use std::path::Path;

use anyhow::{Context, bail};
use deltasteer_perception::train::{Pca, SingleFrameHead, TrainableLayer};
use deltasteer_perception::{
    CnnSchedule, Device, FeatureExtractor, NamedTensors, PerceptionConfig, Storage, from_safetensors, to_safetensors,
};
use deltasteer_temporal::train::{
    Control, FixedFeatures, Parameters, Progress, SequenceInputs, TrainSettings, Trained, TrainingData, train_rnn,
};
use deltasteer_temporal::weights;
use indicatif::ProgressBar;
use ndarray::{Array1, Array2, Axis};
use serde_json::{Value, json};

use super::shared::{Checkpoints, entry, say, trunk, with_entry};
use crate::cli::TrainRnnArgs;
use crate::drive::{interrupted, progress_bar};
use crate::model::{ModelConfig, ModelParts};
use crate::training::cache::Cache;
use crate::training::data::{DriveCoordinates, FeatureDrive, Parts};
use crate::training::joint::{self, JointInputs, to_unit_deviation};
use crate::training::recipe::{self, RnnRecipe};
use crate::training::targets::Targets;

/// Share of the features' mean variance that the single-frame output's weights are held back with.
const RIDGE: f64 = 1e-3;

/// Runs `train rnn`.
///
/// # Errors
/// Settings that are wrong, drives that cannot be used, or a signal; the checkpoint is kept.
pub fn run(args: &TrainRnnArgs) -> anyhow::Result<()> {
    let common = &args.common;
    let mut recipe: RnnRecipe = recipe::read(common.recipe.as_deref(), &common.set)?;
    if let Some(seed) = common.seed {
        for phase in &mut recipe.phases {
            (phase.rnn.seed, phase.layer.seed) = (seed, seed);
        }
    }
    for phase in &recipe.phases {
        phase.rnn.check()?;
    }
    match (&args.features, &args.trunk) {
        (Some(folder), None) => frozen(args, &recipe, folder),
        (None, Some(from)) => together(args, &recipe, from),
        _ => {
            bail!("expected either --features DIR (frozen features) or --trunk FILE (train the feature layer as well)")
        }
    }
}

/// On the frozen features of a model.
fn frozen(args: &TrainRnnArgs, recipe: &RnnRecipe, folder: &Path) -> anyhow::Result<()> {
    let mut model = ModelParts::load(folder)?;
    let mut config = model.config.perception.clone();
    let extractor = FeatureExtractor::load(&model.tensors, &config, Device::Cpu)?;
    let checkpoints = Checkpoints::open(&args.common.out)?;
    let cache = Cache::open(&args.common.cache, &model.tensors, &config, Device::Cpu, recipe.drives.seed)?;
    let motion = recipe.motion.as_ref().or(config.motion.as_ref());
    if recipe.cnn != CnnSchedule::default() {
        config.schedule = recipe.cnn;
    }
    let parts = Parts::open(&args.common.train, &args.common.val, cache, &recipe.drives)?.with_motion(motion)?;
    let mut parts = filled(parts.with_schedule(config.schedule)?)?;
    if recipe.motion.is_some() {
        config.motion = parts.fit_motion()?;
    }
    let (training, validation) = parts.feature_sequences(&extractor)?;
    let features = training.iter().map(|drive| drive.features.clone()).collect();
    let first = validation.iter().filter_map(|drive| drive.features.first().cloned()).collect();
    let mut inputs = FixedFeatures::new(config.rnn_input_count(), features, first)?;
    model.config.perception = config;
    let angles = |drives: Vec<FeatureDrive>| drives.into_iter().map(|drive| drive.angles).collect();
    let targets = Targets::new(angles(training), angles(validation))?;
    let mut last: Option<Trained> = None;
    for (number, phase) in recipe.phases.iter().enumerate() {
        let initial = last.as_ref().map(|trained| &trained.parameters);
        last = Some(train(number, &phase.rnn, initial, &mut inputs, &targets, &checkpoints)?);
    }
    save(args, recipe, &mut model, last.as_ref())?;
    checkpoints.finish(args.common.keep_checkpoints)
}

/// Together with the feature layer, over principal components of the trunk's output.
fn together(args: &TrainRnnArgs, recipe: &RnnRecipe, from: &Path) -> anyhow::Result<()> {
    let (trunk, config) = trunk(from, &recipe.backbone)?;
    let mut config =
        PerceptionConfig { feature_count: recipe.features, motion: None, schedule: CnnSchedule::default(), ..config };
    config.validate()?;
    let checkpoints = Checkpoints::open(&args.common.out)?;
    let cache = Cache::open(&args.common.cache, &trunk, &config, Device::Cpu, recipe.drives.seed)?;
    let parts = Parts::open(&args.common.train, &args.common.val, cache, &recipe.drives)?;
    let mut parts = filled(parts.with_motion(recipe.motion.as_ref())?.with_schedule(recipe.cnn)?)?;
    (config.motion, config.schedule) = (parts.fit_motion()?, recipe.cnn);
    let pca = parts.pca(recipe.drives.seed)?;
    let (training, validation) = parts.coordinates(&pca)?;
    let targets = Targets::new(joint::angles(&training), joint::angles(&validation))?;

    let seed = recipe.phases.first().map_or(1, |phase| phase.layer.seed);
    let mut layer = TrainableLayer::random(pca.components(), recipe.features, seed)?;
    let mut last: Option<Trained> = None;
    for (number, phase) in recipe.phases.iter().enumerate() {
        let mut initial: Option<Parameters> = last.map(|trained| trained.parameters);
        if let Some(parameters) = &mut initial {
            to_unit_deviation(&mut layer, &training, parameters)?;
        }
        let mut inputs = JointInputs::new(&mut layer, &training, &validation, phase.layer)?;
        last = Some(train(number, &phase.rnn, initial.as_ref(), &mut inputs, &targets, &checkpoints)?);
    }
    let tensors = feature_tensors(&layer, &pca, &training)?;
    let config = ModelConfig { perception: config, temporal: None, training: Value::Null };
    let mut model = ModelParts { config, tensors: trunk };
    model.merge(&to_safetensors(&tensors, Storage::F16Matrices)?)?;
    save(args, recipe, &mut model, last.as_ref())?;
    checkpoints.finish(args.common.keep_checkpoints)
}

/// The drives with their trunk outputs in the cache.
fn filled(mut parts: Parts) -> anyhow::Result<Parts> {
    let bar = progress_bar(Some(parts.frames())).with_message("frames through the trunk");
    parts.fill(interrupted(), &mut |frames| bar.inc(frames as u64))?;
    bar.finish_and_clear();
    Ok(parts)
}

/// One phase, resumable by its own checkpoint.
fn train(
    number: usize,
    settings: &TrainSettings,
    initial: Option<&Parameters>,
    inputs: &mut dyn SequenceInputs,
    targets: &Targets,
    checkpoints: &Checkpoints,
) -> anyhow::Result<Trained> {
    let bar = progress_bar(Some(settings.steps as usize)).with_message(format!("phase {number}"));
    let checkpoint = checkpoints.phase(&format!("phase{number}"));
    let control = Control { checkpoint: Some(&checkpoint), interrupt: Some(interrupted()), ..Control::default() };
    let Targets { sequences, validation, loss } = targets;
    let data = TrainingData { training: sequences, validation: *validation, inputs, loss };
    let trained = train_rnn(data, settings, initial, control, &mut |progress| report(&bar, number, progress))?;
    bar.finish_and_clear();
    if !trained.finished {
        bail!("interrupted; the same command goes on from {}", checkpoint.display());
    }
    Ok(trained)
}

fn report(bar: &ProgressBar, phase: usize, progress: &Progress<'_>) {
    bar.set_position(progress.step);
    if let Some(validation) = progress.validation {
        let line = format!(
            "phase {phase} step {:6}  loss {:.5}  window savings {:6.1}x  validation {:.4} rad {:6.1}x  {:.0} s",
            progress.step,
            progress.loss,
            progress.window_savings,
            validation.error,
            validation.savings,
            progress.elapsed_s,
        );
        say(bar, &line);
    }
}

/// The trained layer over the trunk's whole output, with a single-frame output fitted to it by ridge regression on the drives
/// as recorded and mirrored.
fn feature_tensors(layer: &TrainableLayer, pca: &Pca, training: &[DriveCoordinates]) -> anyhow::Result<NamedTensors> {
    let (mut rows, mut angles) = (Vec::<Array2<f32>>::new(), Vec::new());
    for drive in training {
        for version in 0..drive.versions.len().min(2) {
            rows.push(joint::features(layer, drive, version)?);
            angles.extend_from_slice(&drive.versions[version].steering_rad);
        }
    }
    let rows = ndarray::concatenate(Axis(0), &rows.iter().map(|rows| rows.view()).collect::<Vec<_>>())?;
    let head = SingleFrameHead::fit(rows.view(), Array1::from(angles).view(), RIDGE)?;
    // The layer is already scaled, and the thresholds belong to that scale.
    let mut tensors = layer.tensors(pca, Array1::ones(layer.features()))?;
    tensors.extend(head.tensors());
    Ok(tensors)
}

/// Writes the model folder from what the last phase has learned.
fn save(
    args: &TrainRnnArgs,
    recipe: &RnnRecipe,
    model: &mut ModelParts,
    trained: Option<&Trained>,
) -> anyhow::Result<()> {
    let (trained, phase) =
        trained.zip(recipe.phases.last()).context("the recipe has no phase; expected at least one")?;
    let (gru, head, config) = trained.to_model(&phase.rnn);
    let exact = weights::to_safetensors(&gru, Some(&head), &config)?;
    model.merge(&exact)?;
    // The same tensors again, half as large; the fingerprint of the config came with the first.
    model.merge(&to_safetensors(&from_safetensors(&exact)?, Storage::F16Matrices)?)?;
    let figures = trained.best.as_ref().map_or(
        Value::Null,
        |best| json!({ "validation_rmse_rad": best.error, "validation_savings": best.savings, "step": best.step }),
    );
    model.config.temporal = Some(config);
    model.config.training = with_entry(model.config.training.take(), entry(recipe, figures)?);
    model.save(&args.common.out)?;
    crate::say!("written      {}", args.common.out.display())?;
    Ok(())
}
