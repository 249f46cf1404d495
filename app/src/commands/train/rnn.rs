//! `train rnn`: the (delta) GRU with its head, alone on frozen features or together with the feature layer.

use anyhow::{Context, bail};
use deltasteer_perception::train::{Basis, SingleFrameHead, TrainableLayer};
use deltasteer_perception::{NamedTensor, Perception, PerceptionConfig, Storage, to_safetensors};
use deltasteer_temporal::train::{
    Control, FeatureDrive, FeatureLayer, FixedFeatures, Parameters, Progress, SequenceInputs, TrainSettings, Trained,
    TrainingData, train_rnn,
};
use deltasteer_temporal::{Rounding, Technique, TemporalConfig, Thresholds, weights};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::shared::{Checkpoints, entry, say, trunk, with_entry};
use crate::cli::TrainRnnArgs;
use crate::drive::{interrupted, progress_bar};
use crate::model::{ModelConfig, ModelParts};
use crate::training::cache::Cache;
use crate::training::data::Parts;
use crate::training::recipe::{self, RnnRecipe};

/// Share of the features' mean variance that the single-frame output's weights are held back with.
const RIDGE: f64 = 1e-3;

/// Runs `train rnn`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &TrainRnnArgs) -> anyhow::Result<()> {
    let common = &args.common;
    let mut recipe: RnnRecipe = recipe::read(common.recipe.as_deref(), &common.set)?;
    if let Some(seed) = common.seed {
        recipe.feature_layer.seed = seed;
        recipe.phases.iter_mut().for_each(|phase| phase.seed = seed);
    }
    if recipe.phases.is_empty() {
        bail!("the recipe has no phase; expected at least one");
    }
    recipe.phases.iter().try_for_each(TrainSettings::check)?;
    match (&args.features, &args.trunk) {
        (Some(folder), None) => frozen(args, &recipe, folder),
        (None, Some(from)) => joint(args, &recipe, from),
        _ => bail!("expected either --features DIR (frozen features) or --trunk FILE (train the feature layer as well)"),
    }
}

/// On the frozen features of a model.
fn frozen(args: &TrainRnnArgs, recipe: &RnnRecipe, folder: &std::path::Path) -> anyhow::Result<()> {
    let mut model = ModelParts::load(folder)?;
    let config = model.config.perception.clone();
    let mut perception = Perception::load(&model.tensors, &config)?;
    let checkpoints = Checkpoints::open(&args.common.out)?;
    let cache = Cache::open(&args.common.cache, &model.tensors, &config, recipe.drives.seed)?;
    let parts = Parts::open(&args.common.train, &args.common.val, cache, &recipe.drives)?;
    let (training, validation) = parts.feature_sequences(&mut perception)?;
    let mut inputs = FixedFeatures::new(config.feature_count, &training, &validation)?;
    let mut initial = None;
    let mut trained = None;
    for (number, settings) in recipe.phases.iter().enumerate() {
        let done = phase(number, settings, initial.as_ref(), &mut inputs, (&training, &validation), &checkpoints)?;
        initial = Some(done.parameters.clone());
        trained = Some(done);
    }
    let trained = trained.context("no phase")?;
    save(args, recipe, &mut model, &trained, recipe.phases.last().context("no phase")?)?;
    checkpoints.remove()
}

/// Together with the feature layer, over principal components of the trunk's output.
fn joint(args: &TrainRnnArgs, recipe: &RnnRecipe, from: &std::path::Path) -> anyhow::Result<()> {
    let (trunk, config) = trunk(from)?;
    let config = PerceptionConfig { feature_count: recipe.feature_layer.features, ..config };
    config.validate()?;
    let checkpoints = Checkpoints::open(&args.common.out)?;
    let seed = recipe.feature_layer.seed;
    let cache = Cache::open(&args.common.cache, &trunk, &config, recipe.drives.seed)?;
    let parts = Parts::open(&args.common.train, &args.common.val, cache, &recipe.drives)?;
    let basis = parts.basis(&config, seed)?;
    let (training, validation) = parts.coordinate_sequences(&basis)?;
    let mut layer = FeatureLayer::new(recipe.feature_layer.clone(), basis.components(), &training, &validation)?;
    let mut initial: Option<Parameters> = None;
    let mut trained = None;
    for (number, settings) in recipe.phases.iter().enumerate() {
        if let Some(parameters) = &mut initial {
            layer.to_unit_deviation(parameters);
        }
        let done = phase(number, settings, initial.as_ref(), &mut layer, (&training, &validation), &checkpoints)?;
        layer.set_parameters(&done.inputs_parameters);
        initial = Some(done.parameters.clone());
        trained = Some(done);
    }
    let trained = trained.context("no phase")?;
    let tensors = feature_tensors(&layer, &trained.inputs_parameters, &basis, &training)?;
    let config = ModelConfig { perception: config, temporal: None, training: Value::Null };
    let mut model = ModelParts { config, tensors: trunk };
    model.merge(&to_safetensors(&tensors, Storage::F32)?)?;
    save(args, recipe, &mut model, &trained, recipe.phases.last().context("no phase")?)?;
    checkpoints.remove()
}

