//! Many drives in one line.

use serde::Serialize;

use super::report::{Macs, Report};

/// Sums over drives. Errors are pooled over frames, savings are sums of work divided.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Total {
    /// Drives that were evaluated.
    pub drives: usize,
    /// Drives that could not be.
    pub failed: usize,
    /// Evaluated drives whose angles are a command of no known scale: they are in the work, not in the errors.
    pub drives_without_radians: usize,
    /// Frames that went through the network.
    pub frames: usize,
    /// Frames that could not be read.
    pub skipped_frames: usize,
    /// Frames that the errors speak of.
    pub labelled_frames: usize,
    /// Error of the delta GRU; `None` without a labelled frame.
    pub rmse_rad: Option<f64>,
    /// Error of the same weights, run densely.
    pub dense_rmse_rad: Option<f64>,
    /// Error of always predicting zero.
    pub zero_rmse_rad: Option<f64>,
    /// The RNN's work.
    pub rnn: Macs,
    /// The RNN's dense work over its delta work.
    pub savings: Option<f64>,
    /// CNN and RNN.
    pub network: Macs,
}

impl Total {
    /// Over the reports of the drives that succeeded; `failed` did not.
    pub fn of(reports: &[&Report], failed: usize) -> Self {
        let in_radians: Vec<&Report> =
            reports.iter().copied().filter(|report| report.full_scale_rad.is_none()).collect();
        let sum = |pick: fn(&Report) -> usize| reports.iter().map(|report| pick(report)).sum();
        let work =
            |pick: fn(&Report) -> Macs| reports.iter().fold(Macs::default(), |sum, report| add(sum, pick(report)));
        let rnn = work(|report| Macs {
            macs_dense: report.figures.rnn.macs_dense,
            macs_delta: report.figures.rnn.macs_delta,
        });
        Self {
            drives: reports.len(),
            failed,
            drives_without_radians: reports.len() - in_radians.len(),
            frames: sum(|report| report.figures.frames),
            skipped_frames: sum(|report| report.skipped_frames),
            labelled_frames: in_radians.iter().map(|report| report.labelled_frames).sum(),
            rmse_rad: pooled(&in_radians, |report| report.figures.rmse_rad),
            dense_rmse_rad: pooled(&in_radians, |report| report.figures.dense.rmse_rad),
            zero_rmse_rad: pooled(&in_radians, |report| report.figures.zero_rmse_rad),
            savings: (rnn.macs_dense > 0).then(|| rnn.macs_dense as f64 / rnn.macs_delta.max(1) as f64),
            rnn,
            network: work(|report| report.figures.network),
        }
    }
}

fn add(a: Macs, b: Macs) -> Macs {
    Macs { macs_dense: a.macs_dense + b.macs_dense, macs_delta: a.macs_delta + b.macs_delta }
}

/// The error over all frames from each drive's own.
fn pooled(reports: &[&Report], rmse: fn(&Report) -> f64) -> Option<f64> {
    let frames: usize = reports.iter().map(|report| report.labelled_frames).sum();
    let squares: f64 = reports.iter().map(|report| report.labelled_frames as f64 * rmse(report).powi(2)).sum();
    (frames > 0).then(|| (squares / frames as f64).sqrt())
}
