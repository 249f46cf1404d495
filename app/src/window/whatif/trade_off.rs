//! Error against savings over the seen part of a drive, for a ladder of thresholds.

use std::sync::Arc;

use deltasteer_temporal::{RnnWeights, StepCount, TemporalError, Thresholds};

use super::runner::{Cell, Cursor};
use super::store::FeatureStore;
use super::track::{Figures, Point, Track};

/// Multiples of the model's own thresholds that are tried.
const LADDER: [f32; 12] = [0.1, 0.25, 0.5, 0.7, 0.85, 1.0, 1.25, 1.6, 2.0, 3.0, 4.5, 7.0];
/// What stands for the own thresholds of a model that has none.
const STAND_IN: Thresholds = Thresholds { theta_x: 0.5, theta_h: 0.1 };

/// One setting of the ladder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// The setting.
    pub thresholds: Thresholds,
    /// Dense multiply-accumulates over those done.
    pub savings: f64,
    /// Root of the mean squared error in radians.
    pub rmse_rad: f64,
}

/// The finished curve: every rung over the same frames.
#[derive(Debug, Clone, PartialEq)]
pub struct TradeOff {
    /// From the smallest thresholds to the largest.
    pub rungs: Vec<Rung>,
    /// The dense RNN's error over the same frames.
    pub dense_rmse_rad: f64,
    /// The last frame that counts; all seen frames up to it do.
    pub through: usize,
    /// The frames that count.
    pub frames: u64,
    /// True: the error is the distance from the driver's angle. False: from the dense RNN's, where no driver is known.
    pub against_driver: bool,
}

/// The setting at `scale` times a model's own thresholds.
pub fn scaled(own: Thresholds, scale: f32) -> Thresholds {
    let own = if own == Thresholds::ZERO { STAND_IN } else { own };
    Thresholds { theta_x: scale * own.theta_x, theta_h: scale * own.theta_h }
}

/// The ladder in the making: it climbs by one frame of one rung at a time.
#[derive(Debug)]
pub struct Ladder {
    rungs: Vec<(Thresholds, Cursor, Figures)>,
    dense: Figures,
    /// The rung at work.
    rung: usize,
    dense_step: StepCount,
    /// The last frame of this round, and of the round before.
    target: Option<usize>,
    done: Option<usize>,
    features: Vec<f32>,
}

impl Ladder {
    /// For a model with thresholds `own`.
    ///
    /// # Errors
    /// A kernel that this machine does not have.
    pub fn new(weights: &Arc<RnnWeights>, own: Thresholds) -> Result<Self, TemporalError> {
        let rungs = LADDER.iter().map(|&scale| {
            let thresholds = scaled(own, scale);
            Ok((thresholds, Cursor::new(Cell::delta(weights.clone(), thresholds)?), Figures::default()))
        });
        Ok(Self {
            rungs: rungs.collect::<Result<_, TemporalError>>()?,
            dense: Figures::default(),
            rung: 0,
            dense_step: weights.dense_count(),
            target: None,
            done: None,
            features: vec![0.0; weights.config.input_size],
        })
    }

    /// Whether there is a round to begin or to finish.
    pub fn behind(&self, dense: &Track) -> bool {
        self.target.is_some() || dense.points().last().map(|point| point.index) > self.done
    }

    /// Begins a round over all frames that the dense RNN has answered. False if there is nothing new.
    pub fn begin(&mut self, dense: &Track) -> bool {
        let last = dense.points().last().map(|point| point.index);
        if self.target.is_none() && last > self.done {
            self.target = last;
        }
        self.target.is_some()
    }

    /// Works for about `frames` steps; the curve when the round is over.
    ///
    /// # Errors
    /// As [`Cell::step`].
    pub fn work(
        &mut self,
        frames: usize,
        store: &FeatureStore,
        dense: &Track,
    ) -> Result<Option<TradeOff>, TemporalError> {
        let Some(target) = self.target else { return Ok(None) };
        // Without labels the dense RNN takes the driver's place.
        let labelled = dense.figures().labelled > 0;
        let judged = |point: Point| {
            let truth = if labelled { point.truth_rad } else { dense.get(point.index).map(|dense| dense.steering_rad) };
            point.against(truth)
        };
        let mut left = frames;
        while let Some((_, cursor, figures)) = self.rungs.get_mut(self.rung) {
            let next = cursor.after().map_or(0, |after| after + 1);
            for (index, kept) in store.from(next).take_while(|(index, _)| *index <= target) {
                kept.features_into(&mut self.features);
                if let Some(point) = cursor.step(index, kept, &self.features)? {
                    figures.add(&judged(point), &self.dense_step);
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    return Ok(None);
                }
            }
            self.rung += 1;
        }
        let fresh = dense.points().iter().filter(|point| self.done.is_none_or(|done| point.index > done));
        for point in fresh.take_while(|point| point.index <= target) {
            self.dense.add(&judged(*point), &self.dense_step);
        }
        (self.rung, self.target, self.done) = (0, None, Some(target));
        Ok(self.curve(target, labelled))
    }

    fn curve(&self, through: usize, against_driver: bool) -> Option<TradeOff> {
        let rung = |(thresholds, _, figures): &(Thresholds, Cursor, Figures)| {
            Some(Rung { thresholds: *thresholds, savings: figures.work.savings(), rmse_rad: figures.rmse_rad()? })
        };
        let rungs = self.rungs.iter().map(rung).collect::<Option<Vec<_>>>()?;
        let (dense_rmse_rad, frames) = (self.dense.rmse_rad()?, self.dense.work.steps);
        Some(TradeOff { rungs, dense_rmse_rad, through, frames, against_driver })
    }
}
