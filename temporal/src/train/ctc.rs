//! Connectionist temporal classification (Graves et al., ICML 2006): labels without their places in time.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::data::{Window, fnv1a};
use super::error::TrainError;
use super::loss::{Loss, argmax, check_labels, log_softmax};

/// The output that stands for "no label", as in `torch.nn.CTCLoss`.
pub const BLANK: usize = 0;

/// CTC over a softmax at every frame; validation reports the edit distance of greedy decoding over the number of labels (the
/// phone or word error rate). Sequences shorter than their labels need have no weight.
pub struct Ctc {
    training: Vec<Vec<usize>>,
    validation: Vec<Vec<usize>>,
}

impl Ctc {
    /// The labels of each training and validation sequence, from 1 to `outputs - 1`; output 0 is the blank.
    ///
    /// # Errors
    /// [`TrainError::Target`] names the sequence whose label is not in the set.
    pub fn new(outputs: usize, training: Vec<Vec<usize>>, validation: Vec<Vec<usize>>) -> Result<Self, TrainError> {
        check_labels(outputs, 1, training.iter().chain(&validation).map(Vec::as_slice))?;
        Ok(Self { training, validation })
    }
}

/// Frames that a sequence with these labels must have: one for each label, and a blank between equal ones.
pub fn frames_needed(labels: &[usize]) -> usize {
    labels.len() + labels.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// The most likely label of each frame, repetitions merged and blanks left out.
pub fn greedy(outputs: ArrayView2<'_, f32>) -> Vec<usize> {
    let mut labels: Vec<usize> = outputs.rows().into_iter().map(argmax).collect();
    labels.dedup();
    labels.retain(|label| *label != BLANK);
    labels
}

/// Insertions, deletions and substitutions that turn `a` into `b` (Levenshtein 1966).
pub fn edit_distance(a: &[usize], b: &[usize]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

impl Loss for Ctc {
    fn loss(&self, window: &Window, outputs: ArrayView2<'_, f32>, mut gradient: ArrayViewMut2<'_, f32>) -> (f64, f64) {
        let labels = &self.training[window.sequence];
        if outputs.nrows() < frames_needed(labels) {
            return (0.0, 0.0);
        }
        let logs: Vec<Vec<f64>> = outputs.rows().into_iter().map(log_softmax).collect();
        // Labels with a blank before, between and behind them.
        let path: Vec<usize> =
            (0..2 * labels.len() + 1).map(|s| if s % 2 == 0 { BLANK } else { labels[s / 2] }).collect();
        let alpha = forward(&logs, &path, false);
        let beta = forward(&logs, &path, true);
        let (frames, last) = (logs.len(), path.len() - 1);
        let before_last = if last > 0 { alpha[frames - 1][last - 1] } else { f64::NEG_INFINITY };
        let total = log_add(alpha[frames - 1][last], before_last);
        for t in 0..frames {
            // p(path through s at t) = alpha beta / y, summed over the places of each label.
            let mut occupancy = vec![f64::NEG_INFINITY; logs[t].len()];
            for (s, label) in path.iter().enumerate() {
                let through = alpha[t][s] + beta[t][s] - logs[t][*label];
                occupancy[*label] = log_add(occupancy[*label], through);
            }
            for (output, log) in logs[t].iter().enumerate() {
                gradient[[t, output]] = (log.exp() - (occupancy[output] - total).exp()) as f32;
            }
        }
        (-total, 1.0)
    }

    fn error(&self, outputs: &[Array2<f32>]) -> f64 {
        let pairs = outputs.iter().zip(&self.validation);
        let errors: usize = pairs.map(|(outputs, labels)| edit_distance(&greedy(outputs.view()), labels)).sum();
        errors as f64 / self.validation.iter().map(Vec::len).sum::<usize>().max(1) as f64
    }

    fn fingerprint(&self) -> u64 {
        let all = self.training.iter().chain(&self.validation);
        fnv1a(all.flat_map(|labels| labels.iter().map(|label| *label as u64).chain([u64::MAX])))
    }
}

/// Log-probabilities `[frames][path]` of all ways to reach (backward: to leave) each place of the path, its own output included.
fn forward(logs: &[Vec<f64>], path: &[usize], backward: bool) -> Vec<Vec<f64>> {
    let (frames, places) = (logs.len(), path.len());
    let mut ways = vec![vec![f64::NEG_INFINITY; places]; frames];
    // Time and places run backwards for the backward pass.
    let at = |t: usize| if backward { frames - 1 - t } else { t };
    let place = |s: usize| if backward { places - 1 - s } else { s };
    for s in 0..places.min(2) {
        ways[at(0)][place(s)] = logs[at(0)][path[place(s)]];
    }
    for t in 1..frames {
        for s in 0..places {
            let before = &ways[at(t - 1)];
            let mut sum = before[place(s)];
            if s >= 1 {
                sum = log_add(sum, before[place(s - 1)]);
            }
            // A blank between two labels may be skipped unless they are equal.
            if s >= 2 && path[place(s)] != BLANK && path[place(s)] != path[place(s - 2)] {
                sum = log_add(sum, before[place(s - 2)]);
            }
            ways[at(t)][place(s)] = sum + logs[at(t)][path[place(s)]];
        }
    }
    ways
}

/// `log(e^a + e^b)`.
fn log_add(a: f64, b: f64) -> f64 {
    let (large, small) = if a > b { (a, b) } else { (b, a) };
    if small == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Window {
        Window { sequence: 0, version: 0, start: 0, frames: 6, stream: 0 }
    }

    fn outputs() -> Array2<f32> {
        Array2::from_shape_fn((6, 4), |(t, k)| ((3 * t + 5 * k) as f32 * 0.7).sin() * 2.0)
    }

    /// The loss is the log of the sum over all paths that collapse to the labels; its gradient is its slope.
    #[test]
    fn loss_is_the_sum_over_all_paths_and_gradient_its_slope() {
        for labels in [vec![], vec![2], vec![1, 3], vec![1, 1], vec![3, 1, 3]] {
            let ctc = Ctc::new(4, vec![labels.clone()], vec![]).unwrap();
            let logs: Vec<Vec<f64>> = outputs().rows().into_iter().map(log_softmax).collect();
            let mut all = 0.0;
            for code in 0..4usize.pow(6) {
                let path: Vec<usize> = (0..6).map(|t| code / 4usize.pow(t) % 4).collect();
                let mut collapsed = path.clone();
                collapsed.dedup();
                collapsed.retain(|label| *label != BLANK);
                if collapsed == labels {
                    all += path.iter().zip(&logs).map(|(label, logs)| logs[*label]).sum::<f64>().exp();
                }
            }
            let mut gradient = Array2::zeros((6, 4));
            let (loss, weight) = ctc.loss(&window(), outputs().view(), gradient.view_mut());
            assert!((loss + all.ln()).abs() < 1e-9 && weight == 1.0, "{labels:?} {loss} {}", -all.ln());
            for at in [(0, 0), (2, 1), (5, 3), (3, 2)] {
                let moved = |d: f32| {
                    let mut outputs = outputs();
                    outputs[at] += d;
                    ctc.loss(&window(), outputs.view(), Array2::zeros((6, 4)).view_mut()).0
                };
                let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                assert!((slope - f64::from(gradient[at])).abs() < 1e-3, "{labels:?} {at:?} {slope} {}", gradient[at]);
            }
        }
    }

    #[test]
    fn short_sequences_have_no_weight_and_labels_are_checked() {
        assert_eq!([&[][..], &[1, 2], &[1, 1, 1]].map(frames_needed), [0, 2, 5]);
        let ctc = Ctc::new(4, vec![vec![1, 1, 2, 2]], vec![]).unwrap();
        let mut gradient = Array2::zeros((5, 4));
        assert_eq!(ctc.loss(&window(), Array2::zeros((5, 4)).view(), gradient.view_mut()), (0.0, 0.0));
        assert!(gradient.iter().all(|g| *g == 0.0));
        for labels in [vec![0], vec![4]] {
            let error = Ctc::new(4, vec![vec![1], labels], vec![]).err().unwrap().to_string();
            assert!(error.contains("sequence 1 has label") && error.contains("expected 1 to 3"), "{error}");
        }
    }

    #[test]
    fn decoding_and_distance() {
        let best = [0, 2, 2, 0, 2, 1, 1, 0];
        let outputs = Array2::from_shape_fn((8, 3), |(t, k)| if best[t] == k { 1.0 } else { 0.0 });
        assert_eq!(greedy(outputs.view()), [2, 2, 1]);
        for (a, b, distance) in
            [(&[1, 2, 3][..], &[1, 2, 3][..], 0), (&[], &[1, 2], 2), (&[1, 2, 3], &[2, 3, 4], 2), (&[5], &[], 1)]
        {
            assert_eq!((edit_distance(a, b), edit_distance(b, a)), (distance, distance));
        }
    }
}
