//! Whole steps: everything between an input vector and the new hidden state, compiled once per instruction set.

use super::{
    aligned::{Aligned, LANES},
    columns::Columns,
    gates::{self, Gates},
    scan::{MaxAbs, SparseDelta, max_abs, scan},
    simd::{Op, Simd},
    spmv::{PreActivations, SparseVector, spmv},
};
use crate::Thresholds;

/// Inputs beyond this magnitude are refused like infinities: one of them would remove the low bits of the pre-activations
/// for good.
pub(crate) const MAX_INPUT: f32 = 1e6;

/// The layer as a step reads it.
#[derive(Clone, Copy)]
pub(crate) struct Matrices<'a> {
    pub(crate) columns: &'a Columns,
    pub(crate) input_size: usize,
    /// Without padding.
    pub(crate) hidden_size: usize,
    /// The pre-activations before any product: the biases.
    pub(crate) bias: &'a Aligned<f32>,
    /// 0, 1, 2 and so on: the indices of a vector without zeros.
    pub(crate) all: &'a [u32],
}

/// A linear head that is computed while the hidden state is in registers: `output[i] = rows[i] . h + bias[i]`.
pub struct LinearHead<'a> {
    /// `[outputs][padded / 16]`; empty: no head.
    pub(crate) rows: &'a [[f32; LANES]],
    pub(crate) bias: &'a [f32],
    pub(crate) output: &'a mut [f32],
}

impl LinearHead<'_> {
    /// No head.
    pub(crate) fn none() -> Self {
        Self { rows: &[], bias: &[], output: &mut [] }
    }

    pub(crate) fn reborrow(&mut self) -> LinearHead<'_> {
        LinearHead { rows: self.rows, bias: self.bias, output: self.output }
    }

    #[inline(always)]
    fn compute<S: Simd>(self, simd: S, hidden: &[[f32; LANES]]) {
        let mut rows = self.rows;
        for (bias, output) in self.bias.iter().zip(self.output) {
            let (row, rest) = rows.split_at(hidden.len());
            *output = dot(simd, row, hidden) + bias;
            rows = rest;
        }
    }
}

/// The state of a delta cell. Arrays are padded to whole vectors.
#[derive(Debug, Clone)]
pub(crate) struct DeltaState {
    /// `h`
    pub(crate) hidden: Aligned<f32>,
    pub(crate) x_ref: Aligned<f32>,
    pub(crate) h_ref: Aligned<f32>,
    /// `[M_r | M_z | M_xn | M_hn]`
    pub(crate) pre: Aligned<f32>,
    /// `z`
    pub(crate) z: Aligned<f32>,
    /// `(1 - z) * n`
    pub(crate) zn: Aligned<f32>,
    /// Whether `z` and `zn` belong to the present pre-activations.
    pub(crate) gates_known: bool,
    pub(crate) delta_x: SparseDelta,
    pub(crate) delta_h: SparseDelta,
}

impl DeltaState {
    fn gates(&mut self) -> (&[[f32; LANES]], Gates<'_>) {
        let Self { pre, hidden, z, zn, .. } = self;
        (pre.vectors(), Gates { hidden: hidden.vectors_mut(), z: z.vectors_mut(), zn: zn.vectors_mut() })
    }
}

/// What the threshold scan found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scan {
    /// An input is NaN, infinite or too large; nothing was changed.
    Refused,
    /// No column is active: the hidden state was updated with the gates as they are.
    Idle,
    /// [`SparseStep`] is next: columns are active, or the gates are not known.
    Active {
        /// Whether inputs are.
        x: bool,
        /// Whether hidden units are.
        h: bool,
    },
}

/// The first part of every step of the delta GRU, and the whole of an idle one. It is kept apart from [`SparseStep`],
/// because together they need more registers than there are.
pub(crate) struct ThresholdScan<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) thresholds: Thresholds,
    pub(crate) state: &'a mut DeltaState,
    pub(crate) head: LinearHead<'a>,
}

impl Op for ThresholdScan<'_> {
    type Output = Scan;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Scan {
        let Self { x, thresholds, state, head } = self;
        let (full, tail) = padded(x);
        let refs = state.x_ref.vectors();
        let mut max = max_abs(simd, full, refs, MaxAbs::zero(simd));
        if let (Some(tail), Some(last)) = (tail, refs.last()) {
            max = max_abs(simd, &[tail], std::slice::from_ref(last), max);
        }
        if simd.beyond(max.value, MAX_INPUT) {
            return Scan::Refused;
        }
        let x = simd.moved(max.delta, simd.splat(thresholds.theta_x)) != 0;
        let max = max_abs(simd, state.hidden.vectors(), state.h_ref.vectors(), MaxAbs::zero(simd));
        let h = simd.moved(max.delta, simd.splat(thresholds.theta_h)) != 0;
        if x || h || !state.gates_known {
            return Scan::Active { x, h };
        }
        gates::idle_update(simd, state.gates().1);
        head.compute(simd, state.hidden.vectors());
        Scan::Idle
    }
}

