//! The memory bandwidth that one thread reaches.

use std::{hint::black_box, time::Instant};

/// Bytes read by each pass, far beyond the last cache.
const BYTES: usize = 256 << 20;

/// GB/s of reading 256 MiB from memory in order, one thread: the best of five passes.
pub fn read_bandwidth_gb_s() -> f64 {
    let array = vec![1u64; BYTES / 8];
    let mut best = 0.0f64;
    for _ in 0..5 {
        let start = Instant::now();
        let mut sums = [0u64; 32];
        for values in black_box(&array).as_chunks::<32>().0 {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = sum.wrapping_add(*value);
            }
        }
        black_box(sums);
        best = best.max(BYTES as f64 / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}
