//! Times and angles of all frames of a recording.

use std::collections::HashMap;

use super::choice::Choice;
use super::schema::Field;
use super::{At, Container, Seen};
use crate::formats::camera_of_road_wheels;
use crate::recorded::Tally;
use crate::recorded::recording::Facts;
use crate::signal::Signal;
use crate::{CameraGeometry, SkipReport, SteeringUnit};

/// The most messages of the chosen topics that are read: more than a day of frames, and bounded memory.
const MAX_MESSAGES: usize = 20_000_000;

/// What a pass over a recording finds.
pub(super) struct Collected {
    pub facts: Facts,
    /// Where the picture of each frame is.
    pub images: Vec<At>,
    /// How many messages told an angle.
    pub angles: usize,
}

/// When something was recorded, nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Stamps {
    /// By the recorder.
    log_ns: u64,
    /// By the message itself.
    own_ns: Option<u64>,
}

impl Stamps {
    fn of(log_ns: u64, own_ns: Option<u64>) -> Self {
        // A stamp of zero is none, unless the recording begins there.
        Self { log_ns, own_ns: own_ns.filter(|own| *own > 0 || log_ns == 0) }
    }

    fn ns(self, own: bool) -> u64 {
        self.own_ns.filter(|_| own).unwrap_or(self.log_ns)
    }
}

/// Reads all messages of the chosen topics.
pub(super) fn collect(container: &dyn Container, choice: &Choice, format: &'static str) -> Result<Collected, String> {
    let topics = container.topics();
    let wanted: Vec<bool> = (0..topics.len())
        .map(|at| at == choice.camera || choice.steering.as_ref().is_some_and(|steering| steering.topic == at))
        .collect();
    let (mut images, mut angles) = (Vec::new(), Vec::new());
    let (mut damaged, mut missing) = (Tally::default(), SkipReport::default());
    let mut notes = choice.notes.clone();
    let mut visit = |seen: Seen<'_>| {
        if images.len() + angles.len() >= MAX_MESSAGES {
            return missing.add(format!("a message beyond the first {MAX_MESSAGES}"));
        }
        let message =
            topics[seen.topic].schema.as_ref().map_err(Clone::clone).and_then(|schema| schema.read(seen.data));
        let steering = choice.steering.as_ref().filter(|steering| steering.topic == seen.topic);
        match (message, steering) {
            (Err(reason), None) => missing.add(format!("an image at {} ns: {reason}", seen.log_ns)),
            (Err(reason), Some(_)) => damaged.add(|| format!("{}: {reason}", topics[seen.topic].name)),
            (Ok(message), Some(steering)) => {
                let stamps = Stamps::of(seen.log_ns, message.stamp_ns());
                match message.get(&steering.path) {
                    Ok(Some(Field::Number(value))) => angles.push((stamps, Some(value * steering.scale.to_rad))),
                    Ok(_) => angles.push((stamps, None)),
                    Err(reason) => damaged.add(|| format!("{}: {reason}", topics[seen.topic].name)),
                }
            }
            (Ok(message), None) => images.push((Stamps::of(seen.log_ns, message.stamp_ns()), seen.at)),
        }
    };
    container.read(&wanted, &mut visit, &mut notes)?;
    damaged.note("messages are damaged and are left out", &mut notes);
    let facts = Facts { format, ..facts(&mut images, &angles, choice, notes, missing) };
    Ok(Collected {
        facts,
        images: images.into_iter().map(|(_, at)| at).collect(),
        angles: angles.iter().filter(|(_, angle)| angle.is_some_and(f64::is_finite)).count(),
    })
}

/// Sorts the images by time and finds the angle of each.
fn facts(
    images: &mut [(Stamps, At)],
    angles: &[(Stamps, Option<f64>)],
    choice: &Choice,
    mut notes: Vec<String>,
    missing: SkipReport,
) -> Facts {
    let own_time = images.iter().all(|(stamps, _)| stamps.own_ns.is_some());
    images.sort_by_key(|(stamps, _)| stamps.ns(own_time));
    let first_ns = images.first().map_or(0, |(stamps, _)| stamps.ns(own_time));
    let raw_times_s = images.iter().map(|(stamps, _)| seconds(stamps.ns(own_time), first_ns)).collect();
    // Angles without stamps of their own are compared by the recorder's clock.
    let own_both = own_time && angles.iter().all(|(stamps, _)| stamps.own_ns.is_some());
    let at_ns: Vec<u64> = images.iter().map(|(stamps, _)| stamps.ns(own_both)).collect();
    let samples: Vec<(u64, Option<f64>)> = angles.iter().map(|(stamps, angle)| (stamps.ns(own_both), *angle)).collect();
    let steering = choice.steering.as_ref();
    let steering_unit = steering.map_or(SteeringUnit::Radians, |steering| steering.scale.unit);
    let road_wheels = steering.is_some_and(|steering| steering.road_wheels) || steering_unit != SteeringUnit::Radians;
    Facts {
        format: "",
        raw_times_s,
        steering_true_rad: at_frames(&at_ns, &samples, &mut notes),
        assumed_hz: 20.0,
        steering_unit,
        missing,
        notes,
        camera: if road_wheels { camera_of_road_wheels } else { CameraGeometry::assumed },
    }
}

/// The angle of each image: that of the sample at the same time where every image has one, else interpolated.
fn at_frames(at_ns: &[u64], samples: &[(u64, Option<f64>)], notes: &mut Vec<String>) -> Vec<Option<f32>> {
    let at_time: HashMap<u64, Option<f64>> = samples.iter().copied().collect();
    let exact: Option<Vec<_>> = at_ns.iter().map(|ns| at_time.get(ns).copied()).collect();
    if let Some(exact) = exact {
        return exact
            .into_iter()
            .map(|angle| angle.map(|angle| angle as f32).filter(|angle| angle.is_finite()))
            .collect();
    }
    let first_ns = at_ns.iter().copied().min().unwrap_or(0);
    let samples = samples.iter().filter_map(|(ns, angle)| Some((seconds(*ns, first_ns), (*angle)?)));
    let times_s: Vec<f64> = at_ns.iter().map(|ns| seconds(*ns, first_ns)).collect();
    Signal::new(samples).at_frames(&times_s, "angles", notes)
}

fn seconds(ns: u64, first_ns: u64) -> f64 {
    (i128::from(ns) - i128::from(first_ns)) as f64 * 1e-9
}
