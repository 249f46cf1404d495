//! An angle sampled at times of its own, read at the times of frames.

/// Up to this far outside the samples the nearest one holds; beyond it the angle is unknown.
const HOLD_S: f64 = 0.1;

/// Two samples further apart than this leave the time between them unknown.
const MAX_STEP_S: f64 = 1.0;

/// Samples in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Signal {
    /// Seconds, rising, and values.
    samples: Vec<(f64, f64)>,
}

impl Signal {
    /// Sorts the samples and drops those that are no finite numbers; of samples at one time the last counts.
    pub(crate) fn new(samples: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut samples: Vec<_> = samples.into_iter().filter(|(t, v)| t.is_finite() && v.is_finite()).collect();
        samples.sort_by(|a, b| a.0.total_cmp(&b.0));
        samples.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = later.1;
            }
            same
        });
        Self { samples }
    }

    /// Number of usable samples.
    pub(crate) fn len(&self) -> usize {
        self.samples.len()
    }

    /// The values at the times of frames. Where some frames have none, a note says so; where all have none, it tells both clocks.
    /// `what` are the samples' values, such as "angles".
    pub(crate) fn at_frames(&self, times_s: &[f64], what: &str, notes: &mut Vec<String>) -> Vec<Option<f32>> {
        let values: Vec<_> = times_s.iter().map(|&t| self.at(t).map(|value| value as f32)).collect();
        let without = values.iter().filter(|value| value.is_none()).count();
        let known = times_s.iter().copied().filter(|t| t.is_finite());
        let (first, last) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| (a.min(t), b.max(t)));
        if let (Some(from), Some(to)) = (self.samples.first(), self.samples.last()) {
            if without == values.len() && without > 0 {
                notes.push(format!(
                    "no frame has an angle: the {what} are from {:.3} s to {:.3} s, the frames from {first:.3} s to {last:.3} s; \
                     do their clocks differ?",
                    from.0, to.0
                ));
            } else if without > 0 {
                notes.push(format!("{without} frames have no angle near them in time"));
            }
        }
        values
    }

    /// The value at `time_s`, linear between samples; `None` where no sample is near.
    pub(crate) fn at(&self, time_s: f64) -> Option<f64> {
        let after = self.samples.partition_point(|(t, _)| *t < time_s);
        let near = |(t, v): &(f64, f64)| ((t - time_s).abs() <= HOLD_S).then_some(*v);
        match (after.checked_sub(1).map(|i| self.samples[i]), self.samples.get(after)) {
            (_, Some(&(t1, v1))) if t1 == time_s => Some(v1),
            (Some((t0, v0)), Some(&(t1, v1))) if t1 - t0 <= MAX_STEP_S => {
                Some(v0 + (v1 - v0) * ((time_s - t0) / (t1 - t0)))
            }
            (Some(before), Some(after)) => near(&before).or_else(|| near(after)),
            (Some(before), None) => near(&before),
            (None, Some(after)) => near(after),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn linear_between_samples_held_briefly_outside() {
        let signal = Signal::new([(1.0, 10.0), (0.0, 0.0), (2.0, 30.0), (f64::NAN, 5.0), (1.5, f64::NAN)]);
        assert_eq!(signal.len(), 3);
        let at =
            [(-0.05, Some(0.0)), (-0.2, None), (0.5, Some(5.0)), (1.0, Some(10.0)), (1.25, Some(15.0)), (2.2, None)];
        for (time_s, expected) in at {
            assert_eq!(signal.at(time_s), expected, "at {time_s}");
        }
    }

    #[test]
    fn a_pause_in_the_samples_is_not_bridged() {
        let signal = Signal::new([(0.0, 0.0), (5.0, 10.0)]);
        assert_eq!(signal.at(2.5), None);
        assert_eq!((signal.at(0.05), signal.at(4.95)), (Some(0.0), Some(10.0)));
        assert_eq!(Signal::default().at(0.0), None);
    }

    proptest! {
        #[test]
        fn values_stay_between_the_samples(samples in proptest::collection::vec((0.0..9.0f64, -1.0..1.0f64), 1..20), t in -1.0..10.0f64) {
            if let Some(value) = Signal::new(samples).at(t) {
                prop_assert!((-1.0 - 1e-9..=1.0 + 1e-9).contains(&value));
            }
        }
    }
}
