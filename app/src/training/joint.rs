//! The feature layer as an input of the RNN's training, so that both learn together; motion values beside it.

use deltasteer_perception::PerceptionError;
use deltasteer_perception::train::{OptimiserStep, TrainableLayer};
use deltasteer_temporal::train::{InputsStep, Parameters, SequenceInputs, Window, add_noise, stream_of};
use half::f16;
use ndarray::{ArcArray2, Array2, Array3, ArrayView3, Axis, concatenate, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::data::DriveCoordinates;
use super::targets::DriveAngles;

/// How the feature layer is held back from memorising while it trains with the RNN.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerSettings {
    /// Seed of the start and of the noise.
    pub seed: u64,
    /// Deviation of normal noise on the coordinates, drawn for each frame.
    pub input_noise: f32,
    /// Share of the features that is set to zero (the others are scaled up), drawn once for a walk along the road. Motion
    /// values stay: they are few.
    pub dropout: f32,
    /// Cost of the mean absolute change of a feature from one frame to the next.
    pub smoothness_l1: f32,
}

impl Default for LayerSettings {
    fn default() -> Self {
        Self { seed: 1, input_noise: 0.5, dropout: 0.0, smoothness_l1: 0.0 }
    }
}

/// Perception's layer behind temporal's trait; the two crates do not know each other.
pub struct JointInputs<'a> {
    layer: &'a mut TrainableLayer,
    settings: LayerSettings,
    training: &'a [DriveCoordinates],
    validation: &'a [DriveCoordinates],
    /// What the last windows' features were multiplied by, `[windows, features]`.
    keep: Array2<f32>,
}

impl<'a> JointInputs<'a> {
    /// `layer` over the coordinates of `training`; `validation` drives are seen whole, without noise.
    ///
    /// # Errors
    /// [`PerceptionError::Option`] for a setting out of range.
    pub fn new(
        layer: &'a mut TrainableLayer,
        training: &'a [DriveCoordinates],
        validation: &'a [DriveCoordinates],
        settings: LayerSettings,
    ) -> Result<Self, PerceptionError> {
        for (field, value) in [("input_noise", settings.input_noise), ("smoothness_l1", settings.smoothness_l1)] {
            if !(value.is_finite() && value >= 0.0) {
                let expected = "a finite number, 0 or more";
                return Err(PerceptionError::Option { field, found: value.to_string(), expected });
            }
        }
        if !(0.0..1.0).contains(&settings.dropout) {
            let (found, expected) = (settings.dropout.to_string(), "0 or more and below 1");
            return Err(PerceptionError::Option { field: "dropout", found, expected });
        }
        Ok(Self { layer, settings, training, validation, keep: Array2::default((0, 0)) })
    }

    /// 0, or what makes up for the share that is dropped, for each window and feature.
    fn draw_keep(&mut self, windows: &[Window]) {
        let dropout = self.settings.dropout;
        let mut keep = Vec::with_capacity(windows.len() * self.layer.features());
        for window in windows {
            let mut rng = stream_of(self.settings.seed ^ 0x6472_6f70, window.stream);
            let draw = |_| if rng.random::<f32>() < dropout { 0.0 } else { 1.0 / (1.0 - dropout) };
            keep.extend((0..self.layer.features()).map(draw));
        }
        self.keep = Array2::from_shape_vec((windows.len(), self.layer.features()), keep).unwrap_or_default();
    }

    fn motion_values(&self) -> usize {
        self.training[0].versions[0].motion.ncols()
    }
}

