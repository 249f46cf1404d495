//! Udacity Challenge 2: pictures in `center/`, named by their time stamp in Unix nanoseconds, with
//! - `CH2_final_evaluation.csv`, by others called `final_example.csv` (test-set layout): `frame_id,steering_angle[,public]`, or
//! - `interpolated.csv` (training-set layout of the published reader tool):
//!   `index,timestamp,width,height,frame_id,filename,angle,torque,speed`, with rows for the centre camera and possibly
//!   for `left_camera` and `right_camera`, or
//! - no labels at all.
//!
//! Angles are radians of the steering wheel, positive to the left: nothing is converted. Frames play in the order of their
//! time stamps, whatever the order of the lines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Opened;
use crate::DataError;
use crate::drive_folder::{DriveFolder, locate};
use crate::folder::{images_in, name_of, stem_of};
use crate::recorded::{RecordedFrame, Recording, Tally};
use crate::table::{self, Table};

/// The labels of the test set, as published and as others store them.
pub(super) const TEST_SET_LABELS: [&str; 2] = ["CH2_final_evaluation.csv", "final_example.csv"];
const TRAINING_LABELS: &str = "interpolated.csv";

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str =
    "Udacity Challenge 2: center/*.jpg with CH2_final_evaluation.csv, final_example.csv or interpolated.csv";

/// True if `folder` holds one of the layouts.
pub(super) fn recognise(folder: &Path) -> bool {
    test_set_labels(folder).is_some() || folder.join(TRAINING_LABELS).is_file() || folder.join("center").is_dir()
}

