//! Loading weights, good and bad: every error names the tensor or field and what was expected.

#![allow(clippy::unwrap_used)] // a failing helper is a failing test

use deltasteer_perception::{NamedTensor, Perception, PerceptionConfig, Storage, from_safetensors, to_safetensors};

const TRUNK: &[u8] = include_bytes!("../../models/trunk/efficientnet-lite0.safetensors");

fn config() -> PerceptionConfig {
    PerceptionConfig { feature_count: 20, ..PerceptionConfig::default() }
}

/// The shipped trunk with a small made-up feature layer.
fn tensors() -> Vec<NamedTensor> {
    let mut tensors = from_safetensors(TRUNK).unwrap();
    let wave = |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin() * 0.05).collect::<Vec<f32>>();
    tensors.push(NamedTensor::new("feature.weight", &[20, 2560], wave(20 * 2560, 0.37)));
    tensors.push(NamedTensor::new("feature.bias", &[20], wave(20, 1.1)));
    tensors.push(NamedTensor::new("feature.std", &[20], vec![0.5; 20]));
    tensors.push(NamedTensor::new("single_frame.weight", &[1, 20], wave(20, 0.9)));
    tensors.push(NamedTensor::new("single_frame.bias", &[1], vec![0.25]));
    tensors
}

fn error_after(change: impl Fn(&mut Vec<NamedTensor>)) -> String {
    let mut tensors = tensors();
    change(&mut tensors);
    Perception::load(&to_safetensors(&tensors, Storage::F32).unwrap(), &config()).unwrap_err().to_string()
}

fn tensor<'a>(tensors: &'a mut [NamedTensor], name: &str) -> &'a mut NamedTensor {
    tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

#[test]
fn a_model_gives_the_features_of_its_formula() {
    let mut perception = Perception::load(&to_safetensors(&tensors(), Storage::F32).unwrap(), &config()).unwrap();
    let (width, height) = (91, 67); // odd on purpose
    let rgb: Vec<u8> = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
    let (mut pooled, mut features) = (vec![0.0; perception.pooled_count()], vec![0.0; perception.feature_count()]);
    perception.pooled(&rgb, width, height, &mut pooled).unwrap();
    let work = perception.features(&rgb, width, height, &mut features).unwrap();
    assert_eq!((work.macs, work.macs_dense), (55_713_792 + 51_200, 55_713_792 + 51_200));
    let mut tensors = tensors();
    let weight = tensor(&mut tensors, "feature.weight").values.clone();
    let bias = tensor(&mut tensors, "feature.bias").values.clone();
    for (i, feature) in features.iter().enumerate() {
        let sum: f64 = (0..2560).map(|k| f64::from(weight[i * 2560 + k]) * f64::from(pooled[k])).sum();
        let expected = (sum as f32 + bias[i]).max(0.0) / 0.5;
        assert!((feature - expected).abs() < 1e-3, "feature {i}: {feature}, not {expected}");
    }
    assert!(features.iter().any(|feature| *feature > 0.0));
    let steering = tensor(&mut tensors, "single_frame.weight").values.iter().zip(&features).map(|(w, f)| w * f);
    assert!((perception.single_frame_steering_rad(&features) - steering.sum::<f32>() - 0.25).abs() < 1e-5);
    let mut again = vec![0.0; 20];
    perception.features_from_pooled(&pooled, &mut again).unwrap();
    assert_eq!(features, again);
}

#[test]
fn a_missing_tensor_is_named() {
    for name in ["trunk.block3.depthwise.bias", "feature.std", "single_frame.bias"] {
        let error = error_after(|tensors| tensors.retain(|tensor| tensor.name != name));
        assert!(error.contains(name) && error.contains("missing"), "{error}");
    }
}

#[test]
fn a_wrong_shape_is_named() {
    let error = error_after(|tensors| {
        let weight = tensor(tensors, "feature.weight");
        weight.shape = vec![2560, 20];
    });
    assert_eq!(error, "tensor feature.weight has shape [2560, 20], expected [20, 2560]");
}

#[test]
fn values_that_are_not_finite_are_named() {
    let error = error_after(|tensors| tensor(tensors, "trunk.stem.weight").values[7] = f32::NAN);
    assert_eq!(error, "tensor trunk.stem.weight holds NaN at position 7, expected finite numbers only");
    let error = error_after(|tensors| tensor(tensors, "feature.bias").values[3] = f32::INFINITY);
    assert!(error.contains("feature.bias holds inf at position 3"), "{error}");
    let error = error_after(|tensors| tensor(tensors, "feature.std").values[2] = 0.0);
    assert!(error.contains("feature.std holds 0 at position 2"), "{error}");
}

#[test]
fn bytes_that_are_no_model_are_refused() {
    for bytes in [&b""[..], b"not safetensors", &TRUNK[..TRUNK.len() / 2]] {
        let error = Perception::load(bytes, &config()).unwrap_err().to_string();
        assert!(error.contains("safetensors"), "{error}");
    }
}

