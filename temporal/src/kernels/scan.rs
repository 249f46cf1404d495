//! The threshold scan: which values moved far enough to be sent.

use super::{aligned::LANES, simd::Simd};

/// The columns sent in a step, with their deltas: the list that the kernel walks and that the counts are taken from.
#[derive(Debug, Clone)]
pub struct Sent {
    // Both have 16 places more than there are columns, so that whole vectors can be written.
    columns: Vec<u32>,
    deltas: Vec<f32>,
    count: usize,
}

impl Sent {
    /// Room for `columns` columns.
    pub(crate) fn new(columns: usize) -> Self {
        let places = columns.next_multiple_of(LANES) + LANES;
        Self { columns: vec![0; places], deltas: vec![0.0; places], count: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// The columns, rising.
    #[inline(always)]
    pub fn columns(&self) -> &[u32] {
        &self.columns[..self.count]
    }

    /// By how much each moved.
    #[inline(always)]
    pub fn deltas(&self) -> &[f32] {
        &self.deltas[..self.count]
    }

    /// Pairs of column and delta.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.columns().iter().copied().zip(self.deltas().iter().copied())
    }

    /// How many columns were sent.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none was.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Compares 16 `values` with their references; those that moved by `theta` or more (and at all) are added to `sent`,
/// their references follow. `first` is the column of the first one.
#[inline(always)]
pub(crate) fn scan_vector<S: Simd>(
    simd: S,
    values: S::V,
    refs: &mut [f32; LANES],
    theta: S::V,
    first: usize,
    sent: &mut Sent,
) {
    let old = simd.load(refs);
    let delta = simd.sub(values, old);
    let mask = simd.moved(delta, theta);
    if mask != 0 {
        simd.store(refs, simd.select(mask, values, old));
        let (deltas, columns) = (&mut sent.deltas[sent.count..], &mut sent.columns[sent.count..]);
        if let (Some(deltas), Some(columns)) = (deltas.first_chunk_mut(), columns.first_chunk_mut()) {
            simd.compress(mask, delta, first as u32, deltas, columns);
        }
        sent.count += mask.count_ones() as usize;
    }
}

/// What a look at values and their references found, lane by lane.
#[derive(Clone, Copy)]
pub(crate) struct Survey<V> {
    /// The largest value by magnitude; NaN is the largest.
    pub(crate) value: V,
    /// The largest distance from a reference, likewise.
    pub(crate) delta: V,
}

impl<V> Survey<V> {
    /// Before anything was looked at.
    #[inline(always)]
    pub(crate) fn none<S: Simd<V = V>>(simd: S) -> Self {
        Self { value: simd.splat(0.0), delta: simd.splat(0.0) }
    }
}

/// Adds a look at whole vectors to `seen`. If the largest distance is below the threshold, so is every one: a frame that
/// sends nothing is known without asking each value.
#[inline(always)]
pub(crate) fn survey<S: Simd>(
    simd: S,
    values: &[[f32; LANES]],
    refs: &[[f32; LANES]],
    mut seen: Survey<S::V>,
) -> Survey<S::V> {
    for (values, refs) in values.iter().zip(refs) {
        let values = simd.load(values);
        seen.value = simd.larger(seen.value, values);
        seen.delta = simd.larger(seen.delta, simd.sub(values, simd.load(refs)));
    }
    seen
}

/// [`scan_vector`] over whole vectors.
#[inline(always)]
pub(crate) fn scan<S: Simd>(
    simd: S,
    values: &[[f32; LANES]],
    refs: &mut [[f32; LANES]],
    theta: f32,
    first: usize,
    sent: &mut Sent,
) {
    let theta = simd.splat(theta);
    for (i, (values, refs)) in values.iter().zip(refs).enumerate() {
        scan_vector(simd, simd.load(values), refs, theta, first + i * LANES, sent);
    }
}
