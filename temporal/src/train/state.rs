//! The whole state of a training run, and its checkpoint file.
//!
//! One safetensors file holds the arrays and, as JSON in its metadata under `training`, everything else; it is written under a
//! name of its own and renamed, so that a checkpoint is always whole. Random numbers are drawn from a stream chosen by
//! seed and step, so the step's number is all that a run needs to go on exactly as if it had never stopped.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::data::Window;
use super::error::TrainError;
use super::layer::CellState;
use super::settings::TrainSettings;
use super::validation::Validation;
use crate::{config, weights::write_whole};

/// Everything besides the arrays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub settings: TrainSettings,
    /// A fingerprint of sequences, features, targets and starting weights.
    pub data: u64,
    /// Optimiser steps taken.
    pub step: u64,
    /// ln of the factor on the costs (`delta.target_savings`).
    pub log_cost: f32,
    /// Share of active columns in the training windows, averaged over about ten steps.
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
    /// Their exponential moving average.
    pub average: Vec<f32>,
    pub moment1: Vec<f32>,
    pub moment2: Vec<f32>,
    /// The best state's averaged numbers.
    pub best: Vec<f32>,
    /// 0 where a weight is pruned, else 1.
    pub mask: Vec<f32>,
    /// What the sequence inputs saved, and what they had saved in the best state.
    pub inputs: Vec<u8>,
    pub best_inputs: Vec<u8>,
    /// The state of each cell after the last step's windows.
    pub carried: Vec<CellState>,
}

impl State {
    /// Before the first step.
    pub fn fresh(settings: &TrainSettings, data: u64, values: Vec<f32>, carried: Vec<CellState>) -> Self {
        let zeros = vec![0.0; values.len()];
        let record = Record {
            settings: settings.clone(),
            data,
            step: 0,
            log_cost: 0.0,
            occupancy: None,
            windows: Vec::new(),
            best: None,
            history: Vec::new(),
            elapsed_s: 0.0,
        };
        Self {
            record,
            average: values.clone(),
            best: values.clone(),
            moment1: zeros.clone(),
            moment2: zeros,
            mask: vec![1.0; values.len()],
            inputs: Vec::new(),
            best_inputs: Vec::new(),
            carried,
            values,
        }
    }

    /// Every array with its name in the file.
    fn arrays(&mut self) -> Vec<(String, &mut Vec<f32>)> {
        let Self { values, average, moment1, moment2, best, mask, carried, .. } = self;
        let mut arrays: Vec<(String, &mut Vec<f32>)> = [
            ("values", values),
            ("average", average),
            ("moment1", moment1),
            ("moment2", moment2),
            ("best", best),
            ("mask", mask),
        ]
        .map(|(name, array)| (name.to_string(), array))
        .into();
        for (cell, state) in carried.iter_mut().enumerate() {
            arrays.push((format!("carried{cell}_h"), &mut state.h));
            arrays.push((format!("carried{cell}_h_ref"), &mut state.h_ref));
            arrays.push((format!("carried{cell}_x_ref"), &mut state.x_ref));
        }
        arrays
    }

    /// Writes the checkpoint.
    pub fn save(&mut self, path: &Path) -> Result<(), TrainError> {
        let fail = |problem: String| TrainError::Checkpoint { path: path.into(), problem };
        let unwritten = |error: &dyn std::fmt::Display| fail(format!("cannot be written: {error}"));
        let json = serde_json::to_string(&self.record).map_err(|e| unwritten(&e))?;
        let (inputs, best_inputs) = (self.inputs.clone(), self.best_inputs.clone());
        let arrays = self.arrays();
        let mut views = Vec::new();
        for (name, array) in &arrays {
            let view = TensorView::new(Dtype::F32, vec![array.len()], bytemuck::cast_slice(array));
            views.push((name.as_str(), view.map_err(|e| unwritten(&e))?));
        }
        for (name, bytes) in [("inputs", &inputs), ("best_inputs", &best_inputs)] {
            let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes);
            views.push((name, view.map_err(|e| unwritten(&e))?));
        }
        let bytes = safetensors::serialize(views, Some(HashMap::from([("training".to_owned(), json)])))
            .map_err(|e| unwritten(&e))?;
        write_whole(path, &bytes).map_err(|e| unwritten(&e))
    }

    /// Reads a checkpoint in place of this fresh state, and checks that it belongs to the same settings and data.
    pub fn load(mut self, path: &Path) -> Result<Self, TrainError> {
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
        if let Some(difference) = first_difference(&record.settings, &self.record.settings) {
            return Err(fail(format!("was written with other settings: {difference}")));
        }
        if record.data != self.record.data {
            let problem = "was written with other training data (sequences, features, targets or initial weights)";
            return Err(fail(problem.into()));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| fail(format!("is damaged: {e}")))?;
        for (name, array) in self.arrays() {
            let view = tensors.tensor(&name).map_err(|e| fail(format!("tensor `{name}`: {e}")))?;
            if view.dtype() != Dtype::F32 || view.shape() != [array.len()] {
                let (dtype, shape, length) = (view.dtype(), view.shape(), array.len());
                return Err(fail(format!("tensor `{name}` is {dtype:?} {shape:?}, expected F32 [{length}]")));
            }
            array.iter_mut().zip(view.data().as_chunks().0).for_each(|(to, b)| *to = f32::from_le_bytes(*b));
        }
        for (name, to) in [("inputs", &mut self.inputs), ("best_inputs", &mut self.best_inputs)] {
            let view = tensors.tensor(name).map_err(|e| fail(format!("tensor `{name}`: {e}")))?;
            *to = view.data().to_vec();
        }
        self.record = record;
        Ok(self)
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
