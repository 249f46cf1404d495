//! A feature layer that is trained together with the RNN, `feature = max(0, raw W + b)`: how a front end uses the trainer's
//! [`SequenceInputs`].

use std::sync::Arc;

use deltasteer_temporal::train::{
    FeatureDrive, FixedFeatures, Parameters, SequenceInputs, TrainError, Window, add_noise, stream_of,
};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeError};
use serde::Deserialize;

/// Settings of the feature layer.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureLayerSettings {
    /// Number of features.
    pub features: usize,
    /// Seeds the weights and the noise.
    pub seed: u64,
    /// Standard deviation of Gaussian noise on the raw inputs while training, fresh in every frame.
    pub noise: f32,
    /// Cost per frame on `sum |feature_t - feature_{t-1}|`, transmitted or not.
    pub quiet: f32,
}

impl Default for FeatureLayerSettings {
    fn default() -> Self {
        Self { features: 32, seed: 1, noise: 0.5, quiet: 0.0 }
    }
}

/// The layer with the raw inputs of all drives.
pub struct FeatureLayer {
    settings: FeatureLayerSettings,
    raw: FixedFeatures,
    /// First version of the training drives, to measure the features' deviation.
    measured: Vec<Arc<[f32]>>,
    /// `w[raw][features]`, `b[features]`
    values: Vec<f32>,
    /// What the last `gather` computed: `[frames][windows][raw]`, `[frames][windows][features]`, and a frame's length in it.
    last: (Vec<f32>, Vec<f32>, usize),
}

impl FeatureLayer {
    /// A layer with random weights over the raw inputs (about unit variance) of the drives, `[frames][raw]`.
    pub fn new(
        settings: FeatureLayerSettings,
        raw: usize,
        training: &[FeatureDrive],
        validation: &[FeatureDrive],
    ) -> Result<Self, TrainError> {
        let mut values = vec![0.0; raw * settings.features];
        add_noise(&mut stream_of(settings.seed, u64::MAX), 0.05, &mut values);
        values.extend(vec![0.0; settings.features]);
        let measured = training.iter().map(|d| d.features[0].clone()).collect();
        let raw = FixedFeatures::new(raw, training, validation)?;
        Ok(Self { settings, raw, measured, values, last: Default::default() })
    }

    /// Features `[frames][features]` of raw inputs `[frames][raw]`.
    fn forward(&self, raw: &[f32]) -> Result<Vec<f32>, ShapeError> {
        let (k, n) = (self.raw.inputs(), self.settings.features);
        let (w, b) = self.values.split_at(k * n);
        let rows = raw.len() / k;
        let mut features = b.repeat(rows);
        let (raw, w) = (ArrayView2::from_shape((rows, k), raw)?, ArrayView2::from_shape((k, n), w)?);
        general_mat_mul(1.0, &raw, &w, 1.0, &mut ArrayViewMut2::from_shape((rows, n), &mut features)?);
        features.iter_mut().for_each(|f| *f = f.max(0.0));
        Ok(features)
    }

    /// Divides all features by one number, so that over the training drives their common standard deviation is 1, and
    /// multiplies `parameters`' input weights by it, so that no angle changes: a threshold of 1 then means one deviation.
    /// Features keep their sizes relative to each other, because a small one matters little.
    pub fn scale_to_unit_deviation(&mut self, parameters: &mut Parameters) -> Result<(), ShapeError> {
        let (mut sum, mut squares, mut count) = (0.0f64, 0.0f64, 0.0);
        for raw in &self.measured {
            for f in self.forward(raw)? {
                sum += f64::from(f);
                squares += f64::from(f) * f64::from(f);
                count += 1.0;
            }
        }
        let deviation = (squares / count - (sum / count).powi(2)).max(1e-12).sqrt() as f32;
        self.values.iter_mut().for_each(|w| *w /= deviation);
        parameters.scale_inputs(deviation);
        Ok(())
    }

    fn quiet_cost(&self, d_features: &mut [f32]) {
        let (_, features, row) = &self.last;
        let pull = self.settings.quiet * self.settings.features as f32 / features.len() as f32;
        for i in *row..features.len() {
            let moved = features[i] - features[i - row];
            let slope = if moved == 0.0 { 0.0 } else { pull * moved.signum() };
            d_features[i] += slope;
            d_features[i - row] -= slope;
        }
    }
}

impl SequenceInputs for FeatureLayer {
    fn inputs(&self) -> usize {
        self.settings.features
    }

    fn gather(&mut self, step: u64, windows: &[Window], frames: usize, x: &mut [f32]) -> Result<(), String> {
        let mut raw = std::mem::take(&mut self.last.0);
        raw.resize(frames * windows.len() * self.raw.inputs(), 0.0);
        self.raw.gather(step, windows, frames, &mut raw)?;
        add_noise(&mut stream_of(self.settings.seed, step), self.settings.noise, &mut raw);
        let features = self.forward(&raw).map_err(|e| e.to_string())?;
        x.copy_from_slice(&features);
        self.last = (raw, features, windows.len() * self.settings.features);
        Ok(())
    }

    fn validation(&mut self, drive: usize) -> Result<Arc<[f32]>, String> {
        let raw = self.raw.validation(drive)?;
        Ok(self.forward(&raw).map_err(|e| e.to_string())?.into())
    }

    fn parameters(&self) -> Vec<f32> {
        self.values.clone()
    }

    fn set_parameters(&mut self, values: &[f32]) {
        self.values.copy_from_slice(values);
    }

    fn backward(&mut self, dx: &[f32], gradient: &mut [f32]) -> Result<(), String> {
        let mut d_features = dx.to_vec();
        self.quiet_cost(&mut d_features);
        d_features.iter_mut().zip(&self.last.1).for_each(|(d, f)| *d = if *f > 0.0 { *d } else { 0.0 });
        let (k, n) = (self.raw.inputs(), self.settings.features);
        let rows = d_features.len() / n;
        let (d_w, d_b) = gradient.split_at_mut(k * n);
        let matrices = || -> Result<_, ShapeError> {
            Ok((ArrayView2::from_shape((rows, k), &self.last.0)?, ArrayView2::from_shape((rows, n), &d_features)?))
        };
        let (raw, d_out) = matrices().map_err(|e| e.to_string())?;
        let mut d_w = ArrayViewMut2::from_shape((k, n), d_w).map_err(|e| e.to_string())?;
        general_mat_mul(1.0, &raw.t(), &d_out, 1.0, &mut d_w);
        for row in d_features.chunks_exact(n) {
            d_b.iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
        }
        Ok(())
    }
}
