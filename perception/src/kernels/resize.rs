//! The two passes of the picture's resizing.

use super::simd::Simd;

/// `sum[i] = sum_t weights[t] * rows[t][i]`: blends image rows of 8-bit values.
#[inline(always)]
pub(super) fn blend_rows<S: Simd>(_simd: S, rows: &[&[u8]], weights: &[f32], sum: &mut [f32]) {
    // A part of the row whose sums stay in registers while all input rows are added.
    const PART: usize = 64;
    let whole = sum.len() / PART * PART;
    for (place, sum) in sum[..whole].chunks_exact_mut(PART).enumerate() {
        let mut sums = [0.0; PART];
        for (row, weight) in rows.iter().zip(weights) {
            let values = &row[place * PART..][..PART];
            for i in 0..PART {
                sums[i] += weight * f32::from(values[i]);
            }
        }
        sum.copy_from_slice(&sums);
    }
    for (i, sum) in sum.iter_mut().enumerate().skip(whole) {
        *sum = rows.iter().zip(weights).fold(0.0, |sum, (row, weight)| sum + weight * f32::from(row[i]));
    }
}

/// `output[x][colour] = sum_t weights[x][t] * row[starts[x] + t][colour] - mean` for every output column.
///
/// `weights` holds the same number of taps for every column, zero where a column needs fewer. `row` has at least one value behind the
/// last tap: each pixel is computed in four lanes, of which the last is thrown away.
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
        let mut sum = [-mean; 4];
        let values = &row[*start as usize * 3..][..taps * 3 + 1];
        for (t, weight) in weights.iter().enumerate() {
            let colours = &values[3 * t..3 * t + 4];
            for lane in 0..4 {
                sum[lane] += weight * colours[lane];
            }
        }
        pixel.copy_from_slice(&sum[..3]);
    }
}
