//! Labels that do not belong to the pictures: found before the work, each with its likely cause and what mends it.
//!
//! How a car turns is visible: the picture moves sideways at the car's turning rate. At a speed `v` the kinematic bicycle model
//! gives `rate = v / wheelbase * tan(steering / ratio)`, so angle and rate go together, with one sign, at one time, and in a
//! proportion that depends on the speed alone.

use std::fmt;

use deltasteer_data::SteeringUnit;

use crate::text::clock;
use crate::training::motion::DriveMotion;
use crate::training::part::Part;

/// Fewer labelled frames than this share are a mistake.
const LEAST_LABELLED: f64 = 0.5;
/// Angles that vary less, in radians (0.06 degrees), are no driving.
const LEAST_DEVIATION_RAD: f64 = 1e-3;
/// A correlation with the picture's motion from which on its sign, delay and scale mean something.
const LEAST_CORRELATION: f64 = 0.5;
/// By how much the best delay must beat none.
const LEAST_GAIN: f64 = 0.05;
/// Delays that are tried, seconds; in a short part fewer, because a few seconds of any two curves can be shifted to agree.
const LONGEST_DELAY_S: f64 = 3.0;
/// The same as a share of the part's length.
const LONGEST_DELAY_SHARE: f64 = 0.125;
/// Where the motion's delay behind the angle lies on sound recordings: the sensor smooths, and a car turns after its wheel.
const USUAL_DELAY_S: std::ops::Range<f64> = -0.45..0.75;
/// In the middle of them: what recorded drives have.
const TYPICAL_DELAY_S: f64 = 0.2;
/// Radians of the steering wheel for each rad/s of turning: steering ratio times wheelbase over speed is 42 m over the speed.
/// Recorded drives have 0.6 (a motorway) to 2.3. The limits leave room for a crawl and for a field of view that is not known.
const USUAL_SCALE: std::ops::Range<f64> = 0.15..20.0;

/// Something wrong with a drive's labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The drive, as the user named it.
    pub drive: String,
    /// What was found.
    pub found: String,
    /// What it comes from, most likely.
    pub cause: &'static str,
    /// What mends it.
    pub fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { drive, found, cause, fix } = self;
        write!(f, "{drive}: {found}; likely cause: {cause}; to mend it: {fix}")
    }
}

/// How labels follow the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Correlation of angle and turning rate at the best delay, -1 to 1.
    pub correlation: f64,
    /// By how much the motion follows the angle, seconds.
    pub delay_s: f64,
    /// Radians of the angle for each rad/s of turning.
    pub scale: f64,
    /// The correlation at the usual delays.
    usual: f64,
}

/// What needs no picture: too few labels, or labels that never change.
pub fn check_labels(part: &Part) -> Option<Fault> {
    let angles = part.info.steering_true_rad.get(part.range.first..part.range.end).unwrap_or_default();
    let known: Vec<f64> = angles.iter().flatten().map(|&angle| f64::from(angle)).collect();
    let fault = |found: String, cause, fix: String| Some(Fault { drive: part.name.clone(), found, cause, fix });
    if (known.len() as f64) < LEAST_LABELLED * angles.len() as f64 {
        let notes = part.info.notes.join("; ");
        return fault(
            format!("{} of {} frames have an angle", known.len(), angles.len()),
            "the label file belongs to another recording, or its times are in milliseconds or count from another moment",
            format!(
                "state time_s in seconds from the first frame, which is at 0, to the last, at {:.1} s{}",
                part.info.times_s.last().copied().unwrap_or_default(),
                if notes.is_empty() { String::new() } else { format!(" (noted when it was opened: {notes})") }
            ),
        );
    }
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let variance = known.iter().map(|angle| (angle - mean).powi(2)).sum::<f64>() / known.len().max(1) as f64;
    (variance.sqrt() < LEAST_DEVIATION_RAD).then_some(()).and_then(|()| {
        fault(
            format!("the angle stays within {:.2} degrees all the time", (3.0 * variance.sqrt()).to_degrees()),
            "a column that is not the steering angle, or an angle in another unit",
            "name the column with the angle of the steering wheel, and check its unit".to_owned(),
        )
    })
}

