//! `train features`: the feature layer with its single-frame output, on shuffled frames.

use anyhow::bail;
use deltasteer_perception::train::{Control, Deviations, Drive, TrainableLayer, train_features};
use deltasteer_perception::{PerceptionConfig, Storage, to_safetensors};
use serde_json::{Value, json};

use super::shared::{Checkpoints, entry, say, trunk, with_entry};
use crate::cli::TrainFeaturesArgs;
use crate::drive::{interrupted, progress_bar};
use crate::model::{ModelConfig, ModelParts};
use crate::training::cache::Cache;
use crate::training::data::Parts;
use crate::training::joint::as_recorded;
use crate::training::recipe::{self, FeatureRecipe};

/// Runs `train features`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &TrainFeaturesArgs) -> anyhow::Result<()> {
    let common = &args.common;
    let mut recipe: FeatureRecipe = recipe::read(common.recipe.as_deref(), &common.set)?;
    recipe.features.seed = common.seed.unwrap_or(recipe.features.seed);
    let seed = recipe.features.seed;
    let (trunk, config) = trunk(&args.trunk)?;
    let config = PerceptionConfig { feature_count: recipe.features.features, ..config };
    config.validate()?;
    let checkpoints = Checkpoints::open(&common.out)?;
    let cache = Cache::open(&common.cache, &trunk, &config, recipe.drives.seed)?;
    let parts = Parts::open(&common.train, &common.val, cache, &recipe.drives)?;
    let basis = parts.basis(&config, seed)?;
    let (training, validation) = parts.coordinates(&basis)?;
    let drives = |list: Vec<(Drive, Vec<usize>)>| list.into_iter().map(|(drive, _)| drive).collect::<Vec<_>>();
    let (training, validation) = (drives(training), drives(validation));

    let bar = progress_bar(Some(recipe.features.steps as usize));
    let checkpoint = checkpoints.phase("features");
    let control = Control { checkpoint: Some(&checkpoint), interrupt: Some(interrupted()) };
    let trained = train_features(&training, &validation, basis.components(), &recipe.features, control, |progress| {
        bar.set_position(progress.step);
        if let Some(validation) = progress.validation {
            say(
                &bar,
                &format!(
                    "step {:6}  loss {:.5} rad^2  validation {:.4} rad  change {:.3}",
                    progress.step, progress.loss, validation.rmse_rad, validation.change
                ),
            );
        }
    })?;
    bar.finish_and_clear();
    if !trained.finished {
        bail!("interrupted; the same command goes on from {}", checkpoint.display());
    }
    let std = deviations(&trained.layer, &training);
    let layer = [trained.layer.tensors(&basis, &std), trained.head.tensors(&std)].concat();
    let figures =
        trained.best.map_or(Value::Null, |best| json!({ "validation_rmse_rad": best.rmse_rad, "step": best.step }));
    let config =
        ModelConfig { perception: config, temporal: None, training: with_entry(Value::Null, entry(&recipe, figures)?) };
    let mut parts = ModelParts { config, tensors: trunk };
    parts.merge(&to_safetensors(&layer, Storage::F16Matrices)?)?;
    parts.save(&common.out)?;
    checkpoints.finish(common.keep_checkpoints)?;
    println!("written      {}", common.out.display());
    Ok(())
}

/// Standard deviation of each feature over the training drives as recorded; 1 where a feature never moves.
fn deviations(layer: &TrainableLayer, training: &[Drive]) -> Vec<f32> {
    let mut deviations = Deviations::new(layer.features());
    training.iter().for_each(|drive| deviations.add(&as_recorded(layer, drive)));
    deviations.std()
}
