//! The feature layer as the input stage of a sequence trainer: it gathers windows of features, takes the gradient back and
//! lets the trainer's own optimiser move its parameters.

use super::layer::TrainableLayer;
use super::settings::Drive;
use crate::augment::{normal, uniform};
use crate::error::PerceptionError;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

/// Regularisation of the layer while it trains with a recurrent network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JointSettings {
    /// Seed of noise and dropout.
    pub seed: u64,
    /// Deviation of normal noise on the coordinates, drawn for each frame.
    pub input_noise: f32,
    /// Share of features that are dropped; one choice for a whole window, so that no change is feigned.
    pub dropout: f32,
    /// Gradient of `quiet_cost * mean |feature(t) - feature(t - 1)|`, added to what comes back.
    pub quiet_cost: f32,
}

impl Default for JointSettings {
    fn default() -> Self {
        Self { seed: 1, input_noise: 0.5, dropout: 0.2, quiet_cost: 0.0 }
    }
}

/// A frame of a version of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRef {
    /// Index of the training drive.
    pub drive: usize,
    /// Index of its version.
    pub version: usize,
    /// Index of the frame.
    pub frame: usize,
}

/// Layer, drives and what the last window's backward pass needs.
#[derive(Debug, Clone)]
pub struct JointFeatures {
    layer: TrainableLayer,
    settings: JointSettings,
    drives: Vec<Drive>,
    windows: usize,
    coordinates: Vec<f32>,
    /// After the ReLU, before dropout: `[frames][windows][features]`.
    features: Vec<f32>,
    /// `[windows][features]`: 0, or what the kept ones are multiplied with.
    keep: Vec<f32>,
}

impl JointFeatures {
    /// Takes the drives that windows will be drawn from.
    ///
    /// # Errors
    /// [`PerceptionError::Length`] where a drive's rows do not fit the layer, [`PerceptionError::Option`] for a setting.
    pub fn new(layer: TrainableLayer, drives: Vec<Drive>, settings: JointSettings) -> Result<Self, PerceptionError> {
        drives.iter().try_for_each(|drive| drive.check(layer.components()))?;
        let bad = |field, value: f32, expected| PerceptionError::Option { field, found: value.to_string(), expected };
        if !(0.0..1.0).contains(&settings.dropout) {
            return Err(bad("dropout", settings.dropout, "0 or more and below 1"));
        }
        for (field, value) in [("input_noise", settings.input_noise), ("quiet_cost", settings.quiet_cost)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(bad(field, value, "a finite number, 0 or more"));
            }
        }
        let (coordinates, features, keep) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { layer, settings, drives, windows: 0, coordinates, features, keep })
    }

    /// The layer with the parameters last set.
    pub fn layer(&self) -> &TrainableLayer {
        &self.layer
    }

    /// The same, to set its parameters.
    pub fn layer_mut(&mut self) -> &mut TrainableLayer {
        &mut self.layer
    }

    /// The drives.
    pub fn drives(&self) -> &[Drive] {
        &self.drives
    }

    /// Writes the features of `windows` windows to `x[frames][windows][features]`; `frame(window, t)` names the frame at
    /// place `t`. Noise and dropout follow from the seed, `draw` (a step's number, or a hash of its windows) and the window
    /// alone, so that a resumed run repeats them.
    ///
    /// # Panics
    /// Where `x` has another length or a frame does not exist.
    pub fn gather(
        &mut self,
        draw: u64,
        windows: usize,
        frames: usize,
        frame: impl Fn(usize, usize) -> FrameRef,
        x: &mut [f32],
    ) {
        let (components, features) = (self.layer.components(), self.layer.features());
        assert!(x.len() == frames * windows * features, "the windows' features do not fit");
        self.windows = windows;
        self.coordinates.resize(frames * windows * components, 0.0);
        self.features.resize(x.len(), 0.0);
        self.keep.resize(windows * features, 1.0);
        for window in 0..windows {
            let mut rng = ChaCha8Rng::seed_from_u64(self.settings.seed);
            rng.set_stream(draw.wrapping_shl(16) ^ window as u64);
            for keep in &mut self.keep[window * features..(window + 1) * features] {
                let dropout = self.settings.dropout;
                *keep = if uniform(&mut rng) < dropout { 0.0 } else { 1.0 / (1.0 - dropout) };
            }
            for t in 0..frames {
                let at = frame(window, t);
                let (row, _) = self.drives[at.drive].row(at.version, at.frame, components);
                let to = (t * windows + window) * components;
                for (value, from) in self.coordinates[to..to + components].iter_mut().zip(row) {
                    *value = from.to_f32();
                    if self.settings.input_noise > 0.0 {
                        *value += self.settings.input_noise * normal(&mut rng);
                    }
                }
            }
        }
        self.layer.forward(&self.coordinates, &mut self.features);
        for (x, row) in x.chunks_exact_mut(self.keep.len()).zip(self.features.chunks_exact(self.keep.len())) {
            x.iter_mut().zip(row).zip(&self.keep).for_each(|((x, feature), keep)| *x = feature * keep);
        }
    }

    /// Adds to `gradient` (as long as the layer's parameters) what follows from `dx[frames][windows][features]`, the loss's
    /// gradient by what the last [`JointFeatures::gather`] wrote, and from the cost of unquiet features. Returns that cost.
    ///
    /// # Panics
    /// Where a length does not fit.
    pub fn backward(&mut self, dx: &[f32], gradient: &mut [f32]) -> f32 {
        assert!(dx.len() == self.features.len(), "the gradient of another window");
        let row = self.keep.len();
        let mut by_feature: Vec<f32> =
            dx.chunks_exact(row).flat_map(|dx| dx.iter().zip(&self.keep).map(|(dx, keep)| dx * keep)).collect();
        let cost = self.add_quiet_gradient(&mut by_feature);
        self.layer.backward(&self.coordinates, &self.features, &mut by_feature, gradient);
        cost
    }

    fn add_quiet_gradient(&self, by_feature: &mut [f32]) -> f32 {
        let row = self.keep.len();
        if self.settings.quiet_cost == 0.0 || self.features.len() <= row {
            return 0.0;
        }
        let share = self.settings.quiet_cost / (self.features.len() - row) as f32;
        let mut cost = 0.0f64;
        for at in row..self.features.len() {
            let change = self.features[at] - self.features[at - row];
            cost += f64::from(change.abs() * share);
            let slope = if change == 0.0 { 0.0 } else { share * change.signum() };
            by_feature[at] += slope;
            by_feature[at - row] -= slope;
        }
        cost as f32
    }

    /// Features `[frames][features]` of a whole version of a drive, without noise or dropout.
    ///
    /// # Panics
    /// Where the drive or version does not exist.
    pub fn whole(&self, drive: &Drive, version: usize) -> Vec<f32> {
        features_of(&self.layer, drive, version)
    }
}

