//! A plain folder of images, played in natural order (`frame2` before `frame10`), with or without `labels.csv`.
//!
//! `labels.csv` has a header: `file`, the image's name; `steering_rad` or `steering_deg`, the angle of the steering wheel,
//! positive to the left; and, if known, `time_s`, seconds from any origin.

use std::collections::HashMap;
use std::path::Path;

use super::Opened;
use crate::DataError;
use crate::drive_folder::DriveFolder;
use crate::folder::{images_in, name_of};
use crate::recorded::{RecordedFrame, Recording, Tally};
use crate::table::{self, Table};

const LABELS: &str = "labels.csv";

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str = "a plain folder of *.jpg or *.png, with or without labels.csv";

/// True if `folder` itself holds an image.
pub(super) fn recognise(folder: &Path) -> bool {
    images_in(folder).is_ok_and(|images| !images.is_empty())
}

/// Opens a plain folder of images.
///
/// # Errors
/// [`DataError::BadFile`] for a `labels.csv` without the needed columns or no readable image, [`DataError::Io`].
pub(super) fn open(name: &str, drive: &DriveFolder) -> Opened {
    read(drive)?.into_source(name, drive)
}

fn read(drive: &DriveFolder) -> Result<Recording, DataError> {
    let mut recording = Recording::new("folder of images");
    let path = drive.join(LABELS);
    let mut labels = if path.is_file() { Some(parse_labels(&drive.read_text(&path)?, &path)?) } else { None };
    let mut unlabelled = Tally::default();
    for image in images_in(drive.path())? {
        let label = labels.as_mut().and_then(|labels| labels.by_file.remove(&name_of(&image)));
        if label.is_none() {
            unlabelled.add(|| name_of(&image));
        }
        let (time_s, steering_true_rad) = label.unwrap_or((f64::NAN, None));
        recording.frames.push(RecordedFrame { image, time_s, steering_true_rad });
    }
    let notes = &mut recording.notes;
    match labels {
        Some(labels) => {
            let mut times_s: Vec<f64> = recording.frames.iter().map(|frame| frame.time_s).collect();
            table::seconds(&mut times_s, notes);
            recording.frames.iter_mut().zip(times_s).for_each(|(frame, time_s)| frame.time_s = time_s);
            let mut left: Vec<_> = labels.by_file.into_keys().collect();
            left.sort();
            for file in left {
                recording
                    .missing
                    .add(format!("{LABELS}: {:?}: no such image in this folder", table::shorten(&file, 80)));
            }
            if recording.missing.count > 0 {
                notes.push(format!("{} labels have no image", recording.missing.count));
            }
            unlabelled.note("images have no label", notes);
            notes.extend(labels.notes);
        }
        None => notes.push(format!("no {LABELS}: replay without true angles")),
    }
    if recording.frames.iter().all(|frame| frame.time_s.is_nan()) {
        notes.push(format!("no time stamps: {} frames a second are assumed", recording.assumed_hz));
    }
    Ok(recording)
}

/// The lines of `labels.csv`.
struct Labels {
    /// Image to time (NaN if none) and angle.
    by_file: HashMap<String, (f64, Option<f32>)>,
    notes: Vec<String>,
}

fn parse_labels(text: &str, path: &Path) -> Result<Labels, DataError> {
    let table = Table::parse(text, path, &["file"])?;
    let mut angles = table.angle_columns(path)?;
    let file_at = table.column("file").unwrap_or(0);
    let time_at = table.column("time_s").unwrap_or(usize::MAX);
    let own_folder = path.parent().map(name_of).unwrap_or_default();
    let mut labels = Labels { by_file: HashMap::new(), notes: Vec::new() };
    let mut repeated = Tally::default();
    for line in &table.lines {
        let Some(file) = line.get(file_at).filter(|file| !file.is_empty()) else { continue };
        // Some write the folder before the name. Another folder's image of that name is another image.
        let file = match file.rsplit_once(['/', '\\']) {
            Some((folder, name)) if folder == own_folder || folder == "." => name,
            _ => file,
        };
        if labels.by_file.contains_key(file) {
            repeated.add(|| format!("line {}: {:?}", line.number, table::shorten(file, 40)));
            continue;
        }
        let time_s = table::number(line.get(time_at)).unwrap_or(f64::NAN);
        labels.by_file.insert(file.to_owned(), (time_s, angles.of(line)));
    }
    angles.unusable.note("label lines have no usable angle", &mut labels.notes);
    repeated.note("label lines repeat an image; the first line counts", &mut labels.notes);
    table.too_long.note(table::TOO_LONG, &mut labels.notes);
    Ok(labels)
}

/// What fuzzing calls.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz(text: &str) {
    let _ = parse_labels(text, Path::new("labels.csv"));
}
