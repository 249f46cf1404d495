//! Thresholds for the CNN on changes, chosen by what they cost in accuracy.
//!
//! Coordinate descent: one layer's threshold after the other is raised or lowered where that makes
//! `work + price * error` smaller. `work` is the share of the dense multiply-accumulates that is still done, `error` the mean
//! squared difference of the features from the dense network's, over their variance. A layer whose inputs matter little
//! gets a high threshold, one whose work is small a low one.

use super::DeltaCnn;
use crate::config::PerceptionConfig;
use crate::error::{PerceptionError, check_length};
use crate::kernels::InstructionSet;
use crate::weights::Weights;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};

/// Factors by which a threshold is tried.
const FACTORS: [f32; 2] = [1.5, 0.7];

/// Thresholds and what they do on the frames that they were chosen on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// Price of the error at which they were chosen.
    pub price: f64,
    /// Share of the dense multiply-accumulates that is done, first frames left out.
    pub work: f64,
    /// Mean squared error of the features over their variance.
    pub error: f64,
    /// One a layer, for `PerceptionConfig::delta_thresholds`.
    pub thresholds: Vec<f32>,
}

/// Chooses thresholds on clips of consecutive pictures (each `[input_height][input_width][3]`, normalised), once for each of
/// `prices` in order, each starting from the one before; `sweeps` rounds over all layers a price. `progress` sees every
/// choice; setting `interrupt` ends the search with what was found so far.
///
/// # Errors
/// As `Perception::load`, [`PerceptionError::Length`] for a picture of another size, and [`PerceptionError::Option`] where no
/// clip has two pictures.
pub fn choose_thresholds(
    tensors: &[u8],
    config: &PerceptionConfig,
    clips: &[Vec<Vec<f32>>],
    prices: &[f64],
    sweeps: usize,
    interrupt: Option<&AtomicBool>,
    mut progress: impl FnMut(&Choice),
) -> Result<Vec<Choice>, PerceptionError> {
    config.validate()?;
    for picture in clips.iter().flatten() {
        check_length("a picture", picture.len(), config.input_width * config.input_height * 3)?;
    }
    if !clips.iter().any(|clip| clip.len() > 1) {
        let (field, found) = ("clips", "no two consecutive pictures".into());
        return Err(PerceptionError::Option { field, found, expected: "at least one clip of two pictures" });
    }
    let dense = PerceptionConfig { delta_thresholds: Vec::new(), ..config.clone() };
    let cnn = DeltaCnn::load(&Weights::parse(tensors)?, &dense, InstructionSet::best(), true)?;
    let mut trial = Trial::new(cnn, clips);
    let mut thresholds: Vec<f32> = trial.deviations.iter().map(|deviation| 0.15 * deviation).collect();
    let mut choices = Vec::new();
    for price in prices {
        let score = |(work, error): (f64, f64)| work + price * error;
        let mut found = trial.run(&thresholds);
        for _ in 0..sweeps {
            for layer in 0..thresholds.len() {
                for factor in FACTORS {
                    if interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                        return Ok(choices);
                    }
                    let before = thresholds[layer];
                    thresholds[layer] *= factor;
                    let tried = trial.run(&thresholds);
                    if score(tried) < score(found) {
                        found = tried;
                        break;
                    }
                    thresholds[layer] = before;
                }
            }
        }
        let choice = Choice { price: *price, work: found.0, error: found.1, thresholds: thresholds.clone() };
        progress(&choice);
        choices.push(choice);
    }
    Ok(choices)
}

/// The network with the clips and their dense features.
struct Trial<'a> {
    cnn: DeltaCnn,
    clips: &'a [Vec<Vec<f32>>],
    features: Vec<Vec<f32>>,
    variance: f64,
    /// Standard deviation of each layer's input over all pictures.
    deviations: Vec<f32>,
}

impl<'a> Trial<'a> {
    fn new(mut cnn: DeltaCnn, clips: &'a [Vec<Vec<f32>>]) -> Self {
        let mut moments = vec![[0.0f64; 3]; cnn.layers.len()];
        let mut features = Vec::new();
        for clip in clips {
            cnn.reset();
            for picture in clip {
                features.push(features_of(&mut cnn, picture).0);
                for (layer, moments) in cnn.layers.iter().zip(&mut moments) {
                    for value in &layer.sent {
                        let value = f64::from(*value);
                        moments.iter_mut().zip([1.0, value, value * value]).for_each(|(sum, term)| *sum += term);
                    }
                }
            }
        }
        let deviation = |[count, sum, squares]: &[f64; 3]| {
            let mean = sum / count;
            (squares / count - mean * mean).max(1e-12).sqrt() as f32
        };
        let deviations = moments.iter().map(deviation).collect();
        Self { cnn, clips, variance: variance(&features), features, deviations }
    }

    /// Work and error with these thresholds.
    fn run(&mut self, thresholds: &[f32]) -> (f64, f64) {
        for (layer, theta) in self.cnn.layers.iter_mut().zip(thresholds) {
            layer.work.theta = *theta;
        }
        let (mut macs, mut frames, mut squares, mut count) = (0, 0, 0.0f64, 0);
        let mut expected = self.features.iter();
        for clip in self.clips {
            self.cnn.reset();
            for (index, picture) in clip.iter().enumerate() {
                let (found, done) = features_of(&mut self.cnn, picture);
                if index > 0 {
                    macs += done;
                    frames += 1;
                }
                for (found, expected) in found.iter().zip(expected.next().into_iter().flatten()) {
                    squares += f64::from(found - expected).powi(2);
                    count += 1;
                }
            }
        }
        let dense: u64 = self.cnn.layers.iter().map(|layer| layer.macs_dense).sum();
        (macs as f64 / (dense * frames.max(1)) as f64, squares / f64::from(count.max(1)) / self.variance)
    }
}

/// Features before their division by the deviations, after the ReLU, and the multiply-accumulates done.
fn features_of(cnn: &mut DeltaCnn, picture: &[f32]) -> (Vec<f32>, u64) {
    let macs = cnn.run(picture);
    let (sums, feature_macs) = cnn.feature_sums().unwrap_or((&[], 0));
    (sums.iter().map(|sum| sum.max(0.0)).collect(), macs + feature_macs)
}

/// Mean variance of a feature.
fn variance(rows: &[Vec<f32>]) -> f64 {
    let width = rows.first().map_or(0, Vec::len);
    let count = rows.len() as f64;
    let of = |feature: usize| {
        let mean = rows.iter().map(|row| f64::from(row[feature])).sum::<f64>() / count;
        rows.iter().map(|row| (f64::from(row[feature]) - mean).powi(2)).sum::<f64>() / count
    };
    ((0..width).map(of).sum::<f64>() / width.max(1) as f64).max(1e-12)
}
