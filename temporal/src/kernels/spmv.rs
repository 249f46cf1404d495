//! The product of a dense matrix and a sparse vector: only the columns of non-zero elements are fetched.

use super::{
    aligned::LANES,
    columns::{Columns, Element, Sparse},
    simd::{Op, Simd},
};

/// Columns added in one pass over the pre-activations, which are loaded and stored once for all of them.
const GROUP: usize = 8;

/// A sparse vector: the indices of its non-zero elements and their values.
#[derive(Clone, Copy)]
pub(crate) struct SparseVector<'a> {
    /// The matrix column of index 0: inputs come first, hidden units behind them.
    pub(crate) first: usize,
    /// Rising.
    pub(crate) indices: &'a [u32],
    /// One for each index.
    pub(crate) values: &'a [f32],
}

/// Where the three gates of a column are added: r and z, and the part of gate n that belongs to the matrix (quarter 2 for
/// inputs, 3 for hidden units).
pub(crate) struct PreActivations<'a> {
    gates: &'a mut [[f32; LANES]],
    gate_n: &'a mut [[f32; LANES]],
}

impl<'a> PreActivations<'a> {
    /// Of `pre = [M_r | M_z | M_xn | M_hn]`.
    #[inline(always)]
    pub(crate) fn of(pre: &'a mut [[f32; LANES]], quarter: usize) -> Self {
        let one = pre.len() / 4;
        let (gates, news) = pre.split_at_mut(2 * one);
        Self { gates, gate_n: &mut news[(quarter - 2) * one..][..one] }
    }
}

/// `pre += columns * vector`. A function of its own, because the compiler does not vectorise the portable variant inside a
/// whole step.
#[inline(always)]
pub(crate) fn spmv<S: Simd>(simd: S, columns: &Columns, vector: SparseVector<'_>, pre: PreActivations<'_>) {
    if !vector.indices.is_empty() {
        simd.run(Spmv { columns, vector, pre });
    }
}

struct Spmv<'a> {
    columns: &'a Columns,
    vector: SparseVector<'a>,
    pre: PreActivations<'a>,
}

impl Op for Spmv<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { columns, vector, mut pre } = self;
        spmv_inline(simd, columns, vector, &mut pre);
    }
}

#[inline(always)]
fn spmv_inline<S: Simd>(simd: S, columns: &Columns, vector: SparseVector<'_>, pre: &mut PreActivations<'_>) {
    match columns {
        Columns::F32(values) => full_columns(simd, values.vectors(), &[], vector, pre),
        Columns::F16(values) => full_columns(simd, values.vectors(), &[], vector, pre),
        Columns::Bf16(values) => full_columns(simd, values.vectors(), &[], vector, pre),
        Columns::Int8 { values, scales } => full_columns(simd, values.vectors(), scales, vector, pre),
        Columns::Sparse(sparse) => sparse_columns(sparse, vector, pre),
    }
}

/// All rows of each column; `scales` is empty or holds one factor for each column of the matrix.
#[inline(always)]
fn full_columns<S: Simd, E: Element>(
    simd: S,
    matrix: &[[E; LANES]],
    scales: &[f32],
    vector: SparseVector<'_>,
    pre: &mut PreActivations<'_>,
) {
    let mut at = 0;
    let count = vector.indices.len();
    while at + GROUP <= count {
        column_group::<S, E, GROUP>(simd, matrix, scales, vector, at, pre);
        at += GROUP;
    }
    if at + 4 <= count {
        column_group::<S, E, 4>(simd, matrix, scales, vector, at, pre);
        at += 4;
    }
    if at + 2 <= count {
        column_group::<S, E, 2>(simd, matrix, scales, vector, at, pre);
        at += 2;
    }
    if at < count {
        column_group::<S, E, 1>(simd, matrix, scales, vector, at, pre);
    }
}

/// `C` columns, from element `at` of the vector on, in one pass over the pre-activations.
#[inline(always)]
fn column_group<S: Simd, E: Element, const C: usize>(
    simd: S,
    matrix: &[[E; LANES]],
    scales: &[f32],
    vector: SparseVector<'_>,
    at: usize,
    pre: &mut PreActivations<'_>,
) {
    let (gates, gate_n) = (pre.gates.len(), pre.gate_n.len());
    let rows = gates + gate_n;
    let mut deltas = [simd.splat(0.0); C];
    let mut columns: [&[[E; LANES]]; C] = [&[]; C];
    for c in 0..C {
        let column = vector.first + vector.indices[at + c] as usize;
        let scale = if scales.is_empty() { 1.0 } else { scales[column] };
        deltas[c] = simd.splat(vector.values[at + c] * scale);
        columns[c] = &matrix[column * rows..][..rows];
    }
    add::<S, E, C>(simd, columns, 0, deltas, pre.gates);
    add::<S, E, C>(simd, columns, gates, deltas, pre.gate_n);
}

/// Adds the rows of `C` columns from row vector `from` on, times their values.
#[inline(always)]
fn add<S: Simd, E: Element, const C: usize>(
    simd: S,
    mut columns: [&[[E; LANES]]; C],
    from: usize,
    deltas: [S::V; C],
    pre: &mut [[f32; LANES]],
) {
    let rows = pre.len();
    for column in &mut columns {
        *column = &column[from..][..rows];
    }
    for i in 0..rows {
        // The group's sum is taken first: pre-activations live as long as the cell, so every rounding at their magnitude
        // stays in them.
        let mut sum = simd.mul(E::load(simd, &columns[0][i]), deltas[0]);
        for c in 1..C {
            sum = simd.fma(E::load(simd, &columns[c][i]), deltas[c], sum);
        }
        let sum = simd.add(simd.load(&pre[i]), sum);
        simd.store(&mut pre[i], sum);
    }
}

/// Only the weights that are not zero, one by one.
#[inline(always)]
fn sparse_columns(sparse: &Sparse, vector: SparseVector<'_>, pre: &mut PreActivations<'_>) {
    for (column, delta) in vector.indices.iter().zip(vector.values) {
        let part = 2 * (vector.first + *column as usize);
        add_sparse(sparse, part, *delta, pre.gates.as_flattened_mut());
        add_sparse(sparse, part + 1, *delta, pre.gate_n.as_flattened_mut());
    }
}

/// Adds one part of a column times `delta`.
#[inline(always)]
fn add_sparse(sparse: &Sparse, part: usize, delta: f32, pre: &mut [f32]) {
    let range = sparse.starts[part]..sparse.starts[part + 1];
    for (row, weight) in sparse.rows[range.clone()].iter().zip(&sparse.values[range]) {
        pre[*row as usize] += weight * delta;
    }
}
