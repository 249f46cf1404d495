//! Whole steps: everything between a feature vector and the new hidden state, compiled once per instruction set.

use super::{
    aligned::{Aligned, LANES},
    columns::Columns,
    gates::{self, Gates},
    scan::{Sent, scan},
    simd::{Op, Simd},
    walk::{List, Sums, walk},
};
use crate::Thresholds;

/// Features beyond this magnitude are refused like infinities: one of them would eat the low bits of the sums for ever.
pub(crate) const MAX_INPUT: f32 = 1e6;

/// What a delta cell remembers. Arrays are padded to whole vectors.
#[derive(Debug, Clone)]
pub(crate) struct DeltaState {
    /// `h`
    pub(crate) hidden: Aligned<f32>,
    pub(crate) x_ref: Aligned<f32>,
    pub(crate) h_ref: Aligned<f32>,
    /// `[M_r | M_u | M_xc | M_hc]`
    pub(crate) sums: Aligned<f32>,
    pub(crate) keep: Aligned<f32>,
    pub(crate) push: Aligned<f32>,
    /// Whether `keep` and `push` belong to the present sums.
    pub(crate) gates_known: bool,
    pub(crate) sent_x: Sent,
    pub(crate) sent_h: Sent,
}

/// What a delta step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An input is NaN, infinite or too large; nothing was touched.
    Refused,
    /// The columns sent were walked.
    Walked,
    /// So many columns were sent that all were walked, and the sums computed anew.
    Whole,
}

/// A step that sends at least this many sixteenths of all columns walks all of them: no slower than their list, and
/// the rounding errors that the sums gathered are gone.
const WHOLE_SIXTEENTHS: usize = 15;

/// One step of the delta GRU.
pub(crate) struct DeltaStep<'a> {
    pub(crate) columns: &'a Columns,
    pub(crate) inputs: usize,
    /// Hidden units, without padding.
    pub(crate) units: usize,
    /// As in [`DenseStep`].
    pub(crate) start: &'a Aligned<f32>,
    /// As in [`DenseStep`].
    pub(crate) every: &'a [u32],
    pub(crate) x: &'a [f32],
    pub(crate) thresholds: Thresholds,
    pub(crate) state: &'a mut DeltaState,
}

impl Op for DeltaStep<'_> {
    type Output = Outcome;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Outcome {
        let Self { columns, inputs, units, start, every, x, thresholds, state } = self;
        let (full, tail) = padded(x);
        if !acceptable(simd, full, &tail) {
            return Outcome::Refused;
        }
        let Thresholds { theta_x, theta_h } = thresholds;
        let (sent_x, sent_h) = (&mut state.sent_x, &mut state.sent_h);
        sent_x.clear();
        sent_h.clear();
        let (refs, tail_refs) = state.x_ref.vectors_mut().split_at_mut(full.len());
        scan(simd, full, refs, theta_x, 0, sent_x);
        scan(simd, &[tail], tail_refs, theta_x, full.len() * LANES, sent_x);
        scan(simd, state.hidden.vectors(), state.h_ref.vectors_mut(), theta_h, 0, sent_h);

        let gates = Gates {
            hidden: state.hidden.vectors_mut(),
            keep: state.keep.vectors_mut(),
            push: state.push.vectors_mut(),
        };
        if sent_x.is_empty() && sent_h.is_empty() && state.gates_known {
            gates::glide(simd, gates);
            return Outcome::Walked;
        }
        let whole = 16 * (sent_x.len() + sent_h.len()) >= WHOLE_SIXTEENTHS * (inputs + units);
        let (list_x, list_h) = if whole {
            state.sums.copy_from_slice(start);
            (
                List { first: 0, columns: &every[..inputs], deltas: &state.x_ref[..inputs] },
                List { first: inputs, columns: &every[..units], deltas: &state.h_ref[..units] },
            )
        } else {
            (
                List { first: 0, columns: sent_x.columns(), deltas: sent_x.deltas() },
                List { first: inputs, columns: sent_h.columns(), deltas: sent_h.deltas() },
            )
        };
        let sums = state.sums.vectors_mut();
        walk(simd, columns, list_x, Sums::of(sums, 2));
        walk(simd, columns, list_h, Sums::of(sums, 3));
        gates::update(simd, sums, gates);
        state.gates_known = true;
        if whole { Outcome::Whole } else { Outcome::Walked }
    }
}

/// One step of the dense GRU.
pub(crate) struct DenseStep<'a> {
    pub(crate) columns: &'a Columns,
    pub(crate) inputs: usize,
    /// The sums before any product: the biases.
    pub(crate) start: &'a Aligned<f32>,
    /// 0, 1, 2 and so on, as many as there are inputs or hidden units.
    pub(crate) every: &'a [u32],
    pub(crate) x: &'a [f32],
    /// Hidden units, without padding.
    pub(crate) units: usize,
    pub(crate) hidden: &'a mut Aligned<f32>,
    pub(crate) sums: &'a mut Aligned<f32>,
    pub(crate) keep: &'a mut Aligned<f32>,
    pub(crate) push: &'a mut Aligned<f32>,
}

impl Op for DenseStep<'_> {
    /// `false`: an input is NaN, infinite or too large, and nothing was touched.
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let (full, tail) = padded(self.x);
        if !acceptable(simd, full, &tail) {
            return false;
        }
        self.sums.copy_from_slice(self.start);
        let sums = self.sums.vectors_mut();
        let list = List { first: 0, columns: &self.every[..self.inputs], deltas: self.x };
        walk(simd, self.columns, list, Sums::of(sums, 2));
        let list = List { first: self.inputs, columns: &self.every[..self.units], deltas: &self.hidden[..self.units] };
        walk(simd, self.columns, list, Sums::of(sums, 3));
        let gates =
            Gates { hidden: self.hidden.vectors_mut(), keep: self.keep.vectors_mut(), push: self.push.vectors_mut() };
        gates::update(simd, sums, gates);
        true
    }
}

/// `a . b`; both of the same length, padded to whole vectors.
pub(crate) struct Dot<'a> {
    pub(crate) a: &'a [[f32; LANES]],
    pub(crate) b: &'a [[f32; LANES]],
}

impl Op for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let mut sum = simd.splat(0.0);
        for (a, b) in self.a.iter().zip(self.b) {
            sum = simd.fma(simd.load(a), simd.load(b), sum);
        }
        simd.sum(sum)
    }
}

/// The whole vectors of `x`, and what is left of it with zeros behind.
#[inline(always)]
fn padded(x: &[f32]) -> (&[[f32; LANES]], [f32; LANES]) {
    let (full, rest) = x.as_chunks::<LANES>();
    let mut tail = [0.0; LANES];
    for (to, from) in tail.iter_mut().zip(rest) {
        *to = *from;
    }
    (full, tail)
}

/// Whether every value is a number of magnitude up to [`MAX_INPUT`].
#[inline(always)]
fn acceptable<S: Simd>(simd: S, full: &[[f32; LANES]], tail: &[f32; LANES]) -> bool {
    let mut largest = simd.load(tail);
    for vector in full {
        largest = simd.larger(largest, simd.load(vector));
    }
    !simd.beyond(largest, MAX_INPUT)
}
