//! Udacity's driving simulator: `driving_log.csv` with `IMG/`.
//!
//! Columns `center,left,right,steering,throttle,brake,speed`, with or without that header. The image paths are absolute
//! paths of the machine that recorded, with either slash: only their last part is used, and it is looked for in `IMG/`. The
//! time is in the image's name, `center_YYYY_MM_DD_hh_mm_ss_mmm.jpg`.
//!
//! Steering is a command from -1 to 1, **positive to the right**, where 1 turns the *road wheels* by 25 degrees; it becomes
//! radians of the road wheels, positive to the left. The simulated car has no steering wheel.

use std::collections::HashSet;
use std::path::Path;

use super::{Opened, clock, model_car};
use crate::folder::{Inside, bad_file, images_in, name_of, read_text};
use crate::recorded::{RecordedFrame, Recording, Tally};
use crate::{DataError, table};

const LOG: &str = "driving_log.csv";

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str = "Udacity simulator: driving_log.csv with IMG/";

/// About what the simulator records; used where the names of the images hold no time.
const ASSUMED_HZ: f64 = 10.0;

/// True if `folder` holds a `driving_log.csv`.
pub(super) fn recognise(folder: &Path) -> bool {
    folder.join(LOG).is_file()
}

/// Opens a recording of the simulator.
///
/// # Errors
/// A log without usable lines, or no readable image.
pub(super) fn open(name: &str, folder: &Path) -> Opened {
    read(folder)?.into_source(name, folder)
}

fn read(folder: &Path) -> Result<Recording, DataError> {
    let path = folder.join(LOG);
    let log = parse_log(&read_text(&path)?);
    if log.lines.is_empty() {
        return Err(bad_file(&path, "no line names an image", "lines center,left,right,steering,throttle,brake,speed"));
    }
    let images = Inside::new(&folder.join("IMG"));
    let mut used = HashSet::new();
    let mut recording = Recording::new("Udacity simulator");
    recording.assumed_hz = ASSUMED_HZ;
    recording.steering_unit = model_car::UNIT;
    recording.camera = model_car::simulator_camera;
    for line in log.lines {
        match images.find(&line.image) {
            Ok(image) => {
                let LogLine { image: name, time_s, steering_true_rad, .. } = line;
                used.insert(name);
                recording.frames.push(RecordedFrame { image, time_s, steering_true_rad });
            }
            Err(why) => {
                let image = table::shorten(&line.image, 80);
                recording.missing.add(format!("{LOG} line {}: IMG/{image}: {}", line.number, why.reason()));
            }
        }
    }
    let notes = &mut recording.notes;
    notes.push("angles are commands from -1 to 1; 1 stands for 25 degrees of the road wheels".to_owned());
    if recording.missing.count > 0 {
        notes.push(format!("{} images named in the log are missing", recording.missing.count));
    }
    log.unnamed.note("lines name no image and are left out", notes);
    log.bad_angles.note("lines have no usable steering", notes);
    let of_centre = images_in(&folder.join("IMG")).unwrap_or_default().into_iter().map(|path| name_of(&path));
    let unused = of_centre.filter(|name| name.starts_with("center") && !used.contains(name)).count();
    if unused > 0 {
        notes.push(format!("{unused} images of the centre camera are named by no line and left out"));
    }
    if recording.frames.iter().all(|frame| frame.time_s.is_nan()) {
        notes.push(format!("no time stamps in the names: {ASSUMED_HZ} frames a second are assumed"));
    }
    Ok(recording)
}

/// The usable lines of a log.
#[derive(Debug, Default)]
struct Log {
    lines: Vec<LogLine>,
    unnamed: Tally,
    bad_angles: Tally,
}

/// One line.
#[derive(Debug, PartialEq)]
struct LogLine {
    number: usize,
    /// The centre camera's image, without its folder.
    image: String,
    /// NaN if the name holds no time.
    time_s: f64,
    steering_true_rad: Option<f32>,
}

fn parse_log(text: &str) -> Log {
    let mut log = Log::default();
    let (mut center_at, mut steering_at) = (0, 3);
    for (i, line) in table::lines(text).enumerate() {
        let place = |name: &str| line.values.iter().position(|value| value == name);
        if i == 0
            && let (Some(center), Some(steering)) = (place("center"), place("steering"))
        {
            (center_at, steering_at) = (center, steering);
            continue;
        }
        // The path is of another machine, so either slash may part it.
        let image = line.get(center_at).and_then(|path| path.rsplit(['/', '\\']).next()).unwrap_or("");
        if image.is_empty() {
            log.unnamed.add(|| format!("line {}", line.number));
            continue;
        }
        let positive_left_rad = -f64::from(model_car::FULL_LOCK_RAD);
        log.lines.push(LogLine {
            number: line.number,
            image: image.to_owned(),
            time_s: clock::seconds(image).unwrap_or(f64::NAN),
            steering_true_rad: table::angle(line.get(steering_at), positive_left_rad, line.number, &mut log.bad_angles),
        });
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_a_foreign_path_and_either_slash() {
        let text = "center,left,right,steering,throttle,brake,speed\n\
            C:\\Users\\me\\IMG\\center_2016_12_01_13_30_48_287.jpg,l,r,0.5,0,0,0\n\
            /home/me/IMG/b.jpg,l,r,fast,0,0,0\n,,,0\n";
        let log = parse_log(text);
        assert_eq!(log.lines[0].image, "center_2016_12_01_13_30_48_287.jpg");
        assert_eq!(log.lines[0].time_s, 1_480_599_048.287);
        let half = -0.5 * 25f32.to_radians();
        assert!((log.lines[0].steering_true_rad.unwrap() - half).abs() < 1e-6);
        assert_eq!((log.lines[1].image.as_str(), log.lines[1].steering_true_rad), ("b.jpg", None));
        assert_eq!((log.lines.len(), log.unnamed.count, log.bad_angles.count), (2, 1, 1));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).{0,200}", shaped in "([a-zA-Z0-9:\\\\/._]{0,20},){0,7}\n") {
            let _ = parse_log(&text);
            let _ = parse_log(&shaped);
        }
    }
}
