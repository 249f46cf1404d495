//! The two passes of the picture's resizing.

use super::simd::Simd;

/// `sum[i] = sum_t weights[t] * rows[t][i]`: blends image rows of 8-bit values.
#[inline(always)]
pub(super) fn blend_rows<S: Simd>(_simd: S, rows: &[&[u8]], weights: &[f32], sum: &mut [f32]) {
    sum.fill(0.0);
    for (row, weight) in rows.iter().zip(weights) {
        for (sum, value) in sum.iter_mut().zip(*row) {
            *sum += weight * f32::from(*value);
        }
    }
}

/// `output[x][colour] = sum_t weights[x][t] * row[starts[x] + t][colour] - mean` for every output column.
///
/// `weights` holds the same number of taps for every column, zero where a column needs fewer.
#[inline(always)]
pub(super) fn blend_columns<S: Simd>(
    _simd: S,
    row: &[f32],
    starts: &[u32],
    weights: &[f32],
    mean: f32,
    output: &mut [f32],
) {
    let taps = weights.len() / starts.len().max(1);
    for ((pixel, start), weights) in output.chunks_exact_mut(3).zip(starts).zip(weights.chunks_exact(taps)) {
        let mut sum = [-mean; 3];
        let first = *start as usize * 3;
        for (weight, colours) in weights.iter().zip(row[first..first + taps * 3].chunks_exact(3)) {
            for c in 0..3 {
                sum[c] += weight * colours[c];
            }
        }
        pixel.copy_from_slice(&sum);
    }
}
