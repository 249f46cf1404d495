//! comma.ai's drives of 2016: `camera/NAME.h5` with the pictures and `log/NAME.h5` with the logs, both HDF5.
//!
//! - camera: `X`, `uint8[frames][3][rows][columns]`, red first, 20 Hz
//! - log, at 100 Hz: `times` in seconds, `cam1_ptr`, the frame that was the newest at that time, and `steering_angle`
//!
//! A frame's time and angle are those of the first log line that points to it. The publisher states no unit for
//! `steering_angle`. The publisher's own viewer divides it by ten to get degrees of the steering wheel, and turns its sign
//! to get positive left: so does this reader, and says so in a note.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdf5_pure::{Dataset, File};
use ndarray::Array3;

use super::Opened;
use crate::drive_folder::DriveFolder;
use crate::folder::{bad_file, files_in, name_of};
use crate::recorded::decode::MAX_SIDE;
use crate::recorded::pictures::Pictures;
use crate::recorded::recording::Facts;
use crate::selection::Links;
use crate::{CameraGeometry, DataError, SkipReport, SteeringUnit};

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str = "comma.ai 2016: camera/NAME.h5 with log/NAME.h5";

/// Radians, positive left, for one unit of `steering_angle`: tenths of degrees, positive right.
const TO_RAD: f64 = -0.1 * std::f64::consts::PI / 180.0;

/// The most log lines that are read: 100 Hz for more than a day.
const MAX_LINES: u64 = 10_000_000;

/// More values than any chunk of pictures holds.
const MAX_CHUNK_VALUES: u64 = 1 << 28;

/// True if `folder` holds the two folders with HDF5 files.
pub(super) fn recognise(folder: &Path) -> bool {
    folder.join("log").is_dir() && !drives_in(&folder.join("camera")).is_empty()
}

/// Opens a folder with a single drive.
///
/// # Errors
/// [`DataError::BadFile`] for a folder with several drives, and those of [`open_drive`].
pub(super) fn open(name: &str, drive: &DriveFolder) -> Opened {
    let drives = drives_in(&drive.join("camera"));
    match &drives[..] {
        [camera] => {
            drive.allow(camera)?;
            open_camera(name, camera, Some(drive))
        }
        several => {
            let names: Vec<_> = several.iter().take(12).map(|path| format!("camera/{}", name_of(path))).collect();
            Err(bad_file(
                drive.path(),
                format!("{} drives", several.len()),
                format!("one of them: {}", names.join(", ")),
            ))
        }
    }
}

/// Opens one drive by its camera file.
///
/// # Errors
/// [`DataError::BadFile`] for a file that is no HDF5, or without the arrays named above.
pub(super) fn open_drive(name: &str, camera: &Path, links: Links) -> Opened {
    let folder = camera.parent().and_then(Path::parent);
    open_camera(name, camera, folder.map(|folder| DriveFolder::new(folder, links)).as_ref())
}

/// Opens a camera file, with the log that lies in its drive's folder.
fn open_camera(name: &str, camera: &Path, drive: Option<&DriveFolder>) -> Opened {
    let pictures = H5Pictures::open(camera)?;
    let log = drive.map(|drive| (drive, drive.join("log").join(name_of(camera))));
    let facts = match log.filter(|(_, log)| log.is_file()) {
        Some((drive, log)) => {
            drive.allow(&log)?;
            Log::read(&log)?.facts(pictures.count)
        }
        None => {
            let mut facts = no_log(pictures.count);
            facts.notes.push(format!("no log/{}: replay without true angles", name_of(camera)));
            facts
        }
    };
    facts.into_source(name, camera, Arc::new(pictures))
}

/// The HDF5 files directly in a folder, in the order of their names.
fn drives_in(folder: &Path) -> Vec<PathBuf> {
    let mut drives = files_in(folder).unwrap_or_default();
    drives.retain(|path| path.extension().is_some_and(|suffix| suffix == "h5"));
    drives.sort();
    drives
}

fn no_log(count: usize) -> Facts {
    Facts {
        format: "comma.ai 2016",
        raw_times_s: vec![f64::NAN; count],
        steering_true_rad: vec![None; count],
        assumed_hz: 20.0,
        steering_unit: SteeringUnit::Radians,
        missing: SkipReport::default(),
        notes: Vec::new(),
        camera: CameraGeometry::assumed,
    }
}

/// The columns of a log that matter.
struct Log {
    times_s: Vec<f64>,
    frame: Vec<f64>,
    steering: Vec<f64>,
}

