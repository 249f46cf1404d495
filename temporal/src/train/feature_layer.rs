//! A feature layer that is trained together with the RNN: `feature = max(0, raw W + b)`.
//!
//! The RNN's gradient reaches it through the held references, so it learns what steers and, with the L1 costs, to be quiet.
//! Two costs of its own may be added: that of a linear steering output of a single frame (so that the layer also steers alone),
//! and one on every change from frame to frame.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::data::{DriveLabels, FeatureDrive, FixedFeatures, SequenceInputs, Window};
use super::error::TrainError;
use super::matmul::{Order, add_row_sums, fill_rows, product};
use super::parameters::Parameters;
use super::random::{add_noise, normal, stream_of};

/// Settings of the feature layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureLayerSettings {
    /// Number of features.
    pub features: usize,
    /// Seeds the weights and the noise.
    pub seed: u64,
    /// Standard deviation of Gaussian noise on the raw inputs while training, fresh in every frame.
    pub noise: f32,
    /// Weight of the single-frame output's mean squared error, beside the RNN's.
    pub single_frame: f32,
    /// Cost per frame on `sum |feature_t - feature_{t-1}|`, transmitted or not.
    pub quiet: f32,
}

impl Default for FeatureLayerSettings {
    fn default() -> Self {
        Self { features: 64, seed: 1, noise: 0.0, single_frame: 0.0, quiet: 0.0 }
    }
}

/// The layer with the raw inputs of all drives.
pub struct FeatureLayer {
    settings: FeatureLayerSettings,
    raw: FixedFeatures,
    labels: Vec<DriveLabels>,
    /// `w[raw][features]`, `b[features]`, `single_w[features]`, `single_b[1]`
    values: Vec<f32>,
    last: Batch,
}

/// What the last `gather` computed: `[frames][windows][...]`.
#[derive(Default)]
struct Batch {
    windows: Vec<Window>,
    raw: Vec<f32>,
    features: Vec<f32>,
}

impl FeatureLayer {
    /// A layer with random weights over the raw inputs (about unit variance) of the drives, `[frames][raw]`.
    ///
    /// # Errors
    /// As [`FixedFeatures::new`].
    pub fn new(
        settings: FeatureLayerSettings,
        raw: usize,
        training: &[FeatureDrive],
        validation: &[FeatureDrive],
    ) -> Result<Self, TrainError> {
        let labels = training.iter().map(|d| d.labels.clone()).collect();
        let n = settings.features;
        let mut rng = stream_of(settings.seed, u64::MAX);
        let mut values: Vec<f32> = (0..raw * n).map(|_| normal(&mut rng) / (raw as f32).sqrt()).collect();
        values.extend(vec![0.0; n]);
        values.extend((0..n).map(|_| 0.1 * normal(&mut rng) / (n as f32).sqrt()));
        values.push(0.0);
        Ok(Self {
            raw: FixedFeatures::new(raw, training, validation)?,
            settings,
            labels,
            values,
            last: Batch::default(),
        })
    }

    fn raw_count(&self) -> usize {
        self.raw.inputs()
    }

