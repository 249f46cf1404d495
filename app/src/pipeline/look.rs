//! The second stage: measures motion, decides which frames the CNN runs on, and hands those to its workers.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use deltasteer_data::SourceInfo;
use deltasteer_perception::motion::MotionSensor;
use deltasteer_perception::{CnnSchedule, CnnScheduler, CnnWork};
use ndarray::Array1;

use super::cnn::Job;
use super::decode::micros;
use super::item::{Control, DecodedFrame, Item, Pending};
use super::snapshot::{RunEnd, SeenFrame};
use super::stage::{StageResult, Stop, pass};
use crate::model::Model;

/// The stage's state between two frames.
pub(super) struct Look {
    pub model: Arc<Model>,
    /// Instead of the model's own.
    pub schedule: Option<CnnSchedule>,
    pub input: Receiver<Item<DecodedFrame>>,
    pub jobs: Sender<Job>,
    /// A message for each job that may be handed out.
    pub free: Receiver<()>,
    pub out: Sender<Item<Pending>>,
    pub state: LookState,
}

/// What changes from frame to frame.
#[derive(Default)]
pub(super) struct LookState {
    /// The source that is open.
    info: Option<Arc<SourceInfo>>,
    scheduler: Option<CnnScheduler>,
    /// Sees every frame, in order.
    motion: Option<MotionSensor>,
    /// A free place among the workers that is not used yet.
    place: bool,
    /// Whether old frames give way to new ones.
    live: bool,
    /// Live frames that gave way.
    dropped: usize,
    /// An item taken from the queue before its turn.
    held: Option<Item<DecodedFrame>>,
}

impl Look {
    /// Runs until a neighbour has gone or a frame cannot be measured.
    pub fn run(mut self) -> StageResult {
        loop {
            if self.state.live {
                // Only when the CNN is free is it known which live frame is the newest.
                self.take_place()?;
            }
            match self.next()? {
                Item::Frame(frame) => self.see(frame)?,
                Item::Control(control) => self.obey(control)?,
            }
        }
    }

    /// The next item; of several live frames in a row the newest, the others are counted.
    fn next(&mut self) -> StageResult<Item<DecodedFrame>> {
        let mut item = match self.state.held.take() {
            Some(item) => item,
            None => self.input.recv().map_err(|_| Stop::Neighbours)?,
        };
        while self.state.live && matches!(item, Item::Frame(_)) {
            match self.input.try_recv() {
                Ok(Item::Frame(newer)) => {
                    self.state.dropped += 1;
                    let before = match item {
                        Item::Frame(dropped) => dropped.before,
                        Item::Control(_) => newer.before,
                    };
                    item = Item::Frame(DecodedFrame { before, ..newer });
                }
                Ok(control) => {
                    self.state.held = Some(control);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(item)
    }

    fn take_place(&mut self) -> StageResult {
        if !self.state.place {
            self.free.recv().map_err(|_| Stop::Neighbours)?;
            self.state.place = true;
        }
        Ok(())
    }

    fn see(&mut self, decoded: DecodedFrame) -> StageResult {
        let image = Arc::new(decoded.frame.image);
        let start = Instant::now();
        let (mut motion, mut macs) = (Array1::zeros(0), 0);
        if let Some(sensor) = &mut self.state.motion {
            let measured = sensor.step(image.view(), decoded.frame.time_s)?;
            (motion, macs) = (measured.values.to_owned(), measured.macs);
        }
        let looked = self.state.scheduler.as_mut().is_none_or(|scheduler| scheduler.due(motion.view()));
        let cnn_us = micros(start);
        let mut result = None;
        if looked {
            self.take_place()?;
            self.state.place = false;
            let (done, receiver) = bounded(1);
            result = Some(receiver);
            pass(&self.jobs, Job { model: self.model.clone(), image: image.clone(), done })?;
        }
        let frame = SeenFrame {
            index: decoded.frame.index,
            time_s: decoded.frame.time_s,
            before: decoded.before,
            image,
            steering_true_rad: decoded.frame.steering_true_rad,
            steering_single_frame_rad: 0.0,
            features: motion.to_vec(),
            looked,
            cnn_work: CnnWork { macs_dense: macs, macs },
            warm_up: decoded.warm_up,
            read_at: decoded.read_at,
            decode_us: decoded.decode_us,
            cnn_us,
            to_cnn: self.input.len() + self.jobs.len(),
            skipped: decoded.skipped,
            dropped: self.state.dropped,
            health: decoded.health,
        };
        pass(&self.out, Item::Frame(Pending { frame, result }))
    }

    fn obey(&mut self, control: Control) -> StageResult {
        let control = match control {
            Control::Opened(info) => {
                self.state.live = info.live;
                self.state.dropped = 0;
                self.state.info = Some(info.clone());
                self.start()?;
                Control::Opened(info)
            }
            Control::End(end) => Control::End(RunEnd { dropped: end.dropped + self.state.dropped, ..end }),
            Control::UseModel(model) => {
                self.model = model.clone();
                self.start()?;
                Control::UseModel(model)
            }
            Control::ColdStart => {
                self.state.motion.iter_mut().for_each(MotionSensor::reset);
                self.state.scheduler.iter_mut().for_each(CnnScheduler::reset);
                Control::ColdStart
            }
        };
        pass(&self.out, Item::Control(control))
    }

    /// Motion and schedule of the model for the source that is open.
    fn start(&mut self) -> StageResult {
        self.state.motion = self.state.info.as_ref().map_or(Ok(None), |info| self.model.motion_sensor(info))?;
        self.state.scheduler = Some(CnnScheduler::new(self.model.schedule(self.schedule).map_err(Stop::Failed)?));
        Ok(())
    }
}
