//! Losses: what an output costs, its gradient, and the error that validation reports.

use ndarray::{ArcArray2, Array2, ArrayView1, ArrayView2, ArrayViewMut2};

use super::data::{Window, fnv1a};
use super::error::TrainError;

/// A loss with its targets. An own loss implements [`loss`](Self::loss) and [`error`](Self::error).
pub trait Loss: Sync {
    /// The loss of a window and its weight (the batch's loss is the sum of losses over the sum of weights). `outputs` and
    /// `gradient` are `[frames, outputs]`, from frame `window.start` on, or `[1, outputs]` for a pooled head; the loss's
    /// gradient by the outputs is written to `gradient`, which comes as zeros.
    fn loss(&self, window: &Window, outputs: ArrayView2<'_, f32>, gradient: ArrayViewMut2<'_, f32>) -> (f64, f64);

    /// The error on the validation sequences, given the outputs of each; lower is better.
    fn error(&self, outputs: &[Array2<f32>]) -> f64;

    /// A number that changes with any target: a checkpoint belongs to one such number.
    fn fingerprint(&self) -> u64 {
        0
    }
}

/// Squared error at every frame; validation reports the root of its mean.
pub struct Regression {
    training: Vec<Vec<ArcArray2<f32>>>,
    validation: Vec<ArcArray2<f32>>,
}

impl Regression {
    /// Targets `[frames, outputs]` of each version of each training sequence, and of the validation sequences. NaN: no target.
    ///
    /// # Errors
    /// [`TrainError::Target`] for an infinite target.
    pub fn new(training: Vec<Vec<ArcArray2<f32>>>, validation: Vec<ArcArray2<f32>>) -> Result<Self, TrainError> {
        let all = training.iter().flatten().chain(&validation);
        match all.enumerate().find(|(_, targets)| targets.iter().any(|x| x.is_infinite())) {
            Some((index, _)) => Err(TrainError::Target {
                problem: format!("array {index} of the regression targets holds an infinity"),
            }),
            None => Ok(Self { training, validation }),
        }
    }
}

impl Loss for Regression {
    fn loss(&self, window: &Window, outputs: ArrayView2<'_, f32>, mut gradient: ArrayViewMut2<'_, f32>) -> (f64, f64) {
        let targets = &self.training[window.sequence][window.version];
        let (mut sum, mut weight) = (0.0, 0.0);
        for ((t, output), predicted) in outputs.indexed_iter() {
            let target = targets[[window.start + t, output]];
            if !target.is_nan() {
                let e = predicted - target;
                sum += f64::from(e * e);
                gradient[[t, output]] = 2.0 * e;
                weight += 1.0;
            }
        }
        (sum, weight)
    }

    fn error(&self, outputs: &[Array2<f32>]) -> f64 {
        let (mut sum, mut count) = (0.0, 0u64);
        for (outputs, targets) in outputs.iter().zip(&self.validation) {
            for (output, target) in outputs.iter().zip(targets).filter(|(_, target)| !target.is_nan()) {
                sum += (f64::from(*output) - f64::from(*target)).powi(2);
                count += 1;
            }
        }
        (sum / count.max(1) as f64).sqrt()
    }

    fn fingerprint(&self) -> u64 {
        let all = self.training.iter().flatten().chain(&self.validation);
        fnv1a(all.flat_map(|targets| targets.iter().map(|x| u64::from(x.to_bits()))))
    }
}

/// Cross-entropy of a softmax over the classes of a whole sequence, for a pooled head; validation reports the share of sequences
/// whose class is not the one with the largest output.
pub struct CrossEntropy {
    training: Vec<usize>,
    validation: Vec<usize>,
}

impl CrossEntropy {
    /// The class of each training and validation sequence, from 0 to `classes - 1`.
    ///
    /// # Errors
    /// [`TrainError::Target`] names the sequence whose class is not in the set.
    pub fn new(classes: usize, training: Vec<usize>, validation: Vec<usize>) -> Result<Self, TrainError> {
        check_labels(classes, 0, training.iter().chain(&validation).map(std::slice::from_ref))?;
        Ok(Self { training, validation })
    }
}

impl Loss for CrossEntropy {
    fn loss(&self, window: &Window, outputs: ArrayView2<'_, f32>, mut gradient: ArrayViewMut2<'_, f32>) -> (f64, f64) {
        let class = self.training[window.sequence];
        let logs = log_softmax(outputs.row(0));
        for (output, log) in logs.iter().enumerate() {
            gradient[[0, output]] = log.exp() as f32 - if output == class { 1.0 } else { 0.0 };
        }
        (-logs[class], 1.0)
    }

    fn error(&self, outputs: &[Array2<f32>]) -> f64 {
        let wrong = outputs.iter().zip(&self.validation).filter(|(outputs, class)| argmax(outputs.row(0)) != **class);
        wrong.count() as f64 / outputs.len().max(1) as f64
    }

    fn fingerprint(&self) -> u64 {
        fnv1a(self.training.iter().chain(&self.validation).map(|class| *class as u64))
    }
}

/// Refuses labels outside `first..classes`.
pub(super) fn check_labels<'a>(
    classes: usize,
    first: usize,
    sequences: impl Iterator<Item = &'a [usize]>,
) -> Result<(), TrainError> {
    for (index, labels) in sequences.enumerate() {
        if let Some(label) = labels.iter().find(|label| !(first..classes).contains(*label)) {
            let problem = format!("sequence {index} has label {label}; expected {first} to {}", classes.max(1) - 1);
            return Err(TrainError::Target { problem });
        }
    }
    Ok(())
}

/// `log(softmax(row))`.
pub(super) fn log_softmax(row: ArrayView1<'_, f32>) -> Vec<f64> {
    let max = row.iter().fold(f32::NEG_INFINITY, |max, x| max.max(*x));
    let sum: f64 = row.iter().map(|x| f64::from(x - max).exp()).sum();
    row.iter().map(|x| f64::from(x - max) - sum.ln()).collect()
}

/// The output with the largest value; the first of equals.
pub fn argmax(row: ArrayView1<'_, f32>) -> usize {
    let mut best = 0;
    row.iter().enumerate().for_each(|(i, x)| best = if *x > row[best] { i } else { best });
    best
}
