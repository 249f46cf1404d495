//! The source over a recording: frames by index, in order, damaged ones skipped and counted.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use ndarray::Array3;

use super::decode::ALL_ROWS;
use super::pictures::Pictures;
use super::read_ahead::ReadAhead;
use super::timeline;
use crate::folder::bad_file;
use crate::{DataError, Frame, SkipReport, Source, SourceInfo};

/// Plays a recording. Reading on decodes ahead on several threads; the first frame after a seek is decoded at once by the
/// caller, so that jumping about costs one picture a jump.
pub(crate) struct Player {
    info: SourceInfo,
    pictures: Arc<dyn Pictures>,
    skipped: SkipReport,
    /// Damaged frames already counted: a second pass must not count them again.
    counted: HashSet<usize>,
    /// Set once a picture of another size has been noted.
    size_noted: bool,
    position: usize,
    read_ahead: Option<ReadAhead>,
    /// Rows of every picture that are looked at.
    rows_of_480: [u32; 2],
    /// True once a frame was read where the player stands: reading goes on from here, so decoding ahead pays.
    reading_on: bool,
}

impl Player {
    /// A player at frame 0; `missing` are frames already known to be lost.
    pub(crate) fn new(info: SourceInfo, missing: SkipReport, pictures: Arc<dyn Pictures>) -> Self {
        Self {
            info,
            pictures,
            skipped: missing,
            counted: HashSet::new(),
            size_noted: false,
            position: 0,
            read_ahead: None,
            rows_of_480: ALL_ROWS,
            reading_on: false,
        }
    }

    fn count(&self) -> usize {
        self.info.frame_count.unwrap_or(0)
    }