/// What the picture's motion tells about a drive's labels.
///
/// # Errors
/// The fault.
pub fn check_motion(part: &Part, motion: &DriveMotion) -> Result<Option<Agreement>, Fault> {
    let Some(agreement) = agreement(part, motion) else { return Ok(None) };
    let Agreement { correlation, delay_s, scale, usual } = agreement;
    if correlation.abs() < LEAST_CORRELATION {
        return Ok(Some(agreement));
    }
    let fault = |found: String, cause, fix: String| Err(Fault { drive: part.name.clone(), found, cause, fix });
    let follows = format!("correlation {correlation:.2} with how the picture turns");
    if correlation < 0.0 {
        return fault(
            format!("the car turns right where the angle says left ({follows})"),
            "angles are positive to the right in this recording",
            "multiply the angles of a label file by -1; of topics or columns, state --steering-positive right"
                .to_owned(),
        );
    }
    if !USUAL_DELAY_S.contains(&delay_s) && correlation.abs() > usual.abs() + LEAST_GAIN {
        let wrong_s = delay_s - TYPICAL_DELAY_S;
        let (late, sign) = if wrong_s > 0.0 { ("before", '+') } else { ("after", '-') };
        return fault(
            format!("angles come {:.1} s {late} the turn that is seen ({follows})", wrong_s.abs()),
            "labels and video started at different moments",
            format!("add {sign}{:.1} s to time_s in the label file", wrong_s.abs()),
        );
    }
    let radians = matches!(part.info.steering_unit, SteeringUnit::Radians);
    if radians && scale.abs() > USUAL_SCALE.end {
        return fault(
            format!("angles are some {:.0} times as large as the turns that are seen", scale.abs() / 2.5),
            "degrees in a column that says radians",
            "name the column steering_deg".to_owned(),
        );
    }
    if radians && scale.abs() < USUAL_SCALE.start {
        return fault(
            format!("angles are some {:.0} times smaller than the turns that are seen", 2.5 / scale.abs()),
            "radians in a column that says degrees, or angles of the road wheels",
            "name the column steering_rad; multiply angles of the road wheels by the steering ratio, some 15"
                .to_owned(),
        );
    }
    Ok(Some(agreement))
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.correlation.abs() < LEAST_CORRELATION {
            return write!(
                f,
                "too few turns are seen to check sign, unit and delay (correlation {:.2})",
                self.correlation
            );
        }
        write!(f, "they follow the picture (correlation {:.2})", self.correlation)
    }
}

/// The best agreement over all windows and delays; `None` where nothing moves or nothing is labelled.
fn agreement(part: &Part, motion: &DriveMotion) -> Option<Agreement> {
    let rate_hz = part.info.rate_hz.max(1.0);
    let longest = (LONGEST_DELAY_S * rate_hz).min(LONGEST_DELAY_SHARE * motion.index.len() as f64).round() as isize;
    let angles: Vec<Option<f64>> = motion
        .index
        .iter()
        .map(|&index| part.info.steering_true_rad.get(index as usize).copied().flatten().map(f64::from))
        .collect();
    let mut best: Option<Agreement> = None;
    for window in motion.values.columns() {
        let rates: Vec<f64> = window.iter().map(|&rate| f64::from(rate)).collect();
        let fits: Vec<_> = (-longest..=longest)
            .filter_map(|delay| Some((delay as f64 / rate_hz, fit(&angles, &rates, delay)?)))
            .collect();
        let in_time = fits.iter().filter(|(delay_s, _)| USUAL_DELAY_S.contains(delay_s));
        let usual = in_time.map(|(_, (correlation, _))| *correlation).max_by(|a, b| a.abs().total_cmp(&b.abs()));
        for (delay_s, (correlation, scale)) in fits {
            if best.as_ref().is_none_or(|best| correlation.abs() > best.correlation.abs()) {
                best = Some(Agreement { correlation, delay_s, scale, usual: usual.unwrap_or(0.0) });
            }
        }
    }
    best
}

/// Correlation of the angles with the rates `delay` frames later, and radians of angle for each rad/s.
fn fit(angles: &[Option<f64>], rates: &[f64], delay: isize) -> Option<(f64, f64)> {
    let pairs = || {
        angles.iter().enumerate().filter_map(|(at, angle)| {
            let rate = rates.get(usize::try_from(at as isize + delay).ok()?)?;
            Some(((*angle)?, *rate))
        })
    };
    let count = pairs().count() as f64;
    let (a, r) = pairs().fold((0.0, 0.0), |(a, r), (angle, rate)| (a + angle / count, r + rate / count));
    let (mut aa, mut rr, mut ar) = (0.0, 0.0, 0.0);
    for (angle, rate) in pairs() {
        aa += (angle - a).powi(2);
        rr += (rate - r).powi(2);
        ar += (angle - a) * (rate - r);
    }
    let correlation = ar / (aa * rr).sqrt();
    correlation.is_finite().then(|| (correlation, (aa / rr).sqrt() * correlation.signum()))
}

