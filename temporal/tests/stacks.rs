//! Stacked and bidirectional networks: counts are exact in every layer, states can be kept, heads pool as they say.
#![allow(clippy::unwrap_used)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use deltasteer_temporal::{
    DeltaRnn, DenseRnn, Gru, Head, Linear, Pooling, RnnConfig, RnnState, RnnWeights, TemporalError, Thresholds, Totals,
    reference::ReferenceDeltaGru,
};
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A random walk in which many values rest.
fn sequence(frames: usize, inputs: usize, rng: &mut ChaCha8Rng) -> Array2<f32> {
    let mut x = Array2::zeros((frames, inputs));
    for t in 1..frames {
        for i in 0..inputs {
            let step = if rng.random_bool(0.2) { rng.random_range(-0.5..0.5) } else { 0.0 };
            x[[t, i]] = x[[t - 1, i]] + step;
        }
    }
    x
}

/// The last layer's hidden states and the multiplications of each layer by the instrumented reference.
fn reference(gru: &Gru, thresholds: &[Thresholds], x: ArrayView2<'_, f32>) -> (Array2<f32>, Vec<u64>) {
    let (mut input, mut multiplications) = (x.to_owned(), Vec::new());
    for (cells, thresholds) in gru.cells.chunks_exact(gru.directions()).zip(thresholds) {
        let mut count = 0;
        let mut states = Vec::new();
        for (direction, weights) in cells.iter().enumerate() {
            let mut cell = ReferenceDeltaGru::new(weights, *thresholds);
            let mut of_cell = Array2::zeros((x.nrows(), weights.hidden_size()));
            for t in 0..x.nrows() {
                let t = if direction == 0 { t } else { x.nrows() - 1 - t };
                cell.step(input.row(t));
                of_cell.row_mut(t).assign(&cell.h);
            }
            count += cell.multiplications;
            states.push(of_cell);
        }
        let views: Vec<_> = states.iter().map(|states| states.view()).collect();
        input = concatenate(Axis(1), &views).unwrap();
        multiplications.push(count);
    }
    (input, multiplications)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each layer multiplies what the instrumented reference multiplies, and the totals are the sums over layers, directions and
    /// sequences.
    #[test]
    fn counts_are_exact_in_stacks(
        inputs in 1usize..30, hidden in 1usize..24, layers in 1usize..4, bidirectional in any::<bool>(),
        theta_x in 0.05f32..0.4, theta_h in 0.01f32..0.2, seed in any::<u64>(),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let gru = Gru::random(inputs, hidden, layers, bidirectional, &mut rng).unwrap();
        let config = RnnConfig::of(&gru, None);
        let weights = RnnWeights::new(gru.clone(), None, &config).unwrap();
        let thresholds: Vec<_> =
            (0..layers).map(|layer| Thresholds::new(theta_x / (layer + 1) as f32, theta_h).unwrap()).collect();
        let x = sequence(30, inputs, &mut rng);
        let mut rnn = DeltaRnn::new(weights.clone(), &thresholds).unwrap();
        let found = rnn.run(x.view()).unwrap();
        let (expected, multiplications) = reference(&gru, &thresholds, x.view());
        let largest = found.iter().zip(&expected).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        let totals = rnn.layer_totals();
        prop_assert_eq!(totals.len(), layers);
        // Where rounding put a value on the other side of its threshold, hidden states differ by about a threshold.
        if largest < 1e-5 {
            for (layer, expected) in totals.iter().zip(&multiplications) {
                // A step with nearly all columns active multiplies all of them, and says so.
                prop_assert!(layer.macs >= *expected && layer.macs <= layer.macs_dense);
                prop_assert_eq!(3 * hidden as u64 * (layer.columns_x + layer.columns_h), *expected);
            }
        } else {
            prop_assert!(largest < 2.0, "{}", largest);
        }
        let mut sum = Totals::default();
        totals.iter().for_each(|layer| sum.add_cell(layer));
        prop_assert_eq!(sum, rnn.totals());
        prop_assert_eq!((sum.steps, sum.macs_dense), (30, 30 * gru.cells.iter().map(|cell| cell.macs()).sum::<u64>()));
        let again = rnn.run(x.view()).unwrap();
        prop_assert_eq!(&again, &found);
        prop_assert_eq!(rnn.totals().macs, 2 * sum.macs);
        // Frame by frame it is the same network.
        if bidirectional {
            prop_assert!(matches!(rnn.step(x.row(0)), Err(TemporalError::Bidirectional)));
        } else {
            let mut streaming = DeltaRnn::new(weights, &thresholds).unwrap();
            for (x, expected) in x.rows().into_iter().zip(found.rows()) {
                streaming.step(x).unwrap();
                prop_assert_eq!(streaming.output(), expected);
            }
            prop_assert_eq!(streaming.totals(), sum);
        }
    }
}

