//! A recording whose pictures are a stretch of a longer source, with times and angles of their own.

use std::collections::HashSet;

use super::recording::Facts;
use super::timeline;
use crate::{DataError, Frame, SkipReport, Source, SourceInfo};

/// Frames `first..first + count` of another source.
pub(crate) struct Part {
    inner: Box<dyn Source>,
    first: usize,
    info: SourceInfo,
    /// The frame that is given next.
    position: usize,
    skipped: SkipReport,
    /// Frames that were found missing: a second pass must not count them again.
    counted: HashSet<usize>,
}

impl Part {
    /// The stretch from frame `first` of `inner` on that `facts` describe.
    ///
    /// # Errors
    /// [`DataError::Seek`] where `inner` has no such frame.
    pub(crate) fn new(
        name: &str,
        mut inner: Box<dyn Source>,
        first: usize,
        mut facts: Facts,
    ) -> Result<Self, DataError> {
        inner.seek(first)?;
        let whole = inner.info();
        facts.notes.extend(whole.notes.iter().cloned());
        let there = whole.frame_count.unwrap_or(0).saturating_sub(first);
        let count = facts.raw_times_s.len();
        if there < count {
            facts.notes.push(format!("the video ends after {there} of {count} frames"));
        }
        let size = (whole.height, whole.width);
        let skipped = std::mem::take(&mut facts.missing);
        let info = facts.into_info(name, size);
        Ok(Self { inner, first, info, position: 0, skipped, counted: HashSet::new() })
    }

    fn count(&self) -> usize {
        self.info.times_s.len()
    }

    fn count_missing(&mut self, next: usize) {
        for frame in self.position..next {
            if self.counted.insert(frame) {
                self.skipped.add(format!("frame {frame}: damaged in the video, or not there"));
            }
        }
    }
}

impl Source for Part {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        if self.position >= self.count() {
            return Ok(None);
        }
        let found = self.inner.next_frame()?;
        let found = found.and_then(|frame| Some((frame.index.checked_sub(self.first)?, frame)));
        let Some((index, frame)) = found.filter(|(index, _)| *index < self.count()) else {
            self.count_missing(self.count());
            self.position = self.count();
            return Ok(None);
        };
        self.count_missing(index);
        self.position = index + 1;
        let (height, width, _) = frame.image.dim();
        if (width, height) != (self.info.width, self.info.height) && self.counted.insert(usize::MAX) {
            let first = (self.info.width, self.info.height);
            self.info.notes.push(timeline::other_size(index, (width, height), first));
        }
        let time_s = self.info.times_s[index];
        let steering_true_rad = self.info.steering_true_rad.get(index).copied().flatten();
        Ok(Some(Frame { index, time_s, steering_true_rad, ..frame }))
    }

    fn seek(&mut self, index: usize) -> Result<(), DataError> {
        if index > self.count() {
            let reason = format!("it has {} frames", self.count());
            return Err(DataError::Seek { name: self.info.name.clone(), index, reason });
        }
        let last = self.inner.info().frame_count.unwrap_or(0);
        self.inner.seek((self.first + index).min(last))?;
        self.position = index;
        Ok(())
    }

    fn skipped(&self) -> &SkipReport {
        &self.skipped
    }

    fn look_at_rows(&mut self, rows_of_480: [u32; 2]) {
        self.inner.look_at_rows(rows_of_480);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CameraGeometry, SteeringUnit};

    #[test]
    fn a_stretch_has_its_own_numbers_times_and_angles() {
        let whole = || crate::open("road:3,seconds=1,size=64x48").unwrap();
        let facts = |count: usize| Facts {
            format: "part",
            raw_times_s: (0..count).map(|i| 7.0 + i as f64 / 20.0).collect(),
            steering_true_rad: (0..count).map(|i| Some(i as f32)).collect(),
            assumed_hz: 20.0,
            steering_unit: SteeringUnit::Normalised { full_scale_rad: 100.0 },
            missing: SkipReport::default(),
            notes: Vec::new(),
            camera: CameraGeometry::assumed,
        };
        let mut expected = whole();
        expected.seek(15).unwrap();
        let mut part = Part::new("part", whole(), 15, facts(4)).unwrap();
        for index in 0..4 {
            let (frame, whole) = (part.next_frame().unwrap().unwrap(), expected.next_frame().unwrap().unwrap());
            assert_eq!((frame.index, frame.steering_true_rad), (index, Some(index as f32)));
            assert!((frame.time_s - index as f64 / 20.0).abs() < 1e-9 && frame.image == whole.image);
        }
        assert!(part.next_frame().unwrap().is_none());
        part.seek(2).unwrap();
        assert_eq!(part.next_frame().unwrap().unwrap().index, 2);
        assert!(part.seek(5).is_err());
        // The source ends before the part does.
        let count = whole().info().frame_count.unwrap();
        let mut part = Part::new("part", whole(), count - 3, facts(5)).unwrap();
        for _ in 0..2 {
            part.seek(0).unwrap();
            let played = std::iter::from_fn(|| part.next_frame().unwrap()).count();
            assert_eq!((played, part.skipped().count), (3, 2));
        }
        part.seek(5).unwrap();
        assert!(part.next_frame().unwrap().is_none());
    }
}
