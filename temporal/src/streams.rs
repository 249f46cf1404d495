//! Several streams at once (cameras or drives) on one set of weights, each with its own state.

use std::{sync::Arc, thread};

use crate::{RnnWeights, SteeringRnn, TemporalError, Thresholds};

/// Steering networks that share their weights.
#[derive(Debug, Clone)]
pub struct Streams {
    streams: Vec<SteeringRnn>,
    inputs: usize,
}

impl Streams {
    /// `count` streams in their state before the first frame.
    ///
    /// # Errors
    /// As [`SteeringRnn::new`]; [`TemporalError::Setting`] for a count of zero.
    pub fn new(weights: Arc<RnnWeights>, thresholds: Thresholds, count: usize) -> Result<Self, TemporalError> {
        if count == 0 {
            return Err(TemporalError::Setting { field: "streams", value: "0".to_string(), expected: "at least 1" });
        }
        let inputs = weights.config.inputs;
        Ok(Self { streams: vec![SteeringRnn::new(weights, thresholds)?; count], inputs })
    }

    /// The streams, to look at their states and sums.
    pub fn streams(&self) -> &[SteeringRnn] {
        &self.streams
    }

    /// Moves every stream on by some frames: `features[frames][streams][inputs]` to `steering_rad[frames][streams]`.
    /// Each of up to `threads` threads takes a share of the streams through all frames, one frame of all its streams
    /// after the other. The result is that of one stream at a time, on any number of threads.
    ///
    /// A frame with a NaN, infinite or absurdly large feature is refused for its stream only: the state stays, its
    /// angle is the last one, and it is counted in that stream's [`Totals::refused`](crate::Totals::refused).
    ///
    /// # Errors
    /// [`TemporalError::Length`] where `features` is no whole number of frames or `steering_rad` has another length;
    /// [`TemporalError::Setting`] for zero threads; [`TemporalError::Thread`] where none can be started.
    pub fn run(&mut self, features: &[f32], steering_rad: &mut [f32], threads: usize) -> Result<(), TemporalError> {
        let (count, inputs) = (self.streams.len(), self.inputs);
        let frames = features.len() / (count * inputs);
        length("the features of all streams", frames * count * inputs, features.len())?;
        length("the angles of all streams", frames * count, steering_rad.len())?;
        if threads == 0 {
            return Err(TemporalError::Setting { field: "threads", value: "0".to_string(), expected: "at least 1" });
        }
        let share = count.div_ceil(threads.min(count));
        if share == count {
            let out = run_share(&mut self.streams, features, 0, count);
            steering_rad.copy_from_slice(&out);
            return Ok(());
        }
        thread::scope(|scope| {
            let mut workers = Vec::new();
            for (place, streams) in self.streams.chunks_mut(share).enumerate() {
                let worker = thread::Builder::new()
                    .name(format!("rnn-streams-{place}"))
                    .spawn_scoped(scope, move || run_share(streams, features, place * share, count))
                    .map_err(|error| TemporalError::Thread { reason: error.to_string() })?;
                workers.push((place * share, worker));
            }
            for (first, worker) in workers {
                let angles = worker.join().map_err(|_| TemporalError::Thread { reason: "it panicked".to_string() })?;
                let width = angles.len().checked_div(frames).unwrap_or(0);
                for (frame, angles) in angles.chunks(width.max(1)).enumerate() {
                    steering_rad[frame * count + first..][..width].copy_from_slice(angles);
                }
            }
            Ok(())
        })
    }
}

/// The streams from place `first` of `count` through all frames: `[frames][streams]` angles.
fn run_share(streams: &mut [SteeringRnn], features: &[f32], first: usize, count: usize) -> Vec<f32> {
    let inputs = streams[0].weights().config.inputs;
    let mut angles = Vec::with_capacity(features.len() / (count * inputs) * streams.len());
    for frame in features.chunks_exact(count * inputs) {
        for (stream, x) in streams.iter_mut().zip(frame[first * inputs..].chunks_exact(inputs)) {
            // A refused frame is counted by the stream itself; its length is right.
            let angle = stream.step(x).map_or_else(|_| stream.steering_rad(), |(angle, _)| angle);
            angles.push(angle);
        }
    }
    angles
}

fn length(what: &'static str, expected: usize, found: usize) -> Result<(), TemporalError> {
    if expected == found { Ok(()) } else { Err(TemporalError::Length { what, expected, found }) }
}