    /// Weights `[raw][features]`, biases `[features]`, and the single-frame output's weights `[features]` and bias, radians.
    pub fn split<'v>(&self, values: &'v [f32]) -> (&'v [f32], &'v [f32], &'v [f32], f32) {
        let n = self.settings.features;
        let (w, rest) = values.split_at(self.raw_count() * n);
        (w, &rest[..n], &rest[n..2 * n], rest[2 * n])
    }

    /// Features `[frames][features]` of raw inputs `[frames][raw]`.
    pub fn forward(&self, raw: &[f32]) -> Vec<f32> {
        let (w, b, _, _) = self.split(&self.values);
        let rows = raw.len() / self.raw_count();
        let mut features = vec![0.0; rows * self.settings.features];
        fill_rows(&mut features, b);
        let sizes = (rows, self.settings.features, self.raw_count());
        product(&mut features, sizes, (raw, Order::Plain), (w, Order::Plain), true);
        features.iter_mut().for_each(|f| *f = f.max(0.0));
        features
    }

    /// The single-frame output's angle for each row of `features[frames][features]`, radians.
    pub fn single_frame_rad(&self, features: &[f32]) -> Vec<f32> {
        let (_, _, w, b) = self.split(&self.values);
        features.chunks_exact(w.len()).map(|f| b + f.iter().zip(w).map(|(f, w)| f * w).sum::<f32>()).collect()
    }

    /// Divides all features by one number, so that over the first version of the training drives their common standard
    /// deviation is 1, and multiplies `parameters`' input weights by it, so that no angle changes. Thresholds then mean the
    /// same for every layer; features keep their sizes relative to each other, because a small one matters little.
    pub fn to_unit_deviation(&mut self, parameters: &mut Parameters) {
        let n = self.settings.features;
        let (mut sum, mut squares, mut count) = (0.0f64, 0.0f64, 0.0);
        for raw in self.raw.first_versions() {
            for f in self.forward(raw) {
                sum += f64::from(f);
                squares += f64::from(f) * f64::from(f);
                count += 1.0;
            }
        }
        let deviation = (squares / count - (sum / count).powi(2)).max(0.0).sqrt() as f32;
        if deviation > 1e-6 {
            let single = (self.raw_count() + 1) * n;
            self.values[..single].iter_mut().for_each(|w| *w /= deviation);
            self.values[single..single + n].iter_mut().for_each(|w| *w *= deviation);
            parameters.scale_inputs(deviation);
        }
    }

    /// The layer's own costs: adds to `d_features` and to the single-frame output's part of `gradient`.
    fn own_costs(&self, d_features: &mut [f32], gradient: &mut [f32]) {
        let n = self.settings.features;
        let row = self.last.windows.len() * n;
        let rows = (d_features.len() / n) as f32;
        if self.settings.quiet > 0.0 {
            let pull = self.settings.quiet / rows;
            for i in row..d_features.len() {
                let moved = self.last.features[i] - self.last.features[i - row];
                let slope = if moved == 0.0 { 0.0 } else { pull * moved.signum() };
                d_features[i] += slope;
                d_features[i - row] -= slope;
            }
        }
        if self.settings.single_frame > 0.0 {
            let angles = self.single_frame_rad(&self.last.features);
            let (_, _, w, _) = self.split(&self.values);
            let first = gradient.len() - n - 1;
            for (i, angle) in angles.iter().enumerate() {
                let window = self.last.windows[i % self.last.windows.len()];
                let t = i / self.last.windows.len();
                let label = self.labels[window.drive].versions[window.version].steering_rad[window.frame(t)];
                if t >= window.frames || label.is_nan() {
                    continue;
                }
                let slope = 2.0 * self.settings.single_frame * (angle - label) / rows;
                for u in 0..n {
                    gradient[first + u] += slope * self.last.features[i * n + u];
                    d_features[i * n + u] += slope * w[u];
                }
                gradient[first + n] += slope;
            }
        }
    }
}

impl SequenceInputs for FeatureLayer {
    fn inputs(&self) -> usize {
        self.settings.features
    }

    fn gather(&mut self, step: u64, windows: &[Window], frames: usize, x: &mut [f32]) -> Result<(), String> {
        let mut raw = std::mem::take(&mut self.last.raw);
        raw.resize(frames * windows.len() * self.raw_count(), 0.0);
        self.raw.gather(step, windows, frames, &mut raw)?;
        if self.settings.noise > 0.0 {
            let mut rng = stream_of(self.settings.seed.wrapping_add(0x5eed), step);
            add_noise(&mut rng, self.settings.noise, &mut raw);
        }
        let features = self.forward(&raw);
        x.copy_from_slice(&features);
        self.last = Batch { windows: windows.to_vec(), raw, features };
        Ok(())
    }

    fn validation(&mut self, drive: usize) -> Result<Arc<[f32]>, String> {
        let raw = self.raw.validation(drive)?;
        Ok(self.forward(&raw).into())
    }

    fn parameters(&self) -> Vec<f32> {
        self.values.clone()
    }

    fn set_parameters(&mut self, values: &[f32]) {
        self.values.copy_from_slice(values);
    }

