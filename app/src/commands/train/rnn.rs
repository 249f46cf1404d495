//! `train rnn`: the (delta) GRU with its head, alone on frozen features or together with the feature layer.

use std::path::Path;

use anyhow::{Context, bail};
use deltasteer_perception::{CnnSchedule, Device, FeatureExtractor};
use deltasteer_temporal::train::{FixedFeatures, Parameters, TrainSettings, Trained};
use serde_json::{Value, json};

use super::shared::{Checkpoints, entry, filled, train_phase, trunk, with_entry};
use crate::cli::TrainRnnArgs;
use crate::model::ModelParts;
use crate::training::cache::Cache;
use crate::training::data::{FeatureDrive, Parts};
use crate::training::joint::JointInputs;
use crate::training::recipe::{self, RnnRecipe};
use crate::training::targets::Targets;
use crate::training::together::{Prepared, joint_config, set_rnn};

const NO_PHASE: &str = "the recipe has no phase; expected at least one";

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
        last = Some(train_phase(number, &phase.rnn, initial, &mut inputs, &targets, &checkpoints, &mut |_| {})?);
    }
    let (trained, phase) = last.zip(recipe.phases.last()).context(NO_PHASE)?;
    set_rnn(&mut model, &trained, &phase.rnn)?;
    model.config.view = parts.view().filter(|view| view.known).or(model.config.view);
    save(args, recipe, &mut model, &trained)?;
    checkpoints.finish(args.common.keep_checkpoints)
}

/// Together with the feature layer, over principal components of the trunk's output.
fn together(args: &TrainRnnArgs, recipe: &RnnRecipe, from: &Path) -> anyhow::Result<()> {
    let (trunk, config) = trunk(from, &recipe.backbone)?;
    let config = joint_config(recipe, config)?;
    let checkpoints = Checkpoints::open(&args.common.out)?;
    let cache = Cache::open(&args.common.cache, &trunk, &config, Device::Cpu, recipe.drives.seed)?;
    let parts = Parts::open(&args.common.train, &args.common.val, cache, &recipe.drives)?;
    let mut parts = filled(parts.with_motion(recipe.motion.as_ref())?.with_schedule(recipe.cnn)?)?;
    let view = parts.view().filter(|view| view.known);
    let prepared = Prepared::of(&mut parts, recipe, config)?;
    let mut phase =
        |number: usize, settings: &TrainSettings, initial: Option<&Parameters>, inputs: &mut JointInputs<'_>| {
            train_phase(number, settings, initial, inputs, &prepared.targets, &checkpoints, &mut |_| {})
        };
    let mut last = None;
    let count = recipe.phases.len();
    prepared.train(recipe, &mut phase, &mut |number, layer, trained| {
        if number + 1 == count {
            last = Some((prepared.model(&trunk, layer, trained, &recipe.phases[number].rnn)?, trained.clone()));
        }
        Ok(())
    })?;
    let (mut model, trained) = last.context(NO_PHASE)?;
    model.config.view = view;
    save(args, recipe, &mut model, &trained)?;
    checkpoints.finish(args.common.keep_checkpoints)
}

/// Writes the model folder and notes how it was made.
fn save(args: &TrainRnnArgs, recipe: &RnnRecipe, model: &mut ModelParts, trained: &Trained) -> anyhow::Result<()> {
    let figures = trained.best.as_ref().map_or(
        Value::Null,
        |best| json!({ "validation_rmse_rad": best.error, "validation_savings": best.savings, "step": best.step }),
    );
    model.config.training = with_entry(model.config.training.take(), entry(recipe, figures)?);
    model.save(&args.common.out)?;
    crate::say!("written      {}", args.common.out.display())?;
    Ok(())
}
