//! The settings of a training: defaults, then a file, then single fields by `--set`.

use std::path::Path;

use anyhow::{Context, bail};
use deltasteer_perception::motion::MotionConfig;
use deltasteer_perception::{BackboneName, CnnSchedule, PerceptionConfig};
use deltasteer_temporal::train::TrainSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::data::DriveSettings;
use super::joint::LayerSettings;

/// Which frozen network, how much of it, and the cells that its output is averaged to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackboneSettings {
    /// Its name.
    pub name: BackboneName,
    /// How many of its blocks are used.
    pub blocks: usize,
    /// Cells from left to right.
    pub cells_across: usize,
    /// Cells from top to bottom.
    pub cells_down: usize,
}

impl Default for BackboneSettings {
    fn default() -> Self {
        let PerceptionConfig { trunk, trunk_blocks, cells_across, cells_down, .. } = PerceptionConfig::default();
        Self { name: trunk, blocks: trunk_blocks, cells_across, cells_down }
    }
}

impl BackboneSettings {
    /// The usual pre-processing in front of this network.
    pub fn config(&self) -> PerceptionConfig {
        let Self { name, blocks, cells_across, cells_down } = *self;
        PerceptionConfig { trunk: name, trunk_blocks: blocks, cells_across, cells_down, ..PerceptionConfig::default() }
    }
}

/// Settings of `train rnn`: one or more phases, each of which starts from what the one before it has learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RnnRecipe {
    /// Drives to coordinates.
    pub drives: DriveSettings,
    /// The frozen network; not used with frozen features or the trunk of a model folder.
    pub backbone: BackboneSettings,
    /// The frames that the CNN runs on, in training as at run time; on the others its last features stand.
    pub cnn: CnnSchedule,
    /// Features of a layer that is trained together with the RNN; not used with frozen features.
    pub features: usize,
    /// Ego-motion beside the features; its scale is measured on the training drives.
    pub motion: Option<MotionConfig>,
    /// The phases in their order.
    pub phases: Vec<Phase>,
}

/// One phase of `train rnn`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Phase {
    /// The RNN's training.
    pub rnn: TrainSettings,
    /// How the feature layer is held back from memorising; not used with frozen features.
    pub layer: LayerSettings,
}

impl Default for RnnRecipe {
    fn default() -> Self {
        let (drives, backbone) = (DriveSettings::default(), BackboneSettings::default());
        let (cnn, phases) = (CnnSchedule::default(), vec![Phase::default()]);
        Self { drives, backbone, cnn, features: 32, motion: None, phases }
    }
}

/// Reads a recipe: the defaults, what `file` says otherwise, then each `FIELD=VALUE` of `set`.
///
/// # Errors
/// Names the file, or the field that does not exist or takes no such value.
pub fn read<R: Default + Serialize + DeserializeOwned>(file: Option<&Path>, set: &[String]) -> anyhow::Result<R> {
    let recipe = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            serde_json::from_str(&text).with_context(|| path.display().to_string())?
        }
        None => R::default(),
    };
    with(recipe, set)
}

/// The recipe with each `FIELD=VALUE` of `set`.
///
/// # Errors
/// Names the field that does not exist or takes no such value.
pub fn with<R: Serialize + DeserializeOwned>(mut recipe: R, set: &[String]) -> anyhow::Result<R> {
    for one in set {
        let Some((field, value)) = one.split_once('=') else {
            bail!("--set {one}: expected FIELD=VALUE");
        };
        recipe = with_field(&recipe, field, value).with_context(|| format!("--set {one}"))?;
    }
    Ok(recipe)
}

/// The recipe with one field changed. A field that is `null` may be entered, as `phases.0.rnn.delta.l1_h`.
fn with_field<R: Serialize + DeserializeOwned>(recipe: &R, field: &str, value: &str) -> anyhow::Result<R> {
    let mut root = serde_json::to_value(recipe)?;
    let mut place = &mut root;
    for name in field.split('.') {
        if place.is_null() {
            *place = Value::Object(Default::default());
        }
        place = match place {
            Value::Array(items) => {
                let count = items.len();
                let index: usize = name.parse().with_context(|| format!("{name} is no place in a list"))?;
                items.get_mut(index).with_context(|| format!("{name}: the list holds {count}"))?
            }
            Value::Object(fields) => fields.entry(name).or_insert(Value::Null),
            _ => bail!("{name}: there is no field under a plain value"),
        };
    }
    // What is no JSON is a word.
    *place = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok(serde_json::from_value(root)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &[&str]) -> anyhow::Result<RnnRecipe> {
        read(None, &text.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn fields_are_set_by_their_path() {
        let recipe =
            set(&["phases.0.rnn.hidden_size=32", "phases.0.rnn.delta.l1_h=0.001", "drives.versions=2"]).unwrap();
        assert_eq!(recipe.phases[0].rnn.hidden_size, 32);
        assert_eq!(recipe.phases[0].rnn.delta.as_ref().unwrap().l1_h, 0.001);
        assert_eq!(recipe.drives.versions, 2);
    }

    #[test]
    fn every_recipe_of_the_repository_can_be_read() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let mut read_recipes = 0;
        for folder in std::fs::read_dir(models).unwrap().map(|entry| entry.unwrap().path()) {
            for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                let recipe =
                    name == "recipe.json" || (file.parent().unwrap().ends_with("recipes") && name.ends_with(".json"));
                if recipe && name == "paper-cnn.json" {
                    read::<crate::training::cnn::CnnSettings>(Some(&file), &[]).unwrap();
                } else if recipe {
                    read::<RnnRecipe>(Some(&file), &[]).unwrap();
                }
                read_recipes += usize::from(recipe);
            }
        }
        assert!(read_recipes > 3, "{read_recipes} recipes found");
    }

    #[test]
    fn unknown_fields_and_wrong_values_are_named() {
        for (text, named) in
            [("phases.0.rnn.hiden=3", "hiden"), ("phases.7.rnn.batch=3", "holds 1"), ("phases.0.rnn.batch=x", "x")]
        {
            let message = format!("{:#}", set(&[text]).unwrap_err());
            assert!(message.contains(named) && message.contains(text), "{message}");
        }
    }
}
