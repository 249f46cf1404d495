//! The shift between two profiles by normalised cross-correlation.

use super::config::REACH;

/// A window whose deviation is below this, in grey levels, has nothing to follow.
const LEAST_DEVIATION: f32 = 0.05;

/// Where a window's content was before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    /// What is at column x now was at x + `columns`.
    pub columns: f32,
    /// The correlation there, 0 to 1; 0 where the best place lies at the end of the reach or there is nothing to follow.
    pub confidence: f32,
}

/// Multiply-accumulates of one [`find`] on a window of `width` columns.
pub(super) fn macs(width: usize) -> u64 {
    // A dot product and its norm for each shift, mean and norm of the window itself.
    ((2 * REACH + 1) * 3 * width + 3 * width) as u64
}

/// Finds what `now[left..right]` was in `before`; the peak is placed between columns by a parabola through its neighbours.
pub(super) fn find(now: &[f32], before: &[f32], [left, right]: [usize; 2]) -> Shift {
    const NONE: Shift = Shift { columns: 0.0, confidence: 0.0 };
    let n = right - left;
    let mut centred = [0.0f32; 320];
    let centred = &mut centred[..n];
    let mean = now[left..right].iter().sum::<f32>() / n as f32;
    centred.iter_mut().zip(&now[left..right]).for_each(|(to, from)| *to = from - mean);
    let norm = centred.iter().map(|value| value * value).sum::<f32>().sqrt();
    let least = LEAST_DEVIATION * (n as f32).sqrt();
    if norm < least {
        return NONE;
    }
    let mut correlation = [0.0f32; 2 * REACH + 1];
    for (d, correlation) in correlation.iter_mut().enumerate() {
        let past = &before[left + d - REACH..right + d - REACH];
        let (mut dot, mut sum, mut squares) = ([0.0f32; 8], [0.0f32; 8], [0.0f32; 8]);
        // Eight sums side by side fill a vector register.
        for (past, centred) in past.chunks(8).zip(centred.chunks(8)) {
            for (i, (past, centred)) in past.iter().zip(centred).enumerate() {
                dot[i] += past * centred;
                sum[i] += past;
                squares[i] += past * past;
            }
        }
        let [dot, sum, squares] = [dot, sum, squares].map(|part| part.iter().sum::<f32>());
        let past_norm = (squares - sum * sum / n as f32).max(0.0).sqrt();
        // `centred` sums to zero, so the past's mean need not be taken away in the product.
        *correlation = if past_norm < least { 0.0 } else { dot / (norm * past_norm) };
    }
    let best = (0..correlation.len()).fold(0, |best, d| if correlation[d] > correlation[best] { d } else { best });
    if best == 0 || best + 1 == correlation.len() || correlation[best] <= 0.0 {
        return NONE;
    }
    let [a, b, c] = [correlation[best - 1], correlation[best], correlation[best + 1]];
    let bend = a - 2.0 * b + c;
    let between = if bend < -1e-9 { (0.5 * (a - c) / bend).clamp(-0.5, 0.5) } else { 0.0 };
    Shift { columns: best as f32 - REACH as f32 + between, confidence: b.min(1.0) }
}
