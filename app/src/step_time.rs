//! Measured time of the RNN stage on a drive's own features, delta beside dense.

use std::sync::Arc;
use std::time::Instant;

use deltasteer_temporal::{DenseSteeringRnn, RnnWeights, SteeringRnn, TemporalError, Thresholds};

/// Passes over the drive for each cell.
const PASSES: usize = 7;

/// Microseconds of one step with its head: the median, over several passes, of a pass's mean.
#[derive(Debug, Clone, Copy)]
pub struct StepTimes {
    /// The delta GRU at its thresholds.
    pub delta_us: f64,
    /// The dense GRU.
    pub dense_us: f64,
}

/// Runs both cells over `features` again and again, taking turns, so that both see the same disturbances of the machine.
///
/// # Errors
/// Whatever a step refuses.
pub fn measure(
    weights: &Arc<RnnWeights>,
    thresholds: Thresholds,
    features: &[&[f32]],
) -> Result<StepTimes, TemporalError> {
    let mut delta = SteeringRnn::new(weights.clone(), thresholds)?;
    let mut dense = DenseSteeringRnn::new(weights.clone())?;
    let (mut delta_us, mut dense_us) = (Vec::new(), Vec::new());
    for _ in 0..PASSES {
        delta.reset();
        delta_us.push(pass_us(features, |x| delta.step(x).map(|step| step.0))?);
        dense.reset();
        dense_us.push(pass_us(features, |x| dense.step(x).map(|step| step.0))?);
    }
    Ok(StepTimes { delta_us: middle(delta_us), dense_us: middle(dense_us) })
}

/// Mean microseconds of a step over one pass.
fn pass_us(
    features: &[&[f32]],
    mut step: impl FnMut(&[f32]) -> Result<f32, TemporalError>,
) -> Result<f64, TemporalError> {
    let start = Instant::now();
    for x in features {
        std::hint::black_box(step(x)?);
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / features.len().max(1) as f64)
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
