//! The last stage: features to an angle, with the exact work, delta beside dense.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;
use deltasteer_data::SkipReport;
use deltasteer_temporal::{DeltaGru, DenseGru, StepCount, Thresholds, Totals};

use super::decode::micros;
use super::item::{Control, Item, SeenFrame};
use super::snapshot::{Event, FrameResult, QueueLengths, RunEnd, StageTimes};
use super::stage::{Events, StageResult, Stop};
use crate::model::Model;

/// The stage's state between two frames.
pub(super) struct Rnn {
    model: Arc<Model>,
    delta: DeltaGru,
    dense: DenseGru,
    thresholds: Thresholds,
    shadow_dense: bool,
    totals: Totals,
    refused: SkipReport,
    input: Receiver<Item<SeenFrame>>,
    events: Events,
}

/// One delta step and, while the shadow runs, its dense twin.
struct Stepped {
    count: StepCount,
    steering_rad: f32,
    step_us_delta: f32,
    /// Angle and microseconds.
    dense: Option<(f32, f32)>,
}

impl Rnn {
    pub fn new(
        model: &Arc<Model>,
        thresholds: Option<Thresholds>,
        shadow_dense: bool,
        input: Receiver<Item<SeenFrame>>,
        events: Events,
    ) -> anyhow::Result<Self> {
        let thresholds = thresholds.unwrap_or(model.thresholds());
        Ok(Self {
            delta: DeltaGru::new(model.rnn(), thresholds)?,
            dense: DenseGru::new(model.rnn()),
            totals: Totals::new(model.rnn()),
            model: model.clone(),
            thresholds,
            shadow_dense,
            refused: SkipReport::default(),
            input,
            events,
        })
    }

    /// Runs until a neighbour has gone or a step fails.
    pub fn run(mut self) -> StageResult {
        self.events.send(Event::ModelReady(self.model.clone()))?;
        loop {
            match self.input.recv().map_err(|_| Stop::Neighbours)? {
                Item::Frame(frame) => self.steer(frame)?,
                Item::Control(control) => self.obey(control)?,
            }
        }
    }

    fn steer(&mut self, frame: SeenFrame) -> StageResult {
        if let Some(place) = frame.features.iter().position(|value| !value.is_finite()) {
            self.refused.add(format!("frame {}: feature {place} is {}", frame.index, frame.features[place]));
            return Ok(());
        }
        let stepped = self.step(&frame.features)?;
        if frame.warm_up {
            return Ok(());
        }
        let result = self.snapshot(frame, stepped);
        self.events.send(Event::Frame(Arc::new(result)))
    }

    fn step(&mut self, features: &[f32]) -> StageResult<Stepped> {
        let head = self.model.head();
        let start = Instant::now();
        let count = self.delta.step(features)?;
        let steering_rad = head.steering_rad(self.delta.hidden());
        let step_us_delta = micros(start);
        let dense = if self.shadow_dense {
            let start = Instant::now();
            self.dense.step(features)?;
            let steering_rad = head.steering_rad(self.dense.hidden());
            Some((steering_rad, micros(start)))
        } else {
            None
        };
        self.totals.add(&count);
        Ok(Stepped { count, steering_rad, step_us_delta, dense })
    }

    fn snapshot(&self, frame: SeenFrame, stepped: Stepped) -> FrameResult {
        FrameResult {
            index: frame.index,
            time_s: frame.time_s,
            image: frame.image,
            steering_true_rad: frame.steering_true_rad,
            steering_rad: stepped.steering_rad,
            steering_dense_rad: stepped.dense.map(|(steering_rad, _)| steering_rad),
            steering_single_frame_rad: frame.steering_single_frame_rad,
            thresholds: self.thresholds,
            count: stepped.count,
            sent_x: self.delta.sent_x().to_vec(),
            sent_h: self.delta.sent_h().to_vec(),
            features: frame.features,
            hidden: self.delta.hidden().to_vec(),
            cnn_work: frame.cnn_work,
            times: StageTimes {
                decode_us: frame.decode_us,
                cnn_us: frame.cnn_us,
                step_us_delta: stepped.step_us_delta,
                step_us_dense: stepped.dense.map(|(_, us)| us),
            },
            queues: QueueLengths { to_cnn: frame.to_cnn, to_rnn: self.input.len() },
            skipped: frame.skipped,
            dropped: frame.dropped,
            health: frame.health,
            totals: self.totals.clone(),
        }
    }

    fn obey(&mut self, control: Control) -> StageResult {
        match control {
            Control::ColdStart => self.start_cold(),
            Control::Opened(info) => {
                self.start_cold();
                self.refused = SkipReport::default();
                self.events.send(Event::Opened(info))?;
            }
            Control::UseModel(model) => {
                self.use_model(model)?;
                self.events.send(Event::ModelReady(self.model.clone()))?;
            }
            Control::SetThresholds(thresholds) => {
                self.delta.set_thresholds(thresholds);
                self.thresholds = thresholds;
            }
            Control::ShadowDense(on) => self.shadow_dense = on,
            Control::End { skipped, dropped } => {
                self.events.send(Event::Ended(RunEnd { skipped, dropped, refused: self.refused.clone() }))?;
            }
            // The CNN stage has turned it into UseModel or refused it.
            Control::LoadModel(_) => {}
        }
        Ok(())
    }

    /// Other weights, at their own thresholds.
    fn use_model(&mut self, model: Arc<Model>) -> StageResult {
        self.thresholds = model.thresholds();
        self.delta = DeltaGru::new(model.rnn(), self.thresholds)?;
        self.dense = DenseGru::new(model.rnn());
        self.totals = Totals::new(model.rnn());
        self.model = model;
        Ok(())
    }

    fn start_cold(&mut self) {
        self.delta.reset();
        self.dense.reset();
        self.totals = Totals::new(self.model.rnn());
    }
}
