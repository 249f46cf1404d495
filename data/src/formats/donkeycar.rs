//! donkeycar tubs.
//!
//! - Version 4: `manifest.json` (five lines of JSON; the fifth names the catalogs and the deleted records),
//!   `catalog_N.catalog` (one JSON record a line) and `images/`. Without a readable manifest all catalogs are read.
//! - The older form: `record_N.json` beside the images that the records name.
//!
//! `user/angle` is a command from -1 to 1, **positive to the right**; it becomes radians of the road wheels, positive to the
//! left, at 25 degrees for 1. Records play in the order of the tub.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Opened, model_car};
use crate::DataError;
use crate::drive_folder::{DriveFolder, LINKED_OUT, Unreachable, linked_out, locate};
use crate::folder::{bad_file, files_in, images_in, name_of, sort_naturally};
use crate::recorded::{RecordedFrame, Recording, Tally};
use crate::table;

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str = "donkeycar tub: manifest.json with *.catalog and images/, or record_N.json files";

/// The rate of donkeycar's drive loop, for tubs without time stamps.
const ASSUMED_HZ: f64 = 20.0;

/// True if `folder` holds a tub of either form.
pub(super) fn recognise(folder: &Path) -> bool {
    !catalogs_in(folder).is_empty() || has_record(folder)
}

/// Opens a tub of either form.
///
/// # Errors
/// [`DataError::BadFile`] for a tub without a readable record or image.
pub(super) fn open(name: &str, drive: &DriveFolder) -> Opened {
    let catalogs = catalogs_in(drive.path());
    let tub = if catalogs.is_empty() { older_tub(drive)? } else { version_4_tub(drive, catalogs)? };
    tub.finish()?.into_source(name, drive)
}

/// What the records of a tub amount to so far.
struct Tub {
    folder: PathBuf,
    images: PathBuf,
    recording: Recording,
    used: HashSet<PathBuf>,
    records: usize,
    unreadable: Tally,
    /// Records that are links out of the drive's folder.
    linked: Tally,
    nameless: Tally,
    bad_angles: Tally,
    piloted: Tally,
    deleted: usize,
}

impl Tub {
    fn new(folder: &Path, images: PathBuf, format: &'static str) -> Self {
        let mut recording = Recording::new(format);
        recording.assumed_hz = ASSUMED_HZ;
        recording.steering_unit = model_car::UNIT;
        recording.camera = model_car::model_car_camera;
        Self {
            folder: folder.to_owned(),
            images,
            recording,
            used: HashSet::new(),
            records: 0,
            unreadable: Tally::default(),
            linked: Tally::default(),
            nameless: Tally::default(),
            bad_angles: Tally::default(),
            piloted: Tally::default(),
            deleted: 0,
        }
    }

    /// Adds one record; `place` names it in messages.
    fn add(&mut self, json: &str, place: impl Fn() -> String, deleted: &HashSet<u64>) {
        let Some(record) = parse_record(json) else {
            return self.unreadable.add(place);
        };
        self.records += 1;
        if record.index.is_some_and(|index| deleted.contains(&index)) {
            self.deleted += 1;
            return;
        }
        let Some(image) = record.image else {
            return self.nameless.add(place);
        };
        if record.piloted {
            self.piloted.add(&place);
        } else if record.angle.is_none() {
            self.bad_angles.add(&place);
        }
        match locate(&self.images, &image) {
            Ok(image) => {
                self.used.insert(image.clone());
                let angle = record.angle.filter(|_| !record.piloted);
                let steering_true_rad = angle.map(|angle| -(angle as f32) * model_car::FULL_LOCK_RAD);
                self.recording.frames.push(RecordedFrame { image, time_s: record.time_s, steering_true_rad });
            }
            Err(why) => {
                let image = table::shorten(&image, 80);
                self.recording.missing.add(format!("{}: image {image:?}: {}", place(), why.reason()));
            }
        }
    }

