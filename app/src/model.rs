//! The model folder: `config.json` and `model.safetensors`, loaded whole and saved whole.
//!
//! `config.json` holds one object per crate, read by that crate, and `training`, how the model was made.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use deltasteer_data::SourceInfo;
use deltasteer_perception::motion::MotionSensor;
use deltasteer_perception::{CnnSchedule, Device, FeatureExtractor, PerceptionConfig, PerceptionError};
use deltasteer_temporal::{RnnConfig, RnnWeights, Thresholds};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::view::TrainingView;
use crate::{output, shipped};

/// File name of the weights inside a model folder.
const WEIGHTS: &str = "model.safetensors";
/// File name of the settings inside a model folder.
const CONFIG: &str = "config.json";

/// `config.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// What the CNN looks at and how it is laid out.
    pub perception: PerceptionConfig,
    /// Sizes and thresholds of the RNN; absent while only the feature layer is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporal: Option<RnnConfig>,
    /// The view of the drives that it was trained on; absent in models of the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<TrainingView>,
    /// How it was made: one entry per training command, in the order in which they ran.
    #[serde(default)]
    pub training: serde_json::Value,
}

/// A loaded model: checked, and shared between threads.
pub struct Model {
    folder: PathBuf,
    config: ModelConfig,
    thresholds: Thresholds,
    tensors: Vec<u8>,
    rnn: Arc<RnnWeights>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("folder", &self.folder).field("config", &self.config).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads and checks a model folder.
    ///
    /// # Errors
    /// Name the file, and the field or tensor in it that is missing, mis-shaped or not finite.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let parts = ModelParts::load(folder)?;
        let weights = folder.join(WEIGHTS);
        let Some(temporal) = &parts.config.temporal else {
            bail!(
                "{}: field temporal is missing: the RNN is not trained yet (train rnn)",
                folder.join(CONFIG).display()
            );
        };
        let outputs = temporal.head.map_or(0, |head| head.output_size);
        for (field, found, name, expected) in [
            (
                "input_size",
                temporal.input_size,
                "features and motion values, ",
                parts.config.perception.rnn_input_count(),
            ),
            ("num_layers", temporal.num_layers, "", 1),
            ("bidirectional", usize::from(temporal.bidirectional), "", 0),
            ("head.output_size", outputs, "", 1),
        ] {
            if found != expected {
                let path = folder.join(CONFIG);
                bail!("{}: temporal.{field} is {found}, expected {name}{expected}", path.display());
            }
        }
        let rnn = RnnWeights::load(&parts.tensors, temporal).with_context(|| weights.display().to_string())?;
        let thresholds = temporal.thresholds[0];
        let model = Self { folder: folder.to_owned(), thresholds, rnn, config: parts.config, tensors: parts.tensors };
        model.extractor(Device::Cpu)?;
        Ok(model)
    }

    /// A front end of one's own on `device`: it keeps buffers, so each thread builds one.
    ///
    /// # Errors
    /// Name the tensor that is missing, mis-shaped or not finite, or a device that cannot be used.
    pub fn extractor(&self, device: Device) -> anyhow::Result<FeatureExtractor> {
        FeatureExtractor::load(&self.tensors, &self.config.perception, device)
            .with_context(|| self.folder.join(WEIGHTS).display().to_string())
    }

    /// The motion sensor for a source's camera, whose values follow the features; `None` where the RNN takes features alone.
    ///
    /// # Errors
    /// A camera without a focal length.
    pub fn motion_sensor(&self, info: &SourceInfo) -> Result<Option<MotionSensor>, PerceptionError> {
        let focal_widths = info.camera.focal_px / info.width as f32;
        let config = self.config.perception.motion.as_ref();
        config.map(|config| MotionSensor::new(config, Some(focal_widths))).transpose()
    }

    /// How the source's camera looks unlike those of the training drives.
    pub fn view_note(&self, info: &SourceInfo) -> Option<String> {
        self.config.view.unwrap_or_default().difference(info)
    }

    /// What a reader of this model's figures must know.
    pub fn remark(&self) -> Option<&'static str> {
        self.config.perception.remark()
    }

    /// The frames that the CNN runs on: those of `asked`, or else of the model's own setting.
    ///
    /// # Errors
    /// A rule that needs motion values, which this model has not.
    pub fn schedule(&self, asked: Option<CnnSchedule>) -> anyhow::Result<CnnSchedule> {
        let config = &self.config.perception;
        let schedule = asked.unwrap_or(config.schedule);
        if schedule.needs_motion() && config.motion.is_none() {
            bail!("--cnn {schedule} needs a model with ego-motion, and {} has none; expected every:N", self.name());
        }
        Ok(schedule)
    }

    /// The bytes of `model.safetensors`.
    pub fn tensors(&self) -> &[u8] {
        &self.tensors
    }

    /// Twelve hexadecimal digits that change with any weight or setting.
    ///
    /// # Errors
    /// Settings that cannot be written as JSON.
    pub fn fingerprint(&self) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        hash.update(&self.tensors);
        hash.update(serde_json::to_vec(&self.config)?);
        Ok(hex(hash))
    }

    /// As [`Model::fingerprint`], of everything before the RNN: models that agree in it give the same features.
    ///
    /// # Errors
    /// As [`Model::fingerprint`].
    pub fn feature_key(&self) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&self.config.perception)?);
        let tensors = SafeTensors::deserialize(&self.tensors)?;
        let mut named = tensors.tensors();
        named.retain(|(name, _)| !["rnn", "head", "single_frame"].contains(&prefix(name)));
        named.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, tensor) in named {
            hash.update(name);
            hash.update(tensor.data());
        }
        Ok(hex(hash))
    }

    /// The shared RNN weights with their head.
    pub fn rnn(&self) -> Arc<RnnWeights> {
        self.rnn.clone()
    }

    /// The thresholds stored with the model.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// The folder as the user gave it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last part of the folder's name.
    pub fn name(&self) -> String {
        let full = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        full.file_name().map_or_else(|| self.folder.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    /// `config.json` as read.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// A model folder as it lies on disk; the RNN may still be missing.
pub struct ModelParts {
    /// `config.json`.
    pub config: ModelConfig,
    /// The bytes of `model.safetensors`.
    pub tensors: Vec<u8>,
}

impl ModelParts {
    /// Reads both files.
    ///
    /// # Errors
    /// A folder or file that is not there, or a config that cannot be understood, by line and field.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        if let Some(built_in) = shipped::built_in(folder) {
            let (config, tensors) = built_in?;
            let config = serde_json::from_str(config).with_context(|| folder.display().to_string())?;
            return Ok(Self { config, tensors: tensors.to_owned() });
        }
        if !folder.is_dir() {
            bail!("{}: no such model folder; expected one with {CONFIG} and {WEIGHTS}", folder.display());
        }
        let path = folder.join(CONFIG);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let config = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let path = folder.join(WEIGHTS);
        let tensors = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(Self { config, tensors })
    }

    /// Replaces every tensor whose prefix (the name up to the first dot) occurs in `newer`, and adds the rest of `newer`.
    ///
    /// # Errors
    /// Bytes that are no safetensors file.
    pub fn merge(&mut self, newer: &[u8]) -> anyhow::Result<()> {
        self.tensors = merge_tensors(&self.tensors, newer)?;
        Ok(())
    }

    /// Writes both files, each complete or not at all; the folder is made if need be.
    ///
    /// # Errors
    /// What the operating system says, with the path.
    pub fn save(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        output::write_whole(&folder.join(WEIGHTS), &self.tensors)?;
        let mut text = serde_json::to_string_pretty(&self.config)?;
        text.push('\n');
        output::write_whole(&folder.join(CONFIG), text.as_bytes())
    }
}

/// The part of a tensor's name up to the first dot: the layer group that it belongs to.
pub fn prefix(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The tensors of `older` and `newer` in one file; a prefix that `newer` knows is taken from there alone.
fn merge_tensors(older: &[u8], newer: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut metadata: HashMap<String, String> = HashMap::new();
    for bytes in [older, newer] {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        metadata.extend(header.metadata().clone().unwrap_or_default());
    }
    let (older, newer) = (SafeTensors::deserialize(older)?, SafeTensors::deserialize(newer)?);
    let replaced: Vec<&str> = newer.names().into_iter().map(prefix).collect();
    let kept = older.tensors().into_iter().filter(|(name, _)| !replaced.contains(&prefix(name)));
    let mut all: Vec<_> = kept.chain(newer.tensors()).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let metadata = (!metadata.is_empty()).then_some(metadata);
    Ok(safetensors::serialize(all, metadata)?)
}

/// True for a folder that holds both files of a model.
pub fn is_model_folder(folder: &Path) -> bool {
    folder.join(CONFIG).is_file() && folder.join(WEIGHTS).is_file()
}
