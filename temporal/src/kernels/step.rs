//! Whole steps: everything between a feature vector and the new hidden state, compiled once per instruction set.

use super::{
    aligned::{Aligned, LANES},
    columns::Columns,
    gates::{self, Gates},
    scan::{Sent, Survey, scan, survey},
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

/// What a look at a frame told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Look {
    /// An input is NaN, infinite or too large; nothing was touched.
    Refused,
    /// Nothing moved far enough: the hidden state has glided on. The head's product with it.
    Quiet(f32),
    /// Something is to be sent, or the gates are not known: [`Send`] is next.
    Loud {
        /// Of the inputs.
        x: bool,
        /// Of the hidden units.
        h: bool,
    },
}

/// The first part of every step of the delta GRU, and the only one of most: whether anything is to be sent. It is kept
/// apart from [`Send`] because together they are too much for the compiler's registers.
pub(crate) struct Listen<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) thresholds: Thresholds,
    pub(crate) state: &'a mut DeltaState,
    /// As in [`DenseStep`].
    pub(crate) head: &'a [[f32; LANES]],
}

impl Op for Listen<'_> {
    type Output = Look;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Look {
        let Self { x, thresholds, state, head } = self;
        let (full, tail) = padded(x);
        let refs = state.x_ref.vectors();
        let mut seen = survey(simd, full, refs, Survey::none(simd));
        if let (Some(tail), Some(last)) = (tail, refs.last()) {
            seen = survey(simd, &[tail], std::slice::from_ref(last), seen);
        }
        if simd.beyond(seen.value, MAX_INPUT) {
            return Look::Refused;
        }
        let x = simd.moved(seen.delta, simd.splat(thresholds.theta_x)) != 0;
        let seen = survey(simd, state.hidden.vectors(), state.h_ref.vectors(), Survey::none(simd));
        let h = simd.moved(seen.delta, simd.splat(thresholds.theta_h)) != 0;
        if x || h || !state.gates_known {
            return Look::Loud { x, h };
        }
        let gates = Gates {
            hidden: state.hidden.vectors_mut(),
            keep: state.keep.vectors_mut(),
            push: state.push.vectors_mut(),
        };
        gates::glide(simd, gates);
        Look::Quiet(dot(simd, head, state.hidden.vectors()))
    }
}

/// A step that sends at least this many sixteenths of all columns walks all of them: no slower than their list, and
/// the rounding errors that the sums gathered are gone.
const WHOLE_SIXTEENTHS: usize = 15;

/// The second part of a step of the delta GRU: sends what moved, updates the gates, and the head behind them.
pub(crate) struct Send<'a> {
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
    /// As in [`DenseStep`].
    pub(crate) head: &'a [[f32; LANES]],
    /// What [`Listen`] found of the inputs and of the hidden units.
    pub(crate) moved: [bool; 2],
}

impl Op for Send<'_> {
    /// Whether all columns were walked because nearly all were sent (the sums were then computed anew), and the head's
    /// product.
    type Output = (bool, f32);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (bool, f32) {
        let Self { columns, inputs, units, start, every, x, thresholds, state, head, moved } = self;
        let Thresholds { theta_x, theta_h } = thresholds;
        let (sent_x, sent_h) = (&mut state.sent_x, &mut state.sent_h);
        sent_x.clear();
        sent_h.clear();
        if moved[0] {
            let (full, tail) = padded(x);
            let (refs, tail_refs) = state.x_ref.vectors_mut().split_at_mut(full.len());
            scan(simd, full, refs, theta_x, 0, sent_x);
            if let Some(tail) = tail {
                scan(simd, &[tail], tail_refs, theta_x, full.len() * LANES, sent_x);
            }
        }
        if moved[1] {
            scan(simd, state.hidden.vectors(), state.h_ref.vectors_mut(), theta_h, 0, sent_h);
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
        let gates = Gates {
            hidden: state.hidden.vectors_mut(),
            keep: state.keep.vectors_mut(),
            push: state.push.vectors_mut(),
        };
        gates::update(simd, sums, gates);
        state.gates_known = true;
        (whole, dot(simd, head, state.hidden.vectors()))
    }
}

/// One step of the dense GRU, and the head on the hidden state behind it.
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
    /// The head's weights, padded like the hidden state; empty: none are asked for.
    pub(crate) head: &'a [[f32; LANES]],
}

impl Op for DenseStep<'_> {
    /// The head's product. `None`: an input is NaN, infinite or too large, and nothing was touched.
    type Output = Option<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Option<f32> {
        if !acceptable(simd, self.x) {
            return None;
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
        Some(dot(simd, self.head, self.hidden.vectors()))
    }
}

/// `a . b` as far as both reach.
pub(crate) struct Dot<'a> {
    pub(crate) a: &'a [[f32; LANES]],
    pub(crate) b: &'a [[f32; LANES]],
}

impl Op for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        dot(simd, self.a, self.b)
    }
}

/// `a . b` as far as both reach.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[[f32; LANES]], b: &[[f32; LANES]]) -> f32 {
    let mut sum = simd.splat(0.0);
    for (a, b) in a.iter().zip(b) {
        sum = simd.fma(simd.load(a), simd.load(b), sum);
    }
    simd.sum(sum)
}

/// The whole vectors of `x`, and what is left of it, if anything, with zeros behind.
#[inline(always)]
fn padded(x: &[f32]) -> (&[[f32; LANES]], Option<[f32; LANES]>) {
    let (full, rest) = x.as_chunks::<LANES>();
    let tail = (!rest.is_empty()).then(|| {
        let mut tail = [0.0; LANES];
        tail.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        tail
    });
    (full, tail)
}

/// Whether every value is a number of magnitude up to [`MAX_INPUT`].
#[inline(always)]
fn acceptable<S: Simd>(simd: S, x: &[f32]) -> bool {
    let (full, tail) = padded(x);
    let mut largest = tail.map_or(simd.splat(0.0), |tail| simd.load(&tail));
    for vector in full {
        largest = simd.larger(largest, simd.load(vector));
    }
    !simd.beyond(largest, MAX_INPUT)
}
