//! Times on recorded features: the whole RNN stage, and several streams.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{RnnWeights, SteeringRnn, Streams, TemporalError, Thresholds, rnn::DenseSteeringRnn};

/// Mean time of a step of the whole RNN stage (input check, scan, walk, gates, head, counting) over a drive.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DriveTimes {
    /// Microseconds of a delta step.
    pub step_us_delta: f64,
    /// Microseconds of a step of its dense twin.
    pub step_us_dense: f64,
}

/// Steps both stages through `features[frames][inputs]` from their start, in turns of some frames each, until `time`
/// has passed and at least three times. Each turn of frames counts with the smallest time that it took, so that the
/// sum is one undisturbed drive. Bad frames are refused and cost their check.
///
/// # Errors
/// [`TemporalError::Length`] where `features` is empty or no whole number of frames; otherwise as
/// [`SteeringRnn::new`].
pub fn time_drive(
    weights: &Arc<RnnWeights>,
    thresholds: Thresholds,
    features: &[f32],
    time: Duration,
) -> Result<DriveTimes, TemporalError> {
    /// Frames between two readings of the clock: some microseconds of work.
    const TURN: usize = 32;
    let inputs = weights.config.inputs;
    let frames = features.len() / inputs;
    if frames == 0 || frames * inputs != features.len() {
        let expected = frames.max(1) * inputs;
        return Err(TemporalError::Length { what: "the features of a drive", expected, found: features.len() });
    }
    let mut delta = SteeringRnn::new(weights.clone(), thresholds)?;
    let mut dense = DenseSteeringRnn::new(weights.clone())?;
    let mut best = vec![[f64::INFINITY; 2]; frames.div_ceil(TURN)];
    let until = Instant::now() + time;
    let mut drives = 0;
    while drives < 3 || Instant::now() < until {
        delta.reset();
        dense.reset();
        for (turn, best) in features.chunks(TURN * inputs).zip(&mut best) {
            let start = Instant::now();
            turn.chunks_exact(inputs).for_each(|x| drop(black_box(delta.step(x))));
            let middle = Instant::now();
            turn.chunks_exact(inputs).for_each(|x| drop(black_box(dense.step(x))));
            best[0] = best[0].min((middle - start).as_secs_f64());
            best[1] = best[1].min(middle.elapsed().as_secs_f64());
        }
        drives += 1;
    }
    let mean = |which: usize| best.iter().map(|b| b[which]).sum::<f64>() / frames as f64 * 1e6;
    Ok(DriveTimes { step_us_delta: mean(0), step_us_dense: mean(1) })
}

/// Throughput of several streams on some threads.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StreamRow {
    /// Streams at once.
    pub streams: usize,
    /// Threads that share them.
    pub threads: usize,
    /// Steps of all streams together in a second.
    pub steps_per_second: f64,
}

/// Runs every stream through `features[frames][inputs]`, for each number of streams on each number of threads; the
/// best of five runs counts.
///
/// # Errors
/// As [`Streams::run`].
pub fn run_streams(
    weights: &Arc<RnnWeights>,
    thresholds: Thresholds,
    features: &[f32],
    streams: &[usize],
    threads: &[usize],
) -> Result<Vec<StreamRow>, TemporalError> {
    let inputs = weights.config.inputs;
    let frames = features.len() / inputs;
    let mut rows = Vec::new();
    for &count in streams {
        // Each stream starts somewhere else in the drive, as cameras on different roads would.
        let start = |stream: usize| stream * frames / count;
        let place = |frame: usize, stream: usize| (frame + start(stream)) % frames * inputs;
        let all: Vec<f32> = (0..frames * count)
            .flat_map(|i| features[place(i / count, i % count)..][..inputs].iter().copied())
            .collect();
        let mut angles = vec![0.0; frames * count];
        for &threads in threads {
            let mut best = f64::INFINITY;
            for _ in 0..5 {
                let mut streams = Streams::new(weights.clone(), thresholds, count)?;
                let start = Instant::now();
                streams.run(&all, &mut angles, threads)?;
                best = best.min(start.elapsed().as_secs_f64());
            }
            rows.push(StreamRow { streams: count, threads, steps_per_second: (frames * count) as f64 / best });
        }
    }
    Ok(rows)
}
