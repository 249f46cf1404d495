//! The trait that every source of frames fulfils, and what a source says about itself.

use ndarray::Array3;

use crate::folder::printable;
use crate::{CameraGeometry, DataError};

/// One frame of a drive.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Place in the recording, from 0; skipped frames keep their place.
    pub index: usize,
    /// Seconds from the first frame.
    pub time_s: f64,
    /// The picture: 8-bit RGB of shape `[height, width, 3]`, in standard layout.
    pub image: Array3<u8>,
    /// True angle of the steering wheel in radians, positive left, where it is known. Never an input of any network.
    pub steering_true_rad: Option<f32>,
}

/// The unit in which a recording states its angles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SteeringUnit {
    /// Radians of the steering wheel (also from degrees).
    Radians,
    /// A command from -1 to 1: `steering_true_rad` holds value * `full_scale_rad`; errors are also shown in own unit.
    Normalised {
        /// Radians that stand for a command of 1.
        full_scale_rad: f32,
    },
}

/// A pause between two frames that is longer than the rate explains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The frame before the gap.
    pub after_index: usize,
    /// Time from that frame to the next.
    pub seconds: f64,
}

/// What is known of a source when it is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceInfo {
    /// The source as the user gave it.
    pub name: String,
    /// The format in plain words, such as "built-in road".
    pub format: &'static str,
    /// True for a camera or a stream: it does not wait for a slow reader.
    pub live: bool,
    /// Number of frames; `None` for a live feed or where it is unknown.
    pub frame_count: Option<usize>,
    /// Columns of every frame.
    pub width: usize,
    /// Rows of every frame.
    pub height: usize,
    /// Frames a second (median, where the times vary).
    pub rate_hz: f64,
    /// Seconds from the first frame, one per frame; empty if unknown.
    pub times_s: Vec<f64>,
    /// True angles in radians, positive left, one per frame; empty if unknown.
    pub steering_true_rad: Vec<Option<f32>>,
    /// The unit of the recording's own angles.
    pub steering_unit: SteeringUnit,
    /// Pauses in the recording.
    pub gaps: Vec<Gap>,
    /// Findings at opening, in plain words.
    pub notes: Vec<String>,
    /// Where the camera sits and looks, known or assumed.
    pub camera: CameraGeometry,
}

/// The frames that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SkipReport {
    /// How many frames were skipped.
    pub count: usize,
    /// The first 20 of them, each with its reason.
    pub examples: Vec<String>,
}

impl SkipReport {
    /// How many examples are kept.
    pub const EXAMPLES: usize = 20;

    /// Counts one skipped frame and keeps its reason while there is room, control characters as escapes.
    pub fn add(&mut self, what: impl Into<String>) {
        self.count += 1;
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push(printable(&what.into()));
        }
    }
}

/// How a live feed fares.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveHealth {
    /// Age of the newest frame when it was handed over, in seconds.
    pub delay_s: f64,
    /// Frames that were replaced by newer ones before anybody asked for them.
    pub dropped: u64,
    /// True when no new frame has arrived for too long.
    pub stale: bool,
    /// The last trouble in plain words, empty if none.
    pub message: String,
}

/// A source of frames.
pub trait Source: Send {
    /// What is known of the source.
    fn info(&self) -> &SourceInfo;

    /// The next readable frame, or `None` at the end. Damaged frames are skipped and counted; each index keeps its place.
    ///
    /// # Errors
    /// [`DataError::Waiting`] where a live feed has had no new frame for half a second: call again, it reconnects by itself.
    /// Any other error means that nothing more can be read.
    fn next_frame(&mut self) -> Result<Option<Frame>, DataError>;

    /// Moves so that `next_frame()` returns frame `index`, or the next readable one after it. `index` equal to the
    /// number of frames is the end.
    ///
    /// # Errors
    /// [`DataError::Seek`] past the end or on a live feed.
    fn seek(&mut self, index: usize) -> Result<(), DataError>;

    /// The frames skipped so far.
    fn skipped(&self) -> &SkipReport;

    /// Says that only these rows of every picture are looked at, in 480ths of its height. Others may be black from now on, where that
    /// spares decoding them; a source that decodes whole pictures anyway goes on doing so.
    fn look_at_rows(&mut self, _rows_of_480: [u32; 2]) {}

    /// State of a live feed; `None` for a recording.
    fn health(&self) -> Option<LiveHealth> {
        None
    }
}
