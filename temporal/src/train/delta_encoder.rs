//! The delta encoder in training, forward and backward.
//!
//! The pre-activations of a delta GRU are `W * reference + bias`. So in training it equals an ordinary GRU that is fed with
//! references: `reference_t = value_t` where `|value_t - reference_{t-1}| >= theta`, else `reference_{t-1}`.
//!
//! Gradient: the comparison is treated as fixed (straight-through), so `dL/d reference_t` goes to the value where it was
//! transmitted and to the older reference where not. A learned threshold sees the comparison as
//! `sigmoid((|delta| - theta) / width)`.

use super::activation::sigmoid;

/// What one encoder stores over many time steps for the backward pass; each array is `[frames][batch][units]`.
#[derive(Default)]
pub(super) struct DeltaTape {
    /// The reference after each step.
    pub reference: Vec<f32>,
    /// Value less the reference before the step, whether transmitted or not.
    pub delta: Vec<f32>,
    /// 1 where transmitted, else 0.
    pub mask: Vec<f32>,
    /// The reference before the first step `[batch][units]`.
    start: Vec<f32>,
    /// Frames of each sequence of the batch; behind them nothing is transmitted.
    lengths: Vec<usize>,
}

impl DeltaTape {
    /// Makes room for `len` values (their content is not kept) and starts from the reference `start[batch][units]`.
    pub fn begin(&mut self, len: usize, start: &[f32], lengths: &[usize]) {
        self.start.clear();
        self.start.extend_from_slice(start);
        self.lengths.clear();
        self.lengths.extend_from_slice(lengths);
        for array in [&mut self.reference, &mut self.delta, &mut self.mask] {
            array.resize(len, 0.0);
        }
    }

    /// Encodes step `t` of `values[batch][units]`.
    pub fn step(&mut self, t: usize, values: &[f32], theta: f32) {
        let n = values.len();
        let (before, now) = self.reference.split_at_mut(t * n);
        let older = if t > 0 { &before[(t - 1) * n..] } else { &self.start[..] };
        let delta = &mut self.delta[t * n..(t + 1) * n];
        let mask = &mut self.mask[t * n..(t + 1) * n];
        let units = n / self.lengths.len();
        for (b, length) in self.lengths.iter().enumerate() {
            let row = b * units..(b + 1) * units;
            if t >= *length {
                delta[row.clone()].fill(0.0);
                mask[row.clone()].fill(0.0);
                now[row.clone()].copy_from_slice(&older[row]);
                continue;
            }
            for at in row {
                let old = older[at];
                let d = values[at] - old;
                let active = d.abs() >= theta;
                delta[at] = d;
                mask[at] = if active { 1.0 } else { 0.0 };
                now[at] = if active { values[at] } else { old };
            }
        }
    }

    /// The reference after the last step `[batch][units]`.
    pub fn end(&self) -> &[f32] {
        &self.reference[self.reference.len() - self.start.len()..]
    }

    /// The reference before the first step `[batch][units]`.
    pub fn start(&self) -> &[f32] {
        &self.start
    }

    /// Sequences in the batch.
    pub fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Share of the values of steps `from..to` that was transmitted.
    pub fn active_share(&self, from: usize, to: usize) -> f32 {
        let mask = &self.mask[from * self.start.len()..to * self.start.len()];
        mask.chunks(4096).map(|mask| mask.iter().sum::<f32>()).sum::<f32>() / mask.len() as f32
    }

    /// Number of transmitted, non-zero deltas and their summed magnitude, from element `from` on.
    pub fn events(&self, from: usize) -> (u64, f64) {
        let (delta, mask) = (&self.delta[from..], &self.mask[from..]);
        let mut count = 0;
        let mut sum = 0.0;
        for (delta, mask) in delta.chunks(4096).zip(mask.chunks(4096)) {
            let moved = |(d, m): (&f32, &f32)| (*m > 0.0) & (*d != 0.0);
            count += delta.iter().zip(mask).map(|pair| u32::from(moved(pair))).sum::<u32>();
            sum += f64::from(delta.iter().zip(mask).map(|(d, m)| d.abs() * m).sum::<f32>());
        }
        (u64::from(count), sum)
    }
}

/// Costs on what is transmitted, as factors of the summed quantity.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeltaCost {
    /// On `sum |delta|` over transmitted deltas.
    pub l1: f32,
    /// On `sum sigmoid((|delta| - theta) / width)`, the smooth number of events.
    pub event: f32,
    /// `width / theta` of that sigmoid.
    pub width: f32,
}

