//! Feature layer and RNN trained together, phase by phase, over principal components of the trunk's output.

use anyhow::Context;
use deltasteer_perception::train::{Pca, SingleFrameHead, TrainableLayer};
use deltasteer_perception::{CnnSchedule, NamedTensors, PerceptionConfig, Storage, from_safetensors, to_safetensors};
use deltasteer_temporal::train::{Parameters, TrainSettings, Trained};
use deltasteer_temporal::weights;
use ndarray::{Array1, Array2, Axis};
use serde_json::Value;

use super::data::{DriveCoordinates, Parts};
use super::joint::{self, JointInputs, to_unit_deviation};
use super::recipe::RnnRecipe;
use super::targets::Targets;
use crate::model::{ModelConfig, ModelParts};

/// Share of the features' mean variance that the single-frame output's weights are held back with.
const RIDGE: f64 = 1e-3;

/// Trains one phase, given by its number and settings, from the weights before it.
pub type PhaseTrainer<'a> =
    dyn FnMut(usize, &TrainSettings, Option<&Parameters>, &mut JointInputs<'_>) -> anyhow::Result<Trained> + 'a;

/// Is told what each phase, by its number, has learned.
pub type PhaseDone<'a> = dyn FnMut(usize, &TrainableLayer, &Trained) -> anyhow::Result<()> + 'a;

/// The settings in front of the RNN of a recipe whose feature layer is trained too; motion is set once it has been measured.
///
/// # Errors
/// A field of the configuration.
pub fn joint_config(recipe: &RnnRecipe, config: PerceptionConfig) -> anyhow::Result<PerceptionConfig> {
    let config =
        PerceptionConfig { feature_count: recipe.features, motion: None, schedule: CnnSchedule::default(), ..config };
    config.validate()?;
    Ok(config)
}

/// Drives ready to train on.
pub struct Prepared {
    /// What lies in front of the RNN.
    pub config: PerceptionConfig,
    /// The angles.
    pub targets: Targets,
    pca: Pca,
    training: Vec<DriveCoordinates>,
    validation: Vec<DriveCoordinates>,
}

impl Prepared {
    /// From parts whose outputs and motion are in the cache.
    ///
    /// # Errors
    /// A cache file that is damaged, or drives that hold too little.
    pub fn of(parts: &mut Parts, recipe: &RnnRecipe, mut config: PerceptionConfig) -> anyhow::Result<Self> {
        (config.motion, config.schedule) = (parts.fit_motion()?, recipe.cnn);
        let pca = parts.pca(recipe.drives.seed)?;
        let (training, validation) = parts.coordinates(&pca)?;
        let targets = Targets::new(joint::angles(&training), joint::angles(&validation))?;
        Ok(Self { config, targets, pca, training, validation })
    }

    /// Trains the recipe's phases in turn; each starts from what the one before it has learned.
    ///
    /// # Errors
    /// Settings out of range, or an error of `train` or `done`.
    pub fn train(
        &self,
        recipe: &RnnRecipe,
        train: &mut PhaseTrainer<'_>,
        done: &mut PhaseDone<'_>,
    ) -> anyhow::Result<()> {
        let seed = recipe.phases.first().map_or(1, |phase| phase.layer.seed);
        let mut layer = TrainableLayer::random(self.pca.components(), recipe.features, seed)?;
        let mut last: Option<Trained> = None;
        for (number, phase) in recipe.phases.iter().enumerate() {
            let mut initial: Option<Parameters> = last.map(|trained| trained.parameters);
            if let Some(parameters) = &mut initial {
                to_unit_deviation(&mut layer, &self.training, parameters)?;
            }
            let mut inputs = JointInputs::new(&mut layer, &self.training, &self.validation, phase.layer)?;
            let trained = train(number, &phase.rnn, initial.as_ref(), &mut inputs)?;
            done(number, &layer, &trained)?;
            last = Some(trained);
        }
        Ok(())
    }

    /// The model of what a phase has learned, over the trunk's tensors.
    ///
    /// # Errors
    /// Tensors that cannot be written.
    pub fn model(
        &self,
        trunk: &[u8],
        layer: &TrainableLayer,
        trained: &Trained,
        settings: &TrainSettings,
    ) -> anyhow::Result<ModelParts> {
        let config = ModelConfig { perception: self.config.clone(), temporal: None, view: None, training: Value::Null };
        let mut model = ModelParts { config, tensors: trunk.to_owned() };
        model.merge(&to_safetensors(&self.feature_tensors(layer)?, Storage::F16Matrices)?)?;
        set_rnn(&mut model, trained, settings)?;
        Ok(model)
    }

    /// The trained layer over the trunk's whole output, with a single-frame output fitted to it by ridge regression on the
    /// drives as recorded and mirrored.
    fn feature_tensors(&self, layer: &TrainableLayer) -> anyhow::Result<NamedTensors> {
        let (mut rows, mut angles) = (Vec::<Array2<f32>>::new(), Vec::new());
        for drive in &self.training {
            for version in 0..drive.versions.len().min(2) {
                rows.push(joint::features(layer, drive, version)?);
                angles.extend_from_slice(&drive.versions[version].steering_rad);
            }
        }
        let rows = ndarray::concatenate(Axis(0), &rows.iter().map(|rows| rows.view()).collect::<Vec<_>>())?;
        let head = SingleFrameHead::fit(rows.view(), Array1::from(angles).view(), RIDGE)?;
        // The layer is already scaled, and the thresholds belong to that scale.
        let mut tensors = layer.tensors(&self.pca, Array1::ones(layer.features()))?;
        tensors.extend(head.tensors());
        Ok(tensors)
    }
}

/// Puts a trained RNN with its thresholds into a model, in 16 bits.
///
/// # Errors
/// Tensors that cannot be written.
pub fn set_rnn(model: &mut ModelParts, trained: &Trained, settings: &TrainSettings) -> anyhow::Result<()> {
    let (gru, head, config) = trained.to_model(settings);
    let exact = weights::to_safetensors(&gru, Some(&head), &config)?;
    model.merge(&exact)?;
    // The same tensors again, half as large; the fingerprint of the config came with the first.
    model.merge(&to_safetensors(&from_safetensors(&exact)?, Storage::F16Matrices)?).context("16-bit weights")?;
    model.config.temporal = Some(config);
    Ok(())
}
