//! Matrix products on row-major slices: a checked wrapper around the `gemm` crate.
//!
//! Every product runs on the calling thread alone, so its sums are always taken in the same order and training is
//! repeatable to the bit; parallelism comes from splitting the batch (`step.rs`).
// The gemm crate takes raw pointers; the sizes are asserted right before the one call.
#![allow(unsafe_code)]

/// How a factor lies in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Row-major, as the product needs it.
    Plain,
    /// Row-major of the transpose.
    Transposed,
}

/// `dst[m][n] = a[m][k] * b[k][n]`, added to what `dst` holds if `accumulate`.
///
/// With [`Order::Transposed`] a factor is stored as `a[k][m]` or `b[n][k]`.
pub(super) fn product(
    dst: &mut [f32],
    (m, n, k): (usize, usize, usize),
    a: (&[f32], Order),
    b: (&[f32], Order),
    accumulate: bool,
) {
    assert_eq!(dst.len(), m * n, "destination of a matrix product");
    assert_eq!(a.0.len(), m * k, "left factor of a matrix product");
    assert_eq!(b.0.len(), k * n, "right factor of a matrix product");
    let (a_rs, a_cs) = if a.1 == Order::Plain { (k, 1) } else { (1, m) };
    let (b_rs, b_cs) = if b.1 == Order::Plain { (n, 1) } else { (1, k) };
    // SAFETY: the three asserts above make every index that the strides reach lie inside its slice, and `dst` is a
    // unique borrow, so it overlaps neither factor.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.0.as_ptr(),
            a_cs as isize,
            a_rs as isize,
            b.0.as_ptr(),
            b_cs as isize,
            b_rs as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Writes `row` into every row of `dst`.
pub(super) fn fill_rows(dst: &mut [f32], row: &[f32]) {
    for out in dst.chunks_exact_mut(row.len()) {
        out.copy_from_slice(row);
    }
}

/// Adds the sum over the rows of `src` to `row`.
pub(super) fn add_row_sums(row: &mut [f32], src: &[f32]) {
    for line in src.chunks_exact(row.len()) {
        for (sum, value) in row.iter_mut().zip(line) {
            *sum += value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_gives_the_plain_sum() {
        let (m, n, k) = (3, 5, 4);
        let a: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.7).sin()).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i as f32 * 1.3).cos()).collect();
        let transpose = |x: &[f32], rows: usize, cols: usize| -> Vec<f32> {
            (0..rows * cols).map(|i| x[(i % rows) * cols + i / rows]).collect()
        };
        let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
        for (a_stored, a_order) in [(&a, Order::Plain), (&at, Order::Transposed)] {
            for (b_stored, b_order) in [(&b, Order::Plain), (&bt, Order::Transposed)] {
                let mut dst = vec![1.0; m * n];
                product(&mut dst, (m, n, k), (a_stored, a_order), (b_stored, b_order), true);
                for i in 0..m {
                    for j in 0..n {
                        let sum: f32 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
                        assert!((dst[i * n + j] - 1.0 - sum).abs() < 1e-5);
                    }
                }
            }
        }
    }
}
