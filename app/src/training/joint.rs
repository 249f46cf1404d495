//! The feature layer as an input of the RNN's training, so that both learn together.

use std::sync::Arc;

use deltasteer_perception::PerceptionError;
use deltasteer_perception::train::{Drive, FrameRef, JointFeatures, JointSettings, TrainableLayer};
use deltasteer_temporal::train::{DriveLabels, Labels, Parameters, SequenceInputs, Window};

/// Perception's layer behind temporal's trait; the two crates do not know each other.
pub struct JointInputs<'a> {
    features: JointFeatures,
    validation: &'a [Drive],
}

impl<'a> JointInputs<'a> {
    /// `layer` over the coordinates of `training`; `validation` drives are seen whole, without noise.
    ///
    /// # Errors
    /// A setting out of range, or drives that do not fit the layer.
    pub fn new(
        layer: TrainableLayer,
        training: &[Drive],
        validation: &'a [Drive],
        settings: JointSettings,
    ) -> Result<Self, PerceptionError> {
        Ok(Self { features: JointFeatures::new(layer, training.to_vec(), settings)?, validation })
    }

    /// The layer with the parameters last set.
    pub fn layer(&self) -> &TrainableLayer {
        self.features.layer()
    }
}

impl SequenceInputs for JointInputs<'_> {
    fn inputs(&self) -> usize {
        self.features.layer().features()
    }

    fn gather(&mut self, step: u64, windows: &[Window], frames: usize, x: &mut [f32]) -> Result<(), String> {
        let frame = |window: usize, t: usize| {
            let window = &windows[window];
            FrameRef { drive: window.drive, version: window.version, frame: window.frame(t) }
        };
        self.features.gather(step, windows.len(), frames, frame, x);
        Ok(())
    }

    fn validation(&mut self, drive: usize) -> Result<Arc<[f32]>, String> {
        Ok(self.features.whole(&self.validation[drive], 0).into())
    }

    fn parameters(&self) -> Vec<f32> {
        self.features.layer().parameters().to_vec()
    }

    fn set_parameters(&mut self, values: &[f32]) {
        self.features.layer_mut().parameters_mut().copy_from_slice(values);
    }

    fn backward(&mut self, dx: &[f32], gradient: &mut [f32]) -> Result<(), String> {
        self.features.backward(dx, gradient);
        Ok(())
    }
}

/// Name, gaps and angles of `drives` as the RNN's training wants them.
pub fn labels(drives: &[(Drive, Vec<usize>)]) -> Vec<DriveLabels> {
    let version = |steering_rad: &[f32]| Labels { steering_rad: steering_rad.into(), teacher_rad: None };
    drives
        .iter()
        .map(|(drive, gaps_after)| DriveLabels {
            name: drive.name.clone(),
            gaps_after: gaps_after.clone(),
            versions: drive.versions.iter().map(|one| version(&one.steering_rad)).collect(),
        })
        .collect()
}

/// Divides all features by one number, so that their common standard deviation over the drives as recorded is 1, and
/// multiplies the RNN's input weights by it, so that no angle changes: a threshold of 1 then means one deviation. Features
/// keep their sizes beside each other, because a small one matters little.
pub fn to_unit_deviation(layer: &mut TrainableLayer, training: &[Drive], rnn: &mut Parameters) {
    let (mut sum, mut squares, mut count) = (0.0f64, 0.0f64, 0.0f64);
    for drive in training {
        for &feature in &as_recorded(layer, drive) {
            sum += f64::from(feature);
            squares += f64::from(feature) * f64::from(feature);
            count += 1.0;
        }
    }
    let deviation = (squares / count - (sum / count).powi(2)).max(1e-12).sqrt() as f32;
    layer.parameters_mut().iter_mut().for_each(|value| *value /= deviation);
    rnn.scale_inputs(deviation);
}

/// Features `[frames][features]` of a drive as it was recorded.
pub fn as_recorded(layer: &TrainableLayer, drive: &Drive) -> Vec<f32> {
    version(layer, drive, 0)
}

/// Features `[frames][features]` of one version of a drive.
pub fn version(layer: &TrainableLayer, drive: &Drive, version: usize) -> Vec<f32> {
    let rows: Vec<f32> = drive.versions[version].coordinates.iter().map(|value| value.to_f32()).collect();
    let mut features = vec![0.0; rows.len() / layer.components() * layer.features()];
    layer.forward(&rows, &mut features);
    features
}
