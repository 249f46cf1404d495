//! Ego-motion: how fast the picture of a few windows moves sideways between frames, from past frames alone.
//!
//! A window's shift against an earlier frame, divided by focal length and time, is the rate at which the camera would have to
//! turn to shift it so: in the distance it is the car's own turning rate. A turning rate says what the car does now: a strong
//! cue for replaying a drive, useless for steering one.
//!
//! - [`config`]: the windows
//! - `profile`: the column means that are compared
//! - `shift`: the best normalised cross-correlation, to a fraction of a column

pub mod config;
mod profile;
mod shift;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use ndarray::{Array1, ArrayView1, ArrayView3};

pub use config::{MotionConfig, MotionWindow};

use crate::error::PerceptionError;
use config::PROFILE_COLUMNS;
use profile::Band;
use shift::Shift;

/// Focal length in picture widths where nothing is known: some 60 degrees from edge to edge.
pub const ASSUMED_FOCAL_WIDTHS: f32 = 0.85;
/// A frame is compared with the earlier one whose age is closest to this: one frame at 20 Hz. (Two frames back the measure is
/// finer but later, and it fails more often: on recorded drives one frame did better in every band.)
const INTERVAL_S: f64 = 0.05;
/// Frames further apart than this are not compared.
const LONGEST_S: f64 = 0.3;
/// A correlation of this or less counts for nothing.
const LEAST_CONFIDENCE: f32 = 0.5;
/// While nothing can be measured, the last rate fades with this time constant.
const FADE_S: f64 = 1.0;

/// What one frame tells.
#[derive(Debug)]
pub struct Motion<'a> {
    /// One value a window: turning rate, positive to the left, times the configured scale.
    pub values: ArrayView1<'a, f32>,
    /// How far each window's measure can be trusted, 0 to 1 (the correlation).
    pub confidence: ArrayView1<'a, f32>,
    /// Multiply-accumulates of this frame; an addition counts as one.
    pub macs: u64,
}

/// Follows the windows of a drive. Frames must come in order; [`MotionSensor::reset`] before another drive.
#[derive(Debug)]
pub struct MotionSensor {
    config: MotionConfig,
    /// Profile columns per radian: the focal length.
    focal_columns: f64,
    /// The bands of rows that occur, and each window's place among them.
    bands: Vec<Band>,
    band_of: Vec<usize>,
    /// Newest last.
    past: VecDeque<Past>,
    spare: Vec<Past>,
    column_sums: Vec<u16>,
    rates: Vec<Rate>,
    values: Array1<f32>,
    confidence: Array1<f32>,
}

/// The profiles of an earlier frame, `[bands][PROFILE_COLUMNS]`.
#[derive(Debug, Clone)]
struct Past {
    time_s: f64,
    profiles: Vec<f32>,
}

/// A window's smoothed rate.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    rad_s: f32,
    /// Confidence summed over the measures so far: the first ones are averaged, so that a drive starts at once.
    trust: f32,
}

