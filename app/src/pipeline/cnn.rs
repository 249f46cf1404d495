//! The second stage: pictures to features.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use deltasteer_data::rgb_bytes;
use deltasteer_perception::Perception;

use super::decode::micros;
use super::item::{Control, DecodedFrame, Item};
use super::snapshot::SeenFrame;
use super::stage::{Events, StageResult, Stop, pass};
use crate::model::{CnnMode, Model};

/// The stage's state between two frames.
pub(super) struct Cnn {
    perception: Perception,
    mode: CnnMode,
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
        model: &Model,
        mode: CnnMode,
        input: Receiver<Item<DecodedFrame>>,
        out: Sender<Item<SeenFrame>>,
        events: Events,
    ) -> anyhow::Result<Self> {
        let perception = model.perception(mode)?;
        Ok(Self { perception, mode, input, out, events, live: false, dropped: 0, held: None })
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
                Ok(newer @ Item::Frame(_)) => {
                    self.dropped += 1;
                    item = newer;
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
        let mut features = vec![0.0; self.perception.feature_count()];
        let start = Instant::now();
        let (height, width, _) = image.dim();
        let cnn_work = self.perception.features(rgb_bytes(&image), width, height, &mut features)?;
        let cnn_us = micros(start);
        let seen = SeenFrame {
            index: decoded.frame.index,
            time_s: decoded.frame.time_s,
            before: decoded.before,
            image: Arc::new(image),
            steering_true_rad: decoded.frame.steering_true_rad,
            steering_single_frame_rad: self.perception.single_frame_steering_rad(&features),
            features,
            cnn_work,
            warm_up: decoded.warm_up,
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
                self.perception.reset();
                Control::Opened(info)
            }
            Control::ColdStart => {
                self.perception.reset();
                Control::ColdStart
            }
            Control::End { skipped, .. } => Control::End { skipped, dropped: self.dropped },
            Control::UseModel(model) => match model.perception(self.mode) {
                Ok(perception) => {
                    self.perception = perception;
                    Control::UseModel(model)
                }
                Err(error) => return self.events.refuse(format!("use model {}", model.folder().display()), error),
            },
        };
        pass(&self.out, Item::Control(control))
    }
}
