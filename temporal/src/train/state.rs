//! The whole state of a training run, and its checkpoint file.
//!
//! One safetensors file holds the arrays and, as JSON in its metadata under `training`, everything else; it is written
//! beside its final name and renamed, so that a checkpoint is always whole. Random numbers are drawn from a stream chosen by
//! seed and step, so the step's number is all that a run needs to go on exactly as if it had never stopped.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::bptt::Carried;
use super::data::Window;
use super::error::TrainError;
use super::settings::TrainSettings;
use super::stream::StreamCount;
use crate::{config, weights::write_whole};

/// The figures of one validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Optimiser steps taken.
    pub step: u64,
    /// Error over all labelled frames of the validation drives, radians.
    pub rmse_rad: f64,
    /// Dense over executed multiply-accumulates of the GRU at the settings' thresholds, first frames included.
    pub savings: f64,
    /// Mean error at 0.9, 1 and 1.1 times the thresholds, radians.
    pub nearby_rmse_rad: f64,
    /// What is compared to find the best state: `nearby_rmse_rad * max(1, savings_target / savings)`.
    pub score: f64,
    /// The columns counted.
    pub count: StreamCount,
}

/// Everything besides the arrays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub settings: TrainSettings,
    /// A fingerprint of drives, labels and sizes.
    pub data: u64,
    /// Optimiser steps taken.
    pub step: u64,
    /// ln of the factor on the costs (`delta.savings`).
    pub log_cost: f32,
    /// Share of columns transmitted in the training windows, averaged over about ten steps.
    pub occupancy: Option<f64>,
    /// The windows of the last step, which the coming ones may follow on.
    pub windows: Vec<Window>,
    pub best: Option<Validation>,
    pub history: Vec<Validation>,
    /// Seconds trained so far, over all runs.
    pub elapsed_s: f64,
}

/// Record and arrays.
#[derive(Clone)]
pub(super) struct State {
    pub record: Record,
    pub values: Vec<f32>,
    pub average: Vec<f32>,
    pub moment1: Vec<f32>,
    pub moment2: Vec<f32>,
    /// The best state's averaged numbers.
    pub best: Vec<f32>,
    /// What the sequence inputs saved, and what they had saved in the best state.
    pub inputs: Vec<u8>,
    pub best_inputs: Vec<u8>,
    /// 1 where a weight lives, 0 where it is pruned.
    pub alive: Vec<f32>,
    /// The cell's state after the last step's windows.
    pub carried: Carried,
}

impl State {
    fn arrays(&self) -> [(&'static str, &Vec<f32>); 9] {
        [
            ("values", &self.values),
            ("average", &self.average),
            ("moment1", &self.moment1),
            ("moment2", &self.moment2),
            ("best", &self.best),
            ("alive", &self.alive),
            ("carried_h", &self.carried.h),
            ("carried_h_ref", &self.carried.h_ref),
            ("carried_x_ref", &self.carried.x_ref),
        ]
    }

    /// Writes the checkpoint.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let fail = |problem: String| TrainError::Checkpoint { path: path.into(), problem };
        let json = serde_json::to_string(&self.record).map_err(|e| fail(format!("cannot be written: {e}")))?;
        let mut views = Vec::new();
        for (name, array) in self.arrays() {
            let view = TensorView::new(Dtype::F32, vec![array.len()], bytemuck::cast_slice(array));
            views.push((name, view.map_err(|e| fail(format!("cannot be written: {e}")))?));
        }
        for (name, bytes) in [("inputs", &self.inputs), ("best_inputs", &self.best_inputs)] {
            let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes);
            views.push((name, view.map_err(|e| fail(format!("cannot be written: {e}")))?));
        }
        let bytes = safetensors::serialize(views, Some(HashMap::from([("training".to_owned(), json)])))
            .map_err(|e| fail(format!("cannot be written: {e}")))?;
        write_whole(path, &bytes).map_err(|e| fail(format!("cannot be written: {e}")))
    }

    /// Reads a checkpoint and checks that it belongs to these settings and data.
    pub fn load(
        path: &Path,
        settings: &TrainSettings,
        data: u64,
        len: usize,
        cold: &Carried,
    ) -> Result<Self, TrainError> {
        let fail = |problem: String| TrainError::Checkpoint { path: path.into(), problem };
        let bytes = fs::read(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|e| fail(format!("is no safetensors file: {e}")))?;
        let json = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get("training"))
            .ok_or_else(|| fail("has no `training` record".into()))?;
        let record: Record =
            serde_json::from_str(json).map_err(|e| fail(format!("its training record cannot be read: {e}")))?;
        if let Some(difference) = first_difference(&record.settings, settings) {
            return Err(fail(format!("was written with other settings: {difference}")));
        }
        if record.data != data {
            return Err(fail(
                "was written with other training data (drives, labels, features or initial weights)".into(),
            ));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| fail(format!("is damaged: {e}")))?;
        let array_of = |name: &str, len: usize| -> Result<Vec<f32>, TrainError> {
            let view = tensors.tensor(name).map_err(|e| fail(format!("tensor `{name}`: {e}")))?;
            if view.dtype() != Dtype::F32 || view.shape() != [len] {
                return Err(fail(format!(
                    "tensor `{name}` is {:?} {:?}, expected F32 [{len}]",
                    view.dtype(),
                    view.shape()
                )));
            }
            Ok(view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
        };
        let array = |name: &str| array_of(name, len);
        let bytes_of = |name: &str| {
            tensors.tensor(name).map(|view| view.data().to_vec()).map_err(|e| fail(format!("tensor `{name}`: {e}")))
        };
        let carried = Carried {
            h: array_of("carried_h", cold.h.len())?,
            h_ref: array_of("carried_h_ref", cold.h_ref.len())?,
            x_ref: array_of("carried_x_ref", cold.x_ref.len())?,
        };
        Ok(Self {
            record,
            carried,
            values: array("values")?,
            average: array("average")?,
            moment1: array("moment1")?,
            moment2: array("moment2")?,
            best: array("best")?,
            inputs: bytes_of("inputs")?,
            best_inputs: bytes_of("best_inputs")?,
            alive: array("alive")?,
        })
    }
}

/// Names the first setting in which two runs differ.
fn first_difference(then: &TrainSettings, now: &TrainSettings) -> Option<String> {
    let (then, now) = (serde_json::to_value(then).ok()?, serde_json::to_value(now).ok()?);
    let (path, then, now) = config::first_difference(&then, &now)?;
    Some(format!("`{path}` was {then}, now {now}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_differing_field() {
        let then = TrainSettings::default();
        let mut now = then.clone();
        assert_eq!(first_difference(&then, &now), None);
        now.optimiser.clip_norm = 7.0;
        let found = first_difference(&then, &now).unwrap();
        assert!(found.starts_with("`optimiser.clip_norm` was") && found.ends_with("now 7.0"), "{found}");
    }
}