impl SequenceInputs for JointInputs<'_> {
    fn inputs(&self) -> usize {
        self.layer.features() + self.motion_values()
    }

    fn fingerprint(&self) -> u64 {
        let versions = self.training.iter().chain(self.validation).flat_map(|drive| &drive.versions);
        let values = versions.flat_map(|version| {
            let coordinates = version.coordinates.iter().map(|value| u64::from(value.to_bits()));
            coordinates.chain(version.motion.iter().map(|value| u64::from(value.to_bits())))
        });
        let start = [self.settings.seed, self.layer.components() as u64, self.layer.features() as u64];
        // FNV-1a: enough to notice other data.
        let hash = |hash: u64, value: u64| (hash ^ value).wrapping_mul(0x0100_0000_01b3);
        start.into_iter().chain(values).fold(0xcbf2_9ce4_8422_2325, hash)
    }

    fn gather(&mut self, step: u64, windows: &[Window], frames: usize) -> Result<Array3<f32>, String> {
        let components = self.layer.components();
        let mut coordinates = Array3::zeros((frames, windows.len(), components));
        let mut noise = vec![0.0; components];
        for (w, window) in windows.iter().enumerate() {
            let mut rng = stream_of(self.settings.seed, step.wrapping_shl(16) ^ w as u64);
            let version = &self.training[window.sequence].versions[window.version];
            for t in 0..frames {
                // Features that stand keep their noise: a flicker would punish the quietness that a delta network lives from.
                if self.settings.input_noise > 0.0 && (t == 0 || version.looked[window.frame(t)]) {
                    noise.fill(0.0);
                    add_noise(&mut rng, self.settings.input_noise, &mut noise);
                }
                let row = version.coordinates.row(window.frame(t));
                let mut to = coordinates.slice_mut(s![t, w, ..]);
                to.iter_mut().zip(row).zip(&noise).for_each(|((to, value), noise)| *to = value.to_f32() + noise);
            }
        }
        let mut features = self.layer.forward(coordinates).map_err(|error| error.to_string())?;
        self.draw_keep(windows);
        features *= &self.keep;
        let mut motion = Array3::zeros((frames, windows.len(), self.motion_values()));
        for (w, window) in windows.iter().enumerate() {
            let measured = &self.training[window.sequence].versions[window.version].motion;
            for t in 0..frames {
                motion.slice_mut(s![t, w, ..]).assign(&measured.row(window.frame(t)));
            }
        }
        concatenate(Axis(2), &[features.view(), motion.view()]).map_err(|error| error.to_string())
    }

    fn validation(&mut self, drive: usize) -> Result<ArcArray2<f32>, String> {
        let drive = &self.validation[drive];
        let features = features(self.layer, drive, 0).map_err(|error| error.to_string())?;
        let inputs = concatenate(Axis(1), &[features.view(), drive.versions[0].motion.view()]);
        Ok(inputs.map_err(|error| error.to_string())?.into_shared())
    }

    fn learns(&self) -> bool {
        true
    }

    fn backward(&mut self, dx: ArrayView3<'_, f32>) -> Result<f64, String> {
        let by_feature = &dx.slice(s![.., .., ..self.layer.features()]) * &self.keep;
        self.layer.backward(by_feature.view(), self.settings.smoothness_l1).map_err(|error| error.to_string())
    }

    fn update(&mut self, step: InputsStep) -> Result<(), String> {
        let InputsStep { rate, decay, scale, keep } = step;
        self.layer.update(OptimiserStep { rate, decay, scale, keep }).map_err(|error| error.to_string())
    }

    fn save(&mut self) -> Result<Vec<u8>, String> {
        self.layer.save().map_err(|error| error.to_string())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.layer.restore(bytes).map_err(|error| error.to_string())
    }
}

/// Name, gaps and angles of `drives`.
pub fn angles(drives: &[DriveCoordinates]) -> Vec<DriveAngles> {
    let drive = |drive: &DriveCoordinates| DriveAngles {
        name: drive.name.clone(),
        gaps_after: drive.gaps_after.clone(),
        steering_rad: drive.versions.iter().map(|version| version.steering_rad.clone()).collect(),
    };
    drives.iter().map(drive).collect()
}

/// Goes on from the averaged layer with all features divided by one number, so that their common standard deviation over the
/// drives as recorded is 1, and multiplies the RNN's input weights by it, so that no angle changes: a threshold of 1 then means
/// one deviation. Features keep their sizes beside each other, because a small one matters little.
///
/// # Errors
/// [`PerceptionError::Candle`].
pub fn to_unit_deviation(
    layer: &mut TrainableLayer,
    training: &[DriveCoordinates],
    rnn: &mut Parameters,
) -> Result<(), PerceptionError> {
    let (mut sum, mut squares, mut count) = (0.0f64, 0.0f64, 0.0f64);
    for drive in training {
        for &feature in &features(layer, drive, 0)? {
            sum += f64::from(feature);
            squares += f64::from(feature) * f64::from(feature);
            count += 1.0;
        }
    }
    let deviation = (squares / count - (sum / count).powi(2)).max(1e-12).sqrt() as f32;
    layer.continue_from_average(deviation)?;
    rnn.scale_inputs(layer.features(), deviation);
    Ok(())
}

/// Features `[frames, features]` of one version of a drive, with the averaged layer.
///
/// # Errors
/// [`PerceptionError::Candle`].
pub fn features(
    layer: &TrainableLayer,
    drive: &DriveCoordinates,
    version: usize,
) -> Result<Array2<f32>, PerceptionError> {
    layer.evaluate(drive.versions[version].coordinates.mapv(f16::to_f32).view())
}
