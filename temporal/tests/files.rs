//! Weights through files: what is saved comes back, and what is wrong is named.
#![allow(clippy::unwrap_used)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use deltasteer_temporal::{
    DeltaRnn, Gru, GruWeights, Head, Linear, RnnConfig, RnnWeights, Storage, TemporalError, Thresholds,
    weights::{load, save, to_safetensors},
};
use ndarray::{Array1, Array2, array};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, tensor::TensorView};

fn made() -> (Gru, Head, RnnConfig) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let gru = Gru::single(GruWeights::random(5, 3, &mut rng).unwrap());
    let weight = Array2::from_shape_fn((1, 3), |_| rng.random());
    let head = Head::linear(Linear { weight, bias: array![0.25] });
    let mut config = RnnConfig::new(5, 3);
    config.technique.l1_x = 0.2;
    (gru, head, config)
}

/// A file of the made weights in which one tensor is changed by `edit` (or left out where it says so).
fn edited(name: &str, edit: impl Fn(&mut Vec<usize>, &mut Vec<f32>) -> bool) -> Vec<u8> {
    let (gru, head, _) = made();
    let mut tensors = gru.tensors();
    tensors.iter_mut().for_each(|(name, ..)| name.insert_str(0, "rnn."));
    tensors.push(("head.weight".into(), vec![1, 3], head.output.weight.iter().copied().collect()));
    tensors.push(("head.bias".into(), vec![1], head.output.bias.to_vec()));
    tensors.retain_mut(|(n, shape, values)| n != name || edit(shape, values));
    let bytes: Vec<_> =
        tensors.iter().map(|(n, s, v)| (n, s, v.iter().flat_map(|v| v.to_le_bytes()).collect())).collect();
    let view = |(n, s, b): &(&String, &Vec<usize>, Vec<u8>)| {
        (n.to_string(), TensorView::new(Dtype::F32, s.to_vec(), b).unwrap().data().to_vec(), s.to_vec())
    };
    let owned: Vec<_> = bytes.iter().map(view).collect();
    let views = owned.iter().map(|(n, b, s)| (n, TensorView::new(Dtype::F32, s.clone(), b).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn saved_weights_come_back() {
    let (gru, head, config) = made();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&path, &gru, Some(&head), &config).unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["model.safetensors"]);
    let (gru_back, head_back) = load(&std::fs::read(&path).unwrap(), &config).unwrap();
    assert_eq!((gru_back, head_back), (gru, Some(head)));
}

#[test]
fn saving_into_a_missing_folder_names_the_file() {
    let (gru, head, config) = made();
    let error = save("/no/such/folder/m.safetensors".as_ref(), &gru, Some(&head), &config).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder/m.safetensors"), "{error}");
}

#[test]
fn faulty_tensors_are_named() {
    let (_, _, config) = made();
    for name in ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0", "head.weight", "head.bias"]
    {
        let missing = load(&edited(name, |_, _| false), &config).unwrap_err();
        assert!(matches!(&missing, TemporalError::MissingTensor { name: n, .. } if n == name), "{missing}");
        let longer = edited(name, |shape, values| {
            let row = values.len() / shape[0];
            shape[0] += 1;
            values.extend(vec![0.0; row]);
            true
        });
        let shape = load(&longer, &config).unwrap_err();
        assert!(matches!(&shape, TemporalError::TensorShape { name: n, .. } if n == name), "{shape}");
        for bad in [f32::NAN, f32::INFINITY] {
            let poisoned = edited(name, |_, values| {
                *values.last_mut().unwrap() = bad;
                true
            });
            let error = load(&poisoned, &config).unwrap_err();
            assert!(matches!(&error, TemporalError::WeightNotFinite { name: n, .. } if n == name), "{error}");
        }
    }
}

#[test]
fn another_technique_is_named() {
    let (gru, head, config) = made();
    let bytes = to_safetensors(&gru, Some(&head), &config).unwrap();
    let mut other = config.clone();
    other.technique.l1_x = 0.0;
    let error = load(&bytes, &other).unwrap_err().to_string();
    assert!(error.contains("technique.l1_x") && error.contains("0.2"), "{error}");
    let mut other = config.clone();
    other.technique.delta_thresholds = vec![Thresholds::new(0.5, 0.2).unwrap()];
    assert!(load(&bytes, &other).unwrap_err().to_string().contains("technique.delta_thresholds"));
    // Thresholds and storage are choices of run time.
    let mut other = config;
    other.thresholds = vec![Thresholds::new(0.5, 0.2).unwrap()];
    other.storage = Storage::Int8;
    load(&bytes, &other).unwrap();
}

#[test]
fn no_safetensors_and_cut_files_are_refused() {
    let (gru, head, config) = made();
    assert!(load(b"not a file", &config).unwrap_err().to_string().contains("safetensors"));
    let bytes = to_safetensors(&gru, Some(&head), &config).unwrap();
    for length in [0, 7, 40, bytes.len() - 1] {
        assert!(matches!(load(&bytes[..length], &config), Err(TemporalError::NotSafetensors { .. })));
    }
}

#[test]
fn networks_count_refusals_and_sums() {
    let (gru, head, config) = made();
    let bytes = to_safetensors(&gru, Some(&head), &config).unwrap();
    let weights = RnnWeights::load(&bytes, &config).unwrap();
    let mut rnn = DeltaRnn::new(weights, &[Thresholds::new(0.3, 0.1).unwrap()]).unwrap();
    let ones = Array1::from_elem(5, 1.0);
    let first = rnn.step(ones.view()).unwrap();
    assert_eq!((first.columns_x, first.columns_h, first.macs), (5, 0, 45));
    assert!(rnn.step(Array1::from_elem(5, f32::NAN).view()).is_err());
    rnn.step(ones.view()).unwrap();
    let totals = rnn.totals();
    assert_eq!((totals.steps, totals.refused, totals.columns_x), (2, 1, 5));
    assert_eq!(totals.macs_dense, 2 * 3 * 3 * 8);
    assert!((totals.occupancy_x() - 0.5).abs() < 1e-12);
    assert!((totals.savings() - totals.macs_dense as f64 / totals.macs as f64).abs() < 1e-12);
    rnn.reset();
    assert_eq!(rnn.totals().steps, 0);
    assert_eq!(rnn.step(ones.view()).unwrap(), first);
}
