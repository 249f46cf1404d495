//! The built-in road as a [`Source`].

use super::RoadSettings;
use super::driver::{self, CarState};
use super::render::{HEADWAY_S, Moment, Renderer, camera_geometry};
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
    /// Our own place a little later, where a car ahead drives; empty if there is none.
    leaders: Vec<CarState>,
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
        let leaders = match style.leader {
            true => driver::drive(seed, &style, &track, times_s.iter().map(|t| t + HEADWAY_S)),
            false => Vec::new(),
        };
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
        Ok(Self { info, track, states, leaders, renderer, next: 0, skipped: SkipReport::default() })
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
        let moment = Moment { car: state, leader: self.leaders.get(index).copied(), time_s, index };
        let image = self.renderer.render(&self.track, &moment);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open;

    fn frames(source: &mut dyn Source) -> Vec<Frame> {
        std::iter::from_fn(|| source.next_frame().unwrap()).collect()
    }

    fn small(seed: u64) -> RoadSource {
        let settings = RoadSettings { seconds: 1.5, width: 64, height: 32, ..RoadSettings::default() };
        RoadSource::new(seed, settings).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_drive_and_another_seed_another() {
        assert_eq!(frames(&mut small(3)), frames(&mut small(3)));
        assert_ne!(frames(&mut small(3))[9].image, frames(&mut small(4))[9].image);
    }

    #[test]
    fn a_frame_does_not_depend_on_the_way_to_it() {
        for seed in [1, 2, 6] {
            let in_order = frames(&mut small(seed));
            let mut source = small(seed);
            for index in [17, 3, 29, 0, 16, 17] {
                source.seek(index).unwrap();
                assert_eq!(source.next_frame().unwrap().unwrap(), in_order[index], "seed {seed}, frame {index}");
            }
            source.seek(30).unwrap();
            assert_eq!(source.next_frame().unwrap(), None);
            let error = source.seek(31).unwrap_err().to_string();
            assert!(error.contains("31") && error.contains("30 frames"), "{error}");
            assert_eq!(*source.skipped(), SkipReport::default());
        }
    }

    #[test]
    fn a_longer_drive_begins_like_a_shorter_one() {
        let long = RoadSettings { seconds: 30.0, width: 64, height: 32, ..RoadSettings::default() };
        let mut long = RoadSource::new(3, long).unwrap();
        long.seek(20).unwrap();
        assert_eq!(long.next_frame().unwrap().unwrap(), frames(&mut small(3))[20]);
    }

    #[test]
    fn times_and_labels_are_known_from_the_start() {
        let mut source = open("road:5,seconds=2,size=40x20,rate=25").unwrap();
        let info = source.info().clone();
        assert_eq!((info.frame_count, info.width, info.height, info.rate_hz), (Some(50), 40, 20, 25.0));
        assert!(info.camera.known && !info.live && info.gaps.is_empty());
        for frame in frames(source.as_mut()) {
            assert_eq!(frame.time_s, info.times_s[frame.index]);
            assert_eq!(frame.steering_true_rad, info.steering_true_rad[frame.index]);
            assert_eq!(frame.image.dim(), (20, 40, 3));
        }
        let standard = open("road:5").unwrap();
        assert_eq!(
            (standard.info().frame_count, standard.info().width, standard.info().height),
            (Some(1200), 320, 160)
        );
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(1, 1), (3, 2), (1, 200), (200, 1), (7, 5)] {
            for seed in 0..4 {
                let settings = RoadSettings { seconds: 0.2, width, height, rate_hz: 20.0 };
                let all = frames(&mut RoadSource::new(seed, settings).unwrap());
                assert_eq!(all.len(), 4);
                assert!(all.iter().all(|f| f.image.dim() == (height, width, 3)));
            }
        }
    }

    #[test]
    fn bad_settings_are_refused() {
        for settings in [
            RoadSettings { seconds: f64::NAN, ..RoadSettings::default() },
            RoadSettings { width: 0, ..RoadSettings::default() },
            RoadSettings { rate_hz: -20.0, ..RoadSettings::default() },
        ] {
            assert!(matches!(RoadSource::new(1, settings), Err(DataError::BadSpec { .. })), "{settings:?}");
        }
    }

    /// The path drawn for the true angle leads along the lane: label, vehicle model and camera geometry agree.
    #[test]
    fn the_predicted_path_follows_the_lane() {
        let mut agree = 0;
        let mut seen = 0;
        for seed in 0..6 {
            let settings = RoadSettings { seconds: 60.0, ..RoadSettings::default() };
            let source = RoadSource::new(seed, settings).unwrap();
            for (i, state) in source.states.iter().enumerate().step_by(40).filter(|(_, s)| s.steering_rad.abs() > 0.25)
            {
                let geometry = source.info.camera;
                let there = source.track.at(state.s + 22.0);
                let (dx, dy) = (there.x - state.x, there.y - state.y);
                let lane = f64::from(Style::new(seed).lane_centre_m());
                let left = dy * state.heading.cos() - dx * state.heading.sin() + lane;
                let ahead = dx * state.heading.cos() + dy * state.heading.sin();
                let (column, row) = geometry.project(ahead as f32, left as f32).unwrap();
                let path = geometry.path(state.steering_rad as f32, 0.0);
                let off_row = |point: &&(f32, f32)| (point.1 - row).abs();
                let Some(predicted) = path.iter().min_by(|a, b| off_row(a).total_cmp(&off_row(b))) else {
                    panic!("frame {i}")
                };
                seen += 1;
                agree += usize::from((column - predicted.0).abs() < 40.0);
            }
        }
        assert!(seen > 20 && agree as f64 > 0.8 * seen as f64, "{agree} of {seen}");
    }

    /// FNV-1a, 64 bits.
    fn checksum(bytes: impl Iterator<Item = u8>) -> u64 {
        bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// A model trained on this road stays right only while the road stays the same, on every machine: whoever changes
    /// the drive or its pictures must train `models/road` anew, and then these figures.
    #[test]
    fn the_drive_is_the_one_that_models_were_trained_on() {
        let settings = RoadSettings { seconds: 20.0, width: 64, height: 32, ..RoadSettings::default() };
        let mut source = RoadSource::new(12, settings).unwrap();
        let labels = source.info.steering_true_rad.iter().flat_map(|l| l.unwrap().to_le_bytes());
        let labels = checksum(labels.collect::<Vec<u8>>().into_iter());
        let pixels = checksum(frames(&mut source).into_iter().step_by(50).flat_map(|f| f.image));
        assert_eq!((labels, pixels), (0xee41_e707_c660_29cf, 0x073e_1969_5496_7294), "({labels:#x}, {pixels:#x})");
    }

    /// Every country and every weather, near and far, at a size at which all details are drawn.
    #[test]
    fn the_pictures_stay_the_same() {
        let settings = RoadSettings { width: 320, height: 160, ..RoadSettings::default() };
        let found = [1, 2, 9, 22, 23, 28, 31].map(|seed| {
            let mut source = RoadSource::new(seed, settings).unwrap();
            let pictures = (0..1200).step_by(75).flat_map(|index| {
                source.seek(index).unwrap();
                source.next_frame().unwrap().unwrap().image
            });
            checksum(pictures)
        });
        let known = [
            0x4eee_5e05_dedd_1a21,
            0x96b0_7e14_dfb5_9a69,
            0xfc0b_6425_9a7a_3a1f,
            0x6dd4_e9f0_d22a_c56a,
            0x4e4a_3089_2fad_2974,
            0xb51f_8cf6_aa31_26d4,
            0x0929_58c1_34b1_e1a7,
        ];
        assert_eq!(found, known, "{found:#x?}");
    }
}
