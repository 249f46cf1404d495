//! The second stage: pictures to features, and to the motion between them.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use deltasteer_data::SourceInfo;
use deltasteer_perception::motion::MotionSensor;
use deltasteer_perception::{CnnWork, Device, FeatureExtractor};

use super::decode::micros;
use super::item::{Control, DecodedFrame, Item};
use super::snapshot::{RunEnd, SeenFrame};
use super::stage::{Events, StageResult, Stop, pass};
use crate::model::Model;

/// The stage's state between two frames.
pub(super) struct Cnn {
    extractor: FeatureExtractor,
    model: Arc<Model>,
    /// The source that is open.
    info: Option<Arc<SourceInfo>>,
    /// Sees every frame, in order.
    motion: Option<MotionSensor>,
    device: Device,
    input: Receiver<Item<DecodedFrame>>,
    out: Sender<Item<SeenFrame>>,
    events: Events,
    /// Whether old frames give way to new ones.
    live: bool,
    /// Live frames that gave way.
    dropped: usize,
    /// An item taken from the queue before its turn.
    held: Option<Item<DecodedFrame>>,
}

impl Cnn {
    pub fn new(
        model: &Arc<Model>,
        device: Device,
        input: Receiver<Item<DecodedFrame>>,
        out: Sender<Item<SeenFrame>>,
        events: Events,
    ) -> anyhow::Result<Self> {
        let (extractor, model) = (model.extractor(device)?, model.clone());
        let (info, motion, held) = (None, None, None);
        Ok(Self { extractor, model, info, motion, device, input, out, events, live: false, dropped: 0, held })
    }

    /// Runs until a neighbour has gone or a frame cannot be computed.
    pub fn run(mut self) -> StageResult {
        loop {
            match self.next()? {
                Item::Frame(frame) => self.see(frame)?,
                Item::Control(control) => self.obey(control)?,
            }
        }
    }

    /// The next item; of several live frames in a row the newest, the others are counted.
    fn next(&mut self) -> StageResult<Item<DecodedFrame>> {
        let mut item = match self.held.take() {
            Some(item) => item,
            None => self.input.recv().map_err(|_| Stop::Neighbours)?,
        };
        while self.live && matches!(item, Item::Frame(_)) {
            match self.input.try_recv() {
                Ok(Item::Frame(newer)) => {
                    self.dropped += 1;
                    let before = match item {
                        Item::Frame(dropped) => dropped.before,
                        Item::Control(_) => newer.before,
                    };
                    item = Item::Frame(DecodedFrame { before, ..newer });
                }
                Ok(control) => {
                    self.held = Some(control);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(item)
    }

    fn see(&mut self, decoded: DecodedFrame) -> StageResult {
        let image = decoded.frame.image;
        let start = Instant::now();
        let features = self.extractor.features(image.view())?;
        let mut macs = self.extractor.macs_per_frame();
        let mut inputs = features.to_vec();
        if let Some(sensor) = &mut self.motion {
            let motion = sensor.step(image.view(), decoded.frame.time_s)?;
            inputs.extend(motion.values);
            macs += motion.macs;
        }
        let cnn_us = micros(start);
        let seen = SeenFrame {
            index: decoded.frame.index,
            time_s: decoded.frame.time_s,
            before: decoded.before,
            image: Arc::new(image),
            steering_true_rad: decoded.frame.steering_true_rad,
            steering_single_frame_rad: self.extractor.single_frame_steering_rad(features.view()),
            features: inputs,
            cnn_work: CnnWork { macs_dense: macs, macs },
            warm_up: decoded.warm_up,
            read_at: decoded.read_at,
            decode_us: decoded.decode_us,
            cnn_us,
            to_cnn: self.input.len(),
            skipped: decoded.skipped,
            dropped: self.dropped,
            health: decoded.health,
        };
        pass(&self.out, Item::Frame(seen))
    }

    fn obey(&mut self, control: Control) -> StageResult {
        let control = match control {
            Control::Opened(info) => {
                self.live = info.live;
                self.dropped = 0;
                self.motion = self.model.motion_sensor(&info)?;
                self.info = Some(info.clone());
                Control::Opened(info)
            }
            Control::End(end) => Control::End(RunEnd { dropped: end.dropped + self.dropped, ..end }),
            Control::UseModel(model) => match model.extractor(self.device) {
                Ok(extractor) => {
                    (self.extractor, self.model) = (extractor, model.clone());
                    self.motion = self.info.as_ref().map_or(Ok(None), |info| model.motion_sensor(info))?;
                    Control::UseModel(model)
                }
                Err(error) => return self.events.refuse(format!("use model {}", model.folder().display()), error),
            },
            Control::ColdStart => {
                self.motion.iter_mut().for_each(MotionSensor::reset);
                Control::ColdStart
            }
        };
        pass(&self.out, Item::Control(control))
    }
}
