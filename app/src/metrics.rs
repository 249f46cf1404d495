//! Error figures of a drive.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Edges of the bands of |true angle|, in degrees: below 5, 5 to 15, above 15.
const BANDS_DEG: [(f64, f64, &str); 3] = [(0.0, 5.0, "0-5"), (5.0, 15.0, "5-15"), (15.0, f64::INFINITY, "15+")];

/// How far predicted angles lie from true ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorFigures {
    /// Frames with a true angle.
    pub frames: usize,
    /// Root of the mean square of the true angles: the error of always saying "straight ahead".
    pub zero_rmse_rad: f64,
    /// Root of the mean square error.
    pub rmse_rad: f64,
    /// Mean absolute error.
    pub mae_rad: f64,
    /// Explained variance, `1 - var(true - predicted) / var(true)`; `None` where all true angles are equal.
    pub eva: Option<f64>,
    /// Error by band of |true angle|.
    pub by_angle: Vec<BandError>,
}

/// The error within one band of |true angle|.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BandError {
    /// The band, such as `5-15`.
    pub band_deg: Cow<'static, str>,
    /// Frames in it.
    pub frames: usize,
    /// `None` where it holds no frame.
    pub rmse_rad: Option<f64>,
}

impl ErrorFigures {
    /// From pairs `(predicted, true)` in radians; `None` without any.
    pub fn of(pairs: &[(f32, f32)]) -> Option<Self> {
        if pairs.is_empty() {
            return None;
        }
        let errors = || pairs.iter().map(|&(predicted, truth)| f64::from(predicted) - f64::from(truth));
        let truths = || pairs.iter().map(|&(_, truth)| f64::from(truth));
        let variance_of_truth = variance(truths());
        Some(Self {
            frames: pairs.len(),
            zero_rmse_rad: root_mean_square(truths()).unwrap_or(0.0),
            rmse_rad: root_mean_square(errors()).unwrap_or(0.0),
            mae_rad: errors().map(f64::abs).sum::<f64>() / pairs.len() as f64,
            eva: (variance_of_truth > 0.0).then(|| 1.0 - variance(errors()) / variance_of_truth),
            by_angle: BANDS_DEG.iter().map(|&(from, to, name)| BandError::of(pairs, from, to, name)).collect(),
        })
    }
}

impl BandError {
    fn of(pairs: &[(f32, f32)], from_deg: f64, to_deg: f64, band_deg: &'static str) -> Self {
        let inside =
            || pairs.iter().filter(|(_, truth)| (from_deg..to_deg).contains(&f64::from(truth.abs()).to_degrees()));
        let rmse_rad = root_mean_square(inside().map(|&(predicted, truth)| f64::from(predicted) - f64::from(truth)));
        Self { band_deg: band_deg.into(), frames: inside().count(), rmse_rad }
    }
}

/// Root of the mean square; `None` of nothing.
pub fn root_mean_square(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut count, mut sum) = (0usize, 0.0);
    for value in values {
        count += 1;
        sum += value * value;
    }
    (count > 0).then(|| (sum / count as f64).sqrt())
}

/// Smoothness: root of the mean square change between adjacent frames, in degrees; `None` with fewer than two frames.
/// `angles` are `(frame index, radians)`; a pair with a skipped frame between is left out.
pub fn rms_step_deg(angles: &[(usize, f32)]) -> Option<f64> {
    let adjacent = angles.windows(2).filter(|pair| pair[1].0 == pair[0].0 + 1);
    root_mean_square(adjacent.map(|pair| f64::from(pair[1].1 - pair[0].1).to_degrees()))
}

fn variance(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count
}

/// The median, or 0 of nothing. Sorts `values`.
pub fn median(values: &mut [f32]) -> f32 {
    quantile(values, 0.5)
}

/// The value below which `share` (0 to 1) of `values` lie, or 0 of nothing. Sorts `values`.
pub fn quantile(values: &mut [f32], share: f64) -> f32 {
    values.sort_by(f32::total_cmp);
    let place = (share * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(place).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_drive_worked_by_hand() {
        // Errors 0.1, -0.1, 0.3 at true angles 0, 0.1 (5.7 deg) and 0.5 (28.6 deg).
        let figures = ErrorFigures::of(&[(0.1, 0.0), (0.0, 0.1), (0.8, 0.5)]).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(figures.rmse_rad, (0.11f64 / 3.0).sqrt());
        near(figures.zero_rmse_rad, (0.26f64 / 3.0).sqrt());
        near(figures.mae_rad, 0.5 / 3.0);
        near(figures.eva.unwrap(), 1.0 - (0.11 / 3.0 - 0.01) / (0.26 / 3.0 - 0.04));
        let bands: Vec<_> = figures.by_angle.iter().map(|band| band.frames).collect();
        assert_eq!(bands, [1, 1, 1]);
        near(figures.by_angle[2].rmse_rad.unwrap(), 0.3);
    }

    #[test]
    fn no_labels_no_figures() {
        assert_eq!(ErrorFigures::of(&[]), None);
    }

    #[test]
    fn a_hole_between_two_frames_is_no_step() {
        let step = rms_step_deg(&[(0, 0.0), (1, 0.1), (5, 9.0)]).unwrap();
        assert!((step - 0.1f64.to_degrees()).abs() < 1e-5, "{step}");
    }
}
