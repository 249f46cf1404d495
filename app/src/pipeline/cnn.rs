//! The CNN's workers, and the queue behind them that puts their answers in order again.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use deltasteer_perception::{Device, FeatureExtractor};
use ndarray::Array3;

use super::decode::micros;
use super::item::{Item, Pending};
use super::snapshot::SeenFrame;
use super::stage::{StageResult, Stop};
use crate::model::Model;

/// A frame for the CNN.
pub(super) struct Job {
    pub model: Arc<Model>,
    pub image: Arc<Array3<u8>>,
    /// Where the answer goes.
    pub done: Sender<Looked>,
}

/// What the CNN made of a frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Looked {
    features: Vec<f32>,
    steering_single_frame_rad: f32,
    macs: u64,
    cnn_us: f32,
}

/// One worker: a CNN of its own that takes whichever frame comes next. All workers give the same bits.
pub(super) struct Worker {
    pub extractor: FeatureExtractor,
    pub model: Arc<Model>,
    pub device: Device,
    pub jobs: Receiver<Job>,
    pub free: Sender<()>,
}

impl Worker {
    /// Runs until its neighbours have gone or a frame cannot be computed.
    pub fn run(mut self) -> StageResult {
        loop {
            // A full queue of places means that nobody waits for one.
            let _ = self.free.try_send(());
            let job = self.jobs.recv().map_err(|_| Stop::Neighbours)?;
            if !Arc::ptr_eq(&job.model, &self.model) {
                self.extractor = job.model.extractor(self.device).map_err(Stop::Failed)?;
                self.model = job.model;
            }
            let start = Instant::now();
            let features = self.extractor.features(job.image.view())?;
            let looked = Looked {
                steering_single_frame_rad: self.extractor.single_frame_steering_rad(features.view()),
                features: features.to_vec(),
                macs: self.extractor.macs_per_frame(),
                cnn_us: micros(start),
            };
            job.done.send(looked).map_err(|_| Stop::Neighbours)?;
        }
    }
}

/// Frames in their order, each with its features; a frame that the CNN did not run on has those of the last one.
pub(super) struct InOrder {
    input: Receiver<Item<Pending>>,
    last: Looked,
}

impl InOrder {
    pub fn new(input: Receiver<Item<Pending>>) -> Self {
        Self { input, last: Looked::default() }
    }

    /// The next item, once the CNN has done its part.
    pub fn recv(&mut self) -> StageResult<Item<SeenFrame>> {
        let Pending { mut frame, result } = match self.input.recv().map_err(|_| Stop::Neighbours)? {
            Item::Frame(pending) => pending,
            Item::Control(control) => return Ok(Item::Control(control)),
        };
        if let Some(result) = result {
            self.last = result.recv().map_err(|_| Stop::Neighbours)?;
            frame.cnn_work.macs += self.last.macs;
            frame.cnn_us += self.last.cnn_us;
        }
        frame.cnn_work.macs_dense += self.last.macs;
        frame.steering_single_frame_rad = self.last.steering_single_frame_rad;
        // So far it holds the motion values, which come behind the features.
        let motion = std::mem::replace(&mut frame.features, self.last.features.clone());
        frame.features.extend(motion);
        Ok(Item::Frame(frame))
    }

    /// Frames that wait here, with or without their features.
    pub fn len(&self) -> usize {
        self.input.len()
    }
}