/// The label file of the test-set layout.
fn test_set_labels(folder: &Path) -> Option<PathBuf> {
    TEST_SET_LABELS.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Opens a folder of either layout.
///
/// # Errors
/// [`DataError::BadFile`] for a label file without the needed columns or no readable image, [`DataError::Io`].
pub(super) fn open(name: &str, drive: &DriveFolder) -> Opened {
    let recording = if drive.join(TRAINING_LABELS).is_file() {
        training_set(drive)?
    } else if let Some(labels) = test_set_labels(drive.path()) {
        test_set(drive, &labels)?
    } else {
        unlabelled(drive)?
    };
    recording.into_source(name, drive)
}

/// Frames by their time stamp in nanoseconds: the picture, if there is one, and the angle, if there is one.
#[derive(Default)]
struct Frames {
    by_time_ns: BTreeMap<u64, (Option<PathBuf>, Option<f32>)>,
    unnamed: Tally,
}

impl Frames {
    /// Adds the pictures of `center/` by the time stamps in their names.
    fn add_pictures(&mut self, drive: &DriveFolder) -> Result<(), DataError> {
        let center = drive.join("center");
        let pictures = if center.is_dir() { images_in(&center)? } else { Vec::new() };
        for path in pictures {
            match stem_of(&path).parse::<u64>() {
                Ok(time_ns) => self.by_time_ns.entry(time_ns).or_default().0 = Some(path),
                Err(_) => self.unnamed.add(|| format!("center/{}", name_of(&path))),
            }
        }
        Ok(())
    }

    /// Makes the recording; labels whose picture is not there are counted as missing.
    fn into_recording(self, format: &'static str, labelled: bool) -> Recording {
        let mut recording = Recording::new(format);
        let first_ns = self.by_time_ns.iter().find(|(_, f)| f.0.is_some()).map_or(0, |(time_ns, _)| *time_ns);
        let mut unlabelled = Tally::default();
        for (time_ns, (picture, steering_true_rad)) in self.by_time_ns {
            let Some(image) = picture else {
                recording.missing.add(format!("center/{time_ns}.jpg: named in the labels, no such file"));
                continue;
            };
            if steering_true_rad.is_none() {
                unlabelled.add(|| name_of(&image));
            }
            // Subtracted as integers: a Unix time in f64 seconds would be off by a tenth of a microsecond.
            let time_s = time_ns.saturating_sub(first_ns) as f64 * 1e-9;
            recording.frames.push(RecordedFrame { image, time_s, steering_true_rad });
        }
        if recording.missing.count > 0 {
            recording.notes.push(format!("{} labels have no image", recording.missing.count));
        }
        self.unnamed.note("images whose name is no time stamp are left out", &mut recording.notes);
        if labelled {
            unlabelled.note("images have no usable label", &mut recording.notes);
        } else {
            recording.notes.push("no label file: replay without true angles".to_owned());
        }
        recording
    }
}

/// `CH2_final_evaluation.csv`: the frame's number is its picture's name.
fn test_set(drive: &DriveFolder, path: &Path) -> Result<Recording, DataError> {
    let labels = parse_labels(&drive.read_text(path)?, path, "frame_id", "steering_angle")?;
    let mut frames = Frames::default();
    for (time_ns, angle) in &labels.angles {
        frames.by_time_ns.insert(*time_ns, (None, *angle));
    }
    frames.add_pictures(drive)?;
    let mut recording = frames.into_recording("Udacity Challenge 2 (test-set layout)", true);
    labels.troubles.into_notes(&mut recording.notes);
    Ok(recording)
}

/// `interpolated.csv`: each row names its picture.
fn training_set(drive: &DriveFolder) -> Result<Recording, DataError> {
    let path = drive.join(TRAINING_LABELS);
    let labels = parse_labels(&drive.read_text(&path)?, &path, "timestamp", "angle")?;
    let mut frames = Frames::default();
    frames.add_pictures(drive)?;
    let mut unreachable = Tally::default();
    for (time_ns, angle) in &labels.angles {
        let entry = frames.by_time_ns.entry(*time_ns).or_default();
        entry.1 = *angle;
        // Most rows name the picture that the listing has already found under the same time stamp.
        let Some(name) = labels.files.get(time_ns) else { continue };
        match locate(drive.path(), name) {
            Ok(found) => entry.0 = Some(found),
            Err(_) if entry.0.is_some() => {}
            Err(trouble) => unreachable.add(|| format!("{}: {}", table::shorten(name, 80), trouble.reason())),
        }
    }
    let mut recording = frames.into_recording("Udacity Challenge 2 (training-set layout)", true);
    unreachable.note("rows name a file that cannot be had", &mut recording.notes);
    labels.troubles.into_notes(&mut recording.notes);
    Ok(recording)
}

/// Pictures only.
fn unlabelled(drive: &DriveFolder) -> Result<Recording, DataError> {
    let mut frames = Frames::default();
    frames.add_pictures(drive)?;
    Ok(frames.into_recording("Udacity Challenge 2 (images without labels)", false))
}

/// The rows of a label file.
#[derive(Default)]
struct Labels {
    /// Nanoseconds to radians, `None` where the value is no number.
    angles: BTreeMap<u64, Option<f32>>,
    /// Nanoseconds to the file that the row names, where it names one.
    files: BTreeMap<u64, String>,
    troubles: Troubles,
}

/// What was wrong in a label file.
#[derive(Default)]
struct Troubles {
    bad_times: Tally,
    named_times: Tally,
    bad_angles: Tally,
    repeated: Tally,
    unsorted: Tally,
    other_cameras: Tally,
    too_long: Tally,
}

impl Troubles {
    fn into_notes(self, notes: &mut Vec<String>) {
        self.bad_times.note("label lines without a usable time stamp are left out", notes);
        self.named_times.note("label lines have no usable time stamp; the name of their image has it", notes);
        self.bad_angles.note("label lines have no usable angle", notes);
        self.too_long.note(table::TOO_LONG, notes);
        self.repeated.note("label lines repeat a time stamp; the first line counts", notes);
        self.unsorted.note("label lines are not in the order of time; frames play in the order of time", notes);
        self.other_cameras.note("rows of other cameras are not used, only the centre camera is", notes);
    }
}

/// Parses a label file of either layout by the names of its columns.
///
/// # Errors
/// [`DataError::BadFile`] if a needed column is missing.
fn parse_labels(text: &str, path: &Path, time_column: &str, angle_column: &str) -> Result<Labels, DataError> {
    let table = Table::parse(text, path, &[time_column, angle_column])?;
    let column = |name: &str| table.column(name).unwrap_or(usize::MAX);
    let (time_at, angle_at, file_at) = (column(time_column), column(angle_column), column("filename"));
    // In the training-set layout `frame_id` names the camera; in the test-set layout it is the time itself.
    let camera_at = if time_column == "frame_id" { usize::MAX } else { column("frame_id") };
    let mut labels = Labels::default();
    let mut troubles = Troubles::default();
    let mut before = 0;
    for row in &table.lines {
        let line = row.number;
        if let Some(camera) = row.get(camera_at).filter(|camera| !matches!(*camera, "" | "center_camera")) {
            troubles.other_cameras.add(|| format!("line {line}: {}", table::shorten(camera, 24)));
            continue;
        }
        let stated = row.get(time_at).unwrap_or("nothing");
        // A spreadsheet rounds the stamp to 1.47943E+18; the picture's name is the stamp as well.
        let named = || row.get(file_at).and_then(|file| stem_of(Path::new(file)).parse::<u64>().ok());
        let time_ns = match stated.parse::<u64>() {
            Ok(time_ns) => time_ns,
            Err(_) => {
                let found = || format!("line {line}: {:?}", table::shorten(stated, 24));
                let Some(time_ns) = named() else {
                    troubles.bad_times.add(found);
                    continue;
                };
                troubles.named_times.add(found);
                time_ns
            }
        };
        if labels.angles.contains_key(&time_ns) {
            troubles.repeated.add(|| format!("line {line}"));
            continue;
        }
        if time_ns < before {
            troubles.unsorted.add(|| format!("line {line}"));
        }
        before = time_ns;
        labels.angles.insert(time_ns, table::angle(row.get(angle_at), 1.0, line, &mut troubles.bad_angles));
        if let Some(file) = row.get(file_at).filter(|file| !file.is_empty()) {
            labels.files.insert(time_ns, file.to_owned());
        }
    }
    labels.troubles = Troubles { too_long: table.too_long, ..troubles };
    Ok(labels)
}

/// What fuzzing calls.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz(text: &str) {
    for (time, angle) in [("timestamp", "angle"), ("frame_id", "steering_angle")] {
        let _ = parse_labels(text, Path::new("labels.csv"), time, angle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_any_order_with_any_trouble_are_read_and_counted() {
        let text =
            "frame_id,steering_angle,public\n30,0.3,0\n10,-0.1,1\n20,NaN,0\n40,left,1\nabc,0.1,0\n10,0.9,0\n50\n";
        let labels = parse_labels(text, Path::new("l.csv"), "frame_id", "steering_angle").unwrap();
        let angles: Vec<_> = labels.angles.into_iter().collect();
        assert_eq!(angles, [(10, Some(-0.1)), (20, None), (30, Some(0.3)), (40, None), (50, None)]);
        let mut notes = Vec::new();
        labels.troubles.into_notes(&mut notes);
        assert_eq!(notes.len(), 4, "{notes:?}");
        assert!(notes[1].starts_with("3 label lines have no usable angle (line 4: \"NaN\""), "{notes:?}");
        assert!(notes[2].starts_with("1 label lines repeat"), "{notes:?}");
    }
}