    /// Puts the findings into words.
    fn finish(self) -> Result<Recording, DataError> {
        let mut recording = self.recording;
        if self.records == 0 {
            let why = if self.linked.count > 0 { format!(": each is {LINKED_OUT}") } else { String::new() };
            let problem = format!("no record of this tub can be read{why}");
            return Err(bad_file(&self.folder, problem, "a donkeycar tub with records"));
        }
        if self.nameless.count == self.records {
            let problem = "no record names an image as cam/image_array";
            return Err(bad_file(&self.folder, problem, "a tub of a camera in front, not of two or of none"));
        }
        let notes = &mut recording.notes;
        notes.push("angles are commands from -1 to 1; 1 stands for 25 degrees of the road wheels".to_owned());
        if recording.missing.count > 0 {
            notes.push(format!("{} images named in the records are missing", recording.missing.count));
        }
        self.linked.note(&linked_out("records"), notes);
        self.unreadable.note("records cannot be read and are left out", notes);
        self.nameless.note("records name no image as cam/image_array and are left out", notes);
        self.bad_angles.note("records have no usable user/angle", notes);
        self.piloted.note("records were steered by a pilot (user/mode): their user/angle is no label", notes);
        if self.deleted > 0 {
            notes.push(format!("{} records are marked as deleted and left out", self.deleted));
        }
        let unused = images_in(&self.images)?.into_iter().filter(|path| !self.used.contains(path)).count();
        if unused > self.deleted {
            notes.push(format!("{unused} images are named by no record and left out"));
        }
        if recording.frames.iter().all(|frame| frame.time_s.is_nan()) {
            notes.push(format!("no time stamps: {ASSUMED_HZ} frames a second are assumed"));
        }
        Ok(recording)
    }
}

/// Version 4: the catalogs that the manifest names, or all of them if it cannot be read.
fn version_4_tub(drive: &DriveFolder, catalogs: Vec<PathBuf>) -> Result<Tub, DataError> {
    let mut tub = Tub::new(drive.path(), drive.join("images"), "donkeycar tub (version 4)");
    let path = drive.join("manifest.json");
    drive.allow(&path)?;
    let manifest = match drive.read_text(&path) {
        Ok(text) => parse_manifest(&text),
        Err(_) => Manifest::default(),
    };
    let mut named = Vec::new();
    for name in manifest.catalogs.iter().flatten() {
        match drive.find(name) {
            Ok(path) => named.push(path),
            Err(why) => {
                let name = table::shorten(name, 80);
                tub.recording.notes.push(format!("catalog {name:?} of the manifest: {}", why.reason()));
            }
        }
    }
    if named.is_empty() {
        tub.recording.notes.push(
            "no manifest.json that names a catalog: all *.catalog files are read, deleted records among them"
                .to_owned(),
        );
        named = catalogs;
    }
    for path in named {
        let catalog = name_of(&path);
        let text = match drive.read_text(&path) {
            Ok(text) => text,
            Err(error) => {
                tub.recording.notes.push(format!("catalog {catalog} is left out: {error}"));
                continue;
            }
        };
        for (i, line) in text.lines().enumerate() {
            tub.add(line, || format!("{catalog} line {}", i + 1), &manifest.deleted);
        }
    }
    let last = manifest.current_index;
    if last.is_some_and(|last| last as usize != tub.records) {
        tub.recording.notes.push(format!(
            "the manifest's current_index is {}, the catalogs hold {} records; the catalogs count",
            last.unwrap_or(0),
            tub.records
        ));
    }
    Ok(tub)
}

/// The older form: one JSON file a record.
fn older_tub(drive: &DriveFolder) -> Result<Tub, DataError> {
    let mut tub = Tub::new(drive.path(), drive.path().to_owned(), "donkeycar tub (JSON records)");
    let mut records = files_in(drive.path())?;
    records.retain(|path| is_record(&name_of(path)));
    sort_naturally(&mut records);
    for path in records {
        if drive.check(&path) == Err(Unreachable::LinkedOut) {
            tub.linked.add(|| name_of(&path));
            continue;
        }
        let json = drive.read_text(&path).unwrap_or_default();
        tub.add(&json, || name_of(&path), &HashSet::new());
    }
    Ok(tub)
}

