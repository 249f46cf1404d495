//! Column means of a band of rows, resampled to a fixed width, their slow part removed.

use ndarray::{ArrayView3, s};

use super::config::PROFILE_COLUMNS;

/// Columns of the moving mean that is taken away: sky, shadows and vignetting go, trees and road marks stay.
const SLOW: usize = 31;
/// Rows of a band that are read at most, evenly spread: more make no mean better.
const MOST_ROWS: usize = 60;

/// The band's profile, `PROFILE_COLUMNS` values in grey levels, written to `profile`. Returns the additions done.
pub(super) fn profile(frame: ArrayView3<u8>, rows_of_480: [u32; 2], sums: &mut Vec<u16>, profile: &mut [f32]) -> u64 {
    let (height, width, _) = frame.dim();
    let edge = |row: u32| (row as usize * height + 240) / 480;
    let top = edge(rows_of_480[0]).min(height - 1);
    let bottom = edge(rows_of_480[1]).clamp(top + 1, height);
    let step = (bottom - top).div_ceil(MOST_ROWS);
    sums.clear();
    sums.resize(width * 3, 0);
    let mut rows = 0;
    for row in frame.slice(s![top..bottom;step, .., ..]).outer_iter() {
        // 60 rows of 255 fit into 16 bits.
        match row.as_slice() {
            Some(row) => sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += u16::from(*value)),
            None => sums.iter_mut().zip(row.iter()).for_each(|(sum, value)| *sum += u16::from(*value)),
        }
        rows += 1;
    }
    resample(sums, rows, width, profile);
    remove_slow_part(profile);
    (rows * width * 3 + width * 3 + 4 * PROFILE_COLUMNS) as u64
}

/// Means over equal shares of the width: differences of the running sum, read between its places where a share is no whole
/// number of columns.
fn resample(sums: &[u16], rows: usize, width: usize, profile: &mut [f32]) {
    let mut running = Vec::with_capacity(width + 1);
    let mut total = 0.0f64;
    running.push(total);
    running.extend(sums.chunks_exact(3).map(|pixel| {
        total += f64::from(pixel.iter().map(|value| u32::from(*value)).sum::<u32>());
        total
    }));
    let at = |column: f64| {
        let whole = (column as usize).min(width - 1);
        running[whole] + (running[whole + 1] - running[whole]) * (column - whole as f64)
    };
    let share = width as f64 / profile.len() as f64;
    let norm = 1.0 / (share * rows as f64 * 3.0);
    for (i, value) in profile.iter_mut().enumerate() {
        *value = ((at((i + 1) as f64 * share) - at(i as f64 * share)) * norm) as f32;
    }
}

/// Takes away the mean of the `SLOW` columns around each one; at the edges, of those that there are.
fn remove_slow_part(profile: &mut [f32]) {
    let mut running = [0.0f32; PROFILE_COLUMNS + 1];
    for (i, value) in profile.iter().enumerate() {
        running[i + 1] = running[i] + value;
    }
    for (i, value) in profile.iter_mut().enumerate() {
        let (from, to) = (i.saturating_sub(SLOW / 2), (i + SLOW / 2 + 1).min(PROFILE_COLUMNS));
        *value -= (running[to] - running[from]) / (to - from) as f32;
    }
}
