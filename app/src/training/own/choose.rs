//! Which of the trained states is kept, and at which thresholds it runs: by its error and savings on the validation drives.

use deltasteer_perception::{Device, FeatureExtractor};
use deltasteer_temporal::{DeltaRnn, RnnWeights, Thresholds};

use crate::metrics::Errors;
use crate::model::ModelParts;
use crate::training::data::Parts;

/// What the threshold of the features is multiplied by.
const FACTORS_X: [f32; 9] = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0];
/// What that of the hidden state is multiplied by. A higher one holds the angle while little happens, which costs little error.
const FACTORS_H: [f32; 8] = [0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0];

/// What one phase has learned, at one pair of thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The phase.
    pub phase: usize,
    /// The thresholds.
    pub thresholds: Thresholds,
    /// Error over the validation drives, each from a cold start.
    pub rmse_rad: f64,
    /// Dense over executed multiply-accumulates of the RNN, first frames included.
    pub savings: f64,
}

/// Runs each phase's model at a grid of thresholds around `thresholds` over the validation drives.
///
/// # Errors
/// A model that cannot be loaded, or a cache file that is damaged.
pub fn points(models: &[ModelParts], thresholds: Thresholds, parts: &Parts) -> anyhow::Result<Vec<Point>> {
    let mut points = Vec::new();
    for (phase, model) in models.iter().enumerate() {
        let Some(config) = &model.config.temporal else { continue };
        let extractor = FeatureExtractor::load(&model.tensors, &model.config.perception, Device::Cpu)?;
        let validation = parts.validation_features(&extractor)?;
        let weights = RnnWeights::load(&model.tensors, config)?;
        for thresholds in grid(thresholds) {
            let mut rnn = DeltaRnn::new(weights.clone(), &[thresholds])?;
            let mut errors = Errors::default();
            for drive in &validation {
                let outputs = rnn.run(drive.features[0].view())?;
                let pairs = outputs.iter().zip(&drive.angles.steering_rad[0]);
                pairs.filter(|(_, truth)| truth.is_finite()).for_each(|(&angle, &truth)| errors.add(angle, truth));
            }
            let Some(figures) = errors.figures() else { continue };
            points.push(Point { phase, thresholds, rmse_rad: figures.rmse_rad, savings: rnn.totals().savings() });
        }
    }
    Ok(points)
}

/// Pairs around those of training.
fn grid(around: Thresholds) -> Vec<Thresholds> {
    let pair = |x: f32, h: f32| Thresholds { theta_x: round(x * around.theta_x), theta_h: round(h * around.theta_h) };
    FACTORS_X.iter().flat_map(|&x| FACTORS_H.map(|h| pair(x, h))).collect()
}

/// To three decimals, as a user types it.
fn round(theta: f32) -> f32 {
    (theta * 1e3).round() / 1e3
}

/// The point with the lowest error among those that save `budget` times or more. Where none does, savings and error are
/// exchanged: a tenth less savings for a tenth less error. The second value says whether the budget is met.
pub fn choose(points: &[Point], budget: f64) -> Option<(Point, bool)> {
    let lowest = |points: &mut dyn Iterator<Item = &Point>, score: &dyn Fn(&Point) -> f64| {
        points.min_by(|a, b| score(a).total_cmp(&score(b))).copied()
    };
    let within = lowest(&mut points.iter().filter(|point| point.savings >= budget), &|point| point.rmse_rad);
    let nearest = || lowest(&mut points.iter(), &|point| point.rmse_rad * (budget / point.savings).max(1.0));
    within.map(|point| (point, true)).or_else(|| nearest().map(|point| (point, false)))
}

/// The points that no other one beats in both error and savings, by rising savings.
pub fn front(points: &[Point]) -> Vec<Point> {
    let mut sorted: Vec<Point> = points.to_vec();
    sorted.sort_by(|a, b| b.savings.total_cmp(&a.savings).then(a.rmse_rad.total_cmp(&b.rmse_rad)));
    let mut front: Vec<Point> = Vec::new();
    for point in sorted {
        if front.last().is_none_or(|last| point.rmse_rad < last.rmse_rad) {
            front.push(point);
        }
    }
    front.reverse();
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(phase: usize, rmse_rad: f64, savings: f64) -> Point {
        Point { phase, thresholds: Thresholds::ZERO, rmse_rad, savings }
    }

    #[test]
    fn a_state_that_saves_more_than_asked_at_a_higher_error_is_not_kept() {
        // The dense stage, a good delta network, and one whose angle has frozen.
        let points = [point(0, 0.068, 8.0), point(0, 0.075, 120.0), point(1, 0.070, 130.0), point(1, 0.120, 1872.0)];
        assert_eq!(choose(&points, 100.0), Some((points[2], true)));
        assert_eq!(choose(&points, 1.0), Some((points[0], true)));
        assert_eq!(choose(&points, 5000.0), Some((points[3], false)));
        // Near the budget but not there: the error decides.
        assert_eq!(choose(&[point(0, 0.05, 95.0), point(0, 0.2, 99.0)], 100.0), Some((point(0, 0.05, 95.0), false)));
        assert_eq!(choose(&[], 1.0), None);
    }

    #[test]
    fn the_front_holds_what_nothing_beats() {
        let points = [point(0, 0.05, 10.0), point(0, 0.07, 9.0), point(0, 0.06, 50.0), point(1, 0.055, 50.0)];
        assert_eq!(front(&points), [points[0], points[3]]);
        let grid = grid(Thresholds { theta_x: 0.4, theta_h: 0.2 });
        assert!(grid.contains(&Thresholds::ZERO) && grid.contains(&Thresholds { theta_x: 0.1, theta_h: 0.3 }));
    }
}
