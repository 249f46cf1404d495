//! `cargo bench -p deltasteer-temporal --bench streams`: steps a second of several streams on one and two threads, for
//! layers of 128 x 64 and 512 x 512, at thresholds that send about a hundredth of the columns.

use deltasteer_temporal::{
    GruWeights, Head, RnnWeights, SteeringRnn, TemporalConfig, TemporalError, Thresholds, bench::run_streams,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), TemporalError> {
    println!("inputs hidden occupancy streams threads steps_per_second");
    for (inputs, hidden) in [(128, 64), (512, 512)] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let gru = GruWeights::random(inputs, hidden, &mut rng)?;
        let weights = RnnWeights::new(gru, Head::zeros(hidden), &TemporalConfig::new(inputs, hidden))?;
        let thresholds = Thresholds::new(0.4, 0.1)?;
        // A hundredth of the inputs jumps in each frame.
        let mut x = vec![0.0f32; inputs];
        let mut features = Vec::new();
        // Enough that starting a thread does not count.
        for _ in 0..4000 {
            for value in &mut x {
                if rng.random_bool(0.01) {
                    *value = 0.5 - *value;
                }
            }
            features.extend_from_slice(&x);
        }
        let mut single = SteeringRnn::new(weights.clone(), thresholds)?;
        for frame in features.chunks_exact(inputs) {
            single.step(frame)?;
        }
        let totals = single.totals();
        let sent = (totals.columns_x + totals.columns_h) as f64;
        let occupancy = sent / (totals.steps * (totals.inputs + totals.hidden)) as f64;
        for row in run_streams(&weights, thresholds, &features, &[1, 2, 4, 8, 16, 32], &[1, 2])? {
            let steps = row.steps_per_second;
            println!("{inputs:6} {hidden:6} {occupancy:9.4} {:7} {:7} {steps:16.0}", row.streams, row.threads);
        }
    }
    Ok(())
}
