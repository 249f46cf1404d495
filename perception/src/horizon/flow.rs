//! How blocks of a picture move, by phase correlation (Kuglin and Hines 1975): the shift between two blocks is where the inverse
//! transform of their normalised cross-power spectrum peaks.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, ArrayView3, s};
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::fit::{Block, PairFlow};

/// Columns that pictures are reduced to, about.
const COLUMNS: usize = 320;
/// Side of a block.
const SIDE: usize = 48;
/// From one block to the next.
const STRIDE: usize = 24;
/// A block whose grey levels deviate less has nothing to follow.
const LEAST_DEVIATION: f32 = 8.0;
/// A peak that holds a smaller share of the correlation is noise. Noise may hold more; the fit does not follow single blocks.
const LEAST_PEAK: f32 = 0.15;
/// Shorter shifts have no direction, longer ones leave the block.
const SHIFTS: std::ops::Range<f32> = 0.7..14.0;
/// Spectral lines weaker than this share of the strongest are not raised to its weight.
const NOISE_FLOOR: f32 = 1e-3;
/// The peak is read as the centre of mass of the values up to this far around it.
const PEAK_REACH: usize = 2;

/// A picture in grey, about [`COLUMNS`] wide: means of squares of pixels.
pub(super) fn reduced(picture: ArrayView3<'_, u8>) -> Array2<f32> {
    let (height, width, _) = picture.dim();
    let factor = ((width + COLUMNS / 2) / COLUMNS).max(1);
    let scale = 1.0 / (3 * factor * factor) as f32;
    Array2::from_shape_fn((height / factor, width / factor), |(row, column)| {
        let (top, left) = (row * factor, column * factor);
        let square = picture.slice(s![top..top + factor, left..left + factor, ..]);
        scale * square.iter().map(|&value| u32::from(value)).sum::<u32>() as f32
    })
}

/// Transforms and buffers.
pub(super) struct BlockFlow {
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    /// Hann window, `[SIDE]`.
    window: Vec<f32>,
}

impl BlockFlow {
    pub(super) fn new() -> Self {
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(SIDE), planner.plan_fft_inverse(SIDE));
        let hann = |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / (SIDE - 1) as f32).cos();
        Self { forward, inverse, window: (0..SIDE).map(hann).collect() }
    }

    /// The blocks that can be followed from `earlier` to `later`, both `[rows, columns]`.
    pub(super) fn between(&self, earlier: ArrayView2<'_, f32>, later: ArrayView2<'_, f32>) -> PairFlow {
        let (rows, columns) = earlier.dim();
        let mut blocks = Vec::new();
        for top in (0..(rows + 1).saturating_sub(SIDE)).step_by(STRIDE) {
            for left in (0..(columns + 1).saturating_sub(SIDE)).step_by(STRIDE) {
                let cut = s![top..top + SIDE, left..left + SIDE];
                let before = earlier.slice(cut);
                if before.std(0.0) < LEAST_DEVIATION {
                    continue;
                }
                let (shift, peak) = self.shift(before, later.slice(cut));
                if peak > LEAST_PEAK && SHIFTS.contains(&shift[0].hypot(shift[1])) {
                    let middle = |start: usize| (start + SIDE / 2) as f32;
                    blocks.push(Block { at: [middle(left), middle(top)], shift });
                }
            }
        }
        blocks
    }

    /// Columns and rows by which a block has moved, and the share of the correlation around the peak.
    fn shift(&self, before: ArrayView2<'_, f32>, after: ArrayView2<'_, f32>) -> ([f32; 2], f32) {
        let (before, mut cross) = (self.spectrum(before), self.spectrum(after));
        cross.iter_mut().zip(&before).for_each(|(after, before)| *after *= before.conj());
        let largest = cross.iter().map(|value| value.norm()).fold(0.0, f32::max);
        for value in &mut cross {
            *value /= value.norm() + NOISE_FLOOR * largest + 1e-9;
        }
        transform(&self.inverse, &mut cross);
        let scale = 1.0 / (SIDE * SIDE) as f32;
        let level = |row: usize, column: usize| scale * cross[(row % SIDE) * SIDE + column % SIDE].re;
        let places = (0..SIDE * SIDE).map(|place| (place / SIDE, place % SIDE));
        let (row, column) = places.max_by(|a, b| level(a.0, a.1).total_cmp(&level(b.0, b.1))).unwrap_or_default();
        let (mut mass, mut down, mut right) = (0.0, 0.0, 0.0);
        for dy in 0..=2 * PEAK_REACH {
            for dx in 0..=2 * PEAK_REACH {
                let value = level(row + SIDE + dy - PEAK_REACH, column + SIDE + dx - PEAK_REACH).max(0.0);
                mass += value;
                down += value * (dy as f32 - PEAK_REACH as f32);
                right += value * (dx as f32 - PEAK_REACH as f32);
            }
        }
        // Places in the far half stand for shifts to the left and up.
        let signed = |place: f32| if place > SIDE as f32 / 2.0 { place - SIDE as f32 } else { place };
        let mass_or_one = mass.max(1e-9);
        ([signed(column as f32 + right / mass_or_one), signed(row as f32 + down / mass_or_one)], mass)
    }

    /// Transform of a block without its mean, faded out towards its edges.
    fn spectrum(&self, block: ArrayView2<'_, f32>) -> Vec<Complex32> {
        let mean = block.mean().unwrap_or(0.0);
        let faded = |((row, column), &value): ((usize, usize), &f32)| {
            Complex32::from((value - mean) * self.window[row] * self.window[column])
        };
        let mut values: Vec<Complex32> = block.indexed_iter().map(faded).collect();
        transform(&self.forward, &mut values);
        values
    }
}

/// Both directions of `[SIDE, SIDE]`, in place; rows stay rows.
fn transform(fft: &Arc<dyn Fft<f32>>, values: &mut [Complex32]) {
    for _ in 0..2 {
        fft.process(values);
        for row in 0..SIDE {
            for column in row + 1..SIDE {
                values.swap(row * SIDE + column, column * SIDE + row);
            }
        }
    }
}