/// A step in which at least this many sixteenths of all columns are active multiplies all of them: that is no slower, and
/// the rounding errors that the pre-activations gathered are gone.
const WHOLE_SIXTEENTHS: usize = 15;

/// The second part of a step of the delta GRU: collects the deltas, multiplies their columns, updates gates and head.
pub(crate) struct SparseStep<'a> {
    pub(crate) matrices: Matrices<'a>,
    pub(crate) x: &'a [f32],
    pub(crate) thresholds: Thresholds,
    pub(crate) state: &'a mut DeltaState,
    pub(crate) head: LinearHead<'a>,
    /// Whether inputs and hidden units are active.
    pub(crate) active: [bool; 2],
}

impl Op for SparseStep<'_> {
    /// Whether all columns were multiplied because nearly all are active.
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let Self { matrices, x, thresholds, state, head, active } = self;
        let Matrices { columns, input_size, hidden_size, bias, all } = matrices;
        let Thresholds { theta_x, theta_h } = thresholds;
        let (delta_x, delta_h) = (&mut state.delta_x, &mut state.delta_h);
        delta_x.clear();
        delta_h.clear();
        if active[0] {
            let (full, tail) = padded(x);
            let (refs, tail_refs) = state.x_ref.vectors_mut().split_at_mut(full.len());
            scan(simd, full, refs, theta_x, 0, delta_x);
            if let Some(tail) = tail {
                scan(simd, &[tail], tail_refs, theta_x, full.len() * LANES, delta_x);
            }
        }
        if active[1] {
            scan(simd, state.hidden.vectors(), state.h_ref.vectors_mut(), theta_h, 0, delta_h);
        }
        let whole = 16 * (delta_x.len() + delta_h.len()) >= WHOLE_SIXTEENTHS * (input_size + hidden_size);
        let (x, h) = if whole {
            state.pre.copy_from_slice(bias);
            (
                SparseVector { first: 0, indices: &all[..input_size], values: &state.x_ref[..input_size] },
                SparseVector { first: input_size, indices: &all[..hidden_size], values: &state.h_ref[..hidden_size] },
            )
        } else {
            (
                SparseVector { first: 0, indices: delta_x.indices(), values: delta_x.values() },
                SparseVector { first: input_size, indices: delta_h.indices(), values: delta_h.values() },
            )
        };
        let pre = state.pre.vectors_mut();
        spmv(simd, columns, x, PreActivations::of(pre, 2));
        spmv(simd, columns, h, PreActivations::of(pre, 3));
        let (pre, gates) = state.gates();
        gates::update(simd, pre, gates);
        state.gates_known = true;
        head.compute(simd, state.hidden.vectors());
        whole
    }
}

/// One step of the dense GRU, and its head.
pub(crate) struct DenseStep<'a> {
    pub(crate) matrices: Matrices<'a>,
    pub(crate) x: &'a [f32],
    pub(crate) state: &'a mut DenseState,
    pub(crate) head: LinearHead<'a>,
}

/// The state of a dense cell, and buffers. Arrays are padded to whole vectors.
#[derive(Debug, Clone)]
pub(crate) struct DenseState {
    pub(crate) hidden: Aligned<f32>,
    pub(crate) pre: Aligned<f32>,
    pub(crate) z: Aligned<f32>,
    pub(crate) zn: Aligned<f32>,
}

impl Op for DenseStep<'_> {
    /// False: an input is NaN, infinite or too large, and nothing was changed.
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let Self { matrices, x, state, head } = self;
        let Matrices { columns, input_size, hidden_size, bias, all } = matrices;
        if !acceptable(simd, x) {
            return false;
        }
        state.pre.copy_from_slice(bias);
        let pre = state.pre.vectors_mut();
        let vector = SparseVector { first: 0, indices: &all[..input_size], values: x };
        spmv(simd, columns, vector, PreActivations::of(pre, 2));
        let values = &state.hidden[..hidden_size];
        let vector = SparseVector { first: input_size, indices: &all[..hidden_size], values };
        spmv(simd, columns, vector, PreActivations::of(pre, 3));
        let gates = Gates { hidden: state.hidden.vectors_mut(), z: state.z.vectors_mut(), zn: state.zn.vectors_mut() };
        gates::update(simd, pre, gates);
        head.compute(simd, state.hidden.vectors());
        true
    }
}

/// `a . b` of the same length.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[[f32; LANES]], b: &[[f32; LANES]]) -> f32 {
    let mut sum = simd.splat(0.0);
    for (a, b) in a.iter().zip(b) {
        sum = simd.fma(simd.load(a), simd.load(b), sum);
    }
    simd.sum(sum)
}

/// The whole vectors of `x`, and the rest of it, if any, padded with zeros.
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
