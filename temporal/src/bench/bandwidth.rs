//! The memory bandwidth that one thread reaches.

use std::{hint::black_box, time::Instant};

use crate::{
    Kernel,
    kernels::{Aligned, Dot},
};

/// Values read by each pass: 256 MiB, far beyond the last cache.
const VALUES: usize = 64 << 20;

/// GB/s of reading 256 MiB from memory in order with vector instructions, one thread: the best of five passes.
pub fn read_bandwidth_gb_s(kernel: Kernel) -> f64 {
    let mut array = Aligned::zeros(VALUES);
    array.fill(1.0);
    let (first, second) = array.vectors().split_at(VALUES / 32);
    let mut best = 0.0f64;
    for _ in 0..5 {
        let start = Instant::now();
        black_box(kernel.run(Dot { a: black_box(first), b: second }));
        best = best.max((4 * VALUES) as f64 / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}
