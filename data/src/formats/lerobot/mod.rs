//! LeRobot data sets, versions 2.0, 2.1 and 3.0: `meta/info.json`, tables as Parquet and videos as MP4, cut into episodes.
//!
//! An episode is a drive. Up to 2.1 it has a table and a video of its own for each camera; in 3.0 several share a file, and
//! `meta/episodes` says where each begins. Frames stand at `timestamp`, seconds from the episode's first frame.
//!
//! - [`features`]: the columns and cameras, and which of them are read
//! - [`tables`]: columns of Parquet files

mod features;
mod tables;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::features::{Features, Steering};
use super::{Opened, camera_of_road_wheels};
use crate::drive_folder::DriveFolder;
use crate::folder::{bad_file, files_in, printable, sort_naturally};
use crate::recorded::part::Part;
use crate::recorded::recording::Facts;
use crate::selection::{Selection, bad};
use crate::{CameraGeometry, DataError, SkipReport, SteeringUnit, video};

/// What [`recognise`] looks for, for error messages.
pub(super) const LOOKED_FOR: &str = "LeRobot data set: meta/info.json with data/ and videos/";
const INFO: &str = "meta/info.json";
const EXPECTED: &str = "a LeRobot data set of version 2.0, 2.1 or 3.0";
/// How many episodes a message lists.
const MOST: usize = 20;

/// True if `folder` is a data set.
pub(super) fn recognise(folder: &Path) -> bool {
    folder.join(INFO).is_file()
}

/// `meta/info.json`, as far as it is needed.
#[derive(Debug, Deserialize)]
struct Info {
    codebase_version: String,
    fps: f64,
    #[serde(default)]
    chunks_size: Option<u64>,
    data_path: String,
    #[serde(default)]
    video_path: Option<String>,
    features: Features,
}

/// An episode, and the part of its files that it is.
#[derive(Debug, Clone, PartialEq, Default)]
struct Episode {
    index: u64,
    frames: u64,
    /// Chunk and file of its table, in version 3.
    data: [u64; 2],
    /// Chunk and file of its video.
    video: [u64; 2],
    /// Where it begins in its video, seconds.
    from_s: f64,
}

/// Opens an episode of a data set.
///
/// # Errors
/// [`DataError::BadSpec`] for an episode, camera or column that is not there, with those that are; [`DataError::BadFile`] and
/// [`DataError::Io`] for files that cannot be read, [`DataError::Unsupported`] in a build without the feature `opencv`.
pub(super) fn open(name: &str, drive: &DriveFolder, selection: &Selection) -> Opened {
    let path = drive.join(INFO);
    let info = parse(&drive.read_text(&path)?).map_err(|problem| bad_file(&path, problem, EXPECTED))?;
    let mut notes = Vec::new();
    let camera = info.features.camera(selection, &mut notes)?;
    let steering = info.features.steering(selection, &mut notes)?;
    let episode = chosen(episodes(drive, &info, &camera)?, drive.path(), selection)?;
    let table = info.file(drive, &info.data_path, "", episode.data, episode.index)?;
    let rows = rows(&table, &episode, steering.as_ref()).map_err(|problem| bad_file(&table, problem, EXPECTED))?;
    if rows.times_s.is_empty() {
        return Err(bad_file(&table, format!("no row of episode {}", episode.index), EXPECTED));
    }
    let pattern = info.video_path.as_deref();
    let pattern =
        pattern.ok_or_else(|| bad_file(&path, "no \"video_path\"", "a data set whose pictures are videos"))?;
    let file = info.file(drive, pattern, &camera, episode.video, episode.index)?;
    let whole = video::open_file(name, &file, video::Labels::none("LeRobot data set"))?;
    // Half a frame off is still this frame.
    let first = whole.info().times_s.partition_point(|time_s| *time_s < episode.from_s - 0.5 / info.fps);
    notes.push(format!("episode {} of the data set", episode.index));
    let facts = facts(rows, &info, steering.as_ref(), notes);
    Ok(Box::new(Part::new(name, whole, first, facts)?))
}

fn parse(text: &str) -> Result<Info, String> {
    let info: Info = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if !["v2.", "v3."].iter().any(|version| info.codebase_version.starts_with(version)) {
        return Err(format!("version {:?}", info.codebase_version));
    }
    if !(info.fps > 0.0 && info.fps.is_finite()) {
        return Err(format!("{} frames a second", info.fps));
    }
    Ok(info)
}

impl Info {
    fn is_v3(&self) -> bool {
        self.codebase_version.starts_with("v3")
    }

