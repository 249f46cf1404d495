//! The last stage: features to an angle, with the exact work, delta beside dense.

use std::sync::Arc;
use std::time::Instant;

use deltasteer_data::SkipReport;
use deltasteer_temporal::{DeltaRnn, DenseRnn, StepCount, TemporalError, Thresholds};
use ndarray::ArrayView1;

use super::cnn::InOrder;
use super::decode::micros;
use super::item::{Control, Item};
use super::snapshot::{Event, FrameResult, QueueLengths, RunEnd, SeenFrame, StageTimes};
use super::stage::{Events, StageResult};
use crate::model::Model;

/// The stage's state between two frames.
pub(super) struct Rnn {
    model: Arc<Model>,
    delta: DeltaRnn,
    dense: DenseRnn,
    shadow_dense: bool,
    refused: SkipReport,
    input: InOrder,
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
        input: InOrder,
        events: Events,
    ) -> anyhow::Result<Self> {
        let thresholds = thresholds.unwrap_or(model.thresholds());
        Ok(Self {
            delta: DeltaRnn::new(model.rnn(), &[thresholds])?,
            dense: DenseRnn::new(model.rnn())?,
            model: model.clone(),
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
            match self.input.recv()? {
                Item::Frame(frame) => self.steer(frame)?,
                Item::Control(control) => self.obey(control)?,
            }
        }
    }

    fn steer(&mut self, frame: SeenFrame) -> StageResult {
        let stepped = match self.step(&frame.features) {
            // The state stayed as it was: the drive goes on with the next frame, and the end names this one.
            Err(error @ TemporalError::InputNotFinite { .. }) => {
                self.refused.add(format!("frame {}: {error}", frame.index));
                return Ok(());
            }
            stepped => stepped?,
        };
        if frame.warm_up {
            return Ok(());
        }
        let result = self.snapshot(frame, stepped);
        self.events.send(Event::Frame(Arc::new(result)))
    }

    fn step(&mut self, features: &[f32]) -> Result<Stepped, TemporalError> {
        let start = Instant::now();
        let features = ArrayView1::from(features);
        let count = self.delta.step(features)?;
        let steering_rad = self.delta.output()[0];
        let step_us_delta = micros(start);
        let dense = if self.shadow_dense {
            let start = Instant::now();
            self.dense.step(features)?;
            Some((self.dense.output()[0], micros(start)))
        } else {
            None
        };
        Ok(Stepped { count, steering_rad, step_us_delta, dense })
    }

    fn snapshot(&self, frame: SeenFrame, stepped: Stepped) -> FrameResult {
        let cell = &self.delta.cells()[0];
        FrameResult {
            index: frame.index,
            time_s: frame.time_s,
            image: frame.image,
            steering_true_rad: frame.steering_true_rad,
            steering_rad: stepped.steering_rad,
            steering_dense_rad: stepped.dense.map(|(steering_rad, _)| steering_rad),
            steering_single_frame_rad: frame.steering_single_frame_rad,
            thresholds: cell.thresholds(),
            count: stepped.count,
            sent_x: cell.delta_x().iter().collect(),
            sent_h: cell.delta_h().iter().collect(),
            features: frame.features,
            hidden: cell.hidden().to_vec(),
            looked: frame.looked,
            cnn_work: frame.cnn_work,
            read_at: frame.read_at,
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
            totals: self.delta.totals(),
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
                self.delta = DeltaRnn::new(model.rnn(), &[model.thresholds()])?;
                self.dense = DenseRnn::new(model.rnn())?;
                self.model = model;
                self.events.send(Event::ModelReady(self.model.clone()))?;
            }
            Control::End(end) => {
                self.events.send(Event::Ended(RunEnd { refused: self.refused.clone(), ..end }))?;
            }
        }
        Ok(())
    }

    fn start_cold(&mut self) {
        self.delta.reset();
        self.dense.reset();
    }
}

/// The last stage of a pipeline without an RNN: hands out what the CNN has seen.
pub(super) fn hand_out(model: Arc<Model>, mut input: InOrder, events: &Events) -> StageResult {
    events.send(Event::ModelReady(model))?;
    loop {
        events.send(match input.recv()? {
            Item::Frame(frame) => Event::Seen(Arc::new(frame)),
            Item::Control(Control::Opened(info)) => Event::Opened(info),
            Item::Control(Control::UseModel(model)) => Event::ModelReady(model),
            Item::Control(Control::End(end)) => Event::Ended(end),
            Item::Control(Control::ColdStart) => continue,
        })?;
    }
}
