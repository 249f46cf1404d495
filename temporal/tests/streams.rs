//! Several streams do what each would do alone.
#![allow(clippy::unwrap_used)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use deltasteer_temporal::{GruWeights, Head, RnnWeights, SteeringRnn, Streams, TemporalConfig, Thresholds};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn many_streams_equal_single_ones_on_any_number_of_threads() {
    let (inputs, hidden, frames) = (19, 23, 40);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let gru = GruWeights::random(inputs, hidden, &mut rng).unwrap();
    let head = Head { weight: (0..hidden).map(|_| rng.random_range(-1.0..1.0)).collect(), bias: 0.1 };
    let weights = RnnWeights::new(gru, head, &TemporalConfig::new(inputs, hidden)).unwrap();
    let thresholds = Thresholds::new(0.3, 0.1).unwrap();
    for count in [1, 2, 3, 5] {
        let mut features: Vec<f32> = (0..frames * count * inputs).map(|_| rng.random_range(-1.0..1.0)).collect();
        // One bad frame of the last stream must not touch the others.
        features[(7 * count + count - 1) * inputs + 4] = f32::NAN;
        for threads in [1, 2, 4] {
            let mut streams = Streams::new(weights.clone(), thresholds, count).unwrap();
            let mut angles = vec![9.0; frames * count];
            streams.run(&features, &mut angles, threads).unwrap();
            for stream in 0..count {
                let mut single = SteeringRnn::new(weights.clone(), thresholds).unwrap();
                for frame in 0..frames {
                    let x = &features[(frame * count + stream) * inputs..][..inputs];
                    let expected = single.step(x).map_or_else(|_| single.steering_rad(), |(angle, _)| angle);
                    assert_eq!(angles[frame * count + stream], expected, "{count} streams, {threads} threads");
                }
                assert_eq!(streams.streams()[stream].totals(), single.totals());
                assert_eq!(single.totals().refused, u64::from(stream == count - 1));
            }
        }
    }
}

#[test]
fn lengths_and_counts_are_checked() {
    let weights =
        RnnWeights::new(GruWeights::zeros(3, 2).unwrap(), Head::zeros(2), &TemporalConfig::new(3, 2)).unwrap();
    assert!(Streams::new(weights.clone(), Thresholds::ZERO, 0).is_err());
    let mut streams = Streams::new(weights, Thresholds::ZERO, 2).unwrap();
    streams.run(&[], &mut [], 2).unwrap();
    assert!(streams.run(&[0.0; 7], &mut [0.0; 2], 1).unwrap_err().to_string().contains("holds 7 values; expected 6"));
    assert!(streams.run(&[0.0; 6], &mut [0.0; 3], 1).unwrap_err().to_string().contains("holds 3 values; expected 2"));
    assert!(streams.run(&[0.0; 6], &mut [0.0; 2], 0).is_err());
}
