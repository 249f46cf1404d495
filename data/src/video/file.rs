//! A recorded video: every sound frame in order, at the time that the container gives it.

use std::collections::HashSet;

use ndarray::Array3;

use super::decode::{Care, Decoded};
use super::ffmpeg::Demuxer;
use super::index::Index;
use super::labels::Labels;
use super::origin::Origin;
use super::reader::{Reader, STEP_ON, Trial, read_packets};
use crate::folder::{bad_file, printable};
use crate::recorded::{plausible, timeline};
use crate::{CameraGeometry, DataError, Frame, SkipReport, Source, SourceInfo};

/// What a video file is expected to be, for error messages.
const EXPECTED: &str = "a video file that FFmpeg can decode";

/// A video file. Packets are numbered in the order of the file, and each frame knows the number of its packet, so that neither
/// damage nor a jump moves a picture to another time.
pub(super) struct VideoFile {
    info: SourceInfo,
    origin: Origin,
    index: Index,
    reader: Reader,
    /// The frame that is given next.
    position: usize,
    /// Frames that were found to be damaged: a second pass must not count them again.
    counted: HashSet<usize>,
    /// Set once a picture of another size has been noted.
    size_noted: bool,
    skipped: SkipReport,
}

impl VideoFile {
    /// Opens a video. All of its packets are read once, none of them is decoded, to find out when each frame is shown.
    ///
    /// # Errors
    /// [`DataError::BadFile`] for a file without a video or without a single frame that decodes.
    pub(super) fn open(name: &str, origin: Origin, labels: Labels) -> Result<Self, DataError> {
        let path = origin.path().to_owned();
        let bad = |problem: String| bad_file(&path, problem, EXPECTED);
        let mut demuxer = origin.demuxer().map_err(bad)?;
        let packets = read_packets(&mut demuxer).map_err(bad)?;
        let mut notes = Vec::new();
        let mut trial = Trial::run(&origin, Care { threads: false, strict: true }).map_err(bad)?;
        if 2 * trial.frames < trial.packets && trial.damages > 0 {
            // Of two ways to decode, that which decodes more. A stream that breaks the standard all along is still a video.
            let lenient = Trial::run(&origin, Care { threads: false, strict: false }).map_err(bad)?;
            if lenient.frames > trial.frames {
                notes.push(
                    "its stream breaks the standard all along: damage within a frame may go unnoticed".to_owned(),
                );
                trial = lenient;
            }
        }
        let index = trial.index(packets, &demuxer);
        let care = Care { threads: true, strict: trial.strict };
        let reader = Reader::open(&origin, care).map_err(bad)?;
        let info = SourceInfo { name: name.to_owned(), notes, ..empty_info() };
        let mut file = Self {
            info,
            origin,
            index,
            reader,
            position: 0,
            counted: HashSet::new(),
            size_noted: true,
            skipped: SkipReport::default(),
        };
        file.info.frame_count = Some(file.index.raw_times_s.len());
        let first =
            file.next_picture().map_err(bad)?.ok_or_else(|| bad("it holds no frame that decodes".to_owned()))?;
        file.skipped = SkipReport::default();
        file.counted.clear();
        file.describe(&first.1, &demuxer, labels);
        file.size_noted = false;
        file.go_to(0)?;
        file.position = 0;
        Ok(file)
    }

    /// Fills in what is known of the video.
    fn describe(&mut self, first: &Array3<u8>, demuxer: &Demuxer, labels: Labels) {
        let (height, width, _) = first.dim();
        let count = self.index.raw_times_s.len();
        let notes = &mut self.info.notes;
        notes.splice(0..0, labels.notes);
        let stated_hz = demuxer.rate_hz().unwrap_or(labels.assumed_hz);
        let line = if labels.raw_times_s.is_empty() {
            timeline::timeline(&self.index.raw_times_s, stated_hz)
        } else {
            timeline::timeline(&labels.raw_times_s, labels.assumed_hz)
        };
        if labels.raw_times_s.is_empty() {
            tell_times(&self.index.raw_times_s, &line, notes);
        } else if labels.raw_times_s.len() != count {
            notes.push(format!("{count} frames in the video, {} in the logs", labels.raw_times_s.len()));
        }
        let lost = self.index.cut_off(demuxer.announced().unwrap_or(0), self.origin.length());
        if lost > 0 {
            let cut = format!("the file is cut short: {lost} of the frames that it announces are not there");
            notes.push(cut.clone());
            self.skipped.add(cut);
            self.skipped.count += lost - 1;
        }
        if let Some(turned) = demuxer.upright().describe() {
            notes.push(format!("pictures are {turned}, as the file says"));
        }
        if (demuxer.pixel_aspect() - 1.0).abs() > 0.01 {
            notes.push(format!(
                "a pixel is shown {:.2} times as wide as high; the pictures are not stretched",
                demuxer.pixel_aspect()
            ));
        }
        if demuxer.other_videos() > 0 {
            notes.push(format!("{} more video streams in the file are not used", demuxer.other_videos()));
        }
        notes.extend(line.notes);
        let mut steering_true_rad = match &labels.by_time {
            Some(signal) => signal.at_frames(&line.times_s, "labels", notes),
            None => labels.steering_true_rad,
        };
        plausible::keep_plausible(&mut steering_true_rad, &line.times_s, labels.steering_unit, notes);
        if steering_true_rad.iter().all(Option::is_none) {
            steering_true_rad.clear();
        }
        notes.iter_mut().for_each(|note| *note = printable(note));
        self.info = SourceInfo {
            format: labels.format,
            // With logs of its own, what the logs do not name is no frame of the recording, and the reverse is told at the end.
            frame_count: Some(line.times_s.len()),
            width,
            height,
            rate_hz: line.rate_hz,
            times_s: line.times_s,
            steering_true_rad,
            steering_unit: labels.steering_unit,
            gaps: line.gaps,
            camera: CameraGeometry::assumed(width, height),
            ..std::mem::replace(&mut self.info, empty_info())
        };
    }

