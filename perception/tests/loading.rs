//! Loading weights, good and bad: every error names the tensor or field and what was expected.

#![allow(clippy::unwrap_used)] // a failing helper is a failing test

use deltasteer_perception::{
    BackboneName, CellExtractor, Device, FeatureExtractor, NamedTensors, PerceptionConfig, PerceptionError, Storage,
    from_safetensors, to_safetensors,
};
use ndarray::{Array, Array2, Array3, ArrayD};

const TRUNK: &[u8] = include_bytes!("../../models/trunk/efficientnet-lite0.safetensors");

fn config() -> PerceptionConfig {
    PerceptionConfig { feature_count: 20, ..PerceptionConfig::default() }
}

/// The shipped trunk with a small made-up feature layer.
fn tensors() -> NamedTensors {
    let mut tensors = from_safetensors(TRUNK).unwrap();
    let wave = |shape: &[usize], step: f32| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| (i as f32 * step).sin() * 0.05).collect();
        ArrayD::from_shape_vec(shape, values).unwrap()
    };
    tensors.insert("feature.weight".into(), wave(&[20, 2560], 0.37));
    tensors.insert("feature.bias".into(), wave(&[20], 1.1));
    tensors.insert("feature.std".into(), ArrayD::from_elem(vec![20], 0.5));
    tensors.insert("single_frame.weight".into(), wave(&[1, 20], 0.9));
    tensors.insert("single_frame.bias".into(), ArrayD::from_elem(vec![1], 0.25));
    tensors
}

fn load(tensors: &NamedTensors) -> Result<FeatureExtractor, PerceptionError> {
    FeatureExtractor::load(&to_safetensors(tensors, Storage::F32).unwrap(), &config(), Device::Cpu)
}

fn error_after(change: impl Fn(&mut NamedTensors)) -> String {
    let mut tensors = tensors();
    change(&mut tensors);
    load(&tensors).err().unwrap().to_string()
}

#[test]
fn a_model_gives_the_features_of_its_formula() {
    let tensors = tensors();
    let mut extractor = load(&tensors).unwrap();
    // Odd sizes on purpose, and a view that is not contiguous.
    let frame = Array3::from_shape_fn((67, 91, 3), |(y, x, c)| ((y * 91 * 3 + x * 3 + c) * 7 % 251) as u8);
    let mirrored = frame.slice(ndarray::s![.., ..;-1, ..]);
    let cells = extractor.cell_extractor().cells(mirrored).unwrap();
    let features = extractor.features(mirrored).unwrap();
    assert_eq!(extractor.macs_per_frame(), 55_713_792 + 51_200);
    let [weight, bias, steering] = ["feature.weight", "feature.bias", "single_frame.weight"].map(|name| &tensors[name]);
    let weight = weight.view().into_dimensionality::<ndarray::Ix2>().unwrap();
    for (i, feature) in features.iter().enumerate() {
        let sum: f64 = weight.row(i).iter().zip(&cells).map(|(w, c)| f64::from(*w) * f64::from(*c)).sum();
        let expected = (sum as f32 + bias[i]).max(0.0) / 0.5;
        assert!((feature - expected).abs() < 1e-3, "feature {i}: {feature}, not {expected}");
    }
    assert!(features.iter().any(|feature| *feature > 0.0));
    let expected = steering.iter().zip(&features).map(|(w, f)| w * f).sum::<f32>() + 0.25;
    assert!((extractor.single_frame_steering_rad(features.view()) - expected).abs() < 1e-5);
    let again = extractor.features_from_cells(cells.insert_axis(ndarray::Axis(0)).view()).unwrap();
    assert_eq!(features, again.row(0));
}

#[test]
fn a_missing_tensor_is_named() {
    for name in ["trunk.block3.depthwise.bias", "feature.std", "single_frame.bias"] {
        let error = error_after(|tensors| drop(tensors.remove(name)));
        assert!(error.contains(name) && error.contains("missing") && error.contains("expected shape"), "{error}");
    }
}

