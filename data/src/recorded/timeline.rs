//! Rate, gaps and troubles of a recording's time stamps.

use crate::Gap;

/// A step longer than this many usual steps is a gap. Usual is the median, of all steps and of those nearby: where the rate
/// changes for good, the longer steps are no gaps.
const GAP_STEPS: f64 = 2.5;

/// Frames this far apart, in seconds, are no drive, or their times are in another unit.
const SLOW_S: f64 = 5.0;

/// How many steps on each side are nearby.
const NEARBY: usize = 4;

/// Time stamps made fit for replay.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Timeline {
    /// Seconds from the first frame, never falling.
    pub times_s: Vec<f64>,
    /// One over the median step.
    pub rate_hz: f64,
    /// Steps that are much longer than the median.
    pub gaps: Vec<Gap>,
    /// What had to be mended.
    pub notes: Vec<String>,
}

/// Builds the timeline of frames that are already in their order. `raw_s[i]` is frame `i`'s own time in seconds from any
/// origin; where it falls back or is no number, the frame follows its predecessor by one usual step, and a note says so.
/// `assumed_hz` is the rate where no two times differ.
pub(crate) fn timeline(raw_s: &[f64], assumed_hz: f64) -> Timeline {
    let step_s = median_step(raw_s).unwrap_or(1.0 / assumed_hz);
    let mut notes = Vec::new();
    let (mut backwards, mut repeated) = (0, 0);
    let mut times_s: Vec<f64> = Vec::with_capacity(raw_s.len());
    let mut offset = -raw_s.iter().copied().find(|t| t.is_finite()).unwrap_or(0.0);
    for (i, &raw) in raw_s.iter().enumerate() {
        let Some(&before) = times_s.last() else {
            times_s.push(0.0);
            continue;
        };
        let step = raw - raw_s[i - 1];
        repeated += usize::from(step == 0.0);
        if step.is_finite() && step < 0.0 || !(raw + offset).is_finite() || raw + offset < before {
            backwards += 1;
            if raw.is_finite() {
                offset = before + step_s - raw;
            }
            times_s.push(before + step_s);
        } else {
            times_s.push(raw + offset);
        }
    }
    let any_known = raw_s.iter().any(|t| t.is_finite());
    if backwards > 0 && any_known {
        notes.push(format!("{backwards} time stamps fall back or are missing; those frames follow one usual step on"));
    }
    if any_known && step_s >= SLOW_S {
        notes.push(format!("frames stand {step_s:.1} s apart: are their times in seconds?"));
    }
    if repeated > 0 {
        notes.push(format!("{repeated} frames repeat the time stamp of the frame before"));
    }
    let gaps = times_s
        .windows(2)
        .enumerate()
        .map(|(after_index, t)| Gap { after_index, seconds: t[1] - t[0] })
        .filter(|gap| {
            gap.seconds > GAP_STEPS * step_s && gap.seconds > GAP_STEPS * step_nearby(&times_s, gap.after_index)
        })
        .collect();
    Timeline { times_s, rate_hz: 1.0 / step_s, gaps, notes }
}

/// The median of the steps around the one after frame `index`.
fn step_nearby(times_s: &[f64], index: usize) -> f64 {
    let around = index.saturating_sub(NEARBY)..(index + NEARBY + 2).min(times_s.len());
    median_step(&times_s[around]).unwrap_or(0.0)
}

/// The shortest and the longest usual step (the 5th and the 95th hundredth) where they differ by half or more.
#[cfg(any(feature = "opencv", test))]
pub(crate) fn varying_steps(times_s: &[f64]) -> Option<(f64, f64)> {
    let mut steps: Vec<f64> = times_s.windows(2).map(|t| t[1] - t[0]).collect();
    steps.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| steps.get(((steps.len() as f64 - 1.0) * share).round() as usize).copied();
    let (short, long) = (at(0.05)?, at(0.95)?);
    (long > 1.5 * short).then_some((short, long))
}

