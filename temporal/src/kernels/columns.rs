//! A matrix in columns, as the kernels read it: each column one contiguous run, in one of five storages.

use bytemuck::Pod;
use half::{bf16, f16};

use super::{
    aligned::{Aligned, LANES},
    simd::Simd,
};
use crate::Storage;

/// A stored number that a kernel can widen to f32.
pub(crate) trait Element: Pod {
    /// Sixteen of them as f32.
    fn load<S: Simd>(simd: S, from: &[Self; LANES]) -> S::V;
}

impl Element for f32 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[f32; LANES]) -> S::V {
        simd.load(from)
    }
}

impl Element for f16 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[f16; LANES]) -> S::V {
        simd.load_f16(bytemuck::cast_ref(from))
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[bf16; LANES]) -> S::V {
        simd.load_bf16(bytemuck::cast_ref(from))
    }
}

impl Element for i8 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[i8; LANES]) -> S::V {
        simd.load_i8(from)
    }
}

/// Only the weights that are not zero, each with its row. A column has two parts: gates r and z, and gate n.
#[derive(Debug)]
pub(crate) struct Sparse {
    /// The weights of all parts, one after the other.
    pub(crate) values: Vec<f32>,
    /// The row of each, counted from the beginning of its part.
    pub(crate) rows: Vec<u16>,
    /// Where each part begins, and where the last one ends.
    pub(crate) starts: Vec<usize>,
}

/// The matrix `[columns][rows]`, with `rows` a multiple of 16.
#[derive(Debug)]
pub(crate) enum Columns {
    F32(Aligned<f32>),
    F16(Aligned<f16>),
    Bf16(Aligned<bf16>),
    /// A weight is its value times its column's scale.
    Int8 {
        values: Aligned<i8>,
        scales: Vec<f32>,
    },
    Sparse(Sparse),
}

impl Columns {
    /// Stores `matrix[columns][rows]`. Rounds to nearest; what is beyond the range of f16 becomes its largest number.
    pub(crate) fn pack(matrix: Aligned<f32>, rows: usize, storage: Storage) -> Self {
        match storage {
            Storage::F32 => Self::F32(matrix),
            Storage::F16 => Self::F16(map(&matrix, |w| f16::from_f32(w.clamp(-65504.0, 65504.0)))),
            Storage::Bf16 => Self::Bf16(map(&matrix, bf16::from_f32)),
            Storage::Int8 => {
                let mut values = Aligned::zeros(matrix.len());
                let mut scales = Vec::with_capacity(matrix.len() / rows);
                for (from, to) in matrix.chunks_exact(rows).zip(values.chunks_exact_mut(rows)) {
                    let largest = from.iter().fold(0.0f32, |m, w| m.max(w.abs()));
                    let scale = largest / 127.0;
                    scales.push(scale);
                    if scale > 0.0 {
                        from.iter().zip(to).for_each(|(w, v): (_, &mut i8)| *v = (w / scale).round() as i8);
                    }
                }
                Self::Int8 { values, scales }
            }
            Storage::Sparse => Self::Sparse(pack_sparse(&matrix, rows)),
        }
    }

    /// The f32 value of each weight as the kernels see it, `[columns][rows]`.
    pub(crate) fn decoded(&self, rows: usize) -> Vec<f32> {
        match self {
            Self::F32(values) => values.to_vec(),
            Self::F16(values) => values.iter().map(|w| w.to_f32()).collect(),
            Self::Bf16(values) => values.iter().map(|w| w.to_f32()).collect(),
            Self::Int8 { values, scales } => {
                let columns = values.chunks_exact(rows).zip(scales);
                columns.flat_map(|(column, scale)| column.iter().map(move |v| f32::from(*v) * scale)).collect()
            }
            Self::Sparse(sparse) => {
                let mut decoded = vec![0.0; (sparse.starts.len() - 1) / 2 * rows];
                for (part, ends) in sparse.starts.windows(2).enumerate() {
                    let first = part / 2 * rows + part % 2 * (rows / 3 * 2);
                    for place in ends[0]..ends[1] {
                        decoded[first + sparse.rows[place] as usize] = sparse.values[place];
                    }
                }
                decoded
            }
        }
    }

    /// Bytes fetched for `columns` columns that hold `nonzero` weights together: weights, and the scales or rows
    /// that belong to them.
    #[inline(always)]
    pub(crate) fn bytes(&self, columns: u64, nonzero: u64, rows: usize) -> u64 {
        let rows = rows as u64;
        match self {
            Self::F32(_) => columns * rows * 4,
            Self::F16(_) | Self::Bf16(_) => columns * rows * 2,
            Self::Int8 { .. } => columns * (rows + 4),
            Self::Sparse(_) => nonzero * 6,
        }
    }
}

fn map<T: Pod>(matrix: &Aligned<f32>, f: impl Fn(f32) -> T) -> Aligned<T> {
    let mut values = Aligned::zeros(matrix.len());
    values.iter_mut().zip(matrix.iter()).for_each(|(to, from)| *to = f(*from));
    values
}

fn pack_sparse(matrix: &Aligned<f32>, rows: usize) -> Sparse {
    let mut sparse = Sparse { values: Vec::new(), rows: Vec::new(), starts: vec![0] };
    for column in matrix.chunks_exact(rows) {
        let (gates, gate_n) = column.split_at(rows / 3 * 2);
        for part in [gates, gate_n] {
            for (row, weight) in part.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
                sparse.values.push(*weight);
                sparse.rows.push(row as u16);
            }
            sparse.starts.push(sparse.values.len());
        }
    }
    sparse
}
