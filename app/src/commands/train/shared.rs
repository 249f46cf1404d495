//! What both trainings do before and after: find the trunk, keep checkpoints, note how a model was made.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use deltasteer_perception::{PerceptionConfig, Storage, from_safetensors, to_safetensors};
use deltasteer_temporal::train::{
    Control, Parameters, Progress, SequenceInputs, TrainSettings, Trained, TrainingData, train_rnn,
};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::drive::{interrupted, progress_bar};
use crate::model::{ModelParts, prefix};
use crate::text::clock;
use crate::training::data::Parts;
use crate::training::part::Part;
use crate::training::recipe::BackboneSettings;
use crate::training::targets::Targets;
use crate::{output, shipped};

/// The bytes of `trunk.*` with the settings around it: from a model folder, or a converted trunk with those of the recipe.
///
/// # Errors
/// A file or folder that holds no trunk.
pub fn trunk(from: &Path, recipe: &BackboneSettings) -> anyhow::Result<(Vec<u8>, PerceptionConfig)> {
    let (bytes, config) = if from.is_dir() || shipped::built_in(from).is_some() {
        let parts = ModelParts::load(from)?;
        (parts.tensors, parts.config.perception)
    } else {
        let bytes = std::fs::read(from).with_context(|| format!("{}: the converted trunk", from.display()))?;
        (bytes, recipe.config())
    };
    let mut trunk = from_safetensors(&bytes).with_context(|| from.display().to_string())?;
    // Blocks behind the last one that is used are of no use in the model.
    let block = |name: &str| name.strip_prefix("trunk.block")?.split('.').next()?.parse::<usize>().ok();
    trunk.retain(|name, _| prefix(name) == "trunk" && block(name).is_none_or(|block| block < config.trunk_blocks));
    if trunk.is_empty() {
        bail!("{}: holds no tensor trunk.*; expected a trunk as make backbone writes it", from.display());
    }
    // As it came: 16-bit floats lose nothing twice.
    Ok((to_safetensors(&trunk, Storage::F16)?, config))
}

/// How often a line says how far the work is, where no terminal shows a bar.
const SPEAK_EVERY: Duration = Duration::from_secs(10);

/// The folder of an unfinished training's checkpoints, inside the model folder that it will write.
pub struct Checkpoints(PathBuf);

impl Checkpoints {
    /// Makes the folder and finds out whether it can be written, before the long work starts.
    ///
    /// # Errors
    /// What the operating system says, with the path.
    pub fn open(model: &Path) -> anyhow::Result<Self> {
        let folder = Self::of(model);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        output::write_whole(&folder.join("command.txt"), command_line().as_bytes())?;
        Ok(Self(folder))
    }

    /// Where the checkpoints of a model folder lie.
    pub fn of(model: &Path) -> PathBuf {
        model.join(".training")
    }

    /// A file beside the checkpoints.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The file of one phase.
    pub fn phase(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.safetensors"))
    }

    /// Removes the folder after a finished training, unless it is to be kept.
    pub fn finish(self, keep: bool) -> anyhow::Result<()> {
        if keep {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.0).with_context(|| self.0.display().to_string())
    }
}

