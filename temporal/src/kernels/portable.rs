//! Plain loops, for every processor.

use crate::{gru::Sent, naive::sigmoid};

/// Compares `values` with `refs`; those that moved by `theta` or more go into `sent`, and their references follow.
pub(crate) fn scan(values: &[f32], refs: &mut [f32], theta: f32, sent: &mut Sent) {
    sent.columns.clear();
    sent.deltas.clear();
    for (j, (value, reference)) in values.iter().zip(refs).enumerate() {
        let delta = value - *reference;
        if delta.abs() >= theta && delta != 0.0 {
            sent.columns.push(j as u32);
            sent.deltas.push(delta);
            *reference = *value;
        }
    }
}

/// Adds the sent columns `[_][3 * padded]` times their deltas to `sums[4 * padded]`. The candidate's part of a column
/// goes into quarter `candidate` of the sums: 2 for inputs, 3 for hidden units.
pub(crate) fn walk(columns: &[f32], padded: usize, sent: &Sent, sums: &mut [f32], candidate: usize) {
    for (j, delta) in sent.iter() {
        let column = &columns[j as usize * 3 * padded..][..3 * padded];
        let (gates, last) = column.split_at(2 * padded);
        sums[..2 * padded].iter_mut().zip(gates).for_each(|(m, w)| *m += w * delta);
        sums[candidate * padded..][..padded].iter_mut().zip(last).for_each(|(m, w)| *m += w * delta);
    }
}

/// The gates and the new hidden state `[padded]` from the sums.
pub(crate) fn gates(sums: &[f32], padded: usize, hidden: &mut [f32]) {
    for (i, h) in hidden.iter_mut().enumerate() {
        let r = sigmoid(sums[i]);
        let u = sigmoid(sums[padded + i]);
        let c = (sums[2 * padded + i] + r * sums[3 * padded + i]).tanh();
        *h = c + u * (*h - c);
    }
}
