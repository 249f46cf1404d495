//! Sequences to train on, and where their features come from.

use ndarray::{ArcArray2, Array3, ArrayView3, s};
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::loss::Loss;

/// What the trainer knows of a training sequence; its features come from [`SequenceInputs`], its targets are the [`Loss`]'s.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Name for messages.
    pub name: String,
    /// Number of frames.
    pub frames: usize,
    /// Frames after which time jumps: no window crosses them.
    pub gaps_after: Vec<usize>,
    /// Versions of it (as recorded, altered, ...), at least one.
    pub versions: usize,
}

impl Sequence {
    /// A sequence without gaps, in one version.
    pub fn new(name: impl Into<String>, frames: usize) -> Self {
        Self { name: name.into(), frames, gaps_after: Vec::new(), versions: 1 }
    }
}

/// A stretch of a training sequence, in one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Index of the sequence.
    pub sequence: usize,
    /// Index of its version.
    pub version: usize,
    /// First frame.
    pub start: usize,
    /// Frames that the sequence has there: the window's length, or fewer. Padding behind them repeats the last.
    pub frames: usize,
    /// Windows that follow on each other share this number, with the state of the cells and the dropout.
    pub stream: u64,
}

impl Window {
    /// The sequence's frame at place `t` of the window.
    pub fn frame(&self, t: usize) -> usize {
        self.start + t.min(self.frames - 1)
    }
}

/// Where the features of windows come from. Fixed features are [`FixedFeatures`]. A feature layer that is trained together
/// with the RNN implements the methods from `learns` on as well: it owns its parameters, its optimiser and their average, and
/// the trainer tells it when to step and when to save.
pub trait SequenceInputs {
    /// Features per frame.
    fn inputs(&self) -> usize;

    /// A number that changes with any feature or starting parameter: a checkpoint belongs to one such number.
    fn fingerprint(&self) -> u64;

    /// The features of `windows`, `[frames, windows, inputs]` (see [`Window::frame`]). Random numbers, if any, must follow from
    /// `step` alone, so that a resumed run goes on as it would have.
    ///
    /// # Errors
    /// A message for the user.
    fn gather(&mut self, step: u64, windows: &[Window], frames: usize) -> Result<Array3<f32>, String>;

    /// All features `[frames, inputs]` of validation sequence `index`, with the averaged parameters.
    ///
    /// # Errors
    /// A message for the user.
    fn validation(&mut self, index: usize) -> Result<ArcArray2<f32>, String>;

    /// Whether there is anything to train.
    fn learns(&self) -> bool {
        false
    }

    /// Computes the gradient by its own parameters from `dx[frames, windows, inputs]`, the loss's gradient by what the last
    /// `gather` returned. Returns the square of the gradient's norm.
    ///
    /// # Errors
    /// A message for the user.
    fn backward(&mut self, _dx: ArrayView3<'_, f32>) -> Result<f64, String> {
        Ok(0.0)
    }

    /// One step of its optimiser along the gradient of the last `backward`.
    ///
    /// # Errors
    /// A message for the user.
    fn update(&mut self, _step: InputsStep) -> Result<(), String> {
        Ok(())
    }

    /// Parameters and their average as bytes. The optimiser's moments start anew after this call, so that a run that is resumed
    /// from these bytes goes on as this one does.
    ///
    /// # Errors
    /// A message for the user.
    fn save(&mut self) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }

    /// Takes back what `save` returned.
    ///
    /// # Errors
    /// A message for the user: bytes of another layer.
    fn restore(&mut self, _bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// One optimiser step of a layer that is trained together with the RNN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputsStep {
    /// Learning rate.
    pub rate: f32,
    /// Weight decay per unit of learning rate.
    pub decay: f32,
    /// Factor on the gradient: below 1 where the common norm was clipped.
    pub scale: f32,
    /// Share of the averaged parameters that stays.
    pub keep: f32,
}

/// Features computed beforehand.
pub struct FixedFeatures {
    inputs: usize,
    training: Vec<Vec<ArcArray2<f32>>>,
    validation: Vec<ArcArray2<f32>>,
}

/// Sequences to train on and to validate on.
pub struct TrainingData<'a> {
    /// Sequences to learn from.
    pub training: &'a [Sequence],
    /// Number of validation sequences: run whole, from a cold start, to measure error and savings.
    pub validation: usize,
    /// The features of both.
    pub inputs: &'a mut dyn SequenceInputs,
    /// The loss, with the targets of both.
    pub loss: &'a dyn Loss,
}

impl FixedFeatures {
    /// Features `[frames, inputs]` of each version of each training sequence, and of the validation sequences.
    ///
    /// # Errors
    /// [`TrainError::Sequence`] for features of another shape, or that are not finite.
    pub fn new(
        inputs: usize,
        training: Vec<Vec<ArcArray2<f32>>>,
        validation: Vec<ArcArray2<f32>>,
    ) -> Result<Self, TrainError> {
        let named = training.iter().enumerate().flat_map(|(index, versions)| {
            versions.iter().enumerate().map(move |(version, x)| (format!("training {index}, version {version}"), x))
        });
        let all = named.chain(validation.iter().enumerate().map(|(index, x)| (format!("validation {index}"), x)));
        for (name, features) in all {
            let expected = [features.nrows(), inputs];
            if features.shape() != expected || features.nrows() == 0 {
                let problem = format!("features of shape {:?}, expected [1 or more, {inputs}]", features.shape());
                return Err(TrainError::Sequence { name, problem });
            }
            if let Some(((frame, feature), value)) = features.indexed_iter().find(|(_, x)| !x.is_finite()) {
                let problem = format!("feature {feature} of frame {frame} is {value}");
                return Err(TrainError::Sequence { name, problem });
            }
        }
        Ok(Self { inputs, training, validation })
    }

    /// The training sequences, by their features: named by their index, without gaps.
    pub fn sequences(&self) -> Vec<Sequence> {
        let of = |(index, versions): (usize, &Vec<ArcArray2<f32>>)| Sequence {
            versions: versions.len(),
            ..Sequence::new(index.to_string(), versions.first().map_or(0, |x| x.nrows()))
        };
        self.training.iter().enumerate().map(of).collect()
    }
}

impl SequenceInputs for FixedFeatures {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn fingerprint(&self) -> u64 {
        let all = self.training.iter().flatten().chain(&self.validation);
        fnv1a(all.flat_map(|x| [x.nrows() as u64].into_iter().chain(x.iter().map(|x| u64::from(x.to_bits())))))
    }

    fn gather(&mut self, _step: u64, windows: &[Window], frames: usize) -> Result<Array3<f32>, String> {
        let mut x = Array3::zeros((frames, windows.len(), self.inputs));
        for (w, window) in windows.iter().enumerate() {
            let features = &self.training[window.sequence][window.version];
            for t in 0..frames {
                x.slice_mut(s![t, w, ..]).assign(&features.row(window.frame(t)));
            }
        }
        Ok(x)
    }

    fn validation(&mut self, index: usize) -> Result<ArcArray2<f32>, String> {
        Ok(self.validation[index].clone())
    }
}

/// FNV-1a: enough to notice other data.
pub(super) fn fnv1a(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |hash, value| (hash ^ value).wrapping_mul(0x0100_0000_01b3))
}
