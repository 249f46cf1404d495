//! `cargo bench -p deltasteer-temporal --bench streams`: steps a second of several streams on one and two threads, for
//! layers of 128 x 64 and 512 x 512, at thresholds at which about a hundredth of the columns is active.

use std::{sync::Arc, time::Instant};

use deltasteer_temporal::{DeltaRnn, Gru, RnnConfig, RnnWeights, Streams, TemporalError, Thresholds};
use ndarray::{Array2, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Enough that starting a thread does not count.
const FRAMES: usize = 4000;

fn main() -> Result<(), TemporalError> {
    println!("inputs hidden occupancy streams threads steps_per_second");
    for (inputs, hidden) in [(128, 64), (512, 512)] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let gru = Gru::random(inputs, hidden, 1, false, &mut rng)?;
        let config = RnnConfig::of(&gru, None);
        let weights = RnnWeights::new(gru, None, &config)?;
        let thresholds = [Thresholds::new(0.4, 0.1)?];
        // A hundredth of the inputs jumps in each frame.
        let mut features = Array2::zeros((FRAMES, inputs));
        for frame in 1..FRAMES {
            for i in 0..inputs {
                let before = features[[frame - 1, i]];
                features[[frame, i]] = if rng.random_bool(0.01) { 0.5 - before } else { before };
            }
        }
        let mut single = DeltaRnn::new(weights.clone(), &thresholds)?;
        single.run(features.view())?;
        let totals = single.totals();
        let occupancy =
            (totals.columns_x + totals.columns_h) as f64 / (totals.columns_x_dense + totals.columns_h_dense) as f64;
        for count in [1, 2, 4, 8, 16, 32] {
            for threads in [1, 2] {
                let steps = steps_per_second(&weights, &thresholds, &features, count, threads)?;
                println!("{inputs:6} {hidden:6} {occupancy:9.4} {count:7} {threads:7} {steps:16.0}");
            }
        }
    }
    Ok(())
}

/// The best of five runs. Each stream starts somewhere else in the sequence.
fn steps_per_second(
    weights: &Arc<RnnWeights>,
    thresholds: &[Thresholds],
    features: &Array2<f32>,
    count: usize,
    threads: usize,
) -> Result<f64, TemporalError> {
    let at = |(frame, stream, i)| features[[(frame + stream * FRAMES / count) % FRAMES, i]];
    let all = Array3::from_shape_fn((FRAMES, count, features.ncols()), at);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let mut streams = Streams::new(weights.clone(), thresholds, count)?;
        let start = Instant::now();
        streams.run(all.view(), threads)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok((FRAMES * count) as f64 / best)
}
