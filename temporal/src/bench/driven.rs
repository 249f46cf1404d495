//! A delta cell driven at a chosen occupancy.

use std::{sync::Arc, time::Instant};

use rand::{Rng, SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;

use super::ROUND;
use crate::{DeltaGru, Kernel, PackedGru, StepCount, TemporalError, Thresholds};

/// Steps that are timed together where they are short beside reading the clock.
const MANY: usize = 4;
/// By how much a chosen value moves, and the threshold below it.
const MOVE: f32 = 0.5;
const THETA: f32 = 0.4;

/// Delta cells whose next step sends exactly the chosen number of columns, other ones each time: inputs move by more
/// than the threshold, and references of hidden units are set away from them. The steps are whole ones: check of the
/// input, scan, walk, gates.
pub struct Driven {
    cells: Vec<DeltaGru>,
    x: Vec<Vec<f32>>,
    /// How many inputs and hidden units are sent.
    columns: [usize; 2],
    rng: ChaCha8Rng,
    count: StepCount,
}

impl Driven {
    /// Cells on `packed` that send `occupancy` of all columns, rounded to whole ones.
    ///
    /// # Errors
    /// None that a checked occupancy could cause.
    pub fn new(packed: Arc<PackedGru>, occupancy: f64, kernel: Kernel, seed: u64) -> Result<Self, TemporalError> {
        let (inputs, hidden) = (packed.inputs(), packed.hidden());
        let columns = (occupancy * (inputs + hidden) as f64).round() as usize;
        let from_x = (columns * inputs / (inputs + hidden)).min(inputs);
        let from_h = (columns - from_x).min(hidden);
        let many = if hidden * (inputs + hidden) <= 128 * 256 { MANY } else { 1 };
        let thresholds = Thresholds::new(THETA, THETA)?;
        let cell = DeltaGru::with_kernel(packed, thresholds, kernel)?;
        let x = vec![vec![0.0; inputs]; many];
        let (columns, rng) = ([from_x, from_h], ChaCha8Rng::seed_from_u64(seed));
        Ok(Self { cells: vec![cell; many], x, columns, rng, count: StepCount::default() })
    }

    /// Mean seconds of a delta step over one round, two steps at least; setting the scene is not timed.
    ///
    /// # Errors
    /// None; the inputs are finite.
    pub fn round(&mut self) -> Result<f64, TemporalError> {
        let (mut seconds, mut steps) = (0.0, 0);
        while steps < 2 || seconds < ROUND.as_secs_f64() && steps < 200 {
            for k in 0..self.cells.len() {
                self.set_scene(k);
            }
            let start = Instant::now();
            for (cell, x) in self.cells.iter_mut().zip(&self.x) {
                self.count = cell.step(x)?;
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
    fn set_scene(&mut self, k: usize) {
        let cell = &mut self.cells[k];
        let [from_x, from_h] = self.columns;
        let x = &mut self.x[k];
        x.copy_from_slice(cell.x_ref());
        index::sample(&mut self.rng, x.len(), from_x).iter().for_each(|j| x[j] = if x[j] > 0.0 { 0.0 } else { MOVE });
        // A random sign keeps the sums small, as the deltas do not follow the hidden state here.
        let by = if self.rng.random() { MOVE } else { -MOVE };
        let chosen = index::sample(&mut self.rng, cell.hidden().len(), from_h);
        cell.move_references(&chosen.into_vec(), by);
    }
}
