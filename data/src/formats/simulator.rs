//! Udacity's driving simulator: `driving_log.csv` with `IMG/`.
//!
//! Columns `center,left,right,steering,throttle,brake,speed`, with or without that header. The image paths are absolute
//! paths of the machine that recorded, with either slash: only their last part is used, and it is looked for in `IMG/`. The
//! time is in the image's name, `center_YYYY_MM_DD_hh_mm_ss_mmm.jpg`.
//!
//! Steering is a command from -1 to 1, **positive to the right**, where 1 turns the *road wheels* by 25 degrees; it becomes
//! radians of the road wheels, positive to the left. The simulated car has no steering wheel.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Opened, clock, model_car};
use crate::drive_folder::{DriveFolder, locate};
use crate::folder::{bad_file, images_in, name_of};
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
/// [`DataError::BadFile`] for a log without usable lines or no readable image, [`DataError::Io`].
pub(super) fn open(name: &str, drive: &DriveFolder) -> Opened {
    read(drive)?.into_source(name, drive)
}

fn read(drive: &DriveFolder) -> Result<Recording, DataError> {
    let path = drive.join(LOG);
    let log = parse_log(&drive.read_text(&path)?);
    if log.lines.is_empty() {
        return Err(bad_file(&path, "no line names an image", "lines center,left,right,steering,throttle,brake,speed"));
    }
    let image_folder = images_of(drive.path());
    let mut used = HashSet::new();
    let mut recording = Recording::new("Udacity simulator");
    recording.assumed_hz = ASSUMED_HZ;
    recording.steering_unit = model_car::UNIT;
    recording.camera = model_car::simulator_camera;
    for line in log.lines {
        match locate(&image_folder, &line.image) {
            Ok(image) => {
                let LogLine { image: name, time_s, steering_true_rad, .. } = line;
                used.insert(name);
                recording.frames.push(RecordedFrame { image, time_s, steering_true_rad });
            }
            Err(why) => {
                let image = table::shorten(&line.image, 80);
                recording.missing.add(format!("{LOG} line {}: {image:?}: {}", line.number, why.reason()));
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
    log.commas.note("lines have decimal commas between commas", notes);
    let of_centre = images_in(&image_folder).unwrap_or_default().into_iter().map(|path| name_of(&path));
    let unused = of_centre.filter(|name| name.starts_with("center") && !used.contains(name)).count();
    if unused > 0 {
        notes.push(format!("{unused} images of the centre camera are named by no line and left out"));
    }
    if recording.frames.iter().all(|frame| frame.time_s.is_nan()) {
        notes.push(format!("no time stamps in the names: {ASSUMED_HZ} frames a second are assumed"));
    }
    Ok(recording)
}

/// The folder of the images: `IMG` in any case, or that of the log.
fn images_of(folder: &Path) -> PathBuf {
    let named = |name: &&str| folder.join(name).is_dir();
    ["IMG", "img", "Img"].iter().find(|name| named(name)).map_or(folder.to_owned(), |name| folder.join(name))
}

/// The usable lines of a log.
#[derive(Debug, Default)]
struct Log {
    lines: Vec<LogLine>,
    unnamed: Tally,
    bad_angles: Tally,
    commas: Tally,
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
    let (mut center_at, mut steering_at, mut columns) = (0, 3, VALUES);
    let raw: Vec<&str> = text.lines().collect();
    for mut line in table::lines(text, b',') {
        let place = |name: &str| line.values.iter().position(|value| value == name);
        // A header, at the top or where several logs were put together.
        if let (Some(center), Some(steering)) = (place("center"), place("steering")) {
            (center_at, steering_at, columns) = (center, steering, line.values.len());
            continue;
        }
        // The path is of another machine, so either slash may part it.
        let image = line.get(center_at).and_then(|path| path.rsplit(['/', '\\']).next()).unwrap_or("").to_owned();
        if image.is_empty() {
            log.unnamed.add(|| format!("line {}", line.number));
            continue;
        }
        let known = line.values.len() <= columns || {
            log.commas.add(|| format!("line {}", line.number));
            let whole = without_decimal_commas(raw[line.number - 1], &line.values, columns);
            whole.map(|values| line.values = values).is_some()
        };
        let positive_left_rad = -f64::from(model_car::FULL_LOCK_RAD);
        let steering = line.get(steering_at).filter(|_| known);
        log.lines.push(LogLine {
            number: line.number,
            time_s: clock::seconds(&image).unwrap_or(f64::NAN),
            image,
            steering_true_rad: table::angle(steering, positive_left_rad, line.number, &mut log.bad_angles),
        });
    }
    log
}

/// Values of a line where no header says otherwise.
const VALUES: usize = 7;
/// Images named in a line, before the numbers.
const NAMES: usize = 3;

/// The values of a line whose numbers have decimal commas: where a blank follows the commas between values, or where every
/// number has one, it can be told which comma is which. Otherwise `None`.
fn without_decimal_commas(line: &str, parts: &csv::StringRecord, columns: usize) -> Option<csv::StringRecord> {
    let values: Vec<&str> = line.split(", ").map(str::trim).collect();
    if values.len() == columns {
        return Some(values.into_iter().collect());
    }
    let all = columns > NAMES && parts.len() == NAMES + 2 * (columns - NAMES);
    all.then(|| {
        let parts: Vec<&str> = parts.iter().collect();
        let (names, numbers) = parts.split_at(NAMES);
        let numbers = numbers.chunks(2).map(|halves| halves.join("."));
        names.iter().map(|name| (*name).to_owned()).chain(numbers).collect()
    })
}

/// What fuzzing calls.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz(text: &str) {
    let _ = parse_log(text);
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn decimal_commas_are_read_where_it_is_clear_which_comma_is_which() {
        let text = "a.jpg, l, r, 0,5, 0,1286689, 0, 12,1\nb.jpg,l,r,-0,5,0,1,0,0,12,1\nc.jpg,l,r,0,0,1,0,12,1\nd.jpg,l,r,0,0,1,0\n";
        let log = parse_log(text);
        let commands: Vec<_> =
            log.lines.iter().map(|l| l.steering_true_rad.map(|rad| rad / model_car::FULL_LOCK_RAD)).collect();
        assert_eq!(commands, [Some(-0.5), Some(0.5), None, Some(-0.0)], "the third may be 0 or 0.0");
        assert_eq!((log.commas.count, log.bad_angles.count), (3, 1));
    }

    #[test]
    fn a_header_counts_wherever_it_stands() {
        let header = "center,left,right,steering,throttle,brake,speed\n";
        let log = parse_log(&format!("{header}a.jpg,l,r,0.5,0,0,0\n{header}b.jpg,l,r,0.5,0,0,0\n"));
        assert_eq!(log.lines.iter().map(|line| line.image.as_str()).collect::<Vec<_>>(), ["a.jpg", "b.jpg"]);
    }
}
