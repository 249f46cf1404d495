//! Whole training runs on sequences of different lengths: one class for each, and labels without their places in time.
#![allow(clippy::unwrap_used, missing_docs)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use deltasteer_temporal::train::*;
use deltasteer_temporal::{HeadConfig, Pooling, Thresholds};
use ndarray::ArcArray2;

/// Tones of three classes, each a different length: 8 to 30 frames.
fn tones(count: usize, offset: usize) -> (Vec<Vec<ArcArray2<f32>>>, Vec<usize>) {
    let tone = |i: usize| {
        let (class, frames) = (i % 3, 8 + (i * 7 + offset) % 23);
        let value = move |(t, k): (usize, usize)| {
            ((t as f32 * (0.3 + 0.4 * class as f32)) + k as f32 + (i + offset) as f32).sin()
        };
        vec![ArcArray2::from_shape_fn((frames, 4), value)]
    };
    ((0..count).map(tone).collect(), (0..count).map(|i| i % 3).collect())
}

/// Every technique at once, with each pooled head, in one and both directions.
#[test]
fn sequences_of_different_lengths_are_classified() {
    let (training, classes) = tones(90, 0);
    let (validation, expected) = tones(30, 5);
    let validation: Vec<_> = validation.into_iter().flatten().collect();
    for (pooling, num_layers, bidirectional) in [(Pooling::Last, 1, false), (Pooling::Mean, 2, true)] {
        let mut inputs = FixedFeatures::new(4, training.clone(), validation.clone()).unwrap();
        let loss = CrossEntropy::new(3, classes.clone(), expected.clone()).unwrap();
        let sequences = inputs.sequences();
        let settings = TrainSettings {
            hidden_size: 12,
            num_layers,
            bidirectional,
            head: HeadConfig { output_size: 3, fc_size: Some(8), pooling },
            window: None,
            batch: 10,
            steps: 250,
            thresholds: vec![Thresholds { theta_x: 0.1, theta_h: 0.05 }; num_layers],
            delta: Some(DeltaSettings { l1_x: 1e-5, l1_h: 1e-5, ..DeltaSettings::default() }),
            sparsity: Some(SparsitySettings { final_sparsity: 0.2, begin: 0.2, end: 0.6 }),
            noise: Some(ActivationNoise { x: 0.01, h: 0.01 }),
            input_dropout: 0.0,
            optimiser: OptimiserSettings { learning_rate: 0.01, ..OptimiserSettings::default() },
            validation: ValidationSettings { interval: 50, keep_last: true, ..ValidationSettings::default() },
            ..TrainSettings::default()
        };
        let data = TrainingData { training: &sequences, validation: 30, inputs: &mut inputs, loss: &loss };
        let best = train_rnn(data, &settings, None, Control::default(), &mut |_| {}).unwrap().best.unwrap();
        assert!(best.error < 0.15 && best.savings > 1.2, "chance is 0.67: {best:?}");
    }
}

/// Labels without their places in time, by CTC: each sequence is two or three tones in a row.
#[test]
fn labels_are_found_by_ctc() {
    let make = |count: usize, offset: usize| -> (Vec<ArcArray2<f32>>, Vec<Vec<usize>>) {
        let one = |i: usize| {
            let labels: Vec<usize> = (0..2 + (i + offset) % 2).map(|k| 1 + (i * 5 + k * k + k + offset) % 3).collect();
            let value = |(t, k): (usize, usize)| {
                let on = t % 8 >= 2 && labels[t / 8] == k + 1;
                if on { 1.0 } else { 0.02 * ((t * 3 + k + i) as f32).sin() }
            };
            (ArcArray2::from_shape_fn((8 * labels.len(), 3), value), labels.clone())
        };
        (0..count).map(one).unzip()
    };
    let (training, labels) = make(60, 0);
    let (validation, expected) = make(20, 1);
    let loss = Ctc::new(4, labels, expected).unwrap();
    let mut inputs = FixedFeatures::new(3, training.into_iter().map(|x| vec![x]).collect(), validation).unwrap();
    let sequences = inputs.sequences();
    let settings = TrainSettings {
        hidden_size: 10,
        bidirectional: true,
        head: HeadConfig { output_size: 4, fc_size: None, pooling: Pooling::None },
        window: None,
        batch: 10,
        steps: 600,
        thresholds: vec![Thresholds { theta_x: 0.1, theta_h: 0.02 }],
        delta: Some(DeltaSettings { l1_x: 0.0, l1_h: 1e-5, ..DeltaSettings::default() }),
        input_dropout: 0.0,
        optimiser: OptimiserSettings { learning_rate: 0.01, ..OptimiserSettings::default() },
        validation: ValidationSettings { interval: 200, keep_last: true, ..ValidationSettings::default() },
        ..TrainSettings::default()
    };
    let data = TrainingData { training: &sequences, validation: 20, inputs: &mut inputs, loss: &loss };
    let best = train_rnn(data, &settings, None, Control::default(), &mut |_| {}).unwrap().best.unwrap();
    assert!(best.error < 0.1 && best.savings > 1.2, "{best:?}");
}
