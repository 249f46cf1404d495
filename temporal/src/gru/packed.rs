//! A layer's weights as the kernels read them.

use ndarray::Array2;

use crate::{
    GruWeights, StepCount, Storage, TemporalError,
    kernels::{Aligned, Columns, LANES, Matrices},
};

/// The packed layer. Columns of inputs come first, then those of hidden units. Each gate's part of a column is padded
/// with zeros to a multiple of 16 values, so that one transmitted value fetches one aligned run.
#[derive(Debug)]
pub struct PackedGru {
    input_size: usize,
    hidden_size: usize,
    storage: Storage,
    /// `[input_size + hidden_size][3 * padded]`
    columns: Columns,
    /// The pre-activations before the first step: `[M_r | M_z | M_xn | M_hn]`, each `padded` long.
    pub(crate) bias: Aligned<f32>,
    /// 0, 1, 2 and so on, as many as there are inputs or hidden units: the indices of all columns.
    all: Vec<u32>,
    /// Weights that are not zero, for each column.
    nonzero: Vec<u32>,
    dense: StepCount,
    idle: StepCount,
}

impl PackedGru {
    /// Checks and packs.
    ///
    /// # Errors
    /// As [`GruWeights::check`]; [`TemporalError::Setting`] for a sparse layer of too many hidden units.
    pub fn new(weights: &GruWeights, storage: Storage) -> Result<Self, TemporalError> {
        weights.check("")?;
        let (input_size, hidden_size) = (weights.input_size(), weights.hidden_size());
        let padded = hidden_size.next_multiple_of(LANES);
        if storage == Storage::Sparse && 2 * padded > u16::MAX as usize {
            let value = format!("sparse for {hidden_size} hidden units");
            return Err(TemporalError::Setting { field: "storage", value, expected: "at most 32,752 hidden units" });
        }
        let mut matrix = Aligned::zeros((input_size + hidden_size) * 3 * padded);
        let sources = weights.weight_ih.columns().into_iter().chain(weights.weight_hh.columns());
        for (source, target) in sources.zip(matrix.chunks_exact_mut(3 * padded)) {
            for (row, weight) in source.iter().enumerate() {
                target[row / hidden_size * padded + row % hidden_size] = *weight;
            }
        }
        let columns = Columns::pack(matrix, 3 * padded, storage);
        let nonzero: Vec<u32> = columns
            .decoded(3 * padded)
            .chunks_exact(3 * padded)
            .map(|column| column.iter().filter(|w| **w != 0.0).count() as u32)
            .collect();
        let all = (0..input_size.max(hidden_size) as u32).collect();
        let (bias, none) = (initial_preactivations(weights, padded), StepCount::default());
        let mut packed =
            Self { input_size, hidden_size, storage, columns, bias, all, nonzero, dense: none, idle: none };
        packed.dense = packed.count_dense();
        packed.idle = packed.count(&[], &[]);
        Ok(packed)
    }

    /// Number of inputs.
    #[inline]
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// Number of hidden units.
    #[inline]
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// How the weights are stored.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// The weights as the kernels see them: rounded where the storage rounds. The biases are always exact.
    pub fn decoded(&self, biases: &GruWeights) -> GruWeights {
        let (hidden, padded) = (self.hidden_size, self.padded());
        let columns = self.columns.decoded(3 * padded);
        let matrix = |first: usize, count: usize| {
            let at =
                |(row, j): (usize, usize)| columns[(first + j) * 3 * padded + row / hidden * padded + row % hidden];
            Array2::from_shape_fn((3 * hidden, count), at)
        };
        GruWeights {
            weight_ih: matrix(0, self.input_size),
            weight_hh: matrix(self.input_size, hidden),
            ..biases.clone()
        }
    }

    #[inline]
    pub(crate) fn matrices(&self) -> Matrices<'_> {
        let Self { input_size, hidden_size, columns, bias, all, .. } = self;
        Matrices { columns, input_size: *input_size, hidden_size: *hidden_size, bias, all }
    }

    /// The work of one step of the dense GRU with these weights.
    #[inline]
    pub fn dense_count(&self) -> &StepCount {
        &self.dense
    }

    /// The work of an idle delta step.
    #[inline]
    pub fn idle_count(&self) -> &StepCount {
        &self.idle
    }

    /// `hidden_size` rounded up to whole vectors.
    pub(crate) fn padded(&self) -> usize {
        self.hidden_size.next_multiple_of(LANES)
    }

    /// The work of a delta step with these active columns.
    #[inline]
    pub(crate) fn count(&self, columns_x: &[u32], columns_h: &[u32]) -> StepCount {
        let nonzero_x: u64 = columns_x.iter().map(|j| u64::from(self.nonzero[*j as usize])).sum();
        let nonzero_h: u64 = columns_h.iter().map(|j| u64::from(self.nonzero[self.input_size + *j as usize])).sum();
        let columns = (columns_x.len() + columns_h.len()) as u64;
        let (inputs, hidden) = (self.input_size as u64, self.hidden_size as u64);
        let gates = if columns == 0 { 2 } else { 6 };
        StepCount {
            columns_x: columns_x.len() as u32,
            columns_h: columns_h.len() as u32,
            macs: 3 * hidden * columns,
            macs_after_weight_sparsity: nonzero_x + nonzero_h,
            elementwise: 2 * (inputs + hidden) + gates * hidden,
            weight_bytes: self.columns.bytes(columns, nonzero_x + nonzero_h, 3 * self.padded()),
        }
    }

    /// The work of a delta step with these active columns that multiplied all of them.
    pub(crate) fn count_whole(&self, columns_x: &[u32], columns_h: &[u32]) -> StepCount {
        let dense = &self.dense;
        let (rows, columns) = (3 * self.padded(), (self.input_size + self.hidden_size) as u64);
        StepCount {
            columns_x: columns_x.len() as u32,
            columns_h: columns_h.len() as u32,
            elementwise: dense.elementwise + 2 * columns,
            weight_bytes: self.columns.bytes(columns, dense.macs_after_weight_sparsity, rows),
            ..*dense
        }
    }

    fn count_dense(&self) -> StepCount {
        let columns = (self.input_size + self.hidden_size) as u64;
        let hidden = self.hidden_size as u64;
        let nonzero = self.nonzero.iter().map(|n| u64::from(*n)).sum();
        let rows = 3 * self.padded();
        // Pruning is no part of the baseline, so beside the sparse storage stands f32.
        let weight_bytes = match self.storage {
            Storage::Sparse => columns * rows as u64 * 4,
            _ => self.columns.bytes(columns, nonzero, rows),
        };
        StepCount {
            columns_x: self.input_size as u32,
            columns_h: self.hidden_size as u32,
            macs: 3 * hidden * columns,
            macs_after_weight_sparsity: nonzero,
            elementwise: 6 * hidden,
            weight_bytes,
        }
    }
}

/// The biases as the pre-activations before the first step.
fn initial_preactivations(weights: &GruWeights, padded: usize) -> Aligned<f32> {
    let (hidden, ih, hh) = (weights.hidden_size(), &weights.bias_ih, &weights.bias_hh);
    let mut pre = Aligned::zeros(4 * padded);
    for i in 0..hidden {
        pre[i] = ih[i] + hh[i];
        pre[padded + i] = ih[hidden + i] + hh[hidden + i];
        pre[2 * padded + i] = ih[2 * hidden + i];
        pre[3 * padded + i] = hh[2 * hidden + i];
    }
    pre
}
