//! SullyChen's driving datasets: `data.txt` with one line an image.
//!
//! - 2016: `N.jpg ANGLE`
//! - 2018: `N.jpg ANGLE,YYYY-MM-DD hh:mm:ss:mmm`
//!
//! A tab or a comma may stand for the blank. The images lie beside `data.txt` or in `data/`. Angles are degrees of the steering wheel, **positive to the right**: the
//! author's viewer turns the picture of a wheel clockwise for them. Lines play in their order in the file.

use std::collections::HashSet;
use std::path::Path;

use super::{Opened, clock};
use crate::drive_folder::{DriveFolder, Unreachable, locate};
use crate::folder::images_in;
use crate::recorded::{RecordedFrame, Recording, Tally};
use crate::{DataError, table};

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str = "SullyChen: data.txt with lines \"N.jpg ANGLE\", images beside it or in data/";

/// The usual rate of a dashboard camera; the 2016 form states no times.
const ASSUMED_HZ: f64 = 30.0;

/// True if `folder` holds a `data.txt`.
pub(super) fn recognise(folder: &Path) -> bool {
    folder.join("data.txt").is_file()
}

/// Opens either form.
///
/// # Errors
/// [`DataError::BadFile`] for an empty `data.txt` or no readable image, [`DataError::Io`].
pub(super) fn open(name: &str, drive: &DriveFolder) -> Opened {
    read(drive)?.into_source(name, drive)
}

fn read(drive: &DriveFolder) -> Result<Recording, DataError> {
    let text = drive.read_text(&drive.join("data.txt"))?;
    let in_data = drive.join("data").is_dir();
    let image_folder = if in_data { drive.join("data") } else { drive.path().to_owned() };
    let mut recording = Recording::new("SullyChen (2016)");
    recording.assumed_hz = ASSUMED_HZ;
    let (mut unusable, mut bad_angles) = (Tally::default(), Tally::default());
    let mut used = HashSet::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let entry = parse_line(line, i + 1, &mut bad_angles);
        let name = entry.image.strip_prefix("data/").filter(|_| in_data).unwrap_or(entry.image);
        match locate(&image_folder, name) {
            Ok(image) => {
                used.insert(image.clone());
                let Entry { time_s, steering_true_rad, .. } = entry;
                recording.frames.push(RecordedFrame { image, time_s, steering_true_rad });
            }
            Err(why) => {
                let image = table::shorten(entry.image, 80);
                if why == Unreachable::Outside {
                    unusable.add(|| format!("line {}: {image:?}", i + 1));
                }
                recording.missing.add(format!("data.txt line {}: image {image:?}: {}", i + 1, why.reason()));
            }
        }
    }
    let notes = &mut recording.notes;
    if recording.missing.count > 0 {
        notes.push(format!("{} images named in data.txt are missing", recording.missing.count));
    }
    unusable.note("lines name a file outside the dataset's folder, which was not read", notes);
    bad_angles.note("lines have no usable angle", notes);
    let unused = images_in(&image_folder)?.into_iter().filter(|path| !used.contains(path)).count();
    if unused > 0 {
        notes.push(format!("{unused} images are named by no line and left out"));
    }
    if recording.frames.iter().any(|frame| frame.time_s.is_finite()) {
        recording.format = "SullyChen (2018)";
    } else {
        notes.push(format!("no time stamps: {ASSUMED_HZ} frames a second are assumed"));
    }
    Ok(recording)
}

/// One line.
#[derive(Debug, PartialEq)]
struct Entry<'a> {
    image: &'a str,
    /// NaN if the line has no time.
    time_s: f64,
    steering_true_rad: Option<f32>,
}

/// Parses a line of either form.
fn parse_line<'a>(line: &'a str, number: usize, bad_angles: &mut Tally) -> Entry<'a> {
    let (image, rest) = line.trim().split_once([' ', '\t', ',']).unwrap_or((line.trim(), ""));
    let rest = rest.trim_start_matches([' ', '\t', ',']);
    let (angle, time) = rest.split_once(',').unwrap_or((rest, ""));
    // With decimal commas nothing tells the angle from what follows.
    let angle = if time.is_empty() || time.contains([':', '-']) { angle } else { rest };
    let positive_left_rad = -std::f64::consts::PI / 180.0;
    Entry {
        image,
        time_s: clock::seconds(time).unwrap_or(f64::NAN),
        steering_true_rad: table::angle(Some(angle.trim()), positive_left_rad, number, bad_angles),
    }
}

/// What fuzzing calls.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz(text: &str) {
    text.lines().for_each(|line| {
        let _ = parse_line(line, 1, &mut Tally::default());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_line() {
        let mut bad = Tally::default();
        let line = parse_line("7.jpg 90.0", 1, &mut bad);
        assert_eq!((line.image, line.steering_true_rad), ("7.jpg", Some(-std::f32::consts::FRAC_PI_2)));
        assert!(line.time_s.is_nan());
        let line = parse_line("8.jpg -18,2018-07-01 17:09:44:912", 2, &mut bad);
        assert!((line.steering_true_rad.unwrap() - 0.314_159_27).abs() < 1e-6);
        assert_eq!(line.time_s, 1_530_464_984.912);
        for line in ["7.jpg,90.0", "7.jpg, 90.0", "7.jpg\t90.0", "7.jpg  90"] {
            let line = parse_line(line, 1, &mut bad);
            assert_eq!((line.image, line.steering_true_rad), ("7.jpg", Some(-std::f32::consts::FRAC_PI_2)));
        }
        assert_eq!(bad.count, 0);
        assert_eq!(parse_line("7.jpg -1,5", 1, &mut Tally::default()).steering_true_rad, Some(1.5f32.to_radians()));
        assert_eq!(parse_line("9.jpg", 3, &mut bad).steering_true_rad, None);
        assert_eq!(parse_line("9.jpg NaN", 4, &mut bad).steering_true_rad, None);
        assert_eq!(bad.count, 2);
    }
}