    fn backward(&mut self, dx: &[f32], gradient: &mut [f32]) {
        let n = self.settings.features;
        let mut d_features = dx.to_vec();
        self.own_costs(&mut d_features, gradient);
        for (d, f) in d_features.iter_mut().zip(&self.last.features) {
            *d = if *f > 0.0 { *d } else { 0.0 };
        }
        let (d_w, rest) = gradient.split_at_mut(self.raw_count() * n);
        let sizes = (self.raw_count(), n, d_features.len() / n);
        product(d_w, sizes, (&self.last.raw, Order::Transposed), (&d_features, Order::Plain), true);
        add_row_sums(&mut rest[..n], &d_features);
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::train::Labels;

    const FRAMES: usize = 7;

    fn layer() -> FeatureLayer {
        let mut rng = stream_of(5, 0);
        let labels = Labels { steering_rad: (0..FRAMES).map(|t| 0.1 * t as f32).collect(), teacher_rad: None };
        let labels = DriveLabels { name: "test".into(), gaps_after: vec![], versions: vec![labels] };
        let raw = (0..FRAMES * 3).map(|_| normal(&mut rng)).collect();
        let drive = FeatureDrive { labels, features: vec![raw] };
        let settings = FeatureLayerSettings { features: 4, single_frame: 0.5, quiet: 0.1, ..Default::default() };
        FeatureLayer::new(settings, 3, std::slice::from_ref(&drive), &[drive.clone()]).unwrap()
    }

    /// The layer's costs plus `dx . features` in f64, one scalar at a time.
    fn naive(values: &[f64], raw: &[f32], windows: &[Window], frames: usize, dx: &[f32]) -> f64 {
        let (n, columns) = (4, windows.len());
        let rows = (frames * columns) as f64;
        let feature = |row: usize, u: usize| -> f64 {
            (values[12 + u] + (0..3).map(|k| f64::from(raw[row * 3 + k]) * values[k * n + u]).sum::<f64>()).max(0.0)
        };
        let mut sum = 0.0;
        for row in 0..frames * columns {
            let mut angle = values[20];
            for u in 0..n {
                let f = feature(row, u);
                angle += f * values[16 + u];
                sum += f64::from(dx[row * n + u]) * f;
                if row >= columns {
                    sum += 0.1 * (f - feature(row - columns, u)).abs() / rows;
                }
            }
            let label = 0.1 * windows[row % columns].frame(row / columns) as f64;
            sum += 0.5 * (angle - label).powi(2) / rows;
        }
        sum
    }

    #[test]
    fn unit_deviation_changes_no_angle() {
        let mut layer = layer();
        let mut parameters = Parameters::random(4, 3, &mut stream_of(7, 0));
        let angles = |layer: &FeatureLayer, parameters: &Parameters| {
            let features = layer.forward(layer.raw.first_versions().next().unwrap());
            let thresholds = crate::train::ColumnThresholds::of(parameters, 0.0, 0.0);
            let (steering, _) = crate::train::stream(parameters, &thresholds, &features);
            (layer.single_frame_rad(&features), steering, features)
        };
        let before = angles(&layer, &parameters);
        layer.to_unit_deviation(&mut parameters);
        let after = angles(&layer, &parameters);
        for (a, b) in before.0.iter().chain(&before.1).zip(after.0.iter().chain(&after.1)) {
            assert!((a - b).abs() < 1e-5);
        }
        let mean = after.2.iter().sum::<f32>() / after.2.len() as f32;
        let variance = after.2.iter().map(|f| (f - mean).powi(2)).sum::<f32>() / after.2.len() as f32;
        assert!((variance - 1.0).abs() < 1e-4, "{variance}");
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let mut layer = layer();
        let windows = [0, 2].map(|start| Window { drive: 0, version: 0, start, frames: 5 });
        let mut x = vec![0.0; 5 * 2 * 4];
        layer.gather(0, &windows, 5, &mut x).unwrap();
        assert!(x.iter().any(|f| *f > 0.0) && x.contains(&0.0));
        let mut rng = stream_of(6, 0);
        let dx: Vec<f32> = x.iter().map(|_| rng.random_range(-0.1..0.1)).collect();
        let mut gradient = vec![0.0; layer.parameters().len()];
        layer.backward(&dx, &mut gradient);
        let values: Vec<f64> = layer.parameters().iter().map(|v| f64::from(*v)).collect();
        for i in 0..values.len() {
            let at = |d: f64| {
                let mut moved = values.clone();
                moved[i] += d;
                naive(&moved, &layer.last.raw, &windows, 5, &dx)
            };
            let expected = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!((f64::from(gradient[i]) - expected).abs() < 1e-5, "{i}: {} {expected}", gradient[i]);
        }
    }
}