#[test]
fn a_state_goes_through_json_and_goes_on() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let gru = Gru::random(12, 20, 2, false, &mut rng).unwrap();
    let mut output = Linear::zeros(20, 3);
    output.weight.mapv_inplace(|_| rng.random_range(-1.0..1.0));
    for pooling in [Pooling::None, Pooling::Last, Pooling::Mean] {
        let head = Head { pooling, fc: None, output: output.clone() };
        let config = RnnConfig::of(&gru, Some(&head));
        let weights = RnnWeights::new(gru.clone(), Some(head), &config).unwrap();
        let mut whole = DeltaRnn::new(weights.clone(), &[Thresholds::new(0.2, 0.05).unwrap(); 2]).unwrap();
        let mut resumed = whole.clone();
        for (t, x) in sequence(40, 12, &mut rng).rows().into_iter().enumerate() {
            whole.step(x).unwrap();
            resumed.step(x).unwrap();
            if t % 13 == 5 {
                let kept = serde_json::to_string(&resumed.state()).unwrap();
                resumed.reset();
                resumed.restore(&serde_json::from_str::<RnnState>(&kept).unwrap()).unwrap();
            }
            assert_eq!(resumed.output(), whole.output(), "{pooling:?} {t}");
        }
        assert_eq!(resumed.state(), whole.state());
        let mut other = DenseRnn::new(RnnWeights::new(gru.clone(), None, &RnnConfig::of(&gru, None)).unwrap()).unwrap();
        let mut state = whole.state();
        state.cells.pop();
        assert!(other.restore(&state).unwrap_err().to_string().contains("has shape [1]; expected [2]"));
    }
}

#[test]
fn heads_pool_the_last_and_the_mean_hidden_state() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for bidirectional in [false, true] {
        let gru = Gru::random(4, 6, 2, bidirectional, &mut rng).unwrap();
        let size = gru.output_size();
        let mut random = |inputs, outputs| {
            let mut linear = Linear::zeros(inputs, outputs);
            linear.weight.mapv_inplace(|_| rng.random_range(-1.0..1.0));
            linear
        };
        let (fc, output) = (random(size, 5), random(5, 3));
        let x = sequence(17, 4, &mut ChaCha8Rng::seed_from_u64(1));
        let run = |head: Option<Head>| {
            let config = RnnConfig::of(&gru, head.as_ref());
            let weights = RnnWeights::new(gru.clone(), head, &config).unwrap();
            DenseRnn::new(weights).unwrap().run(x.view()).unwrap()
        };
        let hidden = run(None);
        let mut last = hidden.row(16).to_owned();
        if bidirectional {
            last.slice_mut(s![6..]).assign(&hidden.slice(s![0, 6..]));
        }
        for (pooling, pooled) in [(Pooling::Last, last), (Pooling::Mean, hidden.mean_axis(Axis(0)).unwrap())] {
            let expected = output.weight.dot(&fc.weight.dot(&pooled).mapv(|v| v.max(0.0)));
            let found = run(Some(Head { pooling, fc: Some(fc.clone()), output: output.clone() }));
            assert_eq!(found.dim(), (1, 3));
            found.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{pooling:?} {a} {b}"));
        }
    }
}