/// The command as typed, without the path of the program. The folder of recorded drives is named by the environment variable
/// that points to it, so that a model's config names no machine's folders.
pub fn command_line() -> String {
    let data = std::env::var("DELTASTEER_DATA").ok().filter(|folder| !folder.is_empty());
    let words = std::env::args().skip(1).map(|word| match &data {
        Some(folder) => word.replace(folder.trim_end_matches('/'), "$DELTASTEER_DATA"),
        None => word,
    });
    std::iter::once("deltasteer".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// One entry of the config's `training`: what was run, with which settings, and what it reached.
pub fn entry(recipe: &impl serde::Serialize, figures: Value) -> anyhow::Result<Value> {
    Ok(json!({ "command": command_line(), "recipe": serde_json::to_value(recipe)?, "reached": figures }))
}

/// `training` with one more entry.
pub fn with_entry(training: Value, entry: Value) -> Value {
    match training {
        Value::Array(mut entries) => {
            entries.push(entry);
            Value::Array(entries)
        }
        _ => Value::Array(vec![entry]),
    }
}

/// The drives with their trunk outputs in the cache.
///
/// # Errors
/// As [`Parts::fill`].
pub fn filled(mut parts: Parts) -> anyhow::Result<Parts> {
    let bar = progress_bar(Some(parts.frames())).with_message("frames through the trunk");
    parts.fill(interrupted(), &mut spoken(&bar))?;
    bar.finish_and_clear();
    Ok(parts)
}

/// Measures the motion of all drives.
///
/// # Errors
/// As [`Parts::fill_motion`].
pub fn measured(parts: &mut Parts) -> anyhow::Result<()> {
    let frames = parts.training.iter().chain(&parts.validation).map(Part::frames).sum();
    let bar = progress_bar(Some(frames)).with_message("frames measured");
    parts.fill_motion(interrupted(), &mut spoken(&bar))?;
    bar.finish_and_clear();
    Ok(())
}

/// Moves the bar on; where no terminal shows it, a line every now and then says how far it is.
fn spoken(bar: &ProgressBar) -> impl FnMut(usize) {
    let mut last = Instant::now();
    move |frames| {
        bar.inc(frames as u64);
        if bar.is_hidden() && last.elapsed() > SPEAK_EVERY {
            last = Instant::now();
            let (done, all, left) = (bar.position(), bar.length().unwrap_or_default(), clock(bar.eta().as_secs_f64()));
            crate::warn!("{}: {done} of {all}, {left} to go", bar.message());
        }
    }
}

/// One phase, resumable by its own checkpoint; `observe` sees every step.
///
/// # Errors
/// As [`train_rnn`], or a signal.
pub fn train_phase(
    number: usize,
    settings: &TrainSettings,
    initial: Option<&Parameters>,
    inputs: &mut dyn SequenceInputs,
    targets: &Targets,
    checkpoints: &Checkpoints,
    observe: &mut dyn FnMut(&Progress<'_>),
) -> anyhow::Result<Trained> {
    let bar = progress_bar(Some(settings.steps as usize)).with_message(format!("phase {number}"));
    let checkpoint = checkpoints.phase(&format!("phase{number}"));
    let control = Control { checkpoint: Some(&checkpoint), interrupt: Some(interrupted()), ..Control::default() };
    let Targets { sequences, validation, loss } = targets;
    let data = TrainingData { training: sequences, validation: *validation, inputs, loss };
    let trained = train_rnn(data, settings, initial, control, &mut |progress| {
        observe(progress);
        report(&bar, number, progress);
    })?;
    bar.finish_and_clear();
    if !trained.finished {
        bail!("interrupted; the same command goes on from {}", checkpoint.display());
    }
    Ok(trained)
}

fn report(bar: &ProgressBar, phase: usize, progress: &Progress<'_>) {
    bar.set_position(progress.step);
    let Progress { step, steps, loss, window_savings, elapsed_s, .. } = *progress;
    let validation =
        progress.validation.map(|found| format!("validation {:.4} rad {:6.1}x  ", found.error, found.savings));
    // Without validation drives nothing else would be said where no terminal shows the bar.
    if validation.is_some() || (bar.is_hidden() && step.is_multiple_of(steps.div_ceil(8))) {
        let left = clock(elapsed_s / step.max(1) as f64 * (steps - step) as f64);
        let validation = validation.unwrap_or_default();
        say(
            bar,
            &format!(
                "phase {phase} step {step:6}  loss {loss:.5}  window savings {window_savings:6.1}x  {validation}{elapsed_s:.0} s, \
                 {left} to go"
            ),
        );
    }
}

/// Prints a line above the bar; where no terminal listens, on standard error.
pub fn say(bar: &ProgressBar, line: &str) {
    if bar.is_hidden() { crate::warn!("{line}") } else { bar.println(line) }
}
