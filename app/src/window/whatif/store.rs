//! What the CNN has said about every frame seen, in 16 bits, so that the RNN can run over all of it again.

use std::collections::BTreeMap;

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::track::CnnDone;
use crate::pipeline::{Before, SeenFrame};

/// Bytes of features kept, unless a test asks for less: half a million frames of 256 features.
pub const LIMIT_BYTES: usize = 256 << 20;

/// One frame's features with what belongs to them.
#[derive(Debug)]
pub struct Kept {
    /// Seconds from the source's first frame.
    pub time_s: f64,
    /// The human driver's angle.
    pub truth_rad: Option<f32>,
    /// What the RNN must have seen directly before.
    pub before: Before,
    /// The full run has the same features; otherwise the CNN may have run on other frames.
    pub certain: bool,
    /// What the CNN did.
    pub cnn: CnnDone,
    features: Box<[f16]>,
}

impl Kept {
    /// Number of features.
    pub fn inputs(&self) -> usize {
        self.features.len()
    }

    /// The features `[inputs]` as the RNN takes them.
    pub fn features_into(&self, out: &mut [f32]) {
        self.features.convert_to_f32_slice(out);
    }
}

/// What became of a frame that was offered.
#[derive(Debug)]
pub enum Added {
    /// It is kept.
    New,
    /// It is kept, and closes the gap before frames that were seen earlier.
    Joined,
    /// It is kept already.
    Known,
    /// Nothing before it was read, so its place in the RNN's history is unknown.
    Unlinked,
    /// The oldest frames have been let go, and it is older: not kept.
    TooOld(Kept),
    /// Its features are not finite.
    Refused(String),
}

/// The features of the seen frames of one drive, by frame. Beyond the limit the oldest are let go.
#[derive(Debug)]
pub struct FeatureStore {
    inputs: usize,
    limit_bytes: usize,
    frames: BTreeMap<usize, Kept>,
}

impl FeatureStore {
    /// Nothing seen yet, `inputs` features a frame.
    pub fn new(inputs: usize, limit_bytes: usize) -> Self {
        Self { inputs, limit_bytes, frames: BTreeMap::new() }
    }

    /// Features a frame.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Bytes of features held, and how many may be.
    pub fn bytes(&self) -> (usize, usize) {
        (self.frames.len() * self.frame_bytes(), self.limit_bytes)
    }

    fn frame_bytes(&self) -> usize {
        2 * self.inputs.max(1)
    }

    /// Keeps the `features` of `frame`, rounded to 16 bits. `certain`: the full run has the same.
    pub fn add(&mut self, frame: &SeenFrame, features: &[f32], certain: bool) -> Added {
        if self.frames.contains_key(&frame.index) {
            return Added::Known;
        }
        if let Some(place) = features.iter().position(|&value| !f16::from_f32(value).is_finite()) {
            return Added::Refused(format!("frame {}: feature {place} is {}", frame.index, features[place]));
        }
        if frame.before == Before::Jump {
            return Added::Unlinked;
        }
        let mut kept = vec![f16::ZERO; features.len()].into_boxed_slice();
        kept.convert_from_f32_slice(features);
        let kept = Kept {
            time_s: frame.time_s,
            truth_rad: frame.steering_true_rad,
            before: frame.before,
            certain,
            cnn: CnnDone { looked: frame.looked, macs: frame.cnn_work.macs },
            features: kept,
        };
        if (self.frames.len() + 1) * self.frame_bytes() > self.limit_bytes {
            match self.frames.first_key_value() {
                Some((&oldest, _)) if oldest < frame.index => self.frames.pop_first(),
                _ => return Added::TooOld(kept),
            };
        }
        self.frames.insert(frame.index, kept);
        let next = self.frames.range(frame.index + 1..).next();
        if next.is_some_and(|(_, next)| next.before == Before::Frame(frame.index)) { Added::Joined } else { Added::New }
    }

    /// A frame, if it is kept.
    pub fn get(&self, index: usize) -> Option<&Kept> {
        self.frames.get(&index)
    }

    /// The frames from `index` on, in order.
    pub fn from(&self, index: usize) -> impl Iterator<Item = (usize, &Kept)> {
        self.frames.range(index..).map(|(&index, kept)| (index, kept))
    }

    /// The last `count` frames, in order.
    pub fn last_frames(&self, count: usize) -> impl Iterator<Item = (usize, &Kept)> {
        let first = self.frames.keys().nth_back(count.max(1) - 1).copied().unwrap_or(0);
        self.from(first)
    }

    /// Frames kept.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// True if none are.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The last frame kept.
    pub fn last(&self) -> Option<usize> {
        self.frames.last_key_value().map(|(&index, _)| index)
    }
}
