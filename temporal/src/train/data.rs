//! Drives to train on, and random windows of them.

use std::sync::Arc;

use ndarray::{ArcArray2, Array3, ArrayView3, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::error::TrainError;

/// Steering of one version of a drive (as recorded, mirrored, shifted, ...).
#[derive(Clone, Debug)]
pub struct Labels {
    /// Steering-wheel angle per frame, radians, positive to the left; NaN: unlabelled, no loss there.
    pub steering_rad: Arc<[f32]>,
    /// A teacher's angle per frame, radians, or NaN; used in the share that `loss.teacher_share` says.
    pub teacher_rad: Option<Arc<[f32]>>,
}

/// What the trainer knows of a drive; the features come from [`SequenceInputs`].
#[derive(Clone, Debug)]
pub struct DriveLabels {
    /// Name for messages.
    pub name: String,
    /// Frames after which time jumps: no window crosses them.
    pub gaps_after: Vec<usize>,
    /// At least one; all of the same length. Validation uses the first.
    pub versions: Vec<Labels>,
}

impl DriveLabels {
    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.versions.first().map_or(0, |v| v.steering_rad.len())
    }
}

/// A stretch of a training drive, in one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Index of the drive.
    pub drive: usize,
    /// Index of its version.
    pub version: usize,
    /// First frame.
    pub start: usize,
    /// Frames that the drive has there: the window's length, or fewer at a short stretch. Further frames repeat the last.
    pub frames: usize,
    /// Number of the walk along the road that this window belongs to: windows that follow on share it, with the cell's state.
    pub walk: u64,
}

impl Window {
    /// The drive's frame that stands at place `t` of the window.
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

    /// All features `[frames, inputs]` of validation drive `drive`, with the averaged parameters.
    ///
    /// # Errors
    /// A message for the user.
    fn validation(&mut self, drive: usize) -> Result<ArcArray2<f32>, String>;

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

/// A drive with features that do not change in training.
#[derive(Clone, Debug)]
pub struct FeatureDrive {
    /// Name, gaps and labels.
    pub labels: DriveLabels,
    /// Features `[frames, inputs]`, one array for each version of the labels.
    pub features: Vec<ArcArray2<f32>>,
}

/// Features computed beforehand.
pub struct FixedFeatures {
    inputs: usize,
    training: Vec<Vec<ArcArray2<f32>>>,
    validation: Vec<ArcArray2<f32>>,
}

/// The drives to train on and those to validate on.
pub struct TrainingData<'a> {
    /// Drives to learn from.
    pub training: Vec<DriveLabels>,
    /// Drives streamed whole, from a cold start, to measure error and savings.
    pub validation: Vec<DriveLabels>,
    /// The features of both.
    pub inputs: &'a mut dyn SequenceInputs,
}

impl FixedFeatures {
    /// Takes the features of the training and validation drives (of these the first version).
    ///
    /// # Errors
    /// [`TrainError::Drive`] if a drive's features are not `frames * inputs` finite numbers for each version.
    pub fn new(inputs: usize, training: &[FeatureDrive], validation: &[FeatureDrive]) -> Result<Self, TrainError> {
        for drive in training.iter().chain(validation) {
            check_features(inputs, drive)?;
        }
        Ok(Self {
            inputs,
            training: training.iter().map(|d| d.features.clone()).collect(),
            validation: validation.iter().map(|d| d.features[0].clone()).collect(),
        })
    }
}

fn check_features(inputs: usize, drive: &FeatureDrive) -> Result<(), TrainError> {
    let fail = |problem: String| Err(TrainError::Drive { drive: drive.labels.name.clone(), problem });
    if drive.features.is_empty() || drive.features.len() != drive.labels.versions.len() {
        return fail(format!(
            "{} feature arrays for {} versions of the labels",
            drive.features.len(),
            drive.labels.versions.len()
        ));
    }
    for (version, features) in drive.features.iter().enumerate() {
        let expected = [drive.labels.frames(), inputs];
        if features.shape() != expected {
            return fail(format!("version {version} has features {:?}, expected {expected:?}", features.shape()));
        }
        if let Some(((frame, feature), value)) = features.indexed_iter().find(|(_, x)| !x.is_finite()) {
            return fail(format!("version {version}: feature {feature} of frame {frame} is {value}"));
        }
    }
    Ok(())
}

impl SequenceInputs for FixedFeatures {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn fingerprint(&self) -> u64 {
        let arrays = self.training.iter().flatten().chain(&self.validation);
        fnv1a(arrays.flat_map(|array| array.iter().map(|x| u64::from(x.to_bits()))))
    }

    fn gather(&mut self, _step: u64, windows: &[Window], frames: usize) -> Result<Array3<f32>, String> {
        let mut x = Array3::zeros((frames, windows.len(), self.inputs));
        for (w, window) in windows.iter().enumerate() {
            let features = &self.training[window.drive][window.version];
            for t in 0..frames {
                x.slice_mut(s![t, w, ..]).assign(&features.row(window.frame(t)));
            }
        }
        Ok(x)
    }

    fn validation(&mut self, drive: usize) -> Result<ArcArray2<f32>, String> {
        Ok(self.validation[drive].clone())
    }
}

/// FNV-1a: enough to notice other data.
pub(super) fn fnv1a(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |hash, value| (hash ^ value).wrapping_mul(0x0100_0000_01b3))
}

/// Draws windows, each start equally often.
pub(super) struct WindowSampler {
    /// Drive, first frame, frames; without stretches that are too short to learn from.
    stretches: Vec<(usize, usize, usize)>,
    /// Running sum of the stretches' starts.
    starts: Vec<usize>,
    versions: Vec<usize>,
    window: usize,
}

