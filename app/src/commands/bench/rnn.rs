//! `bench rnn`: the time of a step, delta beside dense, against occupancy, hidden size and storage.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deltasteer_temporal::gru::Cell;
use deltasteer_temporal::{
    DeltaGru, DenseGru, GruWeights, Kernel, PackedGru, StepCount, Storage, TemporalError, Thresholds,
};
use ndarray::Array1;
use rand::rngs::StdRng;
use rand::seq::index;
use rand::{Rng, SeedableRng};
use serde::Serialize;

/// Length of a round. On a busy machine short rounds find a moment in which nobody else was at work.
const ROUND: Duration = Duration::from_micros(400);

/// What to measure: every combination of the three lists.
#[derive(Debug, Clone)]
pub struct BenchSettings {
    /// Inputs and hidden units.
    pub sizes: Vec<(usize, usize)>,
    /// Shares of the columns that are active in each step, 0 to 1.
    pub occupancies: Vec<f64>,
    /// How the weights are stored. For [`Storage::Sparse`] nine of ten weights are zero, and the dense step beside it
    /// is that of the whole weights in f32.
    pub storages: Vec<Storage>,
    /// Time for each row, in seconds.
    pub seconds_per_row: f64,
    /// Seed of weights and columns.
    pub seed: u64,
}

impl Default for BenchSettings {
    fn default() -> Self {
        Self {
            sizes: [64, 128, 256, 512, 1024, 2048].map(|n| (n, n)).to_vec(),
            occupancies: vec![0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0],
            storages: Storage::ALL.to_vec(),
            seconds_per_row: 0.2,
            seed: 1,
        }
    }
}

/// One measured point. Times are of one step on one thread.
#[derive(Debug, Clone, Serialize)]
pub struct BenchRow {
    /// The kernels' variant.
    pub kernel: &'static str,
    /// Number of inputs.
    pub inputs: usize,
    /// Number of hidden units.
    pub hidden: usize,
    /// How the weights are stored.
    pub storage: Storage,
    /// Active columns of a step, of inputs and hidden units together.
    pub columns: usize,
    /// Their share of all columns.
    pub occupancy: f64,
    /// Microseconds of a delta step: the smallest mean of several rounds.
    pub step_us_delta: f64,
    /// Microseconds of a dense step in the same storage (f32 beside sparse), measured in between.
    pub step_us_dense: f64,
    /// Dense multiply-accumulates over those of the delta step.
    pub savings_macs: f64,
    /// Dense time over delta time.
    pub savings_time: f64,
    /// Bytes of weights that a delta step fetches.
    pub weight_bytes_delta: u64,
    /// Bytes of weights that a dense step fetches.
    pub weight_bytes_dense: u64,
    /// Rate at which the dense step fetches weights, in GB/s.
    pub dense_gb_s: f64,
}

