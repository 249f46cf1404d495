//! The whole trunk against candle's own convolutions and against PyTorch's output on the shipped weights.

use super::layout::{BLOCKS, CONVOLUTIONS, MapSize, STEM_CHANNELS, pad_before};
use super::*;
use crate::{Front, NamedTensor, Storage, feature, to_safetensors};
use candle_core::{Device, Result, Tensor};
use safetensors::SafeTensors;

const TRUNK: &[u8] = include_bytes!("../../../models/trunk/efficientnet-lite0.safetensors");
const GOLDEN: &[u8] = include_bytes!("../../tests/goldens/trunk.safetensors");

/// A picture with edges, colours and noise; the golden's script makes the same one.
fn test_picture(width: usize, height: usize) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            rgb.extend([(x * 3 + y) % 256, (x * y / 7) % 256, (x / 16 * 40 + y / 16 * 90) % 256].map(|v| v as u8));
        }
    }
    rgb
}

fn picture(config: &PerceptionConfig) -> Vec<f32> {
    let bytes = test_picture(config.input_width, config.input_height);
    bytes.iter().map(|v| (f32::from(*v) - config.pixel_mean) / config.pixel_scale).collect()
}

/// TensorFlow's `SAME` padding, then candle's convolution; depthwise layers channel by channel group as candle does.
fn convolve(
    x: &Tensor,
    weights: &Weights<'_>,
    name: &str,
    shape: [usize; 4],
    stride: usize,
    act: bool,
) -> Result<Tensor> {
    let load = |field: &str, shape: &[usize]| {
        Tensor::from_vec(weights.get(&format!("{name}.{field}"), shape).unwrap(), shape, &Device::Cpu)
    };
    let (weight, bias) = (load("weight", &shape)?, load("bias", &shape[..1])?);
    let before = pad_before(shape[2], stride);
    let after = shape[2] - stride - before;
    let x = x.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?;
    let groups = x.dim(1)? / shape[1];
    let y = x.conv2d(&weight, 0, stride, 1, groups)?.broadcast_add(&bias.reshape((1, shape[0], 1, 1))?)?;
    if act { y.clamp(0.0f32, 6.0f32) } else { Ok(y) }
}

/// The trunk in candle's own operations, `[channel][row][column]`.
fn oracle(weights: &Weights<'_>, config: &PerceptionConfig) -> Result<Vec<f32>> {
    let shape = (1, config.input_height, config.input_width, 3);
    let x = Tensor::from_vec(picture(config), shape, &Device::Cpu)?.permute((0, 3, 1, 2))?.contiguous()?;
    let mut x = convolve(&x, weights, "trunk.stem", [STEM_CHANNELS, 3, 3, 3], 2, true)?;
    for (index, block) in BLOCKS[..config.trunk_blocks].iter().enumerate() {
        let (input, name) = (x.clone(), format!("trunk.block{index}"));
        if block.expands() {
            x = convolve(&x, weights, &format!("{name}.expand"), [block.expanded, block.input, 1, 1], 1, true)?;
        }
        let shape = [block.expanded, 1, block.kernel, block.kernel];
        x = convolve(&x, weights, &format!("{name}.depthwise"), shape, block.stride, true)?;
        x = convolve(&x, weights, &format!("{name}.project"), [block.output, block.expanded, 1, 1], 1, false)?;
        if block.residual() {
            x = (x + input)?;
        }
    }
    x.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1()
}

/// Largest difference, relative to the largest value.
fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    found.iter().zip(expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / largest
}

#[test]
fn every_instruction_set_equals_candle() {
    let weights = Weights::parse(TRUNK).unwrap();
    let sizes = [(256, 96, 5), (40, 32, 5), (64, 48, 3), (72, 56, 1)];
    for (input_width, input_height, trunk_blocks) in sizes {
        let config = PerceptionConfig { input_width, input_height, trunk_blocks, ..PerceptionConfig::default() };
        let expected = oracle(&weights, &config).unwrap();
        every_set_gives(&weights, &config, &expected);
    }
}

fn every_set_gives(weights: &Weights<'_>, config: &PerceptionConfig, expected: &[f32]) {
    let PerceptionConfig { input_width, input_height, trunk_blocks, .. } = *config;
    for set in InstructionSet::available() {
        let mut trunk = Trunk::load(weights, config, set).unwrap();
        let (buffer, stride) = trunk.picture_mut();
        for (to, from) in buffer.chunks_exact_mut(stride).zip(picture(config).chunks_exact(input_width * 3)) {
            to[..input_width * 3].copy_from_slice(from);
        }
        let alone = trunk.run().to_vec();
        let error = relative_error(&alone, expected);
        assert!(error < 1e-4, "{set:?}, {input_width}x{input_height}, {trunk_blocks} blocks: {error}");
        trunk.set_threads(2).unwrap();
        assert_eq!(alone, trunk.run(), "two threads, and a second run, change nothing");
    }
}