/// Features `[frames][features]` of a whole version of a drive.
pub(super) fn features_of(layer: &TrainableLayer, drive: &Drive, version: usize) -> Vec<f32> {
    let rows: Vec<f32> = drive.versions[version].coordinates.iter().map(|value| value.to_f32()).collect();
    let mut features = vec![0.0; rows.len() / layer.components() * layer.features()];
    layer.forward(&rows, &mut features);
    features
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Version;
    use half::f16;

    fn joint(settings: JointSettings) -> JointFeatures {
        let coordinates = (0..20 * 6).map(|i| f16::from_f32((i as f32 * 0.7).sin())).collect();
        let version = Version { coordinates, steering_rad: vec![0.0; 20] };
        let drive = Drive { name: "test".into(), versions: vec![version] };
        JointFeatures::new(TrainableLayer::random(6, 5, 9), vec![drive], settings).unwrap()
    }

    fn at(window: usize, t: usize) -> FrameRef {
        FrameRef { drive: 0, version: 0, frame: window * 7 + t }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let mut joint = joint(JointSettings { seed: 4, input_noise: 0.3, dropout: 0.3, quiet_cost: 0.5 });
        let weights: Vec<f32> = (0..4 * 2 * 5).map(|i| (i as f32 * 1.3).cos()).collect();
        let mut x = vec![0.0; 40];
        let mut gradient = vec![0.0; joint.layer().parameters().len()];
        joint.gather(3, 2, 4, at, &mut x);
        joint.backward(&weights, &mut gradient);
        let mut loss = |joint: &mut JointFeatures| {
            joint.gather(3, 2, 4, at, &mut x);
            let outer: f32 = x.iter().zip(&weights).map(|(x, w)| x * w).sum();
            outer + joint.backward(&weights, &mut [0.0; 35])
        };
        for i in 0..gradient.len() {
            let step = 1e-3;
            joint.layer_mut().parameters_mut()[i] += step;
            let above = loss(&mut joint);
            joint.layer_mut().parameters_mut()[i] -= 2.0 * step;
            let below = loss(&mut joint);
            joint.layer_mut().parameters_mut()[i] += step;
            let slope = (above - below) / (2.0 * step);
            assert!((slope - gradient[i]).abs() < 3e-2 * slope.abs().max(1.0), "{i}: {slope} {}", gradient[i]);
        }
    }

    #[test]
    fn noise_follows_from_seed_step_and_window() {
        let mut joint = joint(JointSettings::default());
        let mut gather = |step| {
            let mut x = vec![0.0; 40];
            joint.gather(step, 2, 4, at, &mut x);
            x
        };
        assert_eq!(gather(5), gather(5));
        assert_ne!(gather(5), gather(6));
    }

    #[test]
    fn without_noise_a_window_is_a_part_of_the_whole() {
        let mut joint = joint(JointSettings { input_noise: 0.0, dropout: 0.0, ..JointSettings::default() });
        let mut x = vec![0.0; 40];
        joint.gather(0, 2, 4, at, &mut x);
        let whole = joint.whole(&joint.drives()[0], 0);
        assert_eq!(x[5..10], whole[35..40]); // t 0 of window 1 is frame 7
    }
}
