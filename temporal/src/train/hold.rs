//! The held reference of a delta network, forward and backward.
//!
//! What a delta GRU has accumulated in its memories is `W * reference + bias`: so in training it equals an ordinary GRU fed
//! with held references, `reference_t = sent_t` where `|sent_t - reference_{t-1}| >= theta`, else `reference_{t-1}`.
//!
//! Gradient: the comparison is treated as fixed (straight-through), so `dL/d reference_t` goes to the sent value where it was
//! transmitted and to the older reference where not. A learned threshold sees the comparison as
//! `sigmoid((|delta| - theta) / width)`.

use super::activation::sigmoid;

/// What one hold over many time steps remembers for the way back; each array is `[frames][batch][units]`.
#[derive(Default)]
pub(super) struct HoldTape {
    /// The reference after each step.
    pub reference: Vec<f32>,
    /// Sent value less the reference before the step, whether transmitted or not.
    pub delta: Vec<f32>,
    /// 1 where transmitted, else 0.
    pub mask: Vec<f32>,
    /// The reference before the first step `[batch][units]`.
    start: Vec<f32>,
}

impl HoldTape {
    /// Makes room for `len` values (what they were is not kept) and starts from the reference `start[batch][units]`.
    pub fn begin(&mut self, len: usize, start: &[f32]) {
        self.start.clear();
        self.start.extend_from_slice(start);
        for array in [&mut self.reference, &mut self.delta, &mut self.mask] {
            array.resize(len, 0.0);
        }
    }

    /// Holds step `t` of `sent[batch][units]`; `theta[units]`.
    pub fn step(&mut self, t: usize, sent: &[f32], theta: &[f32]) {
        let n = sent.len();
        let (before, now) = self.reference.split_at_mut(t * n);
        let older = if t > 0 { &before[(t - 1) * n..] } else { &self.start[..] };
        let delta = &mut self.delta[t * n..(t + 1) * n];
        let mask = &mut self.mask[t * n..(t + 1) * n];
        for row in (0..n).step_by(theta.len()) {
            for i in 0..theta.len() {
                let at = row + i;
                let old = older[at];
                let d = sent[at] - old;
                let send = d.abs() >= theta[i];
                delta[at] = d;
                mask[at] = if send { 1.0 } else { 0.0 };
                now[at] = if send { sent[at] } else { old };
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

    /// Rows of one step.
    pub fn batch(&self, units: usize) -> usize {
        self.start.len() / units
    }

    /// Share of the values of steps `from..to` that was sent.
    pub fn sent_share(&self, from: usize, to: usize) -> f32 {
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

/// Step `t` backward. `carry[batch][units]` holds `dL/d reference_t` and leaves as `dL/d reference_{t-1}`; the gradient of the
/// sent value is added to `d_sent`, that of the thresholds' logarithms to `d_log_theta` where they are learned.
pub(super) fn step_backward(
    tape: &HoldTape,
    t: usize,
    theta: &[f32],
    cost: DeltaCost,
    carry: &mut [f32],
    d_sent: &mut [f32],
    d_log_theta: Option<&mut [f32]>,
) {
    let n = carry.len();
    let delta = &tape.delta[t * n..(t + 1) * n];
    let mask = &tape.mask[t * n..(t + 1) * n];
    let d_sent = &mut d_sent[..n];
    if let Some(d_log_theta) = d_log_theta {
        return step_backward_smooth((delta, mask), theta, cost, carry, d_sent, d_log_theta);
    }
    for i in 0..n {
        let pull = cost.l1 * mask[i] * sign(delta[i]);
        d_sent[i] += carry[i] * mask[i] + pull;
        carry[i] = carry[i] * (1.0 - mask[i]) - pull;
    }
}

/// As [`step_backward`], with the smooth event count and the thresholds' own gradient.
fn step_backward_smooth(
    (delta, mask): (&[f32], &[f32]),
    theta: &[f32],
    cost: DeltaCost,
    carry: &mut [f32],
    d_sent: &mut [f32],
    d_log_theta: &mut [f32],
) {
    let units = theta.len();
    for row in (0..carry.len()).step_by(units) {
        for u in 0..units {
            let i = row + u;
            let width = (cost.width * theta[u]).max(1e-6);
            let s = sigmoid((delta[i].abs() - theta[u]) / width);
            let slope = s * (1.0 - s) / width;
            d_log_theta[u] -= slope * (cost.event + carry[i] * delta[i]) * theta[u];
            let pull = (cost.l1 * mask[i] + cost.event * slope) * sign(delta[i]);
            d_sent[i] += carry[i] * mask[i] + pull;
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

    /// One hold from zero: `cost = event * sum s + g . (s * delta)` with the smooth comparison s, as a function of theta.
    #[test]
    fn gradient_of_a_learned_threshold_is_that_of_the_smooth_comparison() {
        let (sent, theta, g) = ([0.5f32, -0.28, 0.1, 0.33], [0.3f32, 0.25], [0.2f32, -0.4, 0.9, 0.6]);
        let cost = DeltaCost { l1: 0.0, event: 0.7, width: 0.25 };
        let mut tape = HoldTape::default();
        tape.begin(4, &[0.0; 4]);
        tape.step(0, &sent, &theta);
        let (mut carry, mut d_sent, mut d_log_theta) = (g, [0.0; 4], [0.0; 2]);
        step_backward(&tape, 0, &theta, cost, &mut carry, &mut d_sent, Some(&mut d_log_theta));
        for unit in 0..2 {
            let smooth = |moved: f64| -> f64 {
                [unit, unit + 2]
                    .map(|i| {
                        let width = f64::from(0.25 * theta[unit]);
                        let s = 1.0 / (1.0 + (-(f64::from(sent[i]).abs() - moved) / width).exp());
                        s * (0.7 + f64::from(g[i] * sent[i]))
                    })
                    .iter()
                    .sum()
            };
            let at = f64::from(theta[unit]);
            let expected = (smooth(at + 1e-5) - smooth(at - 1e-5)) / 2e-5 * at;
            assert!(
                (f64::from(d_log_theta[unit]) - expected).abs() < 1e-4 * expected.abs(),
                "{} {expected}",
                d_log_theta[unit]
            );
        }
        for i in 0..4 {
            let (pull, sent) = (d_sent[i] - g[i] * tape.mask[i], tape.mask[i] == 1.0);
            assert!(pull * tape.delta[i] > 0.0, "the event cost pulls every delta towards zero, silent ones too");
            assert!(
                (carry[i] + pull - if sent { 0.0 } else { g[i] }).abs() < 1e-6,
                "a held value's gradient goes to the older reference"
            );
        }
    }
}
