//! A delta cell driven at a chosen occupancy.

use std::{sync::Arc, time::Instant};

use rand::{SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;

use crate::{DeltaGru, Kernel, PackedGru, StepCount, TemporalError, Thresholds};

/// Different choices of columns; more than any cache of the processor could learn by heart.
const CHOICES: usize = 61;
/// Steps that are timed together where they are short beside reading the clock.
const MANY: usize = 16;
/// By how much a chosen value moves, and the threshold below it.
const MOVE: f32 = 0.5;
const THETA: f32 = 0.4;

/// Delta cells whose next step sends exactly the chosen number of columns, other ones each time: inputs move by more
/// than the threshold, and references of hidden units are set away from them. The steps are whole ones: check of the
/// input, scan, walk, gates.
pub struct Driven {
    cells: Vec<DeltaGru>,
    x: Vec<Vec<f32>>,
    /// Chosen inputs and hidden units.
    choices: Vec<(Vec<usize>, Vec<usize>)>,
    next: usize,
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
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut choose = |n, k| index::sample(&mut rng, n, k).into_vec();
        let choices = (0..CHOICES).map(|_| (choose(inputs, from_x), choose(hidden, from_h))).collect();
        let many = if hidden * (inputs + hidden) <= 128 * 256 { MANY } else { 1 };
        let thresholds = Thresholds::new(THETA, THETA)?;
        let cell = DeltaGru::with_kernel(packed, thresholds, kernel)?;
        let x = vec![vec![0.0; inputs]; many];
        Ok(Self { cells: vec![cell; many], x, choices, next: 0, count: StepCount::default() })
    }

    /// Mean seconds of a delta step over 48 steps; setting the scene is not timed.
    ///
    /// # Errors
    /// None; the inputs are finite.
    pub fn round(&mut self) -> Result<f64, TemporalError> {
        let (mut seconds, mut steps) = (0.0, 0);
        while steps < 48 {
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
        let (choice, turn) = (self.next % CHOICES, self.next / CHOICES);
        self.next += 1;
        // What one turn through the choices adds, the next takes away: the sums stay small.
        let sign = if turn % 2 == 0 { MOVE } else { -MOVE };
        let (from_x, from_h) = &self.choices[choice];
        let cell = &mut self.cells[k];
        self.x[k].copy_from_slice(cell.x_ref());
        from_x.iter().for_each(|j| self.x[k][*j] += if self.x[k][*j] > 0.0 { -MOVE } else { MOVE });
        cell.move_references(from_h, sign);
    }
}