/// Step `t` backward. `carry[batch][units]` holds `dL/d reference_t` and leaves as `dL/d reference_{t-1}`; the gradient by the
/// values is added to `d_values`, that by the threshold's logarithm to `d_log_theta[units]` where it is learned.
pub(super) fn step_backward(
    tape: &DeltaTape,
    t: usize,
    theta: f32,
    cost: DeltaCost,
    carry: &mut [f32],
    d_values: &mut [f32],
    d_log_theta: Option<&mut [f32]>,
) {
    let n = carry.len();
    let delta = &tape.delta[t * n..(t + 1) * n];
    let mask = &tape.mask[t * n..(t + 1) * n];
    let d_values = &mut d_values[..n];
    if let Some(d_log_theta) = d_log_theta {
        return step_backward_smooth(tape, t, theta, cost, carry, d_values, d_log_theta);
    }
    for i in 0..n {
        let pull = cost.l1 * mask[i] * sign(delta[i]);
        d_values[i] += carry[i] * mask[i] + pull;
        carry[i] = carry[i] * (1.0 - mask[i]) - pull;
    }
}

/// As [`step_backward`], with the smooth event count and the threshold's own gradient.
fn step_backward_smooth(
    tape: &DeltaTape,
    t: usize,
    theta: f32,
    cost: DeltaCost,
    carry: &mut [f32],
    d_values: &mut [f32],
    d_log_theta: &mut [f32],
) {
    let n = carry.len();
    let (delta, mask) = (&tape.delta[t * n..(t + 1) * n], &tape.mask[t * n..(t + 1) * n]);
    let units = n / tape.batch();
    let width = (cost.width * theta).max(1e-6);
    for (b, length) in tape.lengths.iter().enumerate() {
        if t >= *length {
            continue;
        }
        for u in 0..units {
            let i = b * units + u;
            let s = sigmoid((delta[i].abs() - theta) / width);
            let slope = s * (1.0 - s) / width;
            d_log_theta[u] -= slope * (cost.event + carry[i] * delta[i]) * theta;
            let pull = (cost.l1 * mask[i] + cost.event * slope) * sign(delta[i]);
            d_values[i] += carry[i] * mask[i] + pull;
            carry[i] = carry[i] * (1.0 - mask[i]) - pull;
        }
    }
}

/// -1, 0 or 1.
#[inline(always)]
pub(super) fn sign(x: f32) -> f32 {
    (if x > 0.0 { 1.0 } else { 0.0 }) - (if x < 0.0 { 1.0 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One encoder from zero: `cost = event * sum s + g . (s * delta)` with the smooth comparison s, as a function of theta.
    #[test]
    fn gradient_of_a_learned_threshold_is_that_of_the_smooth_comparison() {
        let (values, theta, g) = ([0.5f32, -0.28, 0.1, 0.33], 0.3f32, [0.2f32, -0.4, 0.9, 0.6]);
        let cost = DeltaCost { l1: 0.0, event: 0.7, width: 0.25 };
        let mut tape = DeltaTape::default();
        tape.begin(4, &[0.0; 4], &[1, 1]);
        tape.step(0, &values, theta);
        let (mut carry, mut d_values, mut d_log_theta) = (g, [0.0; 4], [0.0; 2]);
        step_backward(&tape, 0, theta, cost, &mut carry, &mut d_values, Some(&mut d_log_theta));
        for unit in 0..2 {
            let smooth = |theta_moved: f64| -> f64 {
                let of = |i: usize| {
                    let s = 1.0 / (1.0 + (-(f64::from(values[i]).abs() - theta_moved) / f64::from(0.25 * theta)).exp());
                    s * (0.7 + f64::from(g[i] * values[i]))
                };
                of(unit) + of(unit + 2)
            };
            let at = f64::from(theta);
            let expected = (smooth(at + 1e-5) - smooth(at - 1e-5)) / 2e-5 * at;
            assert!(
                (f64::from(d_log_theta[unit]) - expected).abs() < 1e-4 * expected.abs(),
                "{d_log_theta:?} {expected}"
            );
        }
        for i in 0..4 {
            let (pull, active) = (d_values[i] - g[i] * tape.mask[i], tape.mask[i] == 1.0);
            assert!(pull * tape.delta[i] > 0.0, "the event cost reduces every delta, idle ones too");
            assert!(
                (carry[i] + pull - if active { 0.0 } else { g[i] }).abs() < 1e-6,
                "the gradient of a value that is not transmitted goes to the older reference"
            );
        }
    }
}