    fn count(&self) -> usize {
        self.info.frame_count.unwrap_or(0)
    }

    /// The next sound frame at the position or after it, with its picture. Those between are counted.
    fn next_picture(&mut self) -> Result<Option<(usize, Array3<u8>)>, String> {
        loop {
            match self.reader.next(&self.index)? {
                Some(Decoded::Frame(frame)) if frame >= self.count() => break,
                Some(Decoded::Frame(frame)) if frame < self.position => {}
                Some(Decoded::Frame(frame)) => {
                    let picture = self.reader.decoder.picture()?;
                    self.count_missing(frame, "damaged in the file, or predicted from a damaged frame");
                    self.position = frame + 1;
                    return Ok(Some((frame, picture)));
                }
                Some(Decoded::Damage) => {
                    let care = self.reader.decoder.care();
                    if care.threads {
                        // Again from the last key frame before here, and this time step by step.
                        self.reader = Reader::open(&self.origin, Care { threads: false, ..care })?;
                        let key = self.index.key_before(self.position);
                        self.reader.jump(key, &self.index, &self.origin)?;
                    }
                }
                None => break,
            }
        }
        let reason = if self.index.raw_times_s.len() < self.count() {
            let reason = format!("the video ends after {} of {} frames", self.position, self.count());
            if self.position < self.count() && !self.counted.contains(&self.position) {
                self.info.notes.push(reason.clone());
            }
            reason
        } else {
            "damaged in the file, or predicted from a damaged frame".to_owned()
        };
        self.count_missing(self.count(), &reason);
        self.position = self.count();
        Ok(None)
    }

    /// Counts the frames from the position up to `next`, which could not be had.
    fn count_missing(&mut self, next: usize, reason: &str) {
        for frame in self.position..next {
            if self.counted.insert(frame) {
                self.skipped.add(format!("frame {frame}: {reason}"));
            }
        }
    }

    /// Moves so that decoding gives frame `index`.
    fn go_to(&mut self, index: usize) -> Result<(), DataError> {
        let bad = |problem| bad_file(self.origin.path(), problem, EXPECTED);
        let key = self.index.key_before(index);
        self.reader.jump(key, &self.index, &self.origin).map_err(bad)
    }

    fn note_other_size(&mut self, index: usize, picture: &Array3<u8>) {
        let (height, width, _) = picture.dim();
        if !self.size_noted && (width, height) != (self.info.width, self.info.height) {
            self.size_noted = true;
            let first = (self.info.width, self.info.height);
            self.info.notes.push(timeline::other_size(index, (width, height), first));
        }
    }
}

impl Source for VideoFile {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        let picture = self.next_picture().map_err(|problem| bad_file(self.origin.path(), problem, EXPECTED))?;
        let Some((index, image)) = picture else { return Ok(None) };
        self.note_other_size(index, &image);
        let time_s = self.info.times_s.get(index).copied().unwrap_or(0.0);
        let steering_true_rad = self.info.steering_true_rad.get(index).copied().flatten();
        Ok(Some(Frame { index, time_s, image, steering_true_rad }))
    }

    fn seek(&mut self, index: usize) -> Result<(), DataError> {
        if index > self.count() {
            let reason = format!("it has {} frames", self.count());
            return Err(DataError::Seek { name: self.info.name.clone(), index, reason });
        }
        let ahead = self.reader.given..=self.reader.given + STEP_ON;
        if !ahead.contains(&index) || self.reader.decoder.ended() {
            self.go_to(index)?;
        }
        self.position = index;
        Ok(())
    }

    fn skipped(&self) -> &SkipReport {
        &self.skipped
    }
}

/// Times that need an explanation.
fn tell_times(raw_s: &[f64], line: &timeline::Timeline, notes: &mut Vec<String>) {
    match raw_s.first() {
        Some(first) if first.is_nan() => {
            notes.push(format!("no time stamps in the file: {:.3} frames a second are assumed", line.rate_hz));
        }
        Some(first) if *first > 2.0 => {
            notes.push(format!("the file's clock begins at {first:.3} s; times count from the first frame"));
        }
        _ => {}
    }
    if let Some((shortest, longest)) = timeline::varying_steps(&line.times_s) {
        notes.push(format!(
            "the rate varies: {:.3} s to {:.3} s from frame to frame; each frame stands at its own time",
            shortest, longest
        ));
    }
}

fn empty_info() -> SourceInfo {
    SourceInfo {
        name: String::new(),
        format: "video file",
        live: false,
        frame_count: None,
        width: 0,
        height: 0,
        rate_hz: 1.0,
        times_s: Vec::new(),
        steering_true_rad: Vec::new(),
        steering_unit: crate::SteeringUnit::Radians,
        gaps: Vec::new(),
        notes: Vec::new(),
        camera: CameraGeometry::assumed(1, 1),
    }
}
