//! The whole state of a training run on single frames, and its file: arrays as safetensors, the rest as JSON in its header.

use super::settings::FeatureSettings;
use super::single_frame::Validation;
use crate::error::PerceptionError;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// Everything besides the arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub settings: FeatureSettings,
    /// Fingerprint of the drives.
    pub data: u64,
    /// Optimiser steps taken.
    pub step: u64,
    pub best: Option<Validation>,
    pub history: Vec<Validation>,
}

/// Record and arrays; each holds the layer's parameters, then the head's weights and bias.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub record: Record,
    pub parameters: Vec<f32>,
    pub average: Vec<f32>,
    pub moment1: Vec<f32>,
    pub moment2: Vec<f32>,
    pub best: Vec<f32>,
}

const NAMES: [&str; 5] = ["parameters", "average", "moment1", "moment2", "best"];

impl State {
    /// Writes the checkpoint beside its name, then renames it.
    pub fn save(&self, path: &Path) -> Result<(), PerceptionError> {
        let fail = |error: &dyn std::fmt::Display| PerceptionError::file(path, error);
        let json = serde_json::to_string(&self.record).map_err(|error| fail(&error))?;
        let arrays = [&self.parameters, &self.average, &self.moment1, &self.moment2, &self.best];
        let views = NAMES
            .into_iter()
            .zip(arrays)
            .map(|(name, array)| {
                Ok((name, TensorView::new(Dtype::F32, vec![array.len()], bytemuck::cast_slice(array))?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| fail(&error))?;
        let header = HashMap::from([("training".to_owned(), json)]);
        let bytes = safetensors::serialize(views, Some(header)).map_err(|error| fail(&error))?;
        crate::files::write_whole(path, &bytes)
    }

    /// Reads a checkpoint of the same settings, data and size.
    pub fn load(path: &Path, settings: &FeatureSettings, data: u64, length: usize) -> Result<Self, PerceptionError> {
        let fail = |reason: String| PerceptionError::file(path, reason);
        let bytes = std::fs::read(path).map_err(|error| PerceptionError::file(path, error))?;
        let unreadable = |_| fail("not a checkpoint of this training".into());
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(unreadable)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
        let json = header.metadata().as_ref().and_then(|header| header.get("training"));
        let record: Record = json
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or_else(|| fail("holds no training record".into()))?;
        if let Some(field) = differing_field(&record.settings, settings) {
            return Err(fail(format!(
                "was written with another {field}; give the same settings or another checkpoint"
            )));
        }
        if record.data != data {
            return Err(fail("was written for other drives; give the same data or another checkpoint".into()));
        }
        let array = |name: &str| -> Result<Vec<f32>, PerceptionError> {
            let tensor = tensors.tensor(name).map_err(|_| fail(format!("lacks {name}")))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != [length] {
                return Err(fail(format!("{name} has shape {:?}, expected [{length}]", tensor.shape())));
            }
            Ok(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
        };
        let [parameters, average, moment1, moment2, best] = NAMES.map(array);
        Ok(Self {
            record,
            parameters: parameters?,
            average: average?,
            moment1: moment1?,
            moment2: moment2?,
            best: best?,
        })
    }
}

/// The name of the first setting that differs.
fn differing_field(a: &FeatureSettings, b: &FeatureSettings) -> Option<String> {
    let (a, b) = (serde_json::to_value(a).ok()?, serde_json::to_value(b).ok()?);
    let (a, b) = (a.as_object()?, b.as_object()?);
    a.iter().find(|(field, value)| b.get(*field) != Some(value)).map(|(field, _)| field.clone())
}
