//! Where a setting errs most.

use super::trained::{Trained, part_at};
use super::whatif::track::{Point, Track};

/// Places on the list.
pub const PLACES: usize = 20;
/// Two places lie at least this far apart.
const APART_S: f64 = 2.0;

/// Which frames may be on the list.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Filter {
    /// The driver's |angle| is at least this, in degrees.
    pub least_angle_deg: f32,
    /// The |error| is at least this, in degrees.
    pub least_error_deg: f32,
    /// No frame that the model has learned from.
    pub unseen_only: bool,
}

impl Filter {
    /// The error of a frame in radians, if it has one and may be on the list.
    fn error_rad(&self, point: &Point, trained: &[Trained]) -> Option<f32> {
        let (error, truth) = (point.error_rad()?.abs(), point.truth_rad?);
        let wanted = truth.to_degrees().abs() >= self.least_angle_deg && error.to_degrees() >= self.least_error_deg;
        (wanted && !(self.unseen_only && part_at(trained, point.time_s).is_some())).then_some(error)
    }
}

/// The frames with the largest errors, worst first: at most [`PLACES`], none close to a worse one.
pub fn worst(track: &Track, filter: Filter, trained: &[Trained]) -> Vec<Point> {
    let mut candidates: Vec<(f32, &Point)> = Vec::new();
    for run in track.points().chunk_by(|a, b| (a.time_s / APART_S).floor() == (b.time_s / APART_S).floor()) {
        let errors = run.iter().filter_map(|point| Some((filter.error_rad(point, trained)?, point)));
        candidates.extend(errors.max_by(|a, b| a.0.total_cmp(&b.0)));
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut places: Vec<Point> = Vec::new();
    for (_, point) in candidates {
        if places.len() == PLACES {
            break;
        }
        if places.iter().all(|place| (place.time_s - point.time_s).abs() >= APART_S) {
            places.push(*point);
        }
    }
    places
}

/// The place after `index` in the order of the drive (before it, if not `forward`); round the end if there is none.
pub fn next(places: &[Point], index: usize, forward: bool) -> Option<usize> {
    let all = || places.iter().map(|place| place.index);
    if forward {
        all().filter(|&place| place > index).min().or_else(|| all().min())
    } else {
        all().filter(|&place| place < index).max().or_else(|| all().max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltasteer_temporal::StepCount;

    #[test]
    fn the_worst_places_are_apart_in_order_and_filtered() {
        let mut track = Track::default();
        for index in 0..4000 {
            // A peak every five seconds, each a little higher; the driver turns only in the second half.
            let error = if index % 100 == 50 { 0.1 + 1e-4 * index as f32 } else { 0.01 };
            let truth = if index < 2000 { 0.0 } else { 0.5 };
            let answer = (truth + error, StepCount::default());
            track.push(Point::new(index, 0.05 * index as f64, Some(truth), answer, true), &[]);
        }
        let all = worst(&track, Filter::default(), &[]);
        assert_eq!(all.len(), PLACES);
        assert_eq!(
            all.iter().map(|p| p.index).collect::<Vec<_>>(),
            (0..20).map(|n| 3950 - 100 * n).collect::<Vec<_>>()
        );
        let trained = [Trained { from_s: 150.0, to_s: 1e9, chosen: false }];
        let filter = Filter { least_angle_deg: 10.0, least_error_deg: 5.0, unseen_only: true };
        let some = worst(&track, filter, &trained);
        assert_eq!(some.first().map(|p| p.index), Some(2950));
        assert!(some.iter().all(|p| (2000..3000).contains(&p.index)));
        assert_eq!(
            (next(&some, 2950, false), next(&some, 2950, true), next(&[], 0, true)),
            (Some(2850), Some(2050), None)
        );
    }
}