/// The catalogs in a folder, in natural order.
fn catalogs_in(folder: &Path) -> Vec<PathBuf> {
    let mut catalogs = files_in(folder).unwrap_or_default();
    catalogs.retain(|path| path.extension().is_some_and(|suffix| suffix == "catalog"));
    sort_naturally(&mut catalogs);
    catalogs
}

fn has_record(folder: &Path) -> bool {
    files_in(folder).unwrap_or_default().iter().any(|path| is_record(&name_of(path)))
}

/// `record_12.json`
fn is_record(name: &str) -> bool {
    let number = name.strip_prefix("record_").and_then(|rest| rest.strip_suffix(".json"));
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// One record.
#[derive(Debug, PartialEq)]
struct Record {
    index: Option<u64>,
    /// NaN if the record has no time.
    time_s: f64,
    /// `None` where it names none, as those of other cameras do.
    image: Option<String>,
    /// The command from -1 to 1, positive to the right.
    angle: Option<f64>,
    /// Somebody else than the user steered.
    piloted: bool,
}

/// Parses a record; `None` if it is no JSON object.
fn parse_record(json: &str) -> Option<Record> {
    // Python writes NaN where JSON has no word for it: that costs the value, not the record.
    let record: Value = serde_json::from_str(json)
        .or_else(|_| {
            serde_json::from_str(&json.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null"))
        })
        .ok()
        .filter(Value::is_object)?;
    let milliseconds = ["_timestamp_ms", "milliseconds"].iter().find_map(|key| record.get(key)?.as_f64());
    Some(Record {
        index: record.get("_index").and_then(Value::as_u64),
        time_s: milliseconds.map_or(f64::NAN, |ms| ms * 1e-3),
        image: record.get("cam/image_array").and_then(Value::as_str).map(str::to_owned),
        piloted: record.get("user/mode").and_then(Value::as_str).is_some_and(|mode| mode.starts_with("local")),
        angle: record.get("user/angle").and_then(Value::as_f64).filter(|angle| angle.is_finite()),
    })
}

/// What a manifest says.
#[derive(Debug, Default)]
struct Manifest {
    catalogs: Option<Vec<String>>,
    current_index: Option<u64>,
    deleted: HashSet<u64>,
}

/// Parses `manifest.json`: the line with `paths` counts, whichever it is.
fn parse_manifest(text: &str) -> Manifest {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let Some(line) = lines.into_iter().find(|line| line.get("paths").is_some()) else { return Manifest::default() };
    let list = |key: &str| line.get(key).and_then(Value::as_array).cloned();
    Manifest {
        catalogs: list("paths").map(|paths| paths.iter().filter_map(|p| Some(p.as_str()?.to_owned())).collect()),
        current_index: line.get("current_index").and_then(Value::as_u64),
        deleted: list("deleted_indexes").unwrap_or_default().iter().filter_map(Value::as_u64).collect(),
    }
}

/// What fuzzing calls.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz(text: &str) {
    let _ = (parse_record(text), parse_manifest(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_nan_keeps_its_picture() {
        let json = r#"{"_index": 3, "_timestamp_ms": 1500, "cam/image_array": "3.jpg", "user/angle": NaN}"#;
        let image = Some("3.jpg".to_owned());
        let expected = Record { index: Some(3), time_s: 1.5, image, angle: None, piloted: false };
        assert_eq!(parse_record(json), Some(expected));
        assert_eq!(parse_record(&json[..40]), None);
        assert_eq!(parse_record("[1, 2]"), None);
    }

    #[test]
    fn names_of_records() {
        assert!(is_record("record_12.json"));
        assert!(!["record_.json", "record_1x.json", "meta.json", "record_1.jpg"].iter().any(|name| is_record(name)));
    }
}
