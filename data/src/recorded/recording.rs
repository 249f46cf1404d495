//! What a format finds: frames in order, with times and angles.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decode::ALL_ROWS;
use super::pictures::{ImageFiles, Pictures};
use super::player::Player;
use super::{plausible, timeline};
use crate::drive_folder::{DriveFolder, LINKED_OUT, linked_out};
use crate::folder::printable;
use crate::{CameraGeometry, DataError, SkipReport, Source, SourceInfo, SteeringUnit};

/// One frame of a recording whose pictures are files.
#[derive(Debug, Clone)]
pub(crate) struct RecordedFrame {
    /// The image file.
    pub image: PathBuf,
    /// Seconds from any origin; NaN if unknown.
    pub time_s: f64,
    /// True angle, if there is a usable one.
    pub steering_true_rad: Option<f32>,
}

/// A recording as a format found it; [`Recording::into_source`] makes a source of it.
pub(crate) struct Recording {
    /// The format in plain words.
    pub format: &'static str,
    /// Frames in the order of replay.
    pub frames: Vec<RecordedFrame>,
    /// The rate where no time is known.
    pub assumed_hz: f64,
    /// The unit of the recording's own angles.
    pub steering_unit: SteeringUnit,
    /// Frames that are named somewhere but cannot be had.
    pub missing: SkipReport,
    /// Findings in plain words.
    pub notes: Vec<String>,
    /// The camera, from the width and height of its pictures.
    pub camera: fn(usize, usize) -> CameraGeometry,
}

impl Recording {
    /// An empty recording in radians at 20 frames a second.
    pub(crate) fn new(format: &'static str) -> Self {
        Self {
            format,
            frames: Vec::new(),
            assumed_hz: 20.0,
            steering_unit: SteeringUnit::Radians,
            missing: SkipReport::default(),
            notes: Vec::new(),
            camera: CameraGeometry::assumed,
        }
    }

    /// Makes a source of the image files. Those that are empty, not there or refused links count as missing from the start; damage
    /// inside a file shows only when it is decoded.
    ///
    /// # Errors
    /// [`DataError::BadFile`] if there is no frame, or none that can be decoded.
    pub(crate) fn into_source(mut self, name: &str, drive: &DriveFolder) -> Result<Box<dyn Source>, DataError> {
        self.set_aside_unreadable(drive);
        let folder = drive.path();
        let (times_s, angles): (Vec<_>, Vec<_>) = self.frames.iter().map(|f| (f.time_s, f.steering_true_rad)).unzip();
        let files = self.frames.into_iter().map(|f| f.image).collect();
        let pictures = Arc::new(ImageFiles { folder: folder.to_owned(), files });
        let facts = Facts {
            format: self.format,
            raw_times_s: times_s,
            steering_true_rad: angles,
            assumed_hz: self.assumed_hz,
            steering_unit: self.steering_unit,
            missing: self.missing,
            notes: self.notes,
            camera: self.camera,
        };
        facts.into_source(name, folder, pictures)
    }

    /// Moves frames whose file is empty, not there, or a link that is not read to `missing`.
    fn set_aside_unreadable(&mut self, drive: &DriveFolder) {
        let (mut empty, mut linked, mut rule) = (Tally::default(), Tally::default(), drive.images());
        let (missing, frames) = (&mut self.missing, &mut self.frames);
        frames.retain(|frame| {
            let name = || frame.image.strip_prefix(drive.path()).unwrap_or(&frame.image).display().to_string();
            if rule.refuses(&frame.image) {
                linked.add(name);
                missing.add(format!("{}: {LINKED_OUT}", name()));
                return false;
            }
            let reason = match std::fs::metadata(&frame.image) {
                Ok(file) if file.len() > 0 => return true,
                Ok(_) => "the file is empty".to_owned(),
                Err(e) => e.to_string(),
            };
            empty.add(name);
            missing.add(format!("{}: {reason}", name()));
            false
        });
        linked.note(&linked_out("images"), &mut self.notes);
        empty.note("image files are empty or cannot be read", &mut self.notes);
    }
}

