//! The built-in road as a [`Source`].

use super::RoadSettings;
use super::driver::{self, CarState};
use super::render::{Renderer, camera_geometry};
use super::style::Style;
use super::track::Track;
use crate::{DataError, Frame, SkipReport, Source, SourceInfo, SteeringUnit};

/// Road built for each second of the drive; no driver here is as fast.
const METRES_A_SECOND: f64 = 22.0;
/// Road beyond the last frame, so that it is seen to go on.
const BEYOND_M: f64 = 700.0;

/// A seeded, procedural drive. The course and all labels are known from the start; pictures are rendered when asked for.
pub struct RoadSource {
    info: SourceInfo,
    track: Track,
    states: Vec<CarState>,
    renderer: Renderer,
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
    pub(crate) fn named(name: &str, seed: u64, settings: RoadSettings) -> Result<Self, DataError> {
        settings.check()?;
        let style = Style::new(seed);
        let track = Track::new(seed, &style, settings.seconds * METRES_A_SECOND + BEYOND_M);
        let count = settings.frame_count();
        let times_s: Vec<f64> = (0..count).map(|i| i as f64 / settings.rate_hz).collect();
        let states = driver::drive(seed, &style, &track, times_s.iter().copied());
        let info = SourceInfo {
            name: name.to_owned(),
            format: "built-in road",
            live: false,
            frame_count: Some(count),
            width: settings.width,
            height: settings.height,
            rate_hz: settings.rate_hz,
            times_s,
            steering_true_rad: states.iter().map(|s| Some(s.steering_rad as f32)).collect(),
            steering_unit: SteeringUnit::Radians,
            gaps: Vec::new(),
            notes: vec![style.describe()],
            camera: camera_geometry(settings.width, settings.height),
        };
        let renderer = Renderer::new(seed, &style, settings.width, settings.height);
        Ok(Self { info, track, states, renderer, next: 0, skipped: SkipReport::default() })
    }

    /// The car at frame `index`, if there is one.
    pub fn speed_m_s(&self, index: usize) -> Option<f64> {
        self.states.get(index).map(|s| s.speed)
    }
}

impl Source for RoadSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        let index = self.next;
        let (Some(state), Some(&time_s)) = (self.states.get(index), self.info.times_s.get(index)) else {
            return Ok(None);
        };
        self.next += 1;
        let image = self.renderer.render(&self.track, state, time_s, index);
        Ok(Some(Frame { index, time_s, image, steering_true_rad: Some(state.steering_rad as f32) }))
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