impl MotionSensor {
    /// A sensor for a camera whose focal length is `focal_widths` picture widths ([`ASSUMED_FOCAL_WIDTHS`] where unknown).
    ///
    /// # Errors
    /// A field of the configuration, or a focal length that is not a finite number above zero.
    pub fn new(config: &MotionConfig, focal_widths: Option<f32>) -> Result<Self, PerceptionError> {
        config.validate()?;
        let focal = focal_widths.unwrap_or(ASSUMED_FOCAL_WIDTHS);
        if !(focal.is_finite() && focal > 0.0) {
            let expected = "a finite number of picture widths above 0".to_owned();
            return Err(PerceptionError::Config {
                field: "the camera's focal length",
                found: focal.to_string(),
                expected,
            });
        }
        let mut bands: Vec<Band> = Vec::new();
        let mut band_of = Vec::new();
        for band in config.windows.iter().map(Band::of) {
            let known = bands.iter().position(|known| known.rows_of_480 == band.rows_of_480);
            band_of.push(known.unwrap_or(bands.len()));
            match known {
                Some(known) => bands[known].join(&band),
                None => bands.push(band),
            }
        }
        let count = config.value_count();
        Ok(Self {
            config: config.clone(),
            focal_columns: f64::from(focal) * PROFILE_COLUMNS as f64,
            bands,
            band_of,
            past: VecDeque::new(),
            spare: Vec::new(),
            column_sums: Vec::new(),
            rates: vec![Rate::default(); count],
            values: Array1::zeros(count),
            confidence: Array1::zeros(count),
        })
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &MotionConfig {
        &self.config
    }

    /// Forgets all earlier frames.
    pub fn reset(&mut self) {
        self.spare.extend(self.past.drain(..));
        self.rates.fill(Rate::default());
        self.values.fill(0.0);
        self.confidence.fill(0.0);
    }

    /// Measures `frame` `[height, width, 3]`, taken `time_s` seconds after any fixed moment. A frame that repeats the one
    /// before, or has no time, changes nothing; one that comes too late is compared with none; one from before the last starts
    /// anew.
    ///
    /// # Errors
    /// [`PerceptionError::Image`] for a frame without pixels or of other than three colours.
    pub fn step(&mut self, frame: ArrayView3<u8>, time_s: f64) -> Result<Motion<'_>, PerceptionError> {
        let (height, width, colours) = frame.dim();
        if height == 0 || width == 0 || colours != 3 {
            let expected = "[height, width, 3] with at least one pixel".to_owned();
            return Err(PerceptionError::Image { shape: frame.shape().to_vec(), expected });
        }
        if self.past.back().is_some_and(|last| time_s.total_cmp(&last.time_s).is_lt()) {
            self.reset();
        }
        if !time_s.is_finite() {
            return Ok(Motion { values: self.values.view(), confidence: self.confidence.view(), macs: 0 });
        }
        let mut now = self.spare.pop().unwrap_or_else(|| Past { time_s, profiles: Vec::new() });
        now.time_s = time_s;
        now.profiles.resize(self.bands.len() * PROFILE_COLUMNS, 0.0);
        let mut macs = 0;
        for (band, profile) in self.bands.iter().zip(now.profiles.chunks_exact_mut(PROFILE_COLUMNS)) {
            macs += profile::profile(frame, band, &mut self.column_sums, profile);
        }
        // A repeated frame was not taken now: the next one is compared with it at its own time.
        let repeats =
            self.past.back().is_some_and(|last| last.profiles == now.profiles && time_s - last.time_s < LONGEST_S);
        if repeats {
            self.spare.push(now);
        } else {
            macs += self.measure(&now);
            self.keep(now);
        }
        Ok(Motion { values: self.values.view(), confidence: self.confidence.view(), macs })
    }

    /// Compares with the earlier frame that is nearest to the interval; returns the multiply-accumulates.
    fn measure(&mut self, now: &Past) -> u64 {
        let age = |past: &Past| now.time_s - past.time_s;
        let off = |past: &&Past| (age(past) - INTERVAL_S).abs();
        let since_last_s = self.past.back().map_or(0.0, age);
        let nearest = self.past.iter().min_by(|a, b| off(a).total_cmp(&off(b)));
        let before = nearest.filter(|past| age(past) > 0.0 && age(past) <= LONGEST_S);
        let mut macs = 0;
        for (i, window) in self.config.windows.iter().enumerate() {
            let band = self.band_of[i] * PROFILE_COLUMNS..(self.band_of[i] + 1) * PROFILE_COLUMNS;
            let mut measured = Shift { columns: 0.0, confidence: 0.0 };
            let mut rad_s = 0.0;
            if let Some(before) = before {
                measured = shift::find(&now.profiles[band.clone()], &before.profiles[band], window.columns_of_320);
                macs += shift::macs(window.columns_of_320[1] - window.columns_of_320[0]);
                // The picture moves to the right when the car turns left.
                rad_s = (f64::from(-measured.columns) / (self.focal_columns * age(before))) as f32;
            }
            self.rates[i].add(rad_s, measured.confidence, since_last_s, self.config.time_constant_s);
            self.confidence[i] = measured.confidence;
            self.values[i] = self.rates[i].rad_s * self.config.scale[i];
        }
        macs
    }

    /// Remembers a frame and forgets those that no later one can need.
    fn keep(&mut self, now: Past) {
        let too_old = now.time_s - 2.0 * INTERVAL_S;
        while self.past.front().is_some_and(|oldest| oldest.time_s < too_old) {
            self.spare.extend(self.past.pop_front());
        }
        self.past.push_back(now);
    }
}

impl Rate {
    /// Draws the rate towards a measure, by its confidence and the time since the last one.
    fn add(&mut self, rad_s: f32, confidence: f32, since_last_s: f64, time_constant_s: f32) {
        let trust = ((confidence - LEAST_CONFIDENCE) / (1.0 - LEAST_CONFIDENCE)).max(0.0);
        if trust == 0.0 {
            self.rad_s *= (-since_last_s / FADE_S).exp() as f32;
            return;
        }
        self.trust += trust;
        let share = 1.0 - (-since_last_s * f64::from(trust) / f64::from(time_constant_s).max(1e-9)).exp() as f32;
        self.rad_s += share.max(trust / (0.2 + self.trust)) * (rad_s - self.rad_s);
    }
}