/// The note on the first picture of another size.
pub(crate) fn other_size(index: usize, now: (usize, usize), first: (usize, usize)) -> String {
    format!("the size changes: frame {index} is {}x{}, before it was {}x{}", now.0, now.1, first.0, first.1)
}

/// The median of the steps forward, `None` without any.
fn median_step(raw_s: &[f64]) -> Option<f64> {
    let mut steps: Vec<f64> =
        raw_s.windows(2).map(|t| t[1] - t[0]).filter(|step| step.is_finite() && *step > 0.0).collect();
    if steps.is_empty() {
        return None;
    }
    let middle = steps.len() / 2;
    Some(*steps.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn regular_times_have_a_rate_and_no_gap() {
        let line = timeline(&[100.0, 100.05, 100.10, 100.15], 20.0);
        assert!((line.rate_hz - 20.0).abs() < 1e-6);
        assert!((line.times_s[3] - 0.15).abs() < 1e-9 && line.gaps.is_empty() && line.notes.is_empty());
    }

    #[test]
    fn a_pause_is_a_gap_after_the_frame_before_it() {
        let line = timeline(&[0.0, 0.1, 0.2, 1.2, 1.3], 20.0);
        assert_eq!(line.gaps.len(), 1);
        assert_eq!(line.gaps[0].after_index, 2);
        assert!((line.gaps[0].seconds - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_rate_that_changes_for_good_is_no_row_of_gaps() {
        let raw: Vec<f64> = (0..30).map(|i| i as f64 / 30.0).chain((0..30).map(|i| 1.0 + i as f64 / 10.0)).collect();
        assert_eq!(timeline(&raw, 20.0).gaps, []);
        let (short, long) = varying_steps(&raw).unwrap();
        assert!((short - 1.0 / 30.0).abs() < 1e-6 && (long - 0.1).abs() < 1e-6);
        assert_eq!(varying_steps(&[0.0, 0.05, 0.1, 0.15]), None);
        let pauses: Vec<f64> = raw.iter().map(|t| if *t > 2.0 { t + 3.0 } else { *t }).collect();
        assert_eq!(timeline(&pauses, 20.0).gaps.len(), 1);
    }

    #[test]
    fn a_clock_that_falls_back_goes_on_by_one_step() {
        let line = timeline(&[10.0, 10.1, 10.2, 3.0, 3.1], 20.0);
        let expected = [0.0, 0.1, 0.2, 0.3, 0.4];
        assert!(line.times_s.iter().zip(expected).all(|(t, e)| (t - e).abs() < 1e-9), "{:?}", line.times_s);
        assert!(line.notes[0].starts_with("1 time stamps fall back"));
    }

    #[test]
    fn repeated_times_are_kept_and_noted() {
        let line = timeline(&[0.0, 0.1, 0.1, 0.2], 20.0);
        assert_eq!(line.times_s.len(), 4);
        assert!(line.notes[0].starts_with("1 frames repeat"));
    }

    #[test]
    fn without_any_step_the_assumed_rate_holds() {
        assert_eq!(timeline(&[], 15.0).rate_hz, 15.0);
        let line = timeline(&[f64::NAN, f64::NAN], 10.0);
        assert_eq!((line.times_s, line.notes), (vec![0.0, 0.1], vec![]));
    }

    proptest! {
        #[test]
        fn times_never_fall_and_are_finite(raw in proptest::collection::vec(prop_oneof![
            -1e6..1e6f64, Just(f64::NAN), Just(f64::INFINITY)], 0..50)) {
            let line = timeline(&raw, 20.0);
            prop_assert_eq!(line.times_s.len(), raw.len());
            prop_assert!(line.times_s.iter().all(|t| t.is_finite()));
            prop_assert!(line.times_s.windows(2).all(|t| t[1] >= t[0]));
            prop_assert!(line.rate_hz > 0.0);
        }
    }
}
