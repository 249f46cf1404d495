//! The built-in road as a [`Source`].

use super::RoadSettings;
use crate::{CameraGeometry, DataError, Frame, RgbImage, SkipReport, Source, SourceInfo, SteeringUnit};

/// A seeded, procedural drive.
pub struct RoadSource {
    info: SourceInfo,
    next: usize,
    skipped: SkipReport,
}

impl RoadSource {
    /// The drive of a seed.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] if the settings make no sense.
    pub fn new(seed: u64, settings: RoadSettings) -> Result<Self, DataError> {
        Self::named(&format!("road:{seed}"), seed, settings)
    }

    /// The same, under the name that the user gave.
    pub(crate) fn named(name: &str, _seed: u64, settings: RoadSettings) -> Result<Self, DataError> {
        settings.check()?;
        let count = settings.frame_count();
        let info = SourceInfo {
            name: name.to_owned(),
            format: "built-in road",
            live: false,
            frame_count: Some(count),
            width: settings.width,
            height: settings.height,
            rate_hz: settings.rate_hz,
            times_s: (0..count).map(|i| i as f64 / settings.rate_hz).collect(),
            steering_true_rad: vec![None; count],
            steering_unit: SteeringUnit::Radians,
            gaps: Vec::new(),
            notes: vec!["the road's pictures are not written yet: frames are black and without labels".to_owned()],
            camera: CameraGeometry::assumed(settings.width, settings.height),
        };
        Ok(Self { info, next: 0, skipped: SkipReport::default() })
    }
}

impl Source for RoadSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        let index = self.next;
        let Some(&time_s) = self.info.times_s.get(index) else { return Ok(None) };
        self.next += 1;
        let image = RgbImage::black(self.info.width, self.info.height);
        Ok(Some(Frame { index, time_s, image, steering_true_rad: self.info.steering_true_rad[index] }))
    }

    fn seek(&mut self, index: usize) -> Result<(), DataError> {
        let count = self.info.times_s.len();
        if index > count {
            let reason = format!("it has {count} frames, expected an index from 0 to {count}");
            return Err(DataError::Seek { name: self.info.name.clone(), index, reason });
        }
        self.next = index;
        Ok(())
    }

    fn skipped(&self) -> &SkipReport {
        &self.skipped
    }
}
