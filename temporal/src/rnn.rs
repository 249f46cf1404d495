//! Cell and head together: features in, steering angle and exact work out.

use std::sync::Arc;

use crate::{
    DeltaGru, DenseGru, GruWeights, Head, Kernel, PackedGru, StepCount, TemporalConfig, TemporalError, Thresholds,
    Totals,
    gru::HeadedStep,
    kernels::{Aligned, Dot, LANES},
    weights,
};

/// The weights of cell and head, checked, and packed for the kernels. Shared by any number of cells.
#[derive(Debug)]
pub struct RnnWeights {
    /// Sizes, stored thresholds, storage, technique.
    pub config: TemporalConfig,
    /// The layer as loaded, in f32.
    pub gru: GruWeights,
    /// The steering head.
    pub head: Head,
    /// The layer as the kernels read it.
    pub packed: Arc<PackedGru>,
    /// The head's weights, padded to whole vectors.
    head_padded: Aligned<f32>,
}

impl RnnWeights {
    /// Checks and packs weights made elsewhere, such as by training.
    ///
    /// # Errors
    /// Names the tensor or the config's field at fault.
    pub fn new(gru: GruWeights, head: Head, config: &TemporalConfig) -> Result<Arc<Self>, TemporalError> {
        config.check()?;
        for (field, asked, found) in [("inputs", config.inputs, gru.inputs), ("hidden", config.hidden, gru.hidden)] {
            if asked != found {
                let (config, weights) = (asked.to_string(), found.to_string());
                return Err(TemporalError::ConfigField { field: field.to_string(), config, weights });
            }
        }
        head.check(gru.hidden)?;
        let packed = Arc::new(PackedGru::new(&gru, config.storage)?);
        let mut head_padded = Aligned::zeros(packed.padded());
        head_padded[..gru.hidden].copy_from_slice(&head.weight);
        Ok(Arc::new(Self { config: config.clone(), gru, head, packed, head_padded }))
    }

    /// The head on a padded hidden state.
    fn steering_rad(&self, kernel: Kernel, hidden: &[[f32; LANES]]) -> f32 {
        kernel.run(Dot { a: self.head_padded.vectors(), b: hidden }) + self.head.bias
    }
}

/// A delta GRU with its steering head, and the sums of its work.
#[derive(Debug, Clone)]
pub struct SteeringRnn {
    weights: Arc<RnnWeights>,
    cell: DeltaGru,
    /// Of the steps that sent something, and of those refused.
    loud: Totals,
    /// Steps that sent nothing: their work is known, and to add it up in each would take as long as the rest of them.
    quiet: u64,
}

impl SteeringRnn {
    /// Reads `rnn.*` and `head.*` from the bytes of a safetensors file.
    ///
    /// # Errors
    /// As [`weights::load`].
    pub fn load(tensors: &[u8], config: &TemporalConfig) -> Result<Arc<RnnWeights>, TemporalError> {
        let (gru, head) = weights::load(tensors, config)?;
        RnnWeights::new(gru, head, config)
    }

    /// A cell in its state before the first frame.
    ///
    /// # Errors
    /// [`TemporalError::Threshold`] or [`TemporalError::Kernel`].
    pub fn new(weights: Arc<RnnWeights>, thresholds: Thresholds) -> Result<Self, TemporalError> {
        let cell = DeltaGru::new(weights.packed.clone(), thresholds)?;
        let loud = Totals::new(weights.config.inputs, weights.config.hidden);
        Ok(Self { weights, cell, loud, quiet: 0 })
    }

    /// One frame's features `[inputs]` to the steering angle in radians, positive to the left, and the step's work.
    ///
    /// # Errors
    /// [`TemporalError::Length`]; [`TemporalError::InputNotFinite`], which leaves the state as it was and is counted
    /// in [`Totals::refused`].
    pub fn step(&mut self, features: &[f32]) -> Result<(f32, StepCount), TemporalError> {
        let weights = &*self.weights;
        match self.cell.step_with_head(features, weights.head_padded.vectors()) {
            Ok(HeadedStep { count, product }) => {
                let count = match count {
                    Some(count) => {
                        self.loud.add(&count, weights.packed.dense_count());
                        count
                    }
                    None => {
                        self.quiet += 1;
                        *weights.packed.quiet_count()
                    }
                };
                Ok((product + weights.head.bias, count))
            }
            Err(error) => {
                self.loud.refused += u64::from(matches!(error, TemporalError::InputNotFinite { .. }));
                Err(error)
            }
        }
    }

    /// The angle of the present hidden state, in radians.
    pub fn steering_rad(&self) -> f32 {
        self.weights.steering_rad(self.cell.kernel(), self.cell.hidden_vectors())
    }

    /// The cell, to look at what was sent.
    pub fn cell(&self) -> &DeltaGru {
        &self.cell
    }

    /// The shared weights.
    pub fn weights(&self) -> &Arc<RnnWeights> {
        &self.weights
    }

    /// The work since the last [`reset`](Self::reset).
    pub fn totals(&self) -> Totals {
        let packed = &self.weights.packed;
        let mut totals = self.loud;
        totals.add_many(self.quiet, packed.quiet_count(), packed.dense_count());
        totals
    }

    /// Changes the thresholds from the next step on; the state goes on.
    ///
    /// # Errors
    /// [`TemporalError::Threshold`]
    pub fn set_thresholds(&mut self, thresholds: Thresholds) -> Result<(), TemporalError> {
        self.cell.set_thresholds(thresholds)
    }

    /// Back to the state before the first frame, sums at zero.
    pub fn reset(&mut self) {
        self.cell.reset();
        self.loud = Totals::new(self.weights.config.inputs, self.weights.config.hidden);
        self.quiet = 0;
    }
}

/// The dense twin of [`SteeringRnn`]: the baseline that savings are measured against.
#[derive(Debug, Clone)]
pub struct DenseSteeringRnn {
    weights: Arc<RnnWeights>,
    cell: DenseGru,
}

impl DenseSteeringRnn {
    /// A cell in its state before the first frame.
    ///
    /// # Errors
    /// [`TemporalError::Kernel`]
    pub fn new(weights: Arc<RnnWeights>) -> Result<Self, TemporalError> {
        let cell = DenseGru::new(weights.packed.clone())?;
        Ok(Self { weights, cell })
    }

    /// One frame's features `[inputs]` to the steering angle in radians, and the work: all of it, every frame.
    ///
    /// # Errors
    /// As [`SteeringRnn::step`].
    pub fn step(&mut self, features: &[f32]) -> Result<(f32, StepCount), TemporalError> {
        let weights = &*self.weights;
        let (count, product) = self.cell.step_with_head(features, weights.head_padded.vectors())?;
        Ok((product + weights.head.bias, count))
    }

    /// The cell.
    pub fn cell(&self) -> &DenseGru {
        &self.cell
    }

    /// Back to the state before the first frame.
    pub fn reset(&mut self) {
        self.cell.reset();
    }
}
