//! The fused operations against candle's own, and against PyTorch's output on the shipped weights.

use super::*;
use crate::weights::{from_safetensors, get, var_builder};
use crate::{CellExtractor, FeatureExtractor, NamedTensors, Storage, to_safetensors};
use ndarray::ArrayD;

const TRUNK: &[u8] = include_bytes!("../../../models/trunk/efficientnet-lite0.safetensors");
const GOLDEN: &[u8] = include_bytes!("../../tests/goldens/trunk.safetensors");

/// A picture with edges, colours and noise; the golden's script makes the same one.
fn picture(config: &PerceptionConfig) -> Vec<f32> {
    let pixel = |y: usize, x: usize| [(x * 3 + y) % 256, (x * y / 7) % 256, (x / 16 * 40 + y / 16 * 90) % 256];
    let rows = (0..config.input_height).flat_map(|y| (0..config.input_width).flat_map(move |x| pixel(y, x)));
    config.normalised(rows.map(|value| value as f32).collect())
}

fn tensor(config: &PerceptionConfig) -> Tensor {
    let shape = (1, config.input_height, config.input_width, 3);
    Tensor::from_vec(picture(config), shape, &Device::Cpu).unwrap().permute((0, 3, 1, 2)).unwrap()
}

/// Seeded weights of any backbone with a feature layer behind it.
fn weights(config: &PerceptionConfig) -> Vec<u8> {
    let mut tensors = NamedTensors::new();
    let mut add = |name: String, shape: &[usize], scale: f32| {
        let value = |i: usize| (((i * 7919 + name.len() * 31) % 1013) as f32 / 1013.0 - 0.48) * scale;
        let values = (0..shape.iter().product()).map(value).collect();
        tensors.insert(name, ArrayD::from_shape_vec(shape, values).unwrap());
    };
    let mut conv = |name: String, [output, input, kernel]: [usize; 3]| {
        let scale = (6.0 / (input * kernel * kernel) as f32).sqrt();
        add(format!("{name}.weight"), &[output, input, kernel, kernel], scale);
        add(format!("{name}.bias"), &[output], 0.5);
    };
    for (index, spec) in CONVOLUTIONS.iter().enumerate() {
        conv(format!("trunk.conv{index}"), [spec.output, spec.input, spec.kernel]);
    }
    conv("trunk.stem".into(), [32, 3, 3]);
    for (index, spec) in config.trunk.specs().iter().enumerate() {
        let block = format!("trunk.block{index}");
        conv(format!("{block}.expand"), [spec.expanded, spec.input, 1]);
        conv(format!("{block}.depthwise"), [spec.expanded, 1, spec.kernel]);
        conv(format!("{block}.project"), [spec.output, spec.expanded, 1]);
    }
    let map = config.map_size();
    let cells = map.channels * config.cells_down * config.cells_across;
    add("feature.weight".into(), &[config.feature_count, cells], 0.1);
    add("feature.bias".into(), &[config.feature_count], 0.1);
    tensors.insert("feature.std".into(), ArrayD::from_elem(vec![config.feature_count], 0.5));
    tensors.insert("single_frame.weight".into(), ArrayD::from_elem(vec![1, config.feature_count], 0.1));
    tensors.insert("single_frame.bias".into(), ArrayD::zeros(vec![1]));
    to_safetensors(&tensors, Storage::F32).unwrap()
}