/// All that is known of a recording but its pictures.
pub(crate) struct Facts {
    /// The format in plain words.
    pub format: &'static str,
    /// Seconds from any origin, one per frame.
    pub raw_times_s: Vec<f64>,
    /// One per frame.
    pub steering_true_rad: Vec<Option<f32>>,
    /// The rate where no time is known.
    pub assumed_hz: f64,
    /// The unit of the recording's own angles.
    pub steering_unit: SteeringUnit,
    /// Frames that are named somewhere but cannot be had.
    pub missing: SkipReport,
    /// Findings in plain words.
    pub notes: Vec<String>,
    /// The camera, from the width and height of its pictures.
    pub camera: fn(usize, usize) -> CameraGeometry,
}

impl Facts {
    /// Makes a source that fetches its frames from `pictures`. The first picture that decodes states the size.
    ///
    /// # Errors
    /// [`DataError::BadFile`] if there is no frame, or none that can be decoded.
    pub(crate) fn into_source(
        mut self,
        name: &str,
        path: &Path,
        pictures: Arc<dyn Pictures>,
    ) -> Result<Box<dyn Source>, DataError> {
        let count = self.raw_times_s.len();
        let bad = |problem: String| DataError::BadFile {
            path: path.to_owned(),
            problem,
            expected: format!("at least one readable image of a recording ({})", self.format),
        };
        let mut first_error = None;
        let size = (0..count).find_map(|i| match pictures.picture(i, ALL_ROWS) {
            Ok(picture) => Some(picture.dim()),
            Err(reason) => {
                first_error.get_or_insert(reason);
                None
            }
        });
        let Some((height, width, _)) = size else {
            return Err(bad(match (first_error, self.missing.examples.first()) {
                (Some(reason), _) => format!("none of its {count} images can be decoded ({reason})"),
                (None, Some(reason)) => format!("it holds none of its {} images ({reason})", self.missing.count),
                (None, None) => "it holds no images".to_owned(),
            }));
        };
        let missing = std::mem::take(&mut self.missing);
        Ok(Box::new(Player::new(self.into_info(name, (height, width)), missing, pictures)))
    }

    /// What is known of a source with pictures of this height and width.
    pub(crate) fn into_info(mut self, name: &str, (height, width): (usize, usize)) -> SourceInfo {
        let count = self.raw_times_s.len();
        let line = timeline::timeline(&self.raw_times_s, self.assumed_hz);
        let mut notes: Vec<String> = self.notes.into_iter().chain(line.notes).map(|note| printable(&note)).collect();
        plausible::keep_plausible(&mut self.steering_true_rad, &line.times_s, self.steering_unit, &mut notes);
        let labelled = self.steering_true_rad.iter().any(Option::is_some);
        SourceInfo {
            name: name.to_owned(),
            format: self.format,
            live: false,
            frame_count: Some(count),
            width,
            height,
            rate_hz: line.rate_hz,
            times_s: line.times_s,
            steering_true_rad: if labelled { self.steering_true_rad } else { Vec::new() },
            steering_unit: self.steering_unit,
            gaps: line.gaps,
            notes,
            camera: (self.camera)(width, height),
        }
    }
}

/// Counts findings of one kind and keeps the first few in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many.
    pub count: usize,
    /// The first three.
    examples: Vec<String>,
}

impl Tally {
    /// Counts one finding; `example` is only asked for while there is room.
    pub(crate) fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < 3 {
            self.examples.push(printable(&example()));
        }
    }

    /// A note "COUNT WHAT (example; example; ...)" if anything was counted.
    pub(crate) fn note(&self, what: &str, notes: &mut Vec<String>) {
        if self.count > 0 {
            let more = if self.count > self.examples.len() { "; ..." } else { "" };
            notes.push(format!("{} {what} ({}{more})", self.count, self.examples.join("; ")));
        }
    }
}
