//! The threshold scan: which values changed by their threshold or more.

use super::{aligned::LANES, simd::Simd};

/// The non-zero deltas of a step as a sparse vector: the operand of the matrix-vector product, and what counts are taken
/// from.
#[derive(Debug, Clone)]
pub struct SparseDelta {
    // Both have 16 elements more than there are columns, so that whole vectors can be written.
    indices: Vec<u32>,
    values: Vec<f32>,
    len: usize,
}

impl SparseDelta {
    /// Room for `columns` elements.
    pub(crate) fn new(columns: usize) -> Self {
        let room = columns.next_multiple_of(LANES) + LANES;
        Self { indices: vec![0; room], values: vec![0.0; room], len: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// The active columns, rising.
    #[inline(always)]
    pub fn indices(&self) -> &[u32] {
        &self.indices[..self.len]
    }

    /// The delta of each.
    #[inline(always)]
    pub fn values(&self) -> &[f32] {
        &self.values[..self.len]
    }

    /// Pairs of index and delta.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.indices().iter().copied().zip(self.values().iter().copied())
    }

    /// Number of active columns.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no column is active.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Compares 16 `values` with their references. Those that differ by `theta` or more (and at all) are added to `delta` and
/// become the references. `first` is the column of the first one.
#[inline(always)]
pub(crate) fn scan_vector<S: Simd>(
    simd: S,
    values: S::V,
    refs: &mut [f32; LANES],
    theta: S::V,
    first: usize,
    delta: &mut SparseDelta,
) {
    let old = simd.load(refs);
    let difference = simd.sub(values, old);
    let mask = simd.moved(difference, theta);
    if mask != 0 {
        simd.store(refs, simd.select(mask, values, old));
        let (to, indices) = (&mut delta.values[delta.len..], &mut delta.indices[delta.len..]);
        if let (Some(to), Some(indices)) = (to.first_chunk_mut(), indices.first_chunk_mut()) {
            simd.compress(mask, difference, first as u32, to, indices);
        }
        delta.len += mask.count_ones() as usize;
    }
}

/// The largest magnitudes, lane by lane; NaN is the largest.
#[derive(Clone, Copy)]
pub(crate) struct MaxAbs<V> {
    /// Of the values.
    pub(crate) value: V,
    /// Of their distances from the references.
    pub(crate) delta: V,
}

impl<V> MaxAbs<V> {
    /// Of nothing.
    #[inline(always)]
    pub(crate) fn zero<S: Simd<V = V>>(simd: S) -> Self {
        Self { value: simd.splat(0.0), delta: simd.splat(0.0) }
    }
}

/// Takes in whole vectors. A largest distance below the threshold proves that the step is idle, with no mask per vector.
#[inline(always)]
pub(crate) fn max_abs<S: Simd>(
    simd: S,
    values: &[[f32; LANES]],
    refs: &[[f32; LANES]],
    mut max: MaxAbs<S::V>,
) -> MaxAbs<S::V> {
    for (values, refs) in values.iter().zip(refs) {
        let values = simd.load(values);
        max.value = simd.larger(max.value, values);
        max.delta = simd.larger(max.delta, simd.sub(values, simd.load(refs)));
    }
    max
}

/// [`scan_vector`] over whole vectors.
#[inline(always)]
pub(crate) fn scan<S: Simd>(
    simd: S,
    values: &[[f32; LANES]],
    refs: &mut [[f32; LANES]],
    theta: f32,
    first: usize,
    delta: &mut SparseDelta,
) {
    let theta = simd.splat(theta);
    for (i, (values, refs)) in values.iter().zip(refs).enumerate() {
        scan_vector(simd, simd.load(values), refs, theta, first + i * LANES, delta);
    }
}