/// One phase, resumable by its own checkpoint.
fn phase(
    number: usize,
    settings: &TrainSettings,
    initial: Option<&Parameters>,
    inputs: &mut dyn SequenceInputs,
    (training, validation): (&[FeatureDrive], &[FeatureDrive]),
    checkpoints: &Checkpoints,
) -> anyhow::Result<Trained> {
    let bar = progress_bar(Some(settings.steps as usize)).with_message(format!("phase {number}"));
    let checkpoint = checkpoints.phase(&format!("phase{number}"));
    let control = Control { checkpoint: Some(&checkpoint), interrupt: Some(interrupted()) };
    let labels = |drives: &[FeatureDrive]| drives.iter().map(|drive| drive.labels.clone()).collect();
    let data = TrainingData { training: labels(training), validation: labels(validation), inputs };
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
            validation.rmse_rad,
            validation.savings,
            progress.elapsed_s,
        );
        say(bar, &line);
    }
}

/// The trained layer over the trunk's whole output, with a single-frame output fitted to it by ridge regression.
fn feature_tensors(
    layer: &FeatureLayer,
    values: &[f32],
    basis: &Basis,
    training: &[FeatureDrive],
) -> anyhow::Result<Vec<NamedTensor>> {
    let (weight, bias, _, _) = layer.split(values);
    let (features, components) = (bias.len(), basis.components());
    let mut stored = TrainableLayer::random(components, features, 0);
    let parameters = stored.parameters_mut();
    for (component, row) in weight.chunks_exact(features).enumerate() {
        for (feature, value) in row.iter().enumerate() {
            parameters[feature * components + component] = *value;
        }
    }
    parameters[features * components..].copy_from_slice(bias);
    let (mut rows, mut angles) = (Vec::new(), Vec::new());
    for drive in training {
        for (version, labels) in drive.features.iter().zip(&drive.labels.versions).take(2) {
            rows.extend(layer.forward(version));
            angles.extend_from_slice(&labels.steering_rad);
        }
    }
    let head = SingleFrameHead::fit(&rows, &angles, features, RIDGE)?;
    // The layer is already scaled to unit deviation, and the thresholds belong to that scale.
    let std = vec![1.0; features];
    Ok([stored.tensors(basis, &std), head.tensors(&std)].concat())
}

/// Writes the model folder.
fn save(
    args: &TrainRnnArgs,
    recipe: &RnnRecipe,
    model: &mut ModelParts,
    trained: &Trained,
    last: &TrainSettings,
) -> anyhow::Result<()> {
    let (gru, head) = trained.parameters.to_weights();
    let config = TemporalConfig {
        thresholds: thresholds(trained)?,
        technique: technique(last),
        ..TemporalConfig::new(gru.inputs, gru.hidden)
    };
    model.merge(&weights::to_safetensors(&gru, &head, &config, &[])?)?;
    let figures = trained.best.as_ref().map_or(Value::Null, |best| {
        json!({ "validation_rmse_rad": best.rmse_rad, "validation_savings": best.savings, "step": best.step })
    });
    model.config.temporal = Some(config);
    model.config.training = with_entry(model.config.training.take(), entry(recipe, figures)?);
    model.save(&args.common.out)?;
    println!("written      {}", args.common.out.display());
    Ok(())
}

/// The techniques of a phase, as the model's config states them.
fn technique(settings: &TrainSettings) -> Technique {
    let delta = settings.delta.as_ref();
    Technique {
        rounding: settings
            .rounding
            .map(|format| Rounding { integer_bits: format.integer_bits, fraction_bits: format.fraction_bits }),
        noise_std: settings.noise.map_or(0.0, |noise| noise.h),
        delta_thresholds: delta.map(|_| Thresholds { theta_x: settings.theta_x, theta_h: settings.theta_h }),
        l1_x: delta.map_or(0.0, |delta| delta.beta_x),
        l1_h: delta.map_or(0.0, |delta| delta.beta_h),
        weight_sparsity: settings.sparsity.map_or(0.0, |sparsity| sparsity.share),
    }
}

/// The one threshold for x and the one for h that the cell runs with.
fn thresholds(trained: &Trained) -> anyhow::Result<Thresholds> {
    let one = |name: &str, values: &[f32]| -> anyhow::Result<f32> {
        let first = *values.first().context("no threshold")?;
        if values.iter().any(|value| (value - first).abs() > 1e-6 * first.abs()) {
            bail!("{name} differs from column to column, which the cell cannot run; set learned.per_column=false");
        }
        Ok(first)
    };
    Ok(Thresholds::new(
        one("theta_x", &trained.thresholds.theta_x)?,
        one("theta_h", &trained.thresholds.theta_h)?,
    )?)
}
