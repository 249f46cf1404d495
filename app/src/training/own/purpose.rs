//! What a model is for: a recipe, and a budget of savings.

use anyhow::{Context, bail};

use crate::training::recipe::RnnRecipe;

/// The recipe that all purposes start from, as it made `models/ch2`.
const RECIPE: &str = include_str!("../../../../models/recipes/motion.json");
/// Frames between two that the principal components are fitted to, as in training.
const PCA_STRIDE: usize = 7;

/// What matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The lowest error, whatever it costs.
    Accuracy,
    /// A low error at a hundredfold less work of the RNN, or what is asked for.
    Balance,
    /// The same at two hundred times less.
    Savings,
}

impl Purpose {
    /// The savings that are reached if nothing else is asked for; none for accuracy.
    fn usual_savings(self) -> Option<f64> {
        match self {
            Self::Accuracy => None,
            Self::Balance => Some(100.0),
            Self::Savings => Some(200.0),
        }
    }

    /// How many times less work the RNN is to do; 1 where that does not matter.
    ///
    /// # Errors
    /// Savings asked for where they do not matter, or out of range.
    pub fn budget(self, savings: Option<f64>) -> anyhow::Result<f64> {
        match (self.usual_savings(), savings) {
            (None, Some(_)) => bail!("--savings: not with --for accuracy; expected --for balance or --for savings"),
            (_, Some(savings)) if !(1.0..=10_000.0).contains(&savings) => {
                bail!("--savings {savings}: expected a number from 1 to 10000, such as 100 for a hundredfold")
            }
            (usual, asked) => Ok(asked.or(usual).unwrap_or(1.0)),
        }
    }

    /// Settings for that many frames to learn from.
    ///
    /// # Errors
    /// Too few frames.
    pub fn recipe(self, budget: f64, seed: u64, frames: usize) -> anyhow::Result<RnnRecipe> {
        let mut recipe: RnnRecipe = serde_json::from_str(RECIPE).context("recipe motion.json")?;
        let last = recipe.phases.len().saturating_sub(1);
        for (number, phase) in recipe.phases.iter_mut().enumerate() {
            (phase.rnn.seed, phase.layer.seed) = (seed, seed);
            // Unlike research, whose figures must not be chosen, a user wants the best state. Phases between the dense one and the last
            // are on the way to other thresholds, and their ends are where the next one begins.
            phase.rnn.validation.keep_last = 0 < number && number < last;
            phase.rnn.validation.interval = phase.rnn.steps / 8;
            let (theta_factor, cost_factor) = match self {
                Self::Accuracy => (0.5, 0.3),
                Self::Balance => (1.0, 1.0),
                Self::Savings => (1.3, 2.0),
            };
            for theta in &mut phase.rnn.thresholds {
                (theta.theta_x, theta.theta_h) = (theta_factor * theta.theta_x, theta_factor * theta.theta_h);
            }
            if let Some(delta) = &mut phase.rnn.delta {
                (delta.l1_x, delta.l1_h) = (cost_factor * delta.l1_x, cost_factor * delta.l1_h);
                phase.rnn.validation.savings_target = budget as f32;
            }
        }
        // A short drive has fewer frames than components; half as many components as frames still tell them apart.
        let rows = frames / PCA_STRIDE * recipe.drives.versions;
        recipe.drives.components = recipe.drives.components.min(rows / 2);
        if recipe.drives.components < recipe.features {
            let least = 2 * recipe.features * PCA_STRIDE / recipe.drives.versions;
            bail!("{frames} frames to learn from; expected {least} or more, a few seconds of driving");
        }
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn savings_are_asked_for_where_they_matter() {
        assert_eq!(Purpose::Balance.budget(None).unwrap(), 100.0);
        assert_eq!(Purpose::Savings.budget(Some(300.0)).unwrap(), 300.0);
        assert_eq!(Purpose::Accuracy.budget(None).unwrap(), 1.0);
        for (purpose, savings) in [(Purpose::Accuracy, 50.0), (Purpose::Balance, 0.5), (Purpose::Balance, f64::NAN)] {
            assert!(purpose.budget(Some(savings)).unwrap_err().to_string().contains("--savings"));
        }
    }

    #[test]
    fn a_short_drive_has_fewer_components() {
        let recipe = |frames| Purpose::Balance.recipe(100.0, 3, frames);
        let long = recipe(10_000).unwrap();
        assert_eq!((long.drives.components, long.phases[3].rnn.seed), (384, 3));
        assert_eq!(long.phases[3].rnn.validation.savings_target, 100.0);
        assert_eq!(recipe(320).unwrap().drives.components, 180);
        assert!(recipe(50).unwrap_err().to_string().contains("50 frames"));
        long.phases.iter().for_each(|phase| phase.rnn.check().unwrap());
    }
}