#[test]
fn a_wrong_shape_is_named() {
    let error = error_after(|tensors| {
        tensors.insert("feature.weight".into(), Array2::zeros((2560, 20)).into_dyn());
    });
    assert_eq!(error, "tensor feature.weight has shape [2560, 20], expected [20, 2560]");
}

#[test]
fn values_that_make_no_sense_are_named() {
    for (name, index, value, expected) in [
        (
            "trunk.stem.weight",
            7,
            f32::NAN,
            "tensor trunk.stem.weight holds NaN at position 7, expected finite numbers only",
        ),
        ("feature.bias", 3, f32::INFINITY, "tensor feature.bias holds inf at position 3, expected finite numbers only"),
        ("feature.std", 2, 0.0, "tensor feature.std holds 0 at position 2, expected standard deviations above 0"),
    ] {
        let change = |tensors: &mut NamedTensors| tensors.get_mut(name).unwrap().as_slice_mut().unwrap()[index] = value;
        assert_eq!(error_after(change), expected);
    }
}

#[test]
fn bytes_that_are_no_model_are_refused() {
    for bytes in [&b""[..], b"not safetensors", &TRUNK[..TRUNK.len() / 2]] {
        let error = FeatureExtractor::load(bytes, &config(), Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("safetensors"), "{error}");
    }
}

#[test]
fn senseless_fields_of_the_configuration_are_named() {
    type Change = fn(&mut PerceptionConfig);
    let wrong: [(&str, Change); 7] = [
        ("crop_rows_of_480", |config| config.crop_rows_of_480 = [300, 300]),
        ("input_width", |config| config.input_width = 250),
        ("pixel_scale", |config| config.pixel_scale = 0.0),
        ("trunk_blocks", |config| config.trunk_blocks = 17),
        ("cells_across", |config| config.cells_across = 5),
        ("feature_count", |config| config.feature_count = 0),
        ("trunk", |config| config.trunk = BackboneName::Custom),
    ];
    for (field, change) in wrong {
        let mut config = config();
        change(&mut config);
        let error = FeatureExtractor::load(TRUNK, &config, Device::Cpu).err().unwrap().to_string();
        assert!(error.starts_with(&format!("perception.{field} is")), "{error}");
    }
    let error = serde_json::from_str::<BackboneName>("\"efficientnet-lite9\"").unwrap_err().to_string();
    assert!(error.contains("efficientnet-lite9") && error.contains("efficientnet-lite0"), "{error}");
}

#[test]
fn only_matrices_lose_bits_where_only_they_are_large() {
    let third = 1.0f32 / 3.0;
    let named = |name: &str, shape: &[usize]| (name.to_owned(), Array::from_elem(shape.to_vec(), third));
    let written = NamedTensors::from([named("a.weight", &[2, 3]), named("a.bias", &[3]), named("b.weight", &[1, 3])]);
    for (name, read) in from_safetensors(&to_safetensors(&written, Storage::F16Matrices).unwrap()).unwrap() {
        assert_eq!(read.iter().all(|value| *value == third), name != "a.weight", "{name}");
        assert!(read.iter().all(|value| (value - third).abs() < 1e-4));
    }
}

#[test]
fn arrays_of_another_shape_are_refused() {
    let mut extractor = load(&tensors()).unwrap();
    let error = extractor.features(Array3::zeros((2, 2, 4)).view()).unwrap_err().to_string();
    assert!(error.contains("[2, 2, 4]") && error.contains("[height, width, 3]"), "{error}");
    let error = extractor.features_from_cells(Array2::zeros((2, 3)).view()).unwrap_err().to_string();
    assert_eq!(error, "the cells has shape [2, 3], expected [2, 2560]");
    let mut cells = CellExtractor::load(TRUNK, &config(), Device::Cpu).unwrap();
    assert!(cells.cells_of_picture(vec![0.0; 7]).is_err());
}