    /// The file that a pattern such as `data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet` names.
    fn file(
        &self,
        drive: &DriveFolder,
        pattern: &str,
        camera: &str,
        [chunk, file]: [u64; 2],
        episode: u64,
    ) -> Result<PathBuf, DataError> {
        let mut path = String::new();
        let mut rest = pattern;
        while let Some((before, (inside, after))) =
            rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            path.push_str(before);
            let (name, form) = inside.split_once(':').unwrap_or((inside, ""));
            let digits = form.trim_end_matches('d').parse().unwrap_or(0usize).min(20);
            let number = match name {
                "video_key" => {
                    path.push_str(camera);
                    rest = after;
                    continue;
                }
                "episode_chunk" => episode / self.chunks_size.unwrap_or(1000).max(1),
                "episode_index" => episode,
                "chunk_index" => chunk,
                "file_index" => file,
                _ => 0,
            };
            let _ = write!(path, "{number:0digits$}");
            rest = after;
        }
        path.push_str(rest);
        drive.find(&path).map_err(|reason| {
            bad_file(&drive.join(&path), reason.reason(), "a file that the data set's info.json names")
        })
    }
}

/// All episodes, in order.
fn episodes(drive: &DriveFolder, info: &Info, camera: &str) -> Result<Vec<Episode>, DataError> {
    let mut episodes = if info.is_v3() { episodes_v3(drive, camera)? } else { episodes_v2(drive)? };
    episodes.sort_by_key(|episode| episode.index);
    Ok(episodes)
}

fn episodes_v2(drive: &DriveFolder) -> Result<Vec<Episode>, DataError> {
    #[derive(Deserialize)]
    struct Line {
        episode_index: u64,
        length: u64,
    }
    let path = drive.join("meta/episodes.jsonl");
    let text = drive.read_text(&path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(number, line): (usize, &str)| {
        let line: Line = serde_json::from_str(line)
            .map_err(|e| bad_file(&path, format!("line {}: {e}", number + 1), "episode_index and length"))?;
        Ok(Episode { index: line.episode_index, frames: line.length, ..Episode::default() })
    };
    lines.map(parse).collect()
}

fn episodes_v3(drive: &DriveFolder, camera: &str) -> Result<Vec<Episode>, DataError> {
    let of_video = |what: &str| format!("videos/{camera}/{what}");
    let (chunk, file, from) = (of_video("chunk_index"), of_video("file_index"), of_video("from_timestamp"));
    let columns = [
        "episode_index",
        "length",
        "data/chunk_index",
        "data/file_index",
        chunk.as_str(),
        file.as_str(),
        from.as_str(),
    ];
    let folder = drive.join("meta/episodes");
    let mut files = Vec::new();
    let io = |source| DataError::Io { path: folder.clone(), source };
    for entry in std::fs::read_dir(&folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            files.extend(files_in(&path)?);
        }
    }
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "parquet"));
    sort_naturally(&mut files);
    let mut episodes = Vec::new();
    for path in files {
        drive.allow(&path)?;
        let mut visit = |row: &[Vec<f64>]| {
            let number = |at: usize| row[at].first().copied().unwrap_or(0.0);
            let whole = |at: usize| number(at) as u64;
            episodes.push(Episode {
                index: whole(0),
                frames: whole(1),
                data: [whole(2), whole(3)],
                video: [whole(4), whole(5)],
                from_s: number(6),
            });
        };
        tables::each_row(&path, &columns, &mut visit).map_err(|problem| bad_file(&path, problem, EXPECTED))?;
    }
    Ok(episodes)
}

/// The episode that the user names, or the only one.
fn chosen(episodes: Vec<Episode>, folder: &Path, selection: &Selection) -> Result<Episode, DataError> {
    let listed = || {
        let more = if episodes.len() > MOST { format!(", and {} more", episodes.len() - MOST) } else { String::new() };
        let one = |episode: &Episode| format!("{} ({} frames)", episode.index, episode.frames);
        let listed: Vec<_> = episodes.iter().take(MOST).map(one).collect();
        let folder = printable(&folder.display().to_string());
        format!("one of its episodes (--episode N, or episode=N,source={folder}): {}{more}", listed.join(", "))
    };
    let found = match (selection.episode, episodes.as_slice()) {
        (Some(asked), _) => episodes.iter().find(|episode| episode.index == u64::from(asked)),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let given = selection.episode.map_or("none".to_owned(), |episode| episode.to_string());
    found.cloned().ok_or_else(|| bad("episode", &given, listed()))
}

/// The rows of an episode.
#[derive(Debug, Default)]
struct Rows {
    times_s: Vec<f64>,
    /// In the data set's own unit.
    values: Vec<Option<f64>>,
}

fn rows(table: &Path, episode: &Episode, steering: Option<&Steering>) -> Result<Rows, String> {
    let mut columns = vec!["episode_index", "timestamp"];
    columns.extend(steering.map(|steering| steering.feature.as_str()));
    let mut rows = Rows::default();
    let mut visit = |row: &[Vec<f64>]| {
        if row[0].first().is_some_and(|index| *index == episode.index as f64) {
            rows.times_s.push(row[1].first().copied().unwrap_or(f64::NAN));
            let value = steering.and_then(|steering| row[2].get(steering.element).copied());
            rows.values.push(value.filter(|value| value.is_finite()));
        }
    };
    tables::each_row(table, &columns, &mut visit)?;
    Ok(rows)
}

fn facts(rows: Rows, info: &Info, steering: Option<&Steering>, notes: Vec<String>) -> Facts {
    let (to_rad, unit) =
        steering.map_or((0.0, SteeringUnit::Radians), |steering| (steering.scale.to_rad, steering.scale.unit));
    Facts {
        format: "LeRobot data set",
        raw_times_s: rows.times_s,
        steering_true_rad: rows.values.into_iter().map(|value| value.map(|value| (value * to_rad) as f32)).collect(),
        assumed_hz: info.fps,
        steering_unit: unit,
        missing: SkipReport::default(),
        notes,
        camera: if unit == SteeringUnit::Radians { CameraGeometry::assumed } else { camera_of_road_wheels },
    }
}

/// Reads what a data set says of itself, for fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz(text: &str) {
    use crate::selection::Links;
    if let Ok(info) = parse(text) {
        let _ = info.features.camera(&Selection::default(), &mut Vec::new());
        let _ = info.features.steering(&Selection::default(), &mut Vec::new());
        let _ = info.file(&DriveFolder::new(Path::new("/nowhere"), Links::Inside), &info.data_path, "c", [1, 2], 3);
    }
}