/// Seeded weights for every convolution of a trunk of strided ones.
fn strided_weights() -> Vec<u8> {
    let mut tensors = Vec::new();
    for (index, spec) in CONVOLUTIONS.iter().enumerate() {
        let shape = [spec.output, spec.input, spec.kernel, spec.kernel];
        let value = |i: usize| ((i * 7919 + index * 31) % 1013) as f32 / 1013.0 - 0.48;
        let scale = 2.0 / (spec.input * spec.kernel * spec.kernel) as f32;
        let weight = (0..shape.iter().product()).map(|i| value(i) * scale.sqrt()).collect();
        tensors.push(NamedTensor::new(format!("trunk.conv{index}.weight"), &shape, weight));
        tensors.push(NamedTensor::new(
            format!("trunk.conv{index}.bias"),
            &shape[..1],
            (0..spec.output).map(value).collect(),
        ));
    }
    to_safetensors(&tensors, Storage::F32).unwrap()
}

#[test]
fn strided_convolutions_equal_candle_on_every_instruction_set() {
    let bytes = strided_weights();
    let weights = Weights::parse(&bytes).unwrap();
    for (input_width, input_height, trunk_blocks) in [(256, 96, 3), (32, 48, 3), (64, 32, 2), (32, 32, 1)] {
        let config = PerceptionConfig { input_width, input_height, trunk_blocks, ..PerceptionConfig::strided(8) };
        let shape = (1, input_height, input_width, 3);
        let x = Tensor::from_vec(picture(&config), shape, &Device::Cpu).unwrap();
        let mut x = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        for (index, spec) in CONVOLUTIONS[..trunk_blocks].iter().enumerate() {
            let shape = [spec.output, spec.input, spec.kernel, spec.kernel];
            x = convolve(&x, &weights, &format!("trunk.conv{index}"), shape, spec.stride, true).unwrap();
        }
        let expected: Vec<f32> = x.permute((0, 2, 3, 1)).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert!(expected.iter().any(|value| *value > 0.0), "the weights leave nothing to compare");
        every_set_gives(&weights, &config, &expected);
    }
    let config = PerceptionConfig::strided(512);
    let macs: u64 = layout::macs_by_layer(&config).iter().map(|(_, macs)| macs).sum();
    assert_eq!(macs, 24 * 64 * 192 * 16 + 12 * 32 * 400 * 32 + 6 * 16 * 800 * 64);
    assert_eq!(config.pooled_count(), 6 * 16 * 64);
}

#[test]
fn pooled_output_equals_pytorch() {
    let config = PerceptionConfig::default();
    let golden = SafeTensors::deserialize(GOLDEN).unwrap();
    let golden = |name: &str| -> Vec<f32> {
        let data = golden.tensor(name).unwrap().data();
        data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let mut pooled = vec![0.0; config.pooled_count()];
    Front::load(TRUNK, &config).unwrap().pooled_from_picture(&picture(&config), &mut pooled).unwrap();
    let same = relative_error(&pooled, &golden("pooled_shipped"));
    assert!(same < 1e-4, "the shipped weights in PyTorch: {same}");
    // Folding and 16-bit storage against the published model, which knows nothing of either.
    let published = relative_error(&pooled, &golden("pooled_published"));
    assert!(published < 5e-3, "the published model: {published}");
}

#[test]
fn pooling_averages_blocks() {
    let size = MapSize { height: 4, width: 6, channels: 2 };
    let map: Vec<f32> = (0..size.len()).map(|v| v as f32).collect();
    let mut pooled = vec![0.0; 2 * 2 * 2];
    feature::pool(&map, size, 2, 2, &mut pooled);
    // Cell (0, 0) of channel 0: values 0, 2, 4 of row 0 and 12, 14, 16 of row 1.
    let expected = [8.0, 14.0, 32.0, 38.0, 9.0, 15.0, 33.0, 39.0];
    assert!(relative_error(&pooled, &expected) < 1e-6, "{pooled:?}");
}

#[test]
fn macs_are_those_of_the_layers() {
    let config = PerceptionConfig::default();
    let total: u64 = layout::macs_by_layer(&config).iter().map(|(_, macs)| macs).sum();
    assert_eq!(total, 55_713_792);
    let trunk = Trunk::load(&Weights::parse(TRUNK).unwrap(), &config, InstructionSet::Portable).unwrap();
    assert_eq!(trunk.weight_count(), 52_592 + 1_456); // weights and biases
}
