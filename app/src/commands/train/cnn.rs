//! `train cnn`: a whole CNN from scratch on single frames, the front end of the delta network paper.

use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use deltasteer_data::rgb_bytes;
use deltasteer_perception::train::{CnnSettings, Control, PictureDrive, train_cnn};
use deltasteer_perception::{PerceptionConfig, Storage, to_safetensors};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::shared::{Checkpoints, entry, say, with_entry};
use crate::cli::TrainArgs;
use crate::drive::{interrupted, progress_bar};
use crate::model::{ModelConfig, ModelParts};
use crate::training::part::Part;
use crate::training::recipe;

/// Runs `train cnn`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let mut settings: CnnSettings = recipe::read(args.recipe.as_deref(), &args.set)?;
    settings.seed = args.seed.unwrap_or(settings.seed);
    let config = PerceptionConfig::strided(settings.features);
    config.validate()?;
    let checkpoints = Checkpoints::open(&args.out)?;
    let open = |names: &[String]| names.iter().map(|name| Part::open(name)).collect::<anyhow::Result<Vec<_>>>();
    let (training, validation) = (open(&args.train)?, open(&args.val)?);
    let frames = training.iter().chain(&validation).map(Part::frames).sum();
    let bar = progress_bar(Some(frames)).with_message("frames read");
    let read = |parts: Vec<Part>| -> anyhow::Result<Vec<PictureDrive>> {
        parts.into_iter().map(|part| pictures(part, &config, &bar)).collect()
    };
    let (training, validation) = (read(training)?, read(validation)?);
    bar.finish_and_clear();

    let bar = progress_bar(Some(settings.steps as usize));
    let checkpoint = checkpoints.phase("cnn");
    let control = Control { checkpoint: Some(&checkpoint), interrupt: Some(interrupted()) };
    let trained = train_cnn(&training, &validation, &settings, control, |progress| {
        bar.set_position(progress.step);
        if let Some(validation) = progress.validation {
            let (step, loss, rmse_rad) = (progress.step, progress.loss, validation.rmse_rad);
            say(&bar, &format!("step {step:6}  loss {loss:.5} rad^2  validation {rmse_rad:.4} rad"));
        }
    })?;
    bar.finish_and_clear();
    if !trained.finished {
        bail!("interrupted; the same command goes on from {}", checkpoint.display());
    }
    let figures =
        trained.best.map_or(Value::Null, |best| json!({ "validation_rmse_rad": best.rmse_rad, "step": best.step }));
    let training = with_entry(Value::Null, entry(&settings, figures)?);
    let config = ModelConfig { perception: config, temporal: None, training };
    let tensors = to_safetensors(&trained.tensors, Storage::F16Matrices)?;
    ModelParts { config, tensors }.save(&args.out)?;
    checkpoints.finish(args.keep_checkpoints)?;
    println!("written      {}", args.out.display());
    Ok(())
}

/// The frames of a part of a drive, as the CNN sees them, in memory.
fn pictures(mut part: Part, config: &PerceptionConfig, bar: &ProgressBar) -> anyhow::Result<PictureDrive> {
    let mut drive = PictureDrive::new(part.name.clone(), config);
    part.source.seek(part.range.first)?;
    while let Some(frame) = part.source.next_frame().with_context(|| part.name.clone())? {
        if frame.index >= part.range.end {
            break;
        }
        if interrupted().load(Ordering::Relaxed) {
            bail!("interrupted while frames were read");
        }
        let (image, angle) = (&frame.image, part.info.steering_true_rad.get(frame.index).copied().flatten());
        drive.push(rgb_bytes(image), image.dim().1, image.dim().0, angle).with_context(|| part.name.clone())?;
        bar.inc(1);
    }
    if drive.frames() == 0 {
        bail!("{}: not one frame could be read", part.name);
    }
    Ok(drive)
}
