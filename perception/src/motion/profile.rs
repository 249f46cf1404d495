//! Column means of a band of rows, resampled to a fixed width, their slow part removed.

use std::ops::Range;

use ndarray::{ArrayView3, s};

use super::config::{MotionWindow, PROFILE_COLUMNS, REACH};

/// Columns of the moving mean that is taken away: sky, shadows and vignetting go, trees and road marks stay.
const SLOW: usize = 31;
/// Rows of a band that are read at most, evenly spread: more make no mean better.
const MOST_ROWS: usize = 60;

/// Rows that one or more windows share, and the columns of their profile that those windows need.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Band {
    pub rows_of_480: [u32; 2],
    pub columns: Range<usize>,
}

impl Band {
    /// The columns that a window is compared in, with those of their moving means.
    pub fn of(window: &MotionWindow) -> Self {
        let (margin, [left, right]) = (REACH + SLOW / 2, window.columns_of_320);
        let columns = left.saturating_sub(margin)..(right + margin + 1).min(PROFILE_COLUMNS);
        Self { rows_of_480: window.rows_of_480, columns }
    }

    /// Takes in another window of the same rows.
    pub fn join(&mut self, other: &Self) {
        self.columns = self.columns.start.min(other.columns.start)..self.columns.end.max(other.columns.end);
    }
}

/// The band's profile, `PROFILE_COLUMNS` values in grey levels of which those outside `band.columns` are 0, written to `profile`.
/// Returns the additions done.
pub(super) fn profile(frame: ArrayView3<u8>, band: &Band, sums: &mut Vec<u16>, profile: &mut [f32]) -> u64 {
    let (height, width, _) = frame.dim();
    let (rows_of_480, columns) = (band.rows_of_480, band.columns.clone());
    let share = width as f64 / PROFILE_COLUMNS as f64;
    let first = ((columns.start as f64 * share) as usize).min(width - 1);
    let end = ((columns.end as f64 * share) as usize + 1).min(width);
    let edge = |row: u32| (row as usize * height + 240) / 480;
    let top = edge(rows_of_480[0]).min(height - 1);
    let bottom = edge(rows_of_480[1]).clamp(top + 1, height);
    let step = (bottom - top).div_ceil(MOST_ROWS);
    sums.clear();
    sums.resize((end - first) * 3, 0);
    let mut rows = 0;
    for row in frame.slice(s![top..bottom;step, first..end, ..]).outer_iter() {
        // 60 rows of 255 fit into 16 bits.
        match row.as_slice() {
            Some(row) => sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += u16::from(*value)),
            None => sums.iter_mut().zip(row.iter()).for_each(|(sum, value)| *sum += u16::from(*value)),
        }
        rows += 1;
    }
    profile.fill(0.0);
    resample(sums, rows, (first, share), columns.start, &mut profile[columns.clone()]);
    remove_slow_part(&mut profile[columns.clone()]);
    ((rows + 1) * sums.len() + 4 * columns.len()) as u64
}

/// Means over equal shares of the width: differences of the running sum, read between its places where a share is no whole
/// number of columns. `sums` begins at the picture's column `first`, `profile` at the profile's column `begin`.
fn resample(sums: &[u16], rows: usize, (first, share): (usize, f64), begin: usize, profile: &mut [f32]) {
    let mut running = Vec::with_capacity(sums.len() / 3 + 1);
    let mut total = 0.0f64;
    running.push(total);
    running.extend(sums.chunks_exact(3).map(|pixel| {
        total += f64::from(pixel.iter().map(|value| u32::from(*value)).sum::<u32>());
        total
    }));
    let at = |column: f64| {
        let column = column - first as f64;
        let whole = (column as usize).min(running.len() - 2);
        running[whole] + (running[whole + 1] - running[whole]) * (column - whole as f64)
    };
    let norm = 1.0 / (share * rows as f64 * 3.0);
    for (i, value) in (begin..).zip(profile) {
        *value = ((at((i + 1) as f64 * share) - at(i as f64 * share)) * norm) as f32;
    }
}

/// Takes away the mean of the `SLOW` columns around each one; at the edges, of those that there are.
fn remove_slow_part(profile: &mut [f32]) {
    let (mut running, columns) = ([0.0f32; PROFILE_COLUMNS + 1], profile.len());
    for (i, value) in profile.iter().enumerate() {
        running[i + 1] = running[i] + value;
    }
    for (i, value) in profile.iter_mut().enumerate() {
        let (from, to) = (i.saturating_sub(SLOW / 2), (i + SLOW / 2 + 1).min(columns));
        *value -= (running[to] - running[from]) / (to - from) as f32;
    }
}
