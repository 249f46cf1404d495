//! The time of the RNN stage on a drive's own features.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltasteer_temporal::{DeltaRnn, DenseRnn, RnnWeights, TemporalError, Thresholds};
use ndarray::{ArrayView2, Axis};
use serde::Serialize;

/// Mean time of a step of the whole RNN stage (threshold scan, matrix-vector product, gates, head, counting) over a drive.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DriveTimes {
    /// Microseconds of a delta step.
    pub step_us_delta: f64,
    /// Microseconds of a step of its dense twin.
    pub step_us_dense: f64,
}

/// Steps both stages through `features[frames, input_size]` from their start, in turns of some frames each, until `time`
/// has passed and at least three times. Each turn of frames counts with the smallest time that it took, so that the
/// sum is one undisturbed drive. Bad frames are refused and cost their check.
///
/// # Errors
/// As [`DeltaRnn::new`].
pub fn time_drive(
    weights: &Arc<RnnWeights>,
    thresholds: Thresholds,
    features: ArrayView2<'_, f32>,
    time: Duration,
) -> Result<DriveTimes, TemporalError> {
    /// Frames between two readings of the clock: some microseconds of work.
    const TURN: usize = 32;
    let frames = features.nrows();
    let mut delta = DeltaRnn::new(weights.clone(), &[thresholds])?;
    let mut dense = DenseRnn::new(weights.clone())?;
    let mut best = vec![[f64::INFINITY; 2]; frames.div_ceil(TURN)];
    let until = Instant::now() + time;
    let mut drives = 0;
    while drives < 3 || Instant::now() < until {
        delta.reset();
        dense.reset();
        for (turn, best) in features.axis_chunks_iter(Axis(0), TURN).zip(&mut best) {
            let start = Instant::now();
            turn.rows().into_iter().for_each(|x| drop(black_box(delta.step(x))));
            let middle = Instant::now();
            turn.rows().into_iter().for_each(|x| drop(black_box(dense.step(x))));
            best[0] = best[0].min((middle - start).as_secs_f64());
            best[1] = best[1].min(middle.elapsed().as_secs_f64());
        }
        drives += 1;
    }
    let mean = |which: usize| best.iter().map(|b| b[which]).sum::<f64>() / frames.max(1) as f64 * 1e6;
    Ok(DriveTimes { step_us_delta: mean(0), step_us_dense: mean(1) })
}
