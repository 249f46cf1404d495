//! Matrix products on the `gemm` crate behind checked slices. One thread, so that results repeat to the last bit.
#![allow(unsafe_code)] // gemm takes pointers; the sizes of all slices are asserted first

/// A row-major matrix, or the transpose of one, in a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `values[rows][columns]`.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(values.len() == rows * columns, "{} values are no {rows} x {columns} matrix", values.len());
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Rows and columns swapped; nothing is moved.
    pub fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `out[rows][columns] = (keep ? out : 0) + a * b`.
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>, keep: bool, out: &mut [f32]) {
    assert!(a.columns == b.rows, "{} columns meet {} rows", a.columns, b.rows);
    assert!(out.len() == a.rows * b.columns, "the product does not fit");
    // SAFETY: every index row * row_stride + column * column_stride of a, b and out lies inside its slice: a matrix is
    // built only over a slice of rows * columns values, transposing swaps sizes and strides together, and `out` is as long
    // as its row-major size. `out` is borrowed mutably, so it overlaps neither a nor b.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            b.columns as isize,
            keep,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_and_without_transposes() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // 2 x 3
        let b = [1.0, 0.0, 2.0, 1.0, 0.0, 3.0]; // 3 x 2
        let mut out = [1.0; 4];
        product(Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 2), false, &mut out);
        assert_eq!(out, [5.0, 11.0, 14.0, 23.0]);
        product(Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 2), true, &mut out);
        assert_eq!(out, [10.0, 22.0, 28.0, 46.0]);
        let mut out = [0.0; 9];
        product(Matrix::new(&a, 2, 3).t(), Matrix::new(&b, 3, 2).t(), false, &mut out);
        assert_eq!(out, [1.0, 6.0, 12.0, 2.0, 9.0, 15.0, 3.0, 12.0, 18.0]);
    }
}