impl WindowSampler {
    /// Checks the drives and finds their unbroken stretches; those not longer than `burn_in` are left out.
    pub fn new(drives: &[DriveLabels], window: usize, burn_in: usize) -> Result<Self, TrainError> {
        let mut stretches = Vec::new();
        let mut starts = Vec::new();
        let mut total = 0;
        for (index, drive) in drives.iter().enumerate() {
            check_labels(drive)?;
            let mut ends: Vec<usize> =
                drive.gaps_after.iter().map(|gap| gap + 1).filter(|end| *end < drive.frames()).collect();
            ends.push(drive.frames());
            ends.sort_unstable();
            let mut start = 0;
            for end in ends {
                if end > start + burn_in {
                    stretches.push((index, start, end - start));
                    total += (end - start).saturating_sub(window) + 1;
                    starts.push(total);
                }
                start = end;
            }
        }
        if total == 0 {
            let problem = format!("no unbroken stretch of more than {burn_in} frames (`burn_in`) to learn from");
            return Err(TrainError::Drive { drive: "all training drives".into(), problem });
        }
        Ok(Self { stretches, starts, versions: drives.iter().map(|d| d.versions.len()).collect(), window })
    }

    /// The window that follows on `window`, if its stretch goes on for a whole window more.
    pub fn next(&self, window: &Window) -> Option<Window> {
        let start = window.start + window.frames;
        let goes_on = |(drive, first, length): &(usize, usize, usize)| {
            *drive == window.drive && start >= *first && start + self.window <= first + length
        };
        let found = window.frames == self.window && self.stretches.iter().any(goes_on);
        found.then_some(Window { start, ..*window })
    }

    /// One window, the first of walk number `walk`.
    pub fn draw(&self, rng: &mut impl Rng, walk: u64) -> Window {
        let place = rng.random_range(0..self.starts[self.starts.len() - 1]);
        let found = self.starts.partition_point(|end| *end <= place);
        let (drive, first, length) = self.stretches[found];
        let offset = place - if found == 0 { 0 } else { self.starts[found - 1] };
        let version = rng.random_range(0..self.versions[drive]);
        Window { drive, version, start: first + offset, frames: length.min(self.window), walk }
    }
}

pub(super) fn check_labels(drive: &DriveLabels) -> Result<(), TrainError> {
    let fail = |problem: String| Err(TrainError::Drive { drive: drive.name.clone(), problem });
    if drive.frames() == 0 {
        return fail("no frames".into());
    }
    for (version, labels) in drive.versions.iter().enumerate() {
        let teacher = labels.teacher_rad.as_ref().map_or(drive.frames(), |t| t.len());
        if labels.steering_rad.len() != drive.frames() || teacher != drive.frames() {
            let found = labels.steering_rad.len();
            return fail(format!(
                "version {version} has {found} labels and {teacher} of a teacher, expected {}",
                drive.frames()
            ));
        }
        if labels.steering_rad.iter().any(|x| x.is_infinite()) {
            return fail(format!("version {version} has an infinite steering angle"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn drive(frames: usize, gaps_after: Vec<usize>) -> DriveLabels {
        let labels = Labels { steering_rad: vec![0.1; frames].into(), teacher_rad: None };
        DriveLabels { name: "test".into(), gaps_after, versions: vec![labels.clone(), labels] }
    }

    #[test]
    fn windows_never_cross_a_gap_and_reach_every_frame() {
        let drives = [drive(50, vec![19, 22]), drive(5, vec![])];
        let sampler = WindowSampler::new(&drives, 8, 3).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut seen = [vec![false; 50], vec![false; 5]];
        let mut followed = 0;
        for _ in 0..3000 {
            let w = sampler.draw(&mut rng, 0);
            let next = sampler.next(&w);
            let last = w.frame(7);
            assert!(w.version < 2);
            assert!(w.drive == 1 || last <= 19 || w.start >= 23, "{w:?} crosses a gap");
            if let Some(next) = next {
                assert_eq!((next.start, next.drive, next.version), (w.start + 8, w.drive, w.version));
                assert!(next.start + 8 <= 20 || next.start >= 23, "{next:?} crosses a gap");
                followed += 1;
            }
            (w.start..=last).for_each(|frame| seen[w.drive][frame] = true);
        }
        let unseen: Vec<usize> = (0..50).filter(|f| !seen[0][*f]).collect();
        assert_eq!(unseen, [20, 21, 22], "only the stretch of three frames is too short");
        assert!(followed > 1000 && followed < 2999, "{followed}");
        assert!(seen[1].iter().all(|s| *s));
    }

    #[test]
    fn bad_drives_are_named() {
        let short = Labels { steering_rad: vec![0.0; 4].into(), teacher_rad: None };
        let mut odd = drive(5, vec![]);
        odd.versions.push(short);
        let error = WindowSampler::new(&[odd], 8, 0).err().unwrap().to_string();
        assert!(error.contains("`test`") && error.contains("version 2 has 4 labels"), "{error}");
        let drive = FeatureDrive {
            labels: drive(2, vec![]),
            features: vec![ndarray::arr2(&[[0.0, f32::NAN], [0.0, 0.0]]).into(); 2],
        };
        let error = FixedFeatures::new(2, &[drive], &[]).err().unwrap().to_string();
        assert!(error.contains("feature 1 of frame 0 is NaN"), "{error}");
    }
}
