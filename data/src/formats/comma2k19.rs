//! A segment of comma2k19: one minute of `video.hevc` with logs as NumPy files without a suffix.
//!
//! - `global_pose/frame_times`: seconds since the device started, one per frame of the video
//! - `processed_log/CAN/steering_angle/t` and `value`: the same clock, about 83 Hz; degrees of the steering wheel, positive to
//!   the left
//!
//! The angle is interpolated linearly at the frame times. Folder names such as `b0c9...|2018-08-02--08-34-47` hold a `|`,
//! which is a character like any other here.

use std::path::{Path, PathBuf};

use super::{Opened, npy};
use crate::drive_folder::DriveFolder;
use crate::folder::bad_file;
use crate::signal::Signal;
use crate::video::{self, Labels};
use crate::{DataError, SteeringUnit};

const FRAME_TIMES: &str = "global_pose/frame_times";
const STEERING: &str = "processed_log/CAN/steering_angle";
/// The name of a segment's video.
pub(super) const VIDEO: &str = "video.hevc";
/// The camera's rate where `frame_times` cannot tell.
const RATE_HZ: f64 = 20.0;

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str = "comma2k19 segment: video.hevc with global_pose/frame_times and processed_log/CAN";

/// True if `folder` is a segment.
pub(super) fn recognise(folder: &Path) -> bool {
    folder.join(FRAME_TIMES).is_file() || folder.join(STEERING).is_dir()
}

/// Opens a segment.
///
/// # Errors
/// [`DataError::BadFile`] for a log that is no array or a segment without its video, [`DataError::Io`],
/// [`DataError::Unsupported`](crate::DataError::Unsupported) in a build without the feature `opencv`.
pub(super) fn open(name: &str, drive: &DriveFolder) -> Opened {
    let labels = read_logs(drive)?;
    let path = drive.join(VIDEO);
    if !path.is_file() {
        let known = labels.steering_true_rad.iter().flatten().count();
        let problem =
            format!("no such file (the logs hold {} frames, {known} with an angle)", labels.raw_times_s.len());
        return Err(bad_file(&path, problem, "the video of the segment, which is published beside the logs"));
    }
    drive.allow(&path)?;
    video::open_file(name, &path, labels)
}

