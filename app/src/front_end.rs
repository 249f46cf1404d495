//! Motion sensor, schedule and CNN of a model, frame by frame on one thread. The pipeline does the same on several.

use deltasteer_data::SourceInfo;
use deltasteer_perception::motion::MotionSensor;
use deltasteer_perception::{CnnSchedule, CnnScheduler, Device, FeatureExtractor, PerceptionError};
use ndarray::{Array1, ArrayView1, ArrayView3, s};

use crate::model::Model;

/// What turns frames into the RNN's inputs.
pub struct FrontEnd {
    extractor: FeatureExtractor,
    motion: Option<MotionSensor>,
    scheduler: CnnScheduler,
    /// Features, then motion values.
    inputs: Array1<f32>,
}

impl FrontEnd {
    /// For a source, before its first frame.
    ///
    /// # Errors
    /// As [`Model::extractor`] and [`Model::motion_sensor`].
    pub fn new(model: &Model, info: &SourceInfo, schedule: CnnSchedule, device: Device) -> anyhow::Result<Self> {
        Ok(Self {
            extractor: model.extractor(device)?,
            motion: model.motion_sensor(info)?,
            scheduler: CnnScheduler::new(schedule),
            inputs: Array1::zeros(model.rnn().config.input_size),
        })
    }

    /// Forgets all earlier frames.
    pub fn reset(&mut self) {
        self.motion.iter_mut().for_each(MotionSensor::reset);
        self.scheduler.reset();
    }

    /// The RNN's inputs `[inputs]` of the next frame.
    ///
    /// # Errors
    /// A frame that is not RGB or too small.
    pub fn see(&mut self, frame: ArrayView3<'_, u8>, time_s: f64) -> Result<ArrayView1<'_, f32>, PerceptionError> {
        let features = self.extractor.feature_count();
        let mut motion = self.inputs.slice_mut(s![features..]);
        if let Some(sensor) = &mut self.motion {
            motion.assign(&sensor.step(frame, time_s)?.values);
        }
        if self.scheduler.due(motion.view()) {
            self.inputs.slice_mut(s![..features]).assign(&self.extractor.features(frame)?);
        }
        Ok(self.inputs.view())
    }
}
