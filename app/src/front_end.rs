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
        self.see_by(frame, time_s, |extractor| extractor.features(frame))?;
        Ok(self.inputs.view())
    }

    /// The same with features `[features]` that `cnn` computes, asked only on a frame that the CNN runs on. Returns the
    /// multiply-accumulates of CNN and motion sensor.
    ///
    /// # Errors
    /// As [`FrontEnd::see`], or those of `cnn`.
    pub fn see_by(
        &mut self,
        frame: ArrayView3<'_, u8>,
        time_s: f64,
        cnn: impl FnOnce(&mut FeatureExtractor) -> Result<Array1<f32>, PerceptionError>,
    ) -> Result<u64, PerceptionError> {
        let features = self.extractor.feature_count();
        let mut motion = self.inputs.slice_mut(s![features..]);
        let mut macs = 0;
        if let Some(sensor) = &mut self.motion {
            let step = sensor.step(frame, time_s)?;
            motion.assign(&step.values);
            macs += step.macs;
        }
        if self.scheduler.due(motion.view()) {
            self.inputs.slice_mut(s![..features]).assign(&cnn(&mut self.extractor)?);
            macs += self.extractor.macs_per_frame();
        }
        Ok(macs)
    }

    /// The RNN's inputs `[inputs]` of the last frame.
    pub fn inputs(&self) -> ArrayView1<'_, f32> {
        self.inputs.view()
    }

    /// The CNN's own angle from the last frame that it ran on.
    pub fn single_frame_steering_rad(&self) -> f32 {
        self.extractor.single_frame_steering_rad(self.inputs.slice(s![..self.extractor.feature_count()]))
    }

    /// Multiply-accumulates of the CNN on a frame that it runs on.
    pub fn cnn_macs(&self) -> u64 {
        self.extractor.macs_per_frame()
    }
}