#[test]
fn senseless_fields_of_the_configuration_are_named() {
    type Change = fn(&mut PerceptionConfig);
    let wrong: [(&str, Change); 6] = [
        ("crop_rows_of_480", |config| config.crop_rows_of_480 = [300, 300]),
        ("input_width", |config| config.input_width = 250),
        ("pixel_scale", |config| config.pixel_scale = 0.0),
        ("trunk_blocks", |config| config.trunk_blocks = 6),
        ("cells_across", |config| config.cells_across = 5),
        ("feature_count", |config| config.feature_count = 0),
    ];
    for (field, change) in wrong {
        let mut config = config();
        change(&mut config);
        let error = Perception::load(TRUNK, &config).unwrap_err().to_string();
        assert!(error.starts_with(&format!("perception.{field} is")), "{error}");
    }
}

#[test]
fn only_matrices_lose_bits_where_only_they_are_large() {
    let third = 1.0f32 / 3.0;
    let named = |name: &str, shape: &[usize]| NamedTensor::new(name, shape, vec![third; shape.iter().product()]);
    let written = [named("a.weight", &[2, 3]), named("a.bias", &[3]), named("b.weight", &[1, 3])];
    let read = from_safetensors(&to_safetensors(&written, Storage::F16Matrices).unwrap()).unwrap();
    for tensor in &read {
        let exact = tensor.values.iter().all(|value| *value == third);
        assert_eq!(exact, tensor.name != "a.weight", "{}", tensor.name);
        assert!(tensor.values.iter().all(|value| (value - third).abs() < 1e-4));
    }
}

#[test]
fn buffers_of_another_length_are_refused() {
    let mut perception = Perception::load(&to_safetensors(&tensors(), Storage::F16).unwrap(), &config()).unwrap();
    let error = perception.features(&[0; 12], 2, 2, &mut [0.0; 19]).unwrap_err().to_string();
    assert_eq!(error, "the feature buffer holds 19 values, expected 20");
    let error = perception.features_from_pooled(&[0.0; 3], &mut [0.0; 20]).unwrap_err().to_string();
    assert_eq!(error, "the pooled values holds 3 values, expected 2560");
}

/// A picture whose bar moves with the frame.
fn moving(frame: usize) -> Vec<u8> {
    (0..160usize * 120 * 3)
        .map(|i| if (i / 3 % 160).abs_diff(20 + 3 * frame) < 8 { 220 } else { (i * 7 % 90) as u8 })
        .collect()
}

#[test]
fn on_changes_the_features_stay_and_the_work_falls() {
    let bytes = to_safetensors(&tensors(), Storage::F32).unwrap();
    let unusual = PerceptionConfig { crop_rows_of_480: [150, 430], ..config() };
    let error = Perception::load_delta(&bytes, &unusual).unwrap_err().to_string();
    assert!(error.starts_with("perception.delta_thresholds is empty"), "{error}");
    let mut dense = Perception::load(&bytes, &config()).unwrap();
    let prepared = PerceptionConfig { delta_thresholds: vec![0.0; 16], ..config() };
    let mut delta = Perception::load_delta(&bytes, &prepared).unwrap();
    let (mut expected, mut found) = (vec![0.0; 20], vec![0.0; 20]);
    let mut total = 0;
    for frame in 0..6 {
        let rgb = moving(frame);
        dense.features(&rgb, 160, 120, &mut expected).unwrap();
        let work = delta.features(&rgb, 160, 120, &mut found).unwrap();
        total += work.macs;
        assert!(work.macs_dense == 55_713_792 + 51_200 && work.macs <= work.macs_dense);
        assert!(frame == 0 || work.macs < work.macs_dense / 2, "only the bar moves: {work:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-3, "frame {frame}: {found}, not {expected}");
        }
    }
    assert_eq!(delta.delta_work().iter().map(|layer| layer.macs).sum::<u64>(), total);
    delta.reset();
    assert!(delta.delta_work().iter().all(|layer| layer.macs == 0 && layer.sent == 0));
}

#[test]
fn held_frames_cost_nothing_and_keep_the_features() {
    let bytes = to_safetensors(&tensors(), Storage::F32).unwrap();
    let mut perception = Perception::load_delta(&bytes, &config()).unwrap();
    assert_eq!(perception.config().delta_every, 3);
    let mut rows = vec![vec![0.0; 20]; 7];
    let mut work = Vec::new();
    for (frame, features) in rows.iter_mut().enumerate() {
        work.push(perception.features(&moving(frame), 160, 120, features).unwrap().macs);
    }
    assert!(work.iter().enumerate().all(|(frame, macs)| (*macs > 0) == (frame % 3 == 0)), "{work:?}");
    assert!(rows[0] == rows[1] && rows[1] == rows[2] && rows[2] != rows[3] && rows[3] == rows[5]);
    perception.reset();
    assert_eq!(perception.features(&moving(0), 160, 120, &mut rows[6]).unwrap().macs, work[0]);
}

#[test]
fn senseless_thresholds_are_named() {
    for thresholds in [vec![0.1; 15], vec![f32::NAN; 16], vec![-0.1; 16]] {
        let config = PerceptionConfig { delta_thresholds: thresholds, ..config() };
        let error = Perception::load(TRUNK, &config).unwrap_err().to_string();
        assert!(error.starts_with("perception.delta_thresholds is"), "{error}");
    }
}