/// Measures every row of `settings`. `progress` is told the rows done and of how many; `false` from it ends early with
/// the rows so far.
///
/// # Errors
/// [`TemporalError::Setting`] for an occupancy outside 0 to 1 or a time of zero, [`TemporalError::Size`] for a hidden
/// size of zero or beyond memory, [`TemporalError::Kernel`] for an unknown `DELTASTEER_KERNEL`.
pub fn run(
    settings: &BenchSettings,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Vec<BenchRow>, TemporalError> {
    check(settings)?;
    let kernel = Kernel::choose()?;
    let total = settings.sizes.len() * settings.storages.len() * settings.occupancies.len();
    let mut rows = Vec::with_capacity(total);
    for (inputs, hidden) in settings.sizes.iter().copied() {
        let weights = GruWeights::random(inputs, hidden, &mut StdRng::seed_from_u64(settings.seed))?;
        for storage in &settings.storages {
            let [packed, dense] = pack(&weights, *storage, settings.seed)?;
            for occupancy in &settings.occupancies {
                if !progress(rows.len(), total) {
                    return Ok(rows);
                }
                let time = Duration::from_secs_f64(settings.seconds_per_row);
                rows.push(measure([&packed, &dense], *occupancy, kernel, time, settings.seed)?);
            }
        }
    }
    progress(total, total);
    Ok(rows)
}

fn check(settings: &BenchSettings) -> Result<(), TemporalError> {
    if let Some(bad) = settings.occupancies.iter().find(|o| !(0.0..=1.0).contains(*o)) {
        return Err(TemporalError::Setting { field: "occupancy", value: bad.to_string(), expected: "0 to 1" });
    }
    let seconds = settings.seconds_per_row;
    if !(seconds > 0.0 && seconds < 3600.0) {
        let value = seconds.to_string();
        return Err(TemporalError::Setting { field: "seconds a row", value, expected: "more than 0, below 3600" });
    }
    Ok(())
}

/// The weights for the delta step and for the dense step beside it.
fn pack(weights: &GruWeights, storage: Storage, seed: u64) -> Result<[Arc<PackedGru>; 2], TemporalError> {
    if storage != Storage::Sparse {
        let packed = Arc::new(PackedGru::new(weights, storage)?);
        return Ok([packed.clone(), packed]);
    }
    let mut pruned = weights.clone();
    let mut rng = StdRng::seed_from_u64(seed);
    let zero = |w: &mut f32| *w = if rng.random_bool(0.9) { 0.0 } else { *w };
    pruned.weight_ih.iter_mut().chain(&mut pruned.weight_hh).for_each(zero);
    Ok([Arc::new(PackedGru::new(&pruned, storage)?), Arc::new(PackedGru::new(weights, Storage::F32)?)])
}

/// One row: rounds of dense and delta steps take turns, so that both meet the same disturbances.
fn measure(
    [packed, dense]: [&Arc<PackedGru>; 2],
    occupancy: f64,
    kernel: Kernel,
    time: Duration,
    seed: u64,
) -> Result<BenchRow, TemporalError> {
    let mut driven = Driven::new(packed.clone(), occupancy, kernel, seed)?;
    let work = *dense.dense_count();
    let mut dense = DenseGru::with_kernel(dense.clone(), kernel);
    let x: Array1<f32> = (0..packed.input_size()).map(|j| (j as f32 * 0.37).sin()).collect();
    let (mut best_delta, mut best_dense) = (f64::INFINITY, f64::INFINITY);
    let until = Instant::now() + time;
    let mut rounds = 0;
    while rounds < 5 || Instant::now() < until {
        best_delta = best_delta.min(driven.round()?);
        best_dense = best_dense.min(dense_round(&mut dense, &x)?);
        rounds += 1;
    }
    let count = driven.count();
    let dense_gb_s = work.weight_bytes as f64 / best_dense / 1e9;
    let columns = (count.columns_x + count.columns_h) as usize;
    Ok(BenchRow {
        kernel: kernel.name(),
        inputs: packed.input_size(),
        hidden: packed.hidden_size(),
        storage: packed.storage(),
        columns,
        occupancy: columns as f64 / (packed.input_size() + packed.hidden_size()) as f64,
        step_us_delta: best_delta * 1e6,
        step_us_dense: best_dense * 1e6,
        savings_macs: work.macs as f64 / count.macs as f64,
        savings_time: best_dense / best_delta,
        weight_bytes_delta: count.weight_bytes,
        weight_bytes_dense: work.weight_bytes,
        dense_gb_s,
    })
}

/// Mean seconds of a dense step over one round, two steps at least.
fn dense_round(dense: &mut DenseGru, x: &Array1<f32>) -> Result<f64, TemporalError> {
    let (mut steps, start) = (0, Instant::now());
    while steps < 2 || start.elapsed() < ROUND {
        for _ in 0..2 {
            dense.step(x.view())?;
        }
        steps += 2;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(steps))
}

/// Steps that are timed together where they are short beside reading the clock.
const MANY: usize = 4;
/// By how much a chosen value moves, and the threshold below it.
const MOVE: f32 = 0.5;
const THETA: f32 = 0.4;

/// Delta cells whose next step has exactly the chosen number of active columns, other ones each time: inputs change by more
/// than the threshold, and the references of hidden units are set apart from them. Whole steps are timed: threshold scan,
/// matrix-vector product, gates.
pub struct Driven {
    cells: Vec<DeltaGru>,
    x: Vec<Array1<f32>>,
    /// How many inputs and hidden units are active.
    columns: [usize; 2],
    rng: StdRng,
    count: StepCount,
}

impl Driven {
    /// Cells on `packed` with `occupancy` of all columns active, rounded to whole ones.
    ///
    /// # Errors
    /// As [`DeltaGru::with_kernel`].
    pub fn new(packed: Arc<PackedGru>, occupancy: f64, kernel: Kernel, seed: u64) -> Result<Self, TemporalError> {
        let (inputs, hidden) = (packed.input_size(), packed.hidden_size());
        let columns = (occupancy * (inputs + hidden) as f64).round() as usize;
        let from_x = (columns * inputs / (inputs + hidden)).min(inputs);
        let from_h = (columns - from_x).min(hidden);
        let many = if hidden * (inputs + hidden) <= 128 * 256 { MANY } else { 1 };
        let thresholds = Thresholds::new(THETA, THETA)?;
        let cell = DeltaGru::with_kernel(packed, thresholds, kernel)?;
        let x = vec![Array1::zeros(inputs); many];
        let (columns, rng) = ([from_x, from_h], StdRng::seed_from_u64(seed));
        Ok(Self { cells: vec![cell; many], x, columns, rng, count: StepCount::default() })
    }

    /// Mean seconds of a delta step over one round, two steps at least; setting the scene is not timed.
    ///
    /// # Errors
    /// As [`DeltaGru::step`].
    pub fn round(&mut self) -> Result<f64, TemporalError> {
        let (mut seconds, mut steps) = (0.0, 0);
        while steps < 2 || seconds < ROUND.as_secs_f64() && steps < 200 {
            for k in 0..self.cells.len() {
                self.set_scene(k)?;
            }
            let start = Instant::now();
            for (cell, x) in self.cells.iter_mut().zip(&self.x) {
                self.count = cell.step(x.view())?;
            }
            seconds += start.elapsed().as_secs_f64();
            steps += self.cells.len();
        }
        Ok(seconds / steps as f64)
    }

    /// The work of the last step.
    pub fn count(&self) -> StepCount {
        self.count
    }

    /// Inputs and hidden references for the next step of cell `k`.
    fn set_scene(&mut self, k: usize) -> Result<(), TemporalError> {
        let cell = &mut self.cells[k];
        let [from_x, from_h] = self.columns;
        let x = &mut self.x[k];
        x.assign(&cell.x_ref());
        index::sample(&mut self.rng, x.len(), from_x).iter().for_each(|j| x[j] = if x[j] > 0.0 { 0.0 } else { MOVE });
        // A random sign keeps the pre-activations small, as the deltas do not follow the hidden state here.
        let by = if self.rng.random() { MOVE } else { -MOVE };
        let mut state = cell.state();
        state.h_ref.assign(&state.hidden);
        index::sample(&mut self.rng, state.hidden.len(), from_h).iter().for_each(|unit| state.h_ref[unit] -= by);
        cell.restore(&state)
    }
}
