//! A layer's weights as the kernels read them.

use crate::{
    GruWeights, StepCount, Storage, TemporalError,
    kernels::{Aligned, Columns, LANES},
};

/// The packed layer. Columns of inputs come first, then those of hidden units. Each gate's part of a column is padded
/// with zeros to a multiple of 16 values, so that one transmitted value fetches one aligned run.
#[derive(Debug)]
pub struct PackedGru {
    inputs: usize,
    hidden: usize,
    storage: Storage,
    /// `[inputs + hidden][3 * padded]`
    pub(crate) columns: Columns,
    /// The sums before the first step: `[M_r | M_u | M_xc | M_hc]`, each `padded` long.
    pub(crate) start: Aligned<f32>,
    /// 0, 1, 2 and so on, as many as there are inputs or hidden units: the list of all columns.
    pub(crate) every: Vec<u32>,
    /// Weights that are not zero, for each column.
    nonzero: Vec<u32>,
    dense: StepCount,
    quiet: StepCount,
}

impl PackedGru {
    /// Checks and packs.
    ///
    /// # Errors
    /// Names the tensor whose shape or value is at fault.
    pub fn new(weights: &GruWeights, storage: Storage) -> Result<Self, TemporalError> {
        weights.check()?;
        let (inputs, hidden) = (weights.inputs, weights.hidden);
        let padded = hidden.next_multiple_of(LANES);
        if storage == Storage::Sparse && 2 * padded > u16::MAX as usize {
            let value = format!("sparse for {hidden} hidden units");
            return Err(TemporalError::Setting { field: "storage", value, expected: "at most 32,752 hidden units" });
        }
        let mut matrix = Aligned::zeros((inputs + hidden) * 3 * padded);
        let sources = weights.w_x.chunks_exact(3 * hidden).chain(weights.w_h.chunks_exact(3 * hidden));
        for (source, target) in sources.zip(matrix.chunks_exact_mut(3 * padded)) {
            for gate in 0..3 {
                target[gate * padded..][..hidden].copy_from_slice(&source[gate * hidden..][..hidden]);
            }
        }
        let columns = Columns::pack(matrix, 3 * padded, storage);
        let nonzero: Vec<u32> = columns
            .decoded(3 * padded)
            .chunks_exact(3 * padded)
            .map(|column| column.iter().filter(|w| **w != 0.0).count() as u32)
            .collect();
        let start = start(weights, padded);
        let every = (0..inputs.max(hidden) as u32).collect();
        let (dense, quiet) = (StepCount::default(), StepCount::default());
        let mut packed = Self { inputs, hidden, storage, columns, start, every, nonzero, dense, quiet };
        packed.dense = packed.count_dense();
        packed.quiet = packed.count(&[], &[]);
        Ok(packed)
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of hidden units.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// How the weights lie in memory.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// The weights as the kernels see them: rounded where the storage rounds. The biases are always exact.
    pub fn decoded(&self, biases: &GruWeights) -> GruWeights {
        let (hidden, padded) = (self.hidden, self.padded());
        let decoded = self.columns.decoded(3 * padded);
        let gates = decoded.chunks_exact(padded).flat_map(|gate| gate[..hidden].iter().copied());
        let mut w_x: Vec<f32> = gates.collect();
        let w_h = w_x.split_off(self.inputs * 3 * hidden);
        GruWeights { w_x, w_h, ..biases.clone() }
    }

    /// The work of one step of the dense GRU with these weights.
    pub fn dense_count(&self) -> &StepCount {
        &self.dense
    }

    /// The work of a delta step that sent nothing.
    pub(crate) fn quiet_count(&self) -> &StepCount {
        &self.quiet
    }

    /// `hidden` rounded up to whole vectors.
    pub(crate) fn padded(&self) -> usize {
        self.hidden.next_multiple_of(LANES)
    }

    /// The work of a delta step that walked these columns.
    #[inline]
    pub(crate) fn count(&self, columns_x: &[u32], columns_h: &[u32]) -> StepCount {
        let nonzero_x: u64 = columns_x.iter().map(|j| u64::from(self.nonzero[*j as usize])).sum();
        let nonzero_h: u64 = columns_h.iter().map(|j| u64::from(self.nonzero[self.inputs + *j as usize])).sum();
        let columns = (columns_x.len() + columns_h.len()) as u64;
        let (inputs, hidden) = (self.inputs as u64, self.hidden as u64);
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

    /// The work of a delta step that was sent these columns but walked all of them.
    pub(crate) fn count_whole(&self, columns_x: &[u32], columns_h: &[u32]) -> StepCount {
        let dense = &self.dense;
        let (rows, columns) = (3 * self.padded(), (self.inputs + self.hidden) as u64);
        StepCount {
            columns_x: columns_x.len() as u32,
            columns_h: columns_h.len() as u32,
            elementwise: dense.elementwise + 2 * columns,
            weight_bytes: self.columns.bytes(columns, dense.macs_after_weight_sparsity, rows),
            ..*dense
        }
    }

    fn count_dense(&self) -> StepCount {
        let columns = (self.inputs + self.hidden) as u64;
        let hidden = self.hidden as u64;
        let nonzero = self.nonzero.iter().map(|n| u64::from(*n)).sum();
        let rows = 3 * self.padded();
        // Pruning is no part of the baseline, so beside the sparse storage stands f32.
        let weight_bytes = match self.storage {
            Storage::Sparse => columns * rows as u64 * 4,
            _ => self.columns.bytes(columns, nonzero, rows),
        };
        StepCount {
            columns_x: self.inputs as u32,
            columns_h: self.hidden as u32,
            macs: 3 * hidden * columns,
            macs_after_weight_sparsity: nonzero,
            elementwise: 6 * hidden,
            weight_bytes,
        }
    }
}

/// The biases as the sums before the first step.
fn start(weights: &GruWeights, padded: usize) -> Aligned<f32> {
    let hidden = weights.hidden;
    let mut start = Aligned::zeros(4 * padded);
    for i in 0..hidden {
        start[i] = weights.b_x[i] + weights.b_h[i];
        start[padded + i] = weights.b_x[hidden + i] + weights.b_h[hidden + i];
        start[2 * padded + i] = weights.b_x[2 * hidden + i];
        start[3 * padded + i] = weights.b_h[2 * hidden + i];
    }
    start
}
