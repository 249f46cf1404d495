//! Trainable tensors with their optimiser, their moving average and their bytes.

use crate::error::PerceptionError;
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var, safetensors::load_buffer};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use std::collections::HashMap;

/// A short memory: trainings are a few hundred to a few thousand steps.
const BETA2: f64 = 0.99;
/// Steps over which the learning rate rises after the moments started anew.
const RISE: u32 = 10;

/// One step of the optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimiserStep {
    /// Learning rate.
    pub rate: f32,
    /// Weight decay per unit of learning rate, of matrices and convolutions.
    pub decay: f32,
    /// Factor on the gradient, below 1 where a norm was clipped.
    pub scale: f32,
    /// Share of the moving average that stays.
    pub keep: f32,
}

/// Named variables. Those of two dimensions and more decay, biases do not.
pub(crate) struct Variables {
    variables: Vec<(String, Var)>,
    averages: Vec<Tensor>,
    /// Of the variables that decay, and of the others. candle's AdamW keeps its moments to itself, so that a resumed run could
    /// not go on with them: they start anew at every [`Variables::save`], of which an uninterrupted run has just as many.
    optimisers: [AdamW; 2],
    steps_since_start: u32,
}

impl Variables {
    pub fn new(variables: Vec<(String, Var)>) -> Result<Self, PerceptionError> {
        let averages = variables.iter().map(|(_, var)| var.as_detached_tensor().copy()).collect::<Result<_, _>>()?;
        let optimisers = optimisers(&variables)?;
        Ok(Self { variables, averages, optimisers, steps_since_start: 0 })
    }

    /// The variable `index`, in the order of [`Variables::new`].
    pub fn get(&self, index: usize) -> &Var {
        &self.variables[index].1
    }

    /// The name of variable `index`.
    pub fn name(&self, index: usize) -> &str {
        &self.variables[index].0
    }

    /// The moving average of variable `index`.
    pub fn average(&self, index: usize) -> &Tensor {
        &self.averages[index]
    }

    /// Square of the gradient's norm.
    pub fn gradient_square(&self, gradients: &GradStore) -> Result<f64, PerceptionError> {
        let mut sum = 0.0;
        for (_, var) in &self.variables {
            if let Some(gradient) = gradients.get(var) {
                sum += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        Ok(sum)
    }

    /// One step along `gradients`, and of the averages behind it.
    pub fn update(&mut self, mut gradients: GradStore, step: OptimiserStep) -> Result<(), PerceptionError> {
        if step.scale != 1.0 {
            for (_, var) in &self.variables {
                if let Some(gradient) = gradients.remove(var) {
                    gradients.insert(var, (gradient * f64::from(step.scale))?);
                }
            }
        }
        self.steps_since_start += 1;
        let rise = f64::from(self.steps_since_start.min(RISE)) / f64::from(RISE);
        for (optimiser, decay) in self.optimisers.iter_mut().zip([step.decay, 0.0]) {
            let (lr, weight_decay) = (f64::from(step.rate) * rise, f64::from(decay));
            optimiser.set_params(ParamsAdamW { lr, weight_decay, beta2: BETA2, ..ParamsAdamW::default() });
            optimiser.step(&gradients)?;
        }
        let keep = f64::from(step.keep);
        for ((_, var), average) in self.variables.iter().zip(&mut self.averages) {
            *average = ((&*average * keep)? + (var.as_detached_tensor() * (1.0 - keep))?)?;
        }
        Ok(())
    }

    /// Sets variables and averages to `value` of their index, and starts the optimiser anew.
    pub fn set(
        &mut self,
        value: impl Fn(usize, &Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<(), PerceptionError> {
        for (index, (_, var)) in self.variables.iter().enumerate() {
            var.set(&value(index, &var.as_detached_tensor())?)?;
            self.averages[index] = value(index, &self.averages[index])?;
        }
        self.start_anew()
    }

    /// Variables and averages as safetensors bytes. The optimiser's moments start anew.
    pub fn save(&mut self) -> Result<Vec<u8>, PerceptionError> {
        let mut tensors = HashMap::new();
        for ((name, var), average) in self.variables.iter().zip(&self.averages) {
            tensors.insert(name.clone(), var.as_detached_tensor());
            tensors.insert(format!("average.{name}"), average.clone());
        }
        self.start_anew()?;
        safetensors::serialize(&tensors, None).map_err(|error| PerceptionError::NotSafetensors(error.to_string()))
    }

    /// Takes back what [`Variables::save`] gave.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), PerceptionError> {
        let tensors = load_buffer(bytes, &Device::Cpu)?;
        let find = |name: String, like: &Tensor| match tensors.get(&name) {
            Some(tensor) if tensor.dims() == like.dims() => Ok(tensor.clone()),
            Some(tensor) => {
                let (found, expected) = (tensor.dims().to_vec(), like.dims().to_vec());
                Err(PerceptionError::WrongShape { name, found, expected })
            }
            None => Err(PerceptionError::MissingTensor { name, expected: like.dims().to_vec() }),
        };
        for ((name, var), average) in self.variables.iter().zip(&mut self.averages) {
            var.set(&find(name.clone(), var)?)?;
            *average = find(format!("average.{name}"), var)?;
        }
        self.start_anew()
    }

    fn start_anew(&mut self) -> Result<(), PerceptionError> {
        self.optimisers = optimisers(&self.variables)?;
        self.steps_since_start = 0;
        Ok(())
    }
}

fn optimisers(variables: &[(String, Var)]) -> Result<[AdamW; 2], PerceptionError> {
    let of = |decays: bool| {
        let chosen = variables.iter().filter(|(_, var)| (var.rank() > 1) == decays).map(|(_, var)| var.clone());
        AdamW::new(chosen.collect(), ParamsAdamW::default())
    };
    Ok([of(true)?, of(false)?])
}
