//! Networks of `torch.nn.GRU`: the same outputs as PyTorch's own (goldens/make.py made them), and clear refusals.
#![allow(clippy::unwrap_used)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use std::collections::HashMap;

use deltasteer_temporal::{
    DeltaRnn, DenseRnn, RnnWeights, TemporalError, Thresholds, reference, weights::from_pytorch,
};
use ndarray::{Array1, Array2};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

const GOLDENS: [(&str, &[u8]); 5] = [
    ("single", include_bytes!("goldens/gru_single.safetensors")),
    ("wide", include_bytes!("goldens/gru_wide.safetensors")),
    ("no_bias", include_bytes!("goldens/gru_no_bias.safetensors")),
    ("two_layers", include_bytes!("goldens/gru_two_layers.safetensors")),
    ("bidirectional", include_bytes!("goldens/gru_bidirectional.safetensors")),
];

fn matrix(bytes: &[u8], name: &str) -> Array2<f32> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let values = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Array2::from_shape_vec((view.shape()[0], view.shape()[1]), values).unwrap()
}

fn close(name: &str, found: &Array2<f32>, expected: &Array2<f32>) {
    assert_eq!(found.dim(), expected.dim());
    let worst = found.iter().zip(expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
    println!("{name}: largest difference from PyTorch {worst:e}");
    assert!(worst < 2e-6, "{name}: {worst:e}");
}

#[test]
fn dense_and_delta_at_zero_equal_pytorch() {
    for (name, bytes) in GOLDENS {
        let (x, y) = (matrix(bytes, "x"), matrix(bytes, "y"));
        let weights = RnnWeights::from_pytorch(bytes, "gru.").unwrap();
        let layers = weights.gru.num_layers();
        let expected = if ["two_layers", "bidirectional"].contains(&name) { 2 } else { 1 };
        assert_eq!((layers, weights.gru.bidirectional), (expected, name == "bidirectional"));
        close(name, &DenseRnn::new(weights.clone()).unwrap().run(x.view()).unwrap(), &y);
        let mut delta = DeltaRnn::new(weights.clone(), &vec![Thresholds::ZERO; layers]).unwrap();
        close(name, &delta.run(x.view()).unwrap(), &y);
        // The oracle itself, layer by layer and direction by direction.
        let mut input = x.clone();
        for cells in weights.gru.cells.chunks_exact(weights.gru.directions()) {
            let mut output = Array2::zeros((x.nrows(), 0));
            for (direction, cell) in cells.iter().enumerate() {
                let mut h = Array1::zeros(cell.hidden_size());
                let mut states = Array2::zeros((x.nrows(), cell.hidden_size()));
                for t in 0..x.nrows() {
                    let t = if direction == 0 { t } else { x.nrows() - 1 - t };
                    h = reference::gru_step(cell, input.row(t), h.view());
                    states.row_mut(t).assign(&h);
                }
                output = ndarray::concatenate![ndarray::Axis(1), output, states];
            }
            input = output;
        }
        close(name, &input, &y);
    }
}

/// The golden of two layers with one tensor changed by `edit`; `None` leaves it out.
fn edited(edit: impl Fn(&str, Vec<usize>) -> Option<Vec<usize>>) -> Vec<u8> {
    let file = SafeTensors::deserialize(GOLDENS[3].1).unwrap();
    let zeros = vec![0u8; 1 << 16];
    let mut tensors = HashMap::new();
    for (name, view) in file.tensors() {
        let Some(shape) = edit(&name, view.shape().to_vec()) else { continue };
        let bytes = 4 * shape.iter().product::<usize>();
        let data = if shape == view.shape() { view.data() } else { &zeros[..bytes] };
        tensors.insert(name, TensorView::new(Dtype::F32, shape, data).unwrap());
    }
    safetensors::serialize(tensors, None).unwrap()
}

#[test]
fn other_networks_and_damaged_files_are_named() {
    let all = |_: &str, shape: Vec<usize>| Some(shape);
    assert_eq!(from_pytorch(&edited(all), "gru.").unwrap().num_layers(), 2);
    type Edit<'a> = &'a dyn Fn(&str, Vec<usize>) -> Option<Vec<usize>>;
    let cases: [(&str, Edit<'_>, &str); 7] = [
        ("", &all, "`weight_ih_l0` is missing from the weights; expected the prefix of a GRU in this file, `gru.`"),
        (
            "gru.",
            &|name, shape| name.starts_with(['x', 'y']).then_some(shape),
            "expected the weights of a `torch.nn.GRU`",
        ),
        ("gru.", &|name, shape| (name != "gru.weight_hh_l1").then_some(shape), "`gru.weight_hh_l1` is missing"),
        ("gru.", &|name, shape| (name != "gru.bias_hh_l0").then_some(shape), "`gru.bias_hh_l0` is missing"),
        (
            "gru.",
            &|name, shape| Some(if name == "gru.weight_ih_l1" { vec![21, 9] } else { shape }),
            "`gru.weight_ih_l1` has shape [21, 9]; expected [21, 7]",
        ),
        (
            "gru.",
            &|_, shape| Some(shape.iter().map(|n| if *n == 21 { 28 } else { *n }).collect()),
            "weights of an LSTM",
        ),
        (
            "gru.",
            &|_, shape| Some(shape.iter().map(|n| if *n == 21 { 7 } else { *n }).collect()),
            "weights of a plain RNN",
        ),
    ];
    for (prefix, edit, expected) in cases {
        let error = from_pytorch(&edited(edit), prefix).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(matches!(from_pytorch(b"no file", ""), Err(TemporalError::NotSafetensors { .. })));
}

#[test]
fn thresholds_are_one_pair_a_layer() {
    let weights = RnnWeights::from_pytorch(GOLDENS[3].1, "gru.").unwrap();
    let error = DeltaRnn::new(weights, &[Thresholds::ZERO]).unwrap_err().to_string();
    assert!(error.contains("1 pairs of thresholds were given; expected 2"), "{error}");
}