/// The logs of a segment: the time and angle of each frame.
fn read_logs(drive: &DriveFolder) -> Result<Labels, DataError> {
    let read = |path: PathBuf| drive.allow(&path).and_then(|()| npy::read(&path));
    let times_s = read(drive.join(FRAME_TIMES))?;
    let t = read(drive.join(STEERING).join("t"))?;
    let value = read(drive.join(STEERING).join("value"))?;
    let mut notes = Vec::new();
    if t.len() != value.len() {
        notes.push(format!("{STEERING}: {} times and {} values; the shorter counts", t.len(), value.len()));
    }
    let samples = t.len().min(value.len());
    let steering_deg = Signal::new(t.into_iter().zip(value));
    if steering_deg.len() < samples {
        notes.push(format!("{STEERING}: {} of {samples} samples are unusable", samples - steering_deg.len()));
    }
    let steering_true_rad = steering_deg.at_frames(&times_s, "angles", &mut notes);
    let steering_true_rad = steering_true_rad.into_iter().map(|angle| angle.map(f32::to_radians)).collect();
    Ok(Labels {
        format: "comma2k19",
        raw_times_s: times_s,
        steering_true_rad,
        by_time: None,
        steering_unit: SteeringUnit::Radians,
        assumed_hz: RATE_HZ,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::npy::npy_of;
    use super::*;
    use crate::selection::Links;

    fn write(folder: &Path, file: &str, values: &[f64]) {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, npy_of(values)).unwrap();
    }

    #[test]
    fn angles_are_interpolated_at_the_frames() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("b0c9|2018-08-02--08-34-47/40");
        write(&folder, FRAME_TIMES, &[100.0, 100.05, 100.1, 100.15, 103.0]);
        write(&folder, "processed_log/CAN/steering_angle/t", &[100.01, 100.06, 100.16]);
        write(&folder, "processed_log/CAN/steering_angle/value", &[18.0, 28.0, 8.0]);
        assert!(recognise(&folder));
        let drive = DriveFolder::new(&folder, Links::Inside);
        let labels = read_logs(&drive).unwrap();
        // Before the first sample it holds; then 18 + 10 * 4/5, 28 - 20 * 4/10, 28 - 20 * 9/10; nothing near 103 s.
        let expected_deg = [Some(18.0), Some(26.0), Some(20.0), Some(10.0), None];
        for (angle, expected) in labels.steering_true_rad.iter().zip(expected_deg) {
            assert_eq!(angle.is_some(), expected.is_some());
            assert!(
                angle.zip(expected).is_none_or(|(a, e)| (a.to_degrees() - e).abs() < 1e-3),
                "{angle:?} {expected:?}"
            );
        }
        assert!(labels.notes.iter().any(|note| note.starts_with("1 frames have no angle")));
        let message = open("segment", &drive).err().unwrap().to_string();
        assert!(message.contains("video.hevc") && message.contains("5 frames, 4 with an angle"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn logs_and_videos_that_are_links_out_of_the_segment_are_refused() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("segment");
        write(&folder, FRAME_TIMES, &[1.0, 1.05]);
        write(&folder, "processed_log/CAN/steering_angle/t", &[1.0]);
        write(&folder, "processed_log/CAN/steering_angle/value", &[18.0]);
        std::fs::write(outer.path().join(VIDEO), b"no video").unwrap();
        std::os::unix::fs::symlink(outer.path().join(VIDEO), folder.join(VIDEO)).unwrap();
        let refused = |links| open("segment", &DriveFolder::new(&folder, links)).err().unwrap().to_string();
        assert!(refused(Links::Inside).contains("video.hevc: a symbolic link"), "{}", refused(Links::Inside));
        assert!(!refused(Links::Follow).contains("link"), "{}", refused(Links::Follow));
        let log = folder.join(FRAME_TIMES);
        std::fs::rename(&log, outer.path().join("times")).unwrap();
        std::os::unix::fs::symlink(outer.path().join("times"), &log).unwrap();
        assert!(refused(Links::Inside).contains("frame_times: a symbolic link"), "{}", refused(Links::Inside));
        assert_eq!(read_logs(&DriveFolder::new(&folder, Links::Follow)).unwrap().raw_times_s.len(), 2);
    }

    #[test]
    fn a_damaged_log_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FRAME_TIMES, &[1.0]);
        std::fs::create_dir_all(folder.path().join(STEERING)).unwrap();
        std::fs::write(folder.path().join("processed_log/CAN/steering_angle/t"), b"").unwrap();
        let message = open("segment", &DriveFolder::new(folder.path(), Links::Inside)).err().unwrap().to_string();
        assert!(message.contains("steering_angle/t") && message.contains("signature"), "{message}");
    }

    /// Values that NumPy computed; `tests/goldens/comma2k19.py` made the file and says how.
    #[test]
    fn the_real_logs_give_what_numpy_gives() {
        let example = "comma2k19-example/Example_1/b0c9d2329ad1606b|2018-08-02--08-34-47/40";
        let Some(folder) = std::env::var_os("DELTASTEER_DATA").map(|root| Path::new(&root).join(example)) else {
            println!("SKIPPED: DELTASTEER_DATA is not set");
            return;
        };
        let drive = DriveFolder::new(&folder, Links::Inside);
        let labels = read_logs(&drive).unwrap();
        assert_eq!(labels.raw_times_s.len(), 1200);
        let golden = include_str!("../../tests/goldens/comma2k19.csv");
        let mut compared = 0;
        for line in crate::table::lines(golden, b',').skip(1) {
            let index: usize = line.get(0).unwrap().parse().unwrap();
            let expected: f32 = line.get(1).unwrap().parse().unwrap();
            let angle = labels.steering_true_rad[index].unwrap();
            assert!((angle - expected).abs() < 1e-7, "frame {index}: {angle}, NumPy has {expected}");
            compared += 1;
        }
        assert_eq!(compared, 60);
    }
}