impl Log {
    fn read(path: &Path) -> Result<Self, DataError> {
        let file = open_hdf5(path)?;
        let column = |name: &str| {
            let bad = |problem: String| bad_file(path, problem, "the arrays times, cam1_ptr and steering_angle");
            let dataset = file.dataset(name).map_err(|e| bad(format!("{name}: {e}")))?;
            let shape = dataset.shape().map_err(|e| bad(format!("{name}: {e}")))?;
            if shape.iter().fold(1u64, |product, side| product.saturating_mul(*side)) > MAX_LINES {
                return Err(bad(format!("{name} has the shape {shape:?}")));
            }
            check_chunks(&dataset, path).map_err(|problem| bad(format!("{name}: {problem}")))?;
            dataset.read_f64().map_err(|e| bad(format!("{name}: {e}")))
        };
        Ok(Self { times_s: column("times")?, frame: column("cam1_ptr")?, steering: column("steering_angle")? })
    }

    /// Time and angle of each of `count` frames, from the first line that points to it.
    fn facts(self, count: usize) -> Facts {
        let mut facts = no_log(count);
        let lines = [self.times_s.len(), self.frame.len(), self.steering.len()];
        if lines != [lines[0]; 3] {
            let [times, frames, angles] = lines;
            let found = format!("{times} times, {frames} frames and {angles} angles in the log: the shortest counts");
            facts.notes.push(found);
        }
        let mut beyond = 0;
        for ((time_s, frame), steering) in self.times_s.iter().zip(&self.frame).zip(&self.steering) {
            if !(0.0..count as f64).contains(frame) {
                beyond += 1;
                continue;
            }
            let frame = *frame as usize;
            if facts.raw_times_s[frame].is_nan() {
                facts.raw_times_s[frame] = *time_s;
                facts.steering_true_rad[frame] = Some((steering * TO_RAD) as f32).filter(|angle| angle.is_finite());
            }
        }
        let notes = &mut facts.notes;
        notes.push(
            "steering_angle is taken as tenths of degrees, positive right; its publisher states no unit".to_owned(),
        );
        let unnamed = facts.raw_times_s.iter().filter(|t| t.is_nan()).count();
        if unnamed > 0 {
            notes.push(format!("{unnamed} frames are named by no line of the log: no angle"));
        }
        if beyond > 0 {
            notes.push(format!("{beyond} lines of the log point to no frame"));
        }
        facts
    }
}

/// Opens a file without reading it whole.
fn open_hdf5(path: &Path) -> Result<File, DataError> {
    File::open_streaming(path).map_err(|e| bad_file(path, e.to_string(), "an HDF5 file"))
}

/// The HDF5 reader takes memory for what a chunk's entry claims, before it reads: a damaged claim is refused here.
///
/// # Errors
/// What is wrong with a chunk.
fn check_chunks(dataset: &Dataset, path: &Path) -> Result<(), String> {
    let values: u64 = dataset
        .chunk_shape()
        .map_err(|e| e.to_string())?
        .unwrap_or_default()
        .iter()
        .fold(1u64, |product, side| product.saturating_mul(*side));
    if values > MAX_CHUNK_VALUES {
        return Err(format!("a chunk of {values} values"));
    }
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    let chunks = if dataset.is_chunked() { dataset.chunks().map_err(|e| e.to_string())? } else { Vec::new() };
    match chunks.iter().find(|chunk| chunk.address.saturating_add(chunk.storage_size) > bytes) {
        Some(chunk) => Err(format!("a chunk at byte {} that reaches beyond the end of the file", chunk.address)),
        None => Ok(()),
    }
}

/// The frames of a camera file.
struct H5Pictures {
    dataset: Dataset,
    count: usize,
    rows: usize,
    columns: usize,
}

impl H5Pictures {
    fn open(path: &Path) -> Result<Self, DataError> {
        let bad = |problem: String| bad_file(path, problem, "an array X of uint8[frames][3][rows][columns]");
        let dataset = open_hdf5(path)?.dataset("X").map_err(|e| bad(format!("X: {e}")))?;
        let shape = dataset.shape().map_err(|e| bad(format!("X: {e}")))?;
        check_chunks(&dataset, path).map_err(|problem| bad(format!("X: {problem}")))?;
        let side = |n: u64| (1..=MAX_SIDE as u64).contains(&n);
        // HDF5 gives black pictures where a shape goes beyond what is stored: a damaged one must not give millions of them.
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        match shape[..] {
            [count, 3, rows, columns] if side(rows) && side(columns) && count <= bytes.min(MAX_LINES) => {
                Ok(Self { dataset, count: count as usize, rows: rows as usize, columns: columns as usize })
            }
            _ => Err(bad(format!("X has the shape {shape:?}"))),
        }
    }
}

impl Pictures for H5Pictures {
    fn picture(&self, index: usize, _: [u32; 2]) -> Result<Array3<u8>, String> {
        let planes = self.dataset.read_u8_rows(index as u64, 1).map_err(|e| e.to_string())?;
        let planes = Array3::from_shape_vec((3, self.rows, self.columns), planes).map_err(|e| e.to_string())?;
        Ok(planes.permuted_axes([1, 2, 0]).as_standard_layout().into_owned())
    }
}
