//! Which windows of the picture are followed: the object `perception.motion` of a model's `config.json`.

use serde::{Deserialize, Serialize};

use crate::error::PerceptionError;

/// Columns of a profile: the picture's width is resampled to this many.
pub const PROFILE_COLUMNS: usize = 320;
/// Largest shift that is looked for, in profile columns each way.
pub(super) const REACH: usize = 30;
/// More windows than this help nobody.
const MOST_WINDOWS: usize = 64;

/// A part of the picture whose horizontal shift becomes one input of the RNN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MotionWindow {
    /// First and one-past-last row, in 480ths of the picture's height.
    pub rows_of_480: [u32; 2],
    /// First and one-past-last column, in 320ths of the picture's width; at least 30 from either edge.
    pub columns_of_320: [usize; 2],
}

impl MotionWindow {
    /// The window at the same place of the mirrored picture.
    pub fn mirrored(&self) -> Self {
        let [left, right] = self.columns_of_320;
        Self { columns_of_320: [PROFILE_COLUMNS - right, PROFILE_COLUMNS - left], ..*self }
    }
}

/// What the motion sensor measures, stored with the weights of the RNN that takes its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MotionConfig {
    /// One value each. With every window its mirror image is in the list as well, so that training can mirror a drive.
    pub windows: Vec<MotionWindow>,
    /// Value of a turning rate of 1 rad/s, for each window: training sets it to `gain` over the rate's standard deviation.
    pub scale: Vec<f32>,
    /// The standard deviation of each value over the training drives. Thresholds are in units of the CNN's features, whose
    /// deviation is 1: a gain above 1 sends a turn in finer steps.
    pub gain: f32,
    /// Time constant of the smoothing over past frames, seconds.
    pub time_constant_s: f32,
}

impl Default for MotionConfig {
    /// The middle of the picture in three bands: the distance, whose shift is the car's turning alone, the road ahead, and the
    /// road before the car, whose shift tells of speed and of the place in the lane as well.
    fn default() -> Self {
        let window = |rows_of_480| MotionWindow { rows_of_480, columns_of_320: [110, 210] };
        let windows: Vec<_> = [[80, 180], [180, 240], [280, 400]].map(window).into();
        Self { scale: vec![1.0; windows.len()], windows, gain: 1.0, time_constant_s: 0.1 }
    }
}

impl MotionConfig {
    /// Values a frame.
    pub fn value_count(&self) -> usize {
        self.windows.len()
    }

    /// The same windows, measured in rad/s: what is cached for training.
    pub fn unscaled(&self) -> Self {
        Self { scale: vec![1.0; self.windows.len()], gain: 1.0, ..self.clone() }
    }

    /// The values of the mirrored picture: windows change places, and every turn goes the other way.
    ///
    /// # Panics
    /// Where `values` and `mirrored` are not one value a window.
    pub fn mirror(&self, values: &[f32], mirrored: &mut [f32]) {
        assert!(values.len() == self.windows.len() && mirrored.len() == values.len(), "one value a window");
        for (mirrored, window) in mirrored.iter_mut().zip(&self.windows) {
            let from = self.windows.iter().position(|other| *other == window.mirrored());
            *mirrored = from.map_or(0.0, |from| -values[from]);
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`PerceptionError::Config`] naming the first field that makes no sense.
    pub fn validate(&self) -> Result<(), PerceptionError> {
        let check = |field, good: bool, found: String, expected: &str| match good {
            true => Ok(()),
            false => Err(PerceptionError::Config { field, found, expected: expected.to_owned() }),
        };
        let count = self.windows.len();
        check("motion.windows", (1..=MOST_WINDOWS).contains(&count), format!("of length {count}"), "1 to 64 windows")?;
        for window in &self.windows {
            let ([top, bottom], [left, right]) = (window.rows_of_480, window.columns_of_320);
            check(
                "motion.windows.rows_of_480",
                top < bottom && bottom <= 480,
                format!("[{top}, {bottom}]"),
                "top < bottom <= 480",
            )?;
            let inside = left >= REACH && right <= PROFILE_COLUMNS - REACH && left + 20 <= right;
            let expected = "left >= 30, right <= 290, 20 or more columns between";
            check("motion.windows.columns_of_320", inside, format!("[{left}, {right}]"), expected)?;
            let paired = self.windows.contains(&window.mirrored());
            let expected = "a list that holds the mirror image of every window";
            check(
                "motion.windows",
                paired,
                format!("without the mirror image of columns [{left}, {right}]"),
                expected,
            )?;
        }
        let good = self.scale.len() == count && self.scale.iter().all(|scale| scale.is_finite());
        check("motion.scale", good, format!("{:?}", self.scale), "a finite number for each window")?;
        check(
            "motion.gain",
            self.gain.is_finite() && self.gain > 0.0,
            self.gain.to_string(),
            "a finite number above 0",
        )?;
        let tau = self.time_constant_s;
        check("motion.time_constant_s", tau.is_finite() && tau >= 0.0, tau.to_string(), "a finite number, 0 or more")
    }
}