    /// Decodes the picture at the position and steps on.
    fn step(&mut self) -> Result<Array3<u8>, String> {
        let index = self.position;
        self.position += 1;
        if self.reading_on && self.read_ahead.is_none() {
            let picture_bytes = self.info.width * self.info.height * 3;
            self.read_ahead =
                Some(ReadAhead::start(&self.pictures, index..self.count(), self.rows_of_480, picture_bytes));
        }
        self.reading_on = true;
        let ready = self.read_ahead.as_mut().and_then(ReadAhead::next);
        // Without a thread (the system refused one, or it died of a defect in a codec) this very thread decodes.
        ready.unwrap_or_else(|| self.pictures.picture(index, self.rows_of_480))
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

impl Source for Player {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        while self.position < self.count() {
            let index = self.position;
            match self.step() {
                Ok(image) => {
                    self.note_other_size(index, &image);
                    let time_s = self.info.times_s.get(index).copied().unwrap_or(0.0);
                    let steering_true_rad = self.info.steering_true_rad.get(index).copied().flatten();
                    return Ok(Some(Frame { index, time_s, image, steering_true_rad }));
                }
                // Not damage: the frames are there, and a run without them would be another drive.
                Err(_) if let Some(failure) = self.pictures.failure() => {
                    self.seek(index)?;
                    return Err(bad_file(
                        Path::new(&self.info.name),
                        failure,
                        "a recording that can be read to its end",
                    ));
                }
                Err(reason) if self.counted.insert(index) => self.skipped.add(format!("frame {index}: {reason}")),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn seek(&mut self, index: usize) -> Result<(), DataError> {
        if index > self.count() {
            return Err(DataError::Seek {
                name: self.info.name.clone(),
                index,
                reason: format!("it has {} frames", self.count()),
            });
        }
        if index != self.position {
            self.position = index;
            self.read_ahead = None;
            self.reading_on = false;
        }
        Ok(())
    }

    fn skipped(&self) -> &SkipReport {
        &self.skipped
    }

    fn look_at_rows(&mut self, rows_of_480: [u32; 2]) {
        self.rows_of_480 = rows_of_480;
        self.read_ahead = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::recording::Facts;
    use crate::{CameraGeometry, SteeringUnit};

    /// Pictures that carry their number in their pixels; every 7th is damaged, and some take long.
    struct Numbered {
        damaged_every: usize,
    }

    impl Pictures for Numbered {
        fn picture(&self, index: usize, _: [u32; 2]) -> Result<Array3<u8>, String> {
            if index.is_multiple_of(5) {
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
            if self.damaged_every > 0 && index % self.damaged_every == self.damaged_every - 1 {
                return Err(format!("{index}.jpg: damaged JPEG"));
            }
            let bytes = (index as u32).to_le_bytes();
            Ok(Array3::from_shape_fn((1, 2, 3), |(_, column, k)| bytes[(3 * column + k) % 4]))
        }
    }

    fn player(count: usize, damaged_every: usize) -> Box<dyn Source> {
        let facts = Facts {
            format: "numbered",
            raw_times_s: (0..count).map(|i| i as f64 * 0.05).collect(),
            steering_true_rad: (0..count).map(|i| Some(i as f32 * 0.01)).collect(),
            assumed_hz: 20.0,
            steering_unit: SteeringUnit::Radians,
            missing: SkipReport::default(),
            notes: Vec::new(),
            camera: CameraGeometry::assumed,
        };
        facts.into_source("numbered", Path::new("numbered"), Arc::new(Numbered { damaged_every })).unwrap()
    }

    fn number(frame: &Frame) -> usize {
        u32::from_le_bytes(crate::rgb_bytes(&frame.image)[..4].try_into().unwrap()) as usize
    }

    #[test]
    fn no_frame_is_lost_or_reordered() {
        let mut source = player(500, 0);
        for expected in 0..500 {
            let frame = source.next_frame().unwrap().unwrap();
            assert_eq!((number(&frame), frame.index), (expected, expected));
            assert_eq!(frame.steering_true_rad, Some(expected as f32 * 0.01));
            assert!((frame.time_s - expected as f64 * 0.05).abs() < 1e-9);
        }
        assert!(source.next_frame().unwrap().is_none());
        assert!(source.next_frame().unwrap().is_none());
    }

    #[test]
    fn damaged_frames_are_skipped_named_and_counted_once() {
        let mut source = player(70, 7);
        for _ in 0..2 {
            source.seek(0).unwrap();
            let mut seen = Vec::new();
            while let Some(frame) = source.next_frame().unwrap() {
                assert_eq!(number(&frame), frame.index);
                seen.push(frame.index);
            }
            assert_eq!(seen, (0..70).filter(|i| i % 7 != 6).collect::<Vec<_>>());
        }
        assert_eq!(source.skipped().count, 10);
        assert_eq!(source.skipped().examples[0], "frame 6: 6.jpg: damaged JPEG");
    }

    #[test]
    fn seeking_lands_on_the_frame_and_reads_on_from_it() {
        let mut source = player(100, 0);
        for start in [40, 41, 3, 99, 0, 50] {
            source.seek(start).unwrap();
            for expected in start..(start + 10).min(100) {
                assert_eq!(number(&source.next_frame().unwrap().unwrap()), expected);
            }
        }
        source.seek(100).unwrap();
        assert!(source.next_frame().unwrap().is_none());
        let message = source.seek(101).unwrap_err().to_string();
        assert!(message.contains("101") && message.contains("100 frames"), "{message}");
    }

    #[test]
    fn a_recording_without_a_readable_picture_is_an_error() {
        let facts = |count: usize| Facts {
            format: "numbered",
            raw_times_s: vec![0.0; count],
            steering_true_rad: vec![None; count],
            assumed_hz: 20.0,
            steering_unit: SteeringUnit::Radians,
            missing: SkipReport::default(),
            notes: Vec::new(),
            camera: CameraGeometry::assumed,
        };
        let open = |count| facts(count).into_source("n", Path::new("n"), Arc::new(Numbered { damaged_every: 1 }));
        assert!(open(0).err().unwrap().to_string().contains("holds no images"));
        assert!(open(3).err().unwrap().to_string().contains("none of its 3 images"));
    }
}
