//! Error figures of a drive, gathered frame by frame in constant memory.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Edges of the bands of |true angle|, in degrees: below 5, 5 to 15, above 15.
const BANDS_DEG: [(f64, f64, &str); 3] = [(0.0, 5.0, "0-5"), (5.0, 15.0, "5-15"), (15.0, f64::INFINITY, "15+")];

/// How far predicted angles are from true ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorFigures {
    /// Frames with a true angle.
    pub frames: usize,
    /// Root of the mean square of the true angles: the error of always predicting zero.
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

/// Mean and variance of a stream of numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: usize,
    mean: f64,
    /// Sum of the squared deviations from the mean.
    deviations: f64,
    /// Sum of the squares.
    squares: f64,
    /// Sum of the absolute values.
    magnitudes: f64,
}

impl Moments {
    /// Adds a number (Welford, Technometrics 1962).
    fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.deviations += before * (value - self.mean);
        self.squares += value * value;
        self.magnitudes += value.abs();
    }

    /// Root of the mean square; `None` of nothing.
    fn root_mean_square(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.squares / self.count as f64).sqrt())
    }
}

/// The errors of one network over a drive.
#[derive(Debug, Clone, Default)]
pub struct Errors {
    truth: Moments,
    error: Moments,
    bands: [Moments; 3],
}

impl Errors {
    /// Adds a frame: the predicted and the true angle in radians.
    pub fn add(&mut self, predicted_rad: f32, true_rad: f32) {
        let (truth, error) = (f64::from(true_rad), f64::from(predicted_rad) - f64::from(true_rad));
        self.truth.add(truth);
        self.error.add(error);
        let degrees = f64::from(true_rad.abs()).to_degrees();
        for ((from, to, _), band) in BANDS_DEG.iter().zip(&mut self.bands) {
            if (*from..*to).contains(&degrees) {
                band.add(error);
            }
        }
    }

    /// The figures; `None` without any frame.
    pub fn figures(&self) -> Option<ErrorFigures> {
        let count = self.error.count;
        Some(ErrorFigures {
            frames: count,
            zero_rmse_rad: self.truth.root_mean_square()?,
            rmse_rad: self.error.root_mean_square()?,
            mae_rad: self.error.magnitudes / count as f64,
            eva: (self.truth.deviations > 0.0).then(|| 1.0 - self.error.deviations / self.truth.deviations),
            by_angle: BANDS_DEG.iter().zip(&self.bands).map(|((_, _, name), band)| BandError::of(name, band)).collect(),
        })
    }
}

impl ErrorFigures {
    /// From pairs `(predicted, true)` in radians; `None` without any.
    pub fn of(pairs: impl IntoIterator<Item = (f32, f32)>) -> Option<Self> {
        let mut errors = Errors::default();
        pairs.into_iter().for_each(|(predicted, truth)| errors.add(predicted, truth));
        errors.figures()
    }
}

impl BandError {
    fn of(name: &'static str, band: &Moments) -> Self {
        Self { band_deg: name.into(), frames: band.count, rmse_rad: band.root_mean_square() }
    }
}

/// Smoothness of an angle: the change from frame to frame. A step over a skipped frame does not count.
#[derive(Debug, Clone, Default)]
pub struct Smoothness {
    last: Option<(usize, f32)>,
    steps: Moments,
}

impl Smoothness {
    /// Adds frame `index` with its angle in radians.
    pub fn add(&mut self, index: usize, angle_rad: f32) {
        if let Some((_, before)) = self.last.filter(|(last, _)| last + 1 == index) {
            self.steps.add(f64::from(angle_rad - before).to_degrees());
        }
        self.last = Some((index, angle_rad));
    }

    /// Root of the mean square change between adjacent frames, in degrees; `None` without such a pair.
    pub fn rms_step_deg(&self) -> Option<f64> {
        self.steps.root_mean_square()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_drive_worked_by_hand() {
        // Errors 0.1, -0.1, 0.3 at true angles 0, 0.1 (5.7 deg) and 0.5 (28.6 deg).
        let figures = ErrorFigures::of([(0.1, 0.0), (0.0, 0.1), (0.8, 0.5)]).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(figures.rmse_rad, (0.11f64 / 3.0).sqrt());
        near(figures.zero_rmse_rad, (0.26f64 / 3.0).sqrt());
        near(figures.mae_rad, 0.5 / 3.0);
        near(figures.eva.unwrap(), 1.0 - (0.11 / 3.0 - 0.01) / (0.26 / 3.0 - 0.04));
        let bands: Vec<_> = figures.by_angle.iter().map(|band| band.frames).collect();
        assert_eq!(bands, [1, 1, 1]);
        near(figures.by_angle[2].rmse_rad.unwrap(), 0.3);
        assert_eq!(ErrorFigures::of([]), None);
    }

    #[test]
    fn a_hole_between_two_frames_is_no_step() {
        let mut smoothness = Smoothness::default();
        [(0, 0.0), (1, 0.1), (5, 9.0)].into_iter().for_each(|(index, angle)| smoothness.add(index, angle));
        let step = smoothness.rms_step_deg().unwrap();
        assert!((step - 0.1f64.to_degrees()).abs() < 1e-5, "{step}");
    }
}
