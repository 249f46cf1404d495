//! The dense cells beside PyTorch's `torch.nn.GRU` (goldens/make.py made the numbers).
#![allow(clippy::unwrap_used)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use std::sync::Arc;

use deltasteer_temporal::{DeltaGru, DenseGru, GruWeights, PackedGru, Storage, Thresholds, naive};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    inputs: usize,
    hidden: usize,
    steps: usize,
    w_x: Vec<f32>,
    w_h: Vec<f32>,
    b_x: Vec<f32>,
    b_h: Vec<f32>,
    x: Vec<f32>,
    h: Vec<f32>,
}

#[test]
fn dense_and_delta_at_zero_equal_pytorch() {
    let goldens: Goldens = serde_json::from_str(include_str!("goldens/gru.json")).unwrap();
    assert_eq!(goldens.cases.len(), 3);
    for case in goldens.cases {
        let Case { inputs, hidden, steps, w_x, w_h, b_x, b_h, x, h } = case;
        assert_eq!(h.len(), steps * hidden);
        let weights = GruWeights { inputs, hidden, w_x, w_h, b_x, b_h };
        let packed = Arc::new(PackedGru::new(&weights, Storage::F32).unwrap());
        let mut naive_h = vec![0.0; hidden];
        let mut dense = DenseGru::new(packed.clone()).unwrap();
        let mut delta = DeltaGru::new(packed, Thresholds::ZERO).unwrap();
        for (x, expected) in x.chunks(inputs).zip(h.chunks(hidden)) {
            naive_h = naive::dense_step(&weights, x, &naive_h);
            dense.step(x).unwrap();
            delta.step(x).unwrap();
            for found in [&naive_h, dense.hidden(), delta.hidden()] {
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found - expected).abs() < 2e-6, "{found} instead of {expected}, {inputs}x{hidden}");
                }
            }
        }
    }
}
