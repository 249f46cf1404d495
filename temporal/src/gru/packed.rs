//! A layer's weights as the kernels read them: one contiguous, aligned run for each column.

use crate::{GruWeights, StepCount, Storage, TemporalError, kernels::Aligned};

/// The packed layer. Columns of inputs come first, then those of hidden units. Each gate's part of a column is padded
/// with zeros to a multiple of 16 values, so that one transmitted value fetches one aligned run.
#[derive(Debug)]
pub struct PackedGru {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of hidden units.
    pub hidden: usize,
    /// `hidden` rounded up to a multiple of 16.
    pub(crate) padded: usize,
    pub(crate) storage: Storage,
    /// `[inputs + hidden][3 * padded]`
    pub(crate) columns: Aligned,
    /// The sums before the first step: `[M_r | M_u | M_xc | M_hc]`, each `padded` long.
    pub(crate) start: Aligned,
    /// Weights that are not zero, for each column.
    pub(crate) nonzero: Vec<u32>,
}

impl PackedGru {
    /// Checks and packs.
    ///
    /// # Errors
    /// Names the tensor whose shape or value is at fault.
    pub fn new(weights: &GruWeights, storage: Storage) -> Result<Self, TemporalError> {
        weights.check()?;
        if storage != Storage::F32 {
            let value = storage.name().to_string();
            return Err(TemporalError::Setting { field: "storage", value, expected: "f32 (others follow)" });
        }
        let (inputs, hidden) = (weights.inputs, weights.hidden);
        let padded = hidden.next_multiple_of(16);
        let mut columns = Aligned::zeros((inputs + hidden) * 3 * padded);
        let sources = weights.w_x.chunks_exact(3 * hidden).chain(weights.w_h.chunks_exact(3 * hidden));
        let mut nonzero = Vec::with_capacity(inputs + hidden);
        for (source, target) in sources.zip(columns.chunks_exact_mut(3 * padded)) {
            nonzero.push(source.iter().filter(|w| **w != 0.0).count() as u32);
            for gate in 0..3 {
                target[gate * padded..][..hidden].copy_from_slice(&source[gate * hidden..][..hidden]);
            }
        }
        let mut start = Aligned::zeros(4 * padded);
        for i in 0..hidden {
            start[i] = weights.b_x[i] + weights.b_h[i];
            start[padded + i] = weights.b_x[hidden + i] + weights.b_h[hidden + i];
            start[2 * padded + i] = weights.b_x[2 * hidden + i];
            start[3 * padded + i] = weights.b_h[2 * hidden + i];
        }
        Ok(Self { inputs, hidden, padded, storage, columns, start, nonzero })
    }

    /// The work of one step of the dense GRU with these weights.
    pub fn dense_count(&self) -> StepCount {
        let (inputs, hidden) = (self.inputs as u64, self.hidden as u64);
        StepCount {
            columns_x: self.inputs as u32,
            columns_h: self.hidden as u32,
            macs: 3 * hidden * (inputs + hidden),
            macs_after_weight_sparsity: self.nonzero.iter().map(|n| u64::from(*n)).sum(),
            elementwise: 6 * hidden,
            weight_bytes: (inputs + hidden) * self.column_bytes(),
        }
    }

    /// Bytes of one column in memory.
    pub(crate) fn column_bytes(&self) -> u64 {
        3 * self.padded as u64 * 4
    }
}
