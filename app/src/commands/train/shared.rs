//! What both trainings do before and after: find the trunk, keep checkpoints, note how a model was made.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use deltasteer_perception::{PerceptionConfig, Storage, from_safetensors, to_safetensors};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::model::{ModelParts, prefix};
use crate::output;
use crate::training::recipe::BackboneSettings;

/// The bytes of `trunk.*` with the settings around it: from a model folder, or a converted trunk with those of the recipe.
///
/// # Errors
/// A file or folder that holds no trunk.
pub fn trunk(from: &Path, recipe: &BackboneSettings) -> anyhow::Result<(Vec<u8>, PerceptionConfig)> {
    let (bytes, config) = if from.is_dir() {
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

/// The folder of an unfinished training's checkpoints, inside the model folder that it will write.
pub struct Checkpoints(PathBuf);

impl Checkpoints {
    /// Makes the folder and finds out whether it can be written, before the long work starts.
    ///
    /// # Errors
    /// What the operating system says, with the path.
    pub fn open(model: &Path) -> anyhow::Result<Self> {
        let folder = model.join(".training");
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        output::write_whole(&folder.join("command.txt"), command_line().as_bytes())?;
        Ok(Self(folder))
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

/// Prints a line above the bar; where no terminal listens, on standard error.
pub fn say(bar: &ProgressBar, line: &str) {
    if bar.is_hidden() { crate::warn!("{line}") } else { bar.println(line) }
}
