//! The whole state of a training run on single frames (of the feature layer or of a whole CNN), and its file: arrays as
//! safetensors, the rest as JSON in its header.

use super::optimiser::{AdamW, average};
use super::single_frame::Validation;
use crate::error::PerceptionError;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// Everything besides the arrays; `S` are the settings of the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record<S> {
    pub settings: S,
    /// Fingerprint of the drives.
    pub data: u64,
    /// Optimiser steps taken.
    pub step: u64,
    pub best: Option<Validation>,
    pub history: Vec<Validation>,
}

/// Record and arrays; each holds one value a parameter, the steering output's weights and bias last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State<S> {
    pub record: Record<S>,
    pub parameters: Vec<f32>,
    pub average: Vec<f32>,
    pub moment1: Vec<f32>,
    pub moment2: Vec<f32>,
    pub best: Vec<f32>,
}

const NAMES: [&str; 5] = ["parameters", "average", "moment1", "moment2", "best"];

impl<S: Clone + Serialize + DeserializeOwned> State<S> {
    /// What `checkpoint` holds, if it exists, else a run that starts from `parameters`.
    pub fn open(
        checkpoint: Option<&Path>,
        settings: &S,
        data: u64,
        parameters: Vec<f32>,
    ) -> Result<Self, PerceptionError> {
        if let Some(path) = checkpoint.filter(|path| path.exists()) {
            return Self::load(path, settings, data, parameters.len());
        }
        let AdamW { moment1, moment2 } = AdamW::new(parameters.len());
        let record = Record { settings: settings.clone(), data, step: 0, best: None, history: Vec::new() };
        Ok(Self { record, average: parameters.clone(), best: parameters.clone(), parameters, moment1, moment2 })
    }

    /// The parameters of the best validation; the averaged ones where there was none.
    pub fn kept(&self) -> &[f32] {
        if self.record.best.is_some() { &self.best } else { &self.average }
    }

    /// One step of the optimiser along `gradient`, and of the averaged weights behind it.
    pub fn descend(
        &mut self,
        rate: f32,
        weight_decay: f32,
        decays: impl Fn(usize) -> bool,
        averaging: f32,
        gradient: &[f32],
    ) {
        let step = self.record.step;
        let mut adam = AdamW { moment1: std::mem::take(&mut self.moment1), moment2: std::mem::take(&mut self.moment2) };
        adam.step(step, rate, weight_decay, decays, &mut self.parameters, gradient);
        average(&mut self.average, &self.parameters, averaging, step);
        (self.moment1, self.moment2) = (adam.moment1, adam.moment2);
        self.record.step += 1;
    }

    /// Notes a validation of the averaged weights, and keeps them where they are the best so far.
    pub fn keep_if_best(&mut self, validation: Validation) {
        self.record.history.push(validation);
        if self.record.best.is_none_or(|best| validation.rmse_rad < best.rmse_rad) {
            self.record.best = Some(validation);
            self.best.clone_from(&self.average);
        }
    }

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
    fn load(path: &Path, settings: &S, data: u64, length: usize) -> Result<Self, PerceptionError> {
        let fail = |reason: String| PerceptionError::file(path, reason);
        let bytes = std::fs::read(path).map_err(|error| PerceptionError::file(path, error))?;
        let unreadable = |_| fail("not a checkpoint of this training".into());
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(unreadable)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
        let json = header.metadata().as_ref().and_then(|header| header.get("training"));
        let record: Record<S> = json
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
fn differing_field<S: Serialize>(a: &S, b: &S) -> Option<String> {
    let (a, b) = (serde_json::to_value(a).ok()?, serde_json::to_value(b).ok()?);
    let (a, b) = (a.as_object()?, b.as_object()?);
    a.iter().find(|(field, value)| b.get(*field) != Some(value)).map(|(field, _)| field.clone())
}
