//! The matrix-vector product that fetches only the listed columns.

use super::{
    aligned::LANES,
    columns::{Columns, Element, Sparse},
    simd::{Op, Simd},
};

/// How many columns one pass over the sums takes in: the sums are loaded and stored once for all of them.
const GROUP: usize = 8;

/// The listed columns and what each is multiplied by.
#[derive(Clone, Copy)]
pub(crate) struct List<'a> {
    /// Place of the matrix's first column among all columns.
    pub(crate) first: usize,
    /// Columns, counted from there.
    pub(crate) columns: &'a [u32],
    /// One factor for each.
    pub(crate) deltas: &'a [f32],
}

/// Where a column's three gates go: quarters r and u of the sums, and the quarter of the candidate that belongs to
/// the matrix (2 for inputs, 3 for hidden units).
pub(crate) struct Sums<'a> {
    gates: &'a mut [[f32; LANES]],
    candidate: &'a mut [[f32; LANES]],
}

impl<'a> Sums<'a> {
    /// Of `sums = [M_r | M_u | M_xc | M_hc]`.
    #[inline(always)]
    pub(crate) fn of(sums: &'a mut [[f32; LANES]], quarter: usize) -> Self {
        let one = sums.len() / 4;
        let (gates, candidates) = sums.split_at_mut(2 * one);
        Self { gates, candidate: &mut candidates[(quarter - 2) * one..][..one] }
    }
}

/// Adds each listed column times its delta to the sums. A function of its own for the compiler, which otherwise gives up
/// on the portable variant's vectors in the middle of a whole step.
#[inline(always)]
pub(crate) fn walk<S: Simd>(simd: S, columns: &Columns, list: List<'_>, sums: Sums<'_>) {
    if !list.columns.is_empty() {
        simd.run(Walk { columns, list, sums });
    }
}

struct Walk<'a> {
    columns: &'a Columns,
    list: List<'a>,
    sums: Sums<'a>,
}

impl Op for Walk<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { columns, list, mut sums } = self;
        walk_here(simd, columns, list, &mut sums);
    }
}

#[inline(always)]
fn walk_here<S: Simd>(simd: S, columns: &Columns, list: List<'_>, sums: &mut Sums<'_>) {
    match columns {
        Columns::F32(values) => walk_full(simd, values.vectors(), &[], list, sums),
        Columns::F16(values) => walk_full(simd, values.vectors(), &[], list, sums),
        Columns::Bf16(values) => walk_full(simd, values.vectors(), &[], list, sums),
        Columns::Int8 { values, scales } => walk_full(simd, values.vectors(), scales, list, sums),
        Columns::Sparse(sparse) => walk_sparse(sparse, list, sums),
    }
}

/// All rows of each column; `scales` is empty or holds one factor for each column of the matrix.
#[inline(always)]
fn walk_full<S: Simd, E: Element>(simd: S, matrix: &[[E; LANES]], scales: &[f32], list: List<'_>, sums: &mut Sums<'_>) {
    let mut at = 0;
    let count = list.columns.len();
    while at + GROUP <= count {
        walk_group::<S, E, GROUP>(simd, matrix, scales, list, at, sums);
        at += GROUP;
    }
    if at + 4 <= count {
        walk_group::<S, E, 4>(simd, matrix, scales, list, at, sums);
        at += 4;
    }
    if at + 2 <= count {
        walk_group::<S, E, 2>(simd, matrix, scales, list, at, sums);
        at += 2;
    }
    if at < count {
        walk_group::<S, E, 1>(simd, matrix, scales, list, at, sums);
    }
}

/// `C` columns of the list, from place `at`, in one pass over the sums.
#[inline(always)]
fn walk_group<S: Simd, E: Element, const C: usize>(
    simd: S,
    matrix: &[[E; LANES]],
    scales: &[f32],
    list: List<'_>,
    at: usize,
    sums: &mut Sums<'_>,
) {
    let (gates, candidate) = (sums.gates.len(), sums.candidate.len());
    let rows = gates + candidate;
    let mut deltas = [simd.splat(0.0); C];
    let mut columns: [&[[E; LANES]]; C] = [&[]; C];
    for c in 0..C {
        let column = list.first + list.columns[at + c] as usize;
        let scale = if scales.is_empty() { 1.0 } else { scales[column] };
        deltas[c] = simd.splat(list.deltas[at + c] * scale);
        columns[c] = &matrix[column * rows..][..rows];
    }
    add::<S, E, C>(simd, columns, 0, deltas, sums.gates);
    add::<S, E, C>(simd, columns, gates, deltas, sums.candidate);
}

/// Adds the rows of `C` columns from row vector `from` on, times their deltas.
#[inline(always)]
fn add<S: Simd, E: Element, const C: usize>(
    simd: S,
    mut columns: [&[[E; LANES]]; C],
    from: usize,
    deltas: [S::V; C],
    sums: &mut [[f32; LANES]],
) {
    let rows = sums.len();
    for column in &mut columns {
        *column = &column[from..][..rows];
    }
    for i in 0..rows {
        // What the group adds is summed up by itself, small numbers with small ones: the sums live as long as the
        // cell, and each rounding at their own magnitude would stay in them.
        let mut sum = simd.mul(E::load(simd, &columns[0][i]), deltas[0]);
        for c in 1..C {
            sum = simd.fma(E::load(simd, &columns[c][i]), deltas[c], sum);
        }
        let sum = simd.add(simd.load(&sums[i]), sum);
        simd.store(&mut sums[i], sum);
    }
}

/// Only the weights that are not zero, one by one.
#[inline(always)]
fn walk_sparse(sparse: &Sparse, list: List<'_>, sums: &mut Sums<'_>) {
    for (column, delta) in list.columns.iter().zip(list.deltas) {
        let part = 2 * (list.first + *column as usize);
        add_sparse(sparse, part, *delta, sums.gates.as_flattened_mut());
        add_sparse(sparse, part + 1, *delta, sums.candidate.as_flattened_mut());
    }
}

/// Adds one part of a column times `delta`.
#[inline(always)]
fn add_sparse(sparse: &Sparse, part: usize, delta: f32, sums: &mut [f32]) {
    let range = sparse.starts[part]..sparse.starts[part + 1];
    for (row, weight) in sparse.rows[range.clone()].iter().zip(&sparse.values[range]) {
        sums[*row as usize] += weight * delta;
    }
}