/// A drive's labels in a line.
pub fn words(part: &Part, agreement: Option<&Agreement>) -> String {
    let angles = part.info.steering_true_rad.get(part.range.first..part.range.end).unwrap_or_default();
    let labelled = angles.iter().flatten().count();
    let length_s = part.info.times_s.get(part.range.end - 1).copied().unwrap_or_default()
        - part.info.times_s.get(part.range.first).copied().unwrap_or_default();
    let follow = agreement.map_or("nothing moves in the picture".to_owned(), Agreement::to_string);
    format!("{}: {}, {labelled} of {} frames labelled; {follow}", part.name, clock(length_s), angles.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::motion::measure;
    use deltasteer_perception::motion::MotionConfig;
    use std::sync::atomic::AtomicBool;

    /// A made-up drive, and the recorded ones where they are.
    fn drives() -> Vec<String> {
        let mut drives =
            vec!["road:3,seconds=60,size=160x120".to_owned(), "road:12,seconds=60,size=160x120".to_owned()];
        match std::env::var("DELTASTEER_DATA") {
            Ok(data) if !data.is_empty() => {
                let recorded =
                    ["udacity-ch2-hmb1:0-60", "udacity-ch2-hmb4:10-60", "udacity-ch2-hmb3:40-90", "donkeycar-tub"];
                drives.extend(recorded.map(|drive| format!("{data}/{drive}")));
            }
            _ => println!("SKIPPED: recorded drives: DELTASTEER_DATA is not set"),
        }
        drives
    }

    /// `part` with other angles.
    fn with(part: &Part, angle: impl Fn(usize, &[Option<f32>]) -> Option<f32>) -> Part {
        let mut other = Part::open(&part.name).unwrap();
        let angles = &part.info.steering_true_rad;
        other.info.steering_true_rad = (0..angles.len()).map(|index| angle(index, angles)).collect();
        other
    }

    #[test]
    fn labels_that_do_not_belong_to_the_pictures_are_found_with_their_cause() {
        for name in drives() {
            let mut part = Part::open(&name).unwrap();
            let config = MotionConfig { time_constant_s: 0.15, ..MotionConfig::default() };
            let motion = measure(&mut part, &config, &AtomicBool::new(false), &mut |_| {}).unwrap();
            assert_eq!(check_labels(&part), None, "{name}");
            let agreement = check_motion(&part, &motion).unwrap_or_else(|fault| panic!("{fault}")).unwrap();
            println!("{name}: {agreement:?}");
            if agreement.correlation < LEAST_CORRELATION {
                assert!(name.contains("donkeycar"), "{name}");
                continue;
            }
            let fault = |part: &Part| check_motion(part, &motion).unwrap_err().to_string();
            let negative = with(&part, |index, angles| angles[index].map(|angle| -angle));
            assert!(fault(&negative).contains("positive to the right"), "{}", fault(&negative));
            let frames = (2.0 * part.info.rate_hz) as usize;
            let late = with(&part, |index, angles| angles.get(index.checked_sub(frames)?).copied().flatten());
            assert!(
                fault(&late).contains("s after the turn")
                    && fault(&late).contains("add -1.") | fault(&late).contains("add -2."),
                "{}",
                fault(&late)
            );
            let early = with(&part, |index, angles| angles.get(index + frames).copied().flatten());
            assert!(fault(&early).contains("s before the turn"), "{}", fault(&early));
            if matches!(part.info.steering_unit, SteeringUnit::Radians) {
                let degrees = with(&part, |index, angles| angles[index].map(f32::to_degrees));
                assert!(fault(&degrees).contains("steering_deg"), "{}", fault(&degrees));
                let radians = with(&part, |index, angles| angles[index].map(f32::to_radians));
                assert!(fault(&radians).contains("steering_rad"), "{}", fault(&radians));
            }
        }
    }

    #[test]
    fn few_labels_and_labels_that_stand_still_are_found() {
        let part = Part::open("road:3,seconds=60,size=64x48").unwrap();
        let few = with(&part, |index, angles| angles[index].filter(|_| index % 200 == 0));
        let fault = check_labels(&few).unwrap().to_string();
        assert!(fault.contains("6 of 1200 frames have an angle") && fault.contains("milliseconds"), "{fault}");
        let still = with(&part, |_, _| Some(0.2));
        assert!(check_labels(&still).unwrap().to_string().contains("stays within 0.00 degrees"));
    }
}
