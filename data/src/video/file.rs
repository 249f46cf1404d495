//! A recorded video: every frame in order, none lost.

use std::path::{Path, PathBuf};

use ndarray::Array3;

use super::capture::Capture;
use super::labels::Labels;
use crate::folder::bad_file;
use crate::recorded::timeline;
use crate::{CameraGeometry, DataError, Frame, SkipReport, Source, SourceInfo};

/// Up to this many frames ahead it is quicker to decode on than to jump.
const STEP_ON: usize = 100;

/// A video file. Jumps use the container's index where it has one and otherwise decode from the start.
pub(super) struct VideoFile {
    info: SourceInfo,
    path: PathBuf,
    capture: Capture,
    /// The frame that the capture gives next.
    position: usize,
    /// The container announces its frames and lists where they are, so OpenCV can jump in it.
    can_jump: bool,
    /// The rate that the container states.
    rate_hz: f64,
    /// Set once the end has been seen and told.
    ended: bool,
    skipped: SkipReport,
}

impl VideoFile {
    /// Opens a video. Its frames are counted by the container, or, in a raw stream that announces nothing, by decoding it
    /// once.
    ///
    /// # Errors
    /// [`DataError::BadFile`] for a file without a video or without a single frame that decodes.
    pub(super) fn open(name: &str, path: &Path, labels: Labels) -> Result<Self, DataError> {
        let bad = |problem: String| bad_file(path, problem, "a video file that FFmpeg can decode");
        let mut capture = Capture::file(path).map_err(bad)?;
        let first = capture.read().map_err(bad)?.ok_or_else(|| bad("it holds no frame that decodes".to_owned()))?;
        let announced = capture.frame_count();
        let count = announced.unwrap_or_else(|| 1 + std::iter::from_fn(|| capture.skip().then_some(())).count());
        let rate_hz = capture.rate_hz().unwrap_or(labels.assumed_hz);
        let info = describe(name, &first, count, rate_hz, labels);
        let capture = Capture::file(path).map_err(bad)?;
        let can_jump = announced.is_some() && has_index(path);
        let skipped = SkipReport::default();
        Ok(Self { info, path: path.to_owned(), capture, position: 0, can_jump, rate_hz, ended: false, skipped })
    }

    fn reopen(&mut self) -> Result<(), DataError> {
        let bad = |problem| bad_file(&self.path, problem, "a video file that FFmpeg can decode");
        self.capture = Capture::file(&self.path).map_err(bad)?;
        self.position = 0;
        Ok(())
    }

    /// At the end: says how many frames fewer there were than announced.
    fn tell_the_end(&mut self) {
        let announced = self.info.frame_count.unwrap_or(0);
        if self.ended || self.position >= announced {
            return;
        }
        self.ended = true;
        let found = format!("the video ends after {} of {announced} frames", self.position);
        self.info.notes.push(found.clone());
        self.skipped.add(found);
        self.skipped.count += announced - self.position - 1;
    }

    /// Notes a frame whose own time is far from the one it is given.
    fn check_time(&mut self, index: usize) {
        let expected = self.info.times_s.get(index).copied();
        let own = self.capture.time_s();
        let far =
            own.zip(expected).is_some_and(|(own, expected)| (own - expected).abs() > 2.0 / self.info.rate_hz + 0.05);
        let told = self.info.notes.iter().any(|note| note.starts_with("the rate varies"));
        if far && !told && self.can_jump {
            self.info.notes.push(format!(
                "the rate varies: frame {index} is at {:.2} s by the container, {:.2} s at a constant rate",
                own.unwrap_or(0.0),
                expected.unwrap_or(0.0)
            ));
        }
    }
}

/// True for containers with an index of their frames. In others, such as `.ts`, a jump lands somewhere near.
fn has_index(path: &Path) -> bool {
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
    suffix.is_some_and(|suffix| ["mp4", "mov", "mkv", "webm", "avi"].contains(&suffix.as_str()))
}

/// What is known of the video.
fn describe(name: &str, first: &Array3<u8>, count: usize, rate_hz: f64, labels: Labels) -> SourceInfo {
    let (height, width, _) = first.dim();
    let mut notes = labels.notes;
    let (times_s, rate_hz, gaps) = if labels.raw_times_s.is_empty() {
        ((0..count).map(|i| i as f64 / rate_hz).collect(), rate_hz, Vec::new())
    } else {
        if labels.raw_times_s.len() != count {
            notes.push(format!("{count} frames in the video, {} in the logs", labels.raw_times_s.len()));
        }
        let line = timeline::timeline(&labels.raw_times_s, labels.assumed_hz);
        notes.extend(line.notes);
        (line.times_s, line.rate_hz, line.gaps)
    };
    let mut steering_true_rad: Vec<Option<f32>> = match &labels.by_time {
        Some(signal) => times_s.iter().map(|&t: &f64| signal.at(t).map(|angle| angle as f32)).collect(),
        None => labels.steering_true_rad,
    };
    if steering_true_rad.iter().all(Option::is_none) {
        steering_true_rad.clear();
    }
    // With logs of its own, what the logs do not name is no frame of the recording, and the reverse is told at the end.
    let frame_count = Some(if labels.raw_times_s.is_empty() { count } else { labels.raw_times_s.len() });
    SourceInfo {
        name: name.to_owned(),
        format: labels.format,
        live: false,
        frame_count,
        width,
        height,
        rate_hz,
        times_s,
        steering_true_rad,
        steering_unit: labels.steering_unit,
        gaps,
        notes,
        camera: CameraGeometry::assumed(width, height),
    }
}

impl Source for VideoFile {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        let index = self.position;
        let read = self.capture.read().map_err(|problem| bad_file(&self.path, problem, "frames of one kind"))?;
        let Some(image) = read else {
            self.tell_the_end();
            return Ok(None);
        };
        self.check_time(index);
        self.position += 1;
        // Beyond what the container announced: frames are given all the same, at the constant rate.
        let time_s = self.info.times_s.get(index).copied().unwrap_or(index as f64 / self.info.rate_hz);
        let steering_true_rad = self.info.steering_true_rad.get(index).copied().flatten();
        Ok(Some(Frame { index, time_s, image, steering_true_rad }))
    }

    fn seek(&mut self, index: usize) -> Result<(), DataError> {
        let count = self.info.frame_count.unwrap_or(0);
        if index > count {
            let reason = format!("it has {count} frames");
            return Err(DataError::Seek { name: self.info.name.clone(), index, reason });
        }
        let near = (self.position..=self.position + STEP_ON).contains(&index);
        if !near {
            if self.can_jump && self.capture.go_to(index, self.rate_hz) {
                self.position = index;
                return Ok(());
            }
            self.reopen()?;
        }
        while self.position < index && self.capture.skip() {
            self.position += 1;
        }
        Ok(())
    }

    fn skipped(&self) -> &SkipReport {
        &self.skipped
    }
}
