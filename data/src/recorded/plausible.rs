//! Angles that no steering wheel and no command can have are no labels.

use super::Tally;
use crate::SteeringUnit;

/// The largest angle of a steering wheel, radians: three turns, more than any lorry's.
const MAX_RAD: f32 = 6.0 * std::f32::consts::PI;
/// The largest command, where 1 is full lock.
const MAX_COMMAND: f32 = 1.05;
/// One in so many impossible angles says that the unit is another: then no angle counts.
const ONE_IN: usize = 100;
/// The quickest that a wheel turns, rad/s: two and a half turns a second, twice what an emergency takes.
const MAX_RATE: f64 = 5.0 * std::f64::consts::PI;
/// The smallest jump that can be a fault of the recording, radians.
const MIN_JUMP: f64 = 1.5;
/// How many frames a fault may last.
const MAX_FAULT: usize = 3;

/// Takes away what cannot be, and says so.
pub(crate) fn keep_plausible(angles: &mut [Option<f32>], times_s: &[f64], unit: SteeringUnit, notes: &mut Vec<String>) {
    let (limit, in_words): (f32, fn(f32, f32) -> String) = match unit {
        SteeringUnit::Radians => (MAX_RAD, |angle, _| format!("{:.0} degrees", angle.to_degrees())),
        SteeringUnit::Normalised { full_scale_rad } => {
            (MAX_COMMAND * full_scale_rad, |angle, full| format!("a command of {:.2}", angle / full))
        }
    };
    let full = limit / MAX_COMMAND;
    let expected = match unit {
        SteeringUnit::Radians => "a steering wheel turns less than 1,080 degrees",
        SteeringUnit::Normalised { .. } => "a command is from -1 to 1",
    };
    let known = angles.iter().flatten().count();
    let mut impossible = Tally::default();
    for (frame, angle) in angles.iter_mut().enumerate() {
        if let Some(value) = *angle
            && value.abs() > limit
        {
            impossible.add(|| format!("frame {frame}: {}", in_words(value, full)));
            *angle = None;
        }
    }
    if impossible.count * ONE_IN > known {
        angles.fill(None);
        impossible.note(&format!("angles cannot be: {expected}; the unit must be another, so no angle is used"), notes);
        return;
    }
    impossible.note(&format!("angles cannot be and are left out: {expected}"), notes);
    if unit == SteeringUnit::Radians {
        let faults = faults(angles, times_s);
        let mut jumps = Tally::default();
        for frame in faults {
            jumps.add(|| format!("frame {frame}: {}", in_words(angles[frame].unwrap_or(0.0), full)));
            angles[frame] = None;
        }
        jumps.note("angles jump away and back quicker than a wheel turns and are left out", notes);
    }
}

/// The frames at which the angle jumps away from the last one and, within a few frames, back.
fn faults(angles: &[Option<f32>], times_s: &[f64]) -> Vec<usize> {
    let known: Vec<(usize, f64, f64)> = angles
        .iter()
        .zip(times_s)
        .enumerate()
        .filter_map(|(frame, (angle, time_s))| angle.map(|angle| (frame, *time_s, f64::from(angle))))
        .collect();
    let jumps = |from: usize, to: usize| {
        let ((_, t0, a0), (_, t1, a1)) = (known[from], known[to]);
        (a1 - a0).abs() > (MAX_RATE * (t1 - t0)).max(MIN_JUMP)
    };
    let mut faults = Vec::new();
    let mut sound = 0;
    let mut at = 1;
    while at < known.len() {
        let returns = |later: &usize| (known[*later].2 - known[sound].2).abs() < MIN_JUMP;
        let back = (at + 1..known.len().min(at + 1 + MAX_FAULT)).find(returns);
        match back {
            Some(back) if jumps(sound, at) => {
                faults.extend(known[at..back].iter().map(|(frame, ..)| *frame));
                (sound, at) = (back, back + 1);
            }
            _ => (sound, at) = (at, at + 1),
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COMMAND: SteeringUnit = SteeringUnit::Normalised { full_scale_rad: 0.5 };

    fn checked(angles: &[f32], unit: SteeringUnit) -> (Vec<Option<f32>>, Vec<String>) {
        let mut angles: Vec<_> = angles.iter().copied().map(Some).collect();
        let times_s: Vec<f64> = (0..angles.len()).map(|i| i as f64 / 20.0).collect();
        let mut notes = Vec::new();
        keep_plausible(&mut angles, &times_s, unit, &mut notes);
        (angles, notes)
    }

    #[test]
    fn angles_of_another_unit_are_no_labels() {
        let degrees: Vec<f32> = (0..100).map(|i| 0.3 * (i as f32 / 10.0).sin() * 573.0).collect();
        let (angles, notes) = checked(&degrees, SteeringUnit::Radians);
        assert!(angles.iter().all(Option::is_none) && notes[0].contains("the unit must be another"), "{notes:?}");
        let (angles, notes) = checked(&[45.0; 10], COMMAND);
        assert!(angles.iter().all(Option::is_none) && notes[0].contains("a command of 90.00"), "{notes:?}");
        let (angles, notes) = checked(&[0.51, -0.5, 0.2], COMMAND);
        assert!(angles.iter().all(Option::is_some) && notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn a_single_impossible_angle_costs_itself() {
        let mut angles = vec![0.1; 400];
        angles[7] = 900.0;
        let (angles, notes) = checked(&angles, SteeringUnit::Radians);
        assert_eq!(angles.iter().flatten().count(), 399);
        assert!(
            notes[0].starts_with("1 angles cannot be and are left out") && notes[0].contains("frame 7"),
            "{notes:?}"
        );
    }

    #[test]
    fn spikes_are_left_out_and_quick_turns_stay() {
        let spike = 450f32.to_radians();
        let (angles, notes) = checked(&[0.0, 0.1, spike, 0.2, 0.2, spike, spike, 0.3, 0.4, 0.5], SteeringUnit::Radians);
        let left_out: Vec<_> = (0..10).filter(|i| angles[*i].is_none()).collect();
        assert_eq!(left_out, [2, 5, 6]);
        assert!(notes[0].starts_with("3 angles jump") && notes[0].contains("450 degrees"), "{notes:?}");
        // A real turn of the wheel, and a jump that stays.
        for angles in [&[0.0, 0.7, 1.4, 2.1, 1.4, 0.7][..], &[0.0, 0.0, 3.0, 3.0, 3.0, 3.0, 3.0]] {
            let (checked, notes) = checked(angles, SteeringUnit::Radians);
            assert!(checked.iter().all(Option::is_some) && notes.is_empty(), "{notes:?}");
        }
        let (angles, notes) = checked(&[0.0, 0.5, 0.0, -0.5], COMMAND);
        assert!(angles.iter().all(Option::is_some) && notes.is_empty(), "keys jump");
    }

    proptest! {
        #[test]
        fn what_is_left_can_be(angles in proptest::collection::vec(any::<f32>(), 0..40)) {
            for unit in [SteeringUnit::Radians, COMMAND] {
                let (left, _) = checked(&angles, unit);
                prop_assert!(left.iter().flatten().all(|angle| angle.abs() <= MAX_RAD));
            }
        }
    }
}