/// What a data set says of itself.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) const SEED: &str = r#"{"codebase_version": "v2.1", "fps": 10, "chunks_size": 1000,
    "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "features": {
        "observation.images.left_forward": {"dtype": "video", "shape": [3, 96, 160], "names": ["channel", "height", "width"]},
        "observation.images.front_left": {"dtype": "video", "shape": [3, 96, 160], "names": ["channel", "height", "width"]},
        "action.continuous": {"dtype": "float32", "shape": [3],
            "names": {"axes": ["gas_pedal_normalized", "brake_pedal_normalized", "steering_angle_normalized"]}},
        "observation.state.wheel_deg": {"dtype": "float32", "shape": [1], "names": null},
        "timestamp": {"dtype": "float32", "shape": [1], "names": null}}}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::Links;

    fn selection(name: &str, value: &str) -> Selection {
        let mut selection = Selection::default();
        assert!(selection.set(name, value).unwrap());
        selection
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let info = parse(SEED).unwrap();
        let mut notes = Vec::new();
        let camera = |selection: &Selection| info.features.camera(selection, &mut Vec::new());
        assert_eq!(camera(&Selection::default()).unwrap(), "observation.images.front_left");
        assert_eq!(camera(&selection("camera", "left_forward")).unwrap(), "observation.images.left_forward");
        let message = camera(&selection("camera", "rear")).unwrap_err().to_string();
        assert!(message.contains("rear") && message.contains("observation.images.front_left"), "{message}");
        let found = info.features.steering(&Selection::default(), &mut notes).unwrap().unwrap();
        assert_eq!((found.feature.as_str(), found.element), ("action.continuous", 2));
        assert!(found.scale.unit != SteeringUnit::Radians && notes[0].contains("states no sign"), "{notes:?}");
        for name in ["observation.state.wheel_deg", "observation.state.wheel_deg[0]"] {
            let found = info.features.steering(&selection("steering", name), &mut notes).unwrap().unwrap();
            assert!((found.scale.to_rad.to_degrees() - 1.0).abs() < 1e-9, "{name}");
        }
        let message = info.features.steering(&selection("steering", "action.x"), &mut notes).unwrap_err().to_string();
        assert!(message.contains("action.continuous.gas_pedal_normalized"), "{message}");
    }

    #[test]
    fn files_are_named_by_patterns_and_stay_inside() {
        let folder = tempfile::tempdir().unwrap();
        let drive = DriveFolder::new(folder.path(), Links::Inside);
        let info = parse(SEED).unwrap();
        let path = folder.path().join("data/chunk-001/episode_001003.parquet");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"PAR1").unwrap();
        assert_eq!(info.file(&drive, &info.data_path, "", [0, 0], 1003).unwrap(), path);
        for pattern in ["../{video_key}", "data/{chunk_index:9999d}/x", "{", "/etc/passwd"] {
            assert!(info.file(&drive, pattern, "c", [u64::MAX, 0], 0).is_err(), "{pattern}");
        }
        let message = tables::each_row(&path, &["a"], &mut |_| {}).unwrap_err();
        assert!(!message.is_empty());
        assert!(parse(&SEED.replace("v2.1", "v1.6")).unwrap_err().contains("v1.6"));
        assert!(parse(&SEED.replace("\"fps\": 10", "\"fps\": 0")).is_err());
    }
}
