//! `train cnn`: a whole CNN from scratch on single frames, the front end of the delta network paper.

use anyhow::bail;
use deltasteer_perception::train::TrainableCnn;
use deltasteer_perception::{CellExtractor, Device, PerceptionConfig, Storage, to_safetensors};
use serde_json::{Value, json};

use super::shared::{Checkpoints, entry, say, with_entry};
use crate::cli::ResearchArgs;
use crate::drive::{interrupted, progress_bar};
use crate::model::{ModelConfig, ModelParts};
use crate::training::cnn::{CnnSettings, CnnTraining, PictureDrive};
use crate::training::part::Part;
use crate::training::recipe;

/// Runs `train cnn`.
///
/// # Errors
/// Settings that are wrong, drives that cannot be used, or a signal; the checkpoint is kept.
pub fn run(args: &ResearchArgs) -> anyhow::Result<()> {
    let mut settings: CnnSettings = recipe::read(args.recipe.as_deref(), &args.set)?;
    settings.seed = args.seed.unwrap_or(settings.seed);
    settings.check()?;
    let config = PerceptionConfig::strided(settings.features);
    let checkpoints = Checkpoints::open(&args.out)?;
    let open = |names: &[String]| names.iter().map(|name| Part::open(name)).collect::<anyhow::Result<Vec<_>>>();
    let (training, validation) = (open(&args.train)?, open(&args.val)?);

    // Frames are cut and resized as the network will see them: by an extractor of the untrained one.
    let untrained = TrainableCnn::new(&config, settings.seed)?.tensors(ndarray::Array1::ones(settings.features))?;
    let untrained = to_safetensors(&untrained, Storage::F32)?;
    let mut extractor = CellExtractor::load(&untrained, &config, Device::Cpu)?;
    let frames = training.iter().chain(&validation).map(Part::frames).sum();
    let bar = progress_bar(Some(frames)).with_message("frames read");
    let mut read = |parts: Vec<Part>| -> anyhow::Result<Vec<PictureDrive>> {
        let one = |part| PictureDrive::read(part, &mut extractor, interrupted(), || bar.inc(1));
        parts.into_iter().map(one).collect()
    };
    let (training, validation) = (read(training)?, read(validation)?);
    bar.finish_and_clear();

    let bar = progress_bar(Some(settings.steps as usize));
    let checkpoint = checkpoints.phase("cnn");
    let mut run = CnnTraining::open(&settings, &training, &validation, &checkpoint)?;
    let finished = run.run(&checkpoint, interrupted(), &mut |step, loss, validation| {
        bar.set_position(step);
        if let Some(validation) = validation {
            let rmse_rad = validation.rmse_rad;
            say(&bar, &format!("step {step:6}  loss {loss:.5} rad^2  validation {rmse_rad:.4} rad"));
        }
    })?;
    bar.finish_and_clear();
    if !finished {
        bail!("interrupted; the same command goes on from {}", checkpoint.display());
    }
    let (tensors, best) = run.finish()?;
    let figures = best.map_or(Value::Null, |best| json!({ "validation_rmse_rad": best.rmse_rad, "step": best.step }));
    let training = with_entry(Value::Null, entry(&settings, figures)?);
    let config = ModelConfig { perception: config, temporal: None, view: None, training };
    ModelParts { config, tensors: to_safetensors(&tensors, Storage::F16Matrices)? }.save(&args.out)?;
    checkpoints.finish(args.keep_checkpoints)?;
    crate::say!("written      {}", args.out.display())?;
    Ok(())
}