/// Largest difference, relative to the largest value.
fn relative_error(found: &Tensor, expected: &Tensor) -> f32 {
    let [found, expected] = [found, expected].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    assert!(largest > 0.0, "nothing to compare");
    found.iter().zip(expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / largest
}

#[test]
fn the_fused_operations_equal_candles_own_on_every_instruction_set() {
    use BackboneName::*;
    let lite = |trunk, input_width, input_height, trunk_blocks, cells_across, cells_down| PerceptionConfig {
        trunk,
        trunk_blocks,
        input_width,
        input_height,
        cells_across,
        cells_down,
        feature_count: 13,
        ..PerceptionConfig::default()
    };
    let configs = [
        lite(EfficientnetLite0, 256, 96, 5, 16, 4),
        lite(EfficientnetLite0, 40, 32, 5, 5, 2),
        lite(EfficientnetLite0, 64, 32, 16, 2, 1),
        lite(EfficientnetLite0, 72, 56, 1, 4, 7),
        lite(EfficientnetLite1, 64, 48, 8, 4, 3),
        lite(EfficientnetLite2, 64, 32, 21, 2, 1),
        PerceptionConfig {
            input_width: 64,
            input_height: 48,
            cells_across: 2,
            cells_down: 1,
            ..PerceptionConfig::strided(9)
        },
    ];
    for config in configs {
        let bytes = weights(&config);
        let picture = tensor(&config);
        for set in InstructionSet::available().into_iter().chain(InstructionSet::bf16()) {
            // 8 bits of mantissa, and what they lose adds up over the layers.
            let bound = if set == InstructionSet::Avx512Bf16 { 3e-2 } else { 1e-4 };
            let extractor = FeatureExtractor::load_for(&bytes, &config, crate::Device::Cpu, set).unwrap();
            let expected = extractor.forward_plain(&picture).unwrap();
            // Colours side by side as the pre-processing leaves them, and plane by plane as candle's own layers do.
            for picture in [&picture, &picture.contiguous().unwrap()] {
                let error = relative_error(&extractor.forward(picture).unwrap(), &expected);
                assert!(error < bound, "{set:?}, {config:?}: {error}");
            }
            let two = Tensor::cat(&[&picture, &picture], 0).unwrap();
            let second = extractor.forward(&two).unwrap().narrow(0, 1, 1).unwrap();
            assert!(relative_error(&second, &expected) < bound, "a batch of two");
        }
    }
}

#[test]
fn the_cells_equal_pytorchs() {
    let config = PerceptionConfig::default();
    let golden = from_safetensors(GOLDEN).unwrap();
    let cells =
        CellExtractor::load(TRUNK, &config, crate::Device::Cpu).unwrap().cells_of_picture(picture(&config)).unwrap();
    // The shipped weights; and the published model, which knows nothing of folding and 16-bit storage.
    for (name, bound) in [("pooled_shipped", 1e-4), ("pooled_published", 5e-3)] {
        let expected = &golden[name];
        let largest = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        let worst = cells.iter().zip(expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / largest;
        assert!(worst < bound, "{name}: {worst}");
    }
}

#[test]
fn pooling_averages_blocks() {
    let (size, cells) = (MapSize { height: 4, width: 6, channels: 2 }, Cells { down: 2, across: 2 });
    let map: Vec<f32> = (0..size.len()).map(|v| v as f32).collect();
    let mut found = vec![0.0; 8];
    cells.average(&map, size, &mut found);
    // Cell (0, 0) of channel 0: values 0, 2, 4 of row 0 and 12, 14, 16 of row 1.
    assert!(found.iter().zip([8.0, 14.0, 32.0, 38.0, 9.0, 15.0, 33.0, 39.0]).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn work_and_weights_are_those_of_the_layers() {
    let config = PerceptionConfig::default();
    let vb = || var_builder(TRUNK, &Device::Cpu).unwrap().pp("trunk");
    let backbone = Backbone::load(vb(), &config, InstructionSet::Portable).unwrap();
    assert_eq!(backbone.macs_by_layer().iter().map(|(_, macs)| macs).sum::<u64>(), 55_713_792);
    assert_eq!(backbone.weight_count(), 52_592 + 1_456); // weights and biases
    let strided = PerceptionConfig::strided(512);
    let backbone = Backbone::load(
        var_builder(&weights(&strided), &Device::Cpu).unwrap().pp("trunk"),
        &strided,
        InstructionSet::Portable,
    );
    let backbone = backbone.unwrap();
    let macs: u64 = backbone.macs_by_layer().iter().map(|(_, macs)| macs).sum();
    assert_eq!(macs, 24 * 64 * 192 * 16 + 12 * 32 * 400 * 32 + 6 * 16 * 800 * 64);
    assert_eq!(backbone.cell_count(), 6 * 16 * 64);
    assert!(get(&vb(), "stem.weight", &[32, 3, 3, 3]).is_ok());
}
