//! Several streams do what each would do alone.
#![allow(clippy::unwrap_used)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use std::sync::Arc;

use deltasteer_temporal::{DeltaRnn, Gru, Head, Linear, RnnConfig, RnnWeights, Streams, Thresholds};
use ndarray::{Array2, Array3, array, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn made(input_size: usize, hidden_size: usize, num_layers: usize, rng: &mut ChaCha8Rng) -> Arc<RnnWeights> {
    let gru = Gru::random(input_size, hidden_size, num_layers, false, rng).unwrap();
    let weight = Array2::from_shape_fn((2, hidden_size), |_| rng.random_range(-1.0..1.0));
    let head = Head::linear(Linear { weight, bias: array![0.1, -0.2] });
    let config = RnnConfig::of(&gru, Some(&head));
    RnnWeights::new(gru, Some(head), &config).unwrap()
}

#[test]
fn many_streams_equal_single_ones_on_any_number_of_threads() {
    let (input_size, frames) = (19, 40);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (count, num_layers) in [(1, 1), (2, 2), (3, 1), (5, 2)] {
        let weights = made(input_size, 23, num_layers, &mut rng);
        let thresholds = vec![Thresholds::new(0.3, 0.1).unwrap(); num_layers];
        let mut features = Array3::from_shape_fn((frames, count, input_size), |_| rng.random_range(-1.0..1.0));
        // One bad frame of the last stream must not change the others.
        features[[7, count - 1, 4]] = f32::NAN;
        for threads in [1, 2, 4] {
            let mut streams = Streams::new(weights.clone(), &thresholds, count).unwrap();
            let outputs = streams.run(features.view(), threads).unwrap();
            for stream in 0..count {
                let mut single = DeltaRnn::new(weights.clone(), &thresholds).unwrap();
                for frame in 0..frames {
                    let refused = single.step(features.slice(s![frame, stream, ..])).is_err();
                    assert_eq!(refused, (frame, stream) == (7, count - 1));
                    assert_eq!(
                        outputs.slice(s![frame, stream, ..]),
                        single.output(),
                        "{count} streams, {threads} threads"
                    );
                }
                assert_eq!(streams.streams()[stream].totals(), single.totals());
                assert_eq!(single.totals().refused, u64::from(stream == count - 1));
            }
        }
    }
}

#[test]
fn shapes_and_counts_are_checked() {
    let weights = made(3, 2, 1, &mut ChaCha8Rng::seed_from_u64(1));
    assert!(Streams::new(weights.clone(), &[Thresholds::ZERO], 0).is_err());
    let mut streams = Streams::new(weights, &[Thresholds::ZERO], 2).unwrap();
    assert_eq!(streams.run(Array3::zeros((0, 2, 3)).view(), 2).unwrap().dim(), (0, 2, 2));
    let error = streams.run(Array3::zeros((4, 1, 3)).view(), 1).unwrap_err().to_string();
    assert!(error.contains("shape [4, 1, 3]; expected [4, 2, 3]"), "{error}");
    assert!(streams.run(Array3::zeros((1, 2, 3)).view(), 0).is_err());
}
