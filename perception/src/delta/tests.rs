//! The CNN on changes against the dense one, and its counts against plain loops.

use super::*;
use crate::Front;

const TRUNK: &[u8] = include_bytes!("../../../models/trunk/efficientnet-lite0.safetensors");

fn small() -> PerceptionConfig {
    PerceptionConfig { input_width: 64, input_height: 32, cells_across: 4, ..PerceptionConfig::default() }
}

fn cnn(config: &PerceptionConfig) -> DeltaCnn {
    DeltaCnn::load(&Weights::parse(TRUNK).unwrap(), config, InstructionSet::best(), false).unwrap()
}

/// A bright bar that moves over a pattern.
fn picture(config: &PerceptionConfig, frame: usize) -> Vec<f32> {
    let mut picture = Vec::new();
    for y in 0..config.input_height {
        for x in 0..config.input_width {
            let bar = if x.abs_diff(frame * 2 + 5) < 3 { 0.8 } else { 0.0 };
            picture.extend([0.1, 0.2, 0.3].map(|c| ((x * 3 + y * 5) as f32 * c).sin() * 0.4 + bar));
        }
    }
    picture
}

#[test]
fn without_thresholds_it_is_the_dense_network() {
    let config = small();
    let mut dense = Front::load(TRUNK, &config).unwrap();
    let mut delta = cnn(&config);
    let mut expected = vec![0.0; config.pooled_count()];
    for frame in 0..12 {
        let picture = picture(&config, frame);
        dense.pooled_from_picture(&picture, &mut expected).unwrap();
        delta.run(&picture);
        let found = delta.pooled();
        let largest = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4 * largest, "frame {frame}: {found}, not {expected}");
        }
    }
}

#[test]
fn a_still_picture_costs_nothing_and_a_reset_starts_anew() {
    let config = small();
    let mut delta = cnn(&config);
    let picture = picture(&config, 0);
    let macs = delta.run(&picture);
    let first = delta.pooled().to_vec();
    let dense: u64 = layout::macs_by_layer(&config).iter().map(|(_, macs)| macs).sum();
    assert!(macs > 0 && macs <= dense, "{macs} of {dense}");
    assert_eq!(delta.run(&picture), 0);
    assert_eq!(delta.pooled(), first);
    assert_eq!(delta.work().iter().map(|layer| layer.macs_dense).sum::<u64>(), 2 * dense);
    delta.reset();
    assert_eq!(delta.run(&picture), macs);
    assert_eq!(delta.pooled(), first);
}

#[test]
fn what_is_not_sent_stays_within_the_threshold() {
    let layers = layout::macs_by_layer(&small()).len() + 1;
    let config = PerceptionConfig { delta_thresholds: vec![0.2; layers], ..small() };
    let mut delta = cnn(&config);
    let mut sent = 0;
    for frame in 0..8 {
        let picture = picture(&config, frame);
        delta.run(&picture);
        for (value, sent) in picture.iter().zip(&delta.layers[0].sent) {
            assert!((value - sent).abs() < 0.2);
        }
        for pair in delta.layers.windows(2).filter(|pair| pair[1].relu6) {
            for (sum, sent) in pair[0].sums.iter().zip(&pair[1].sent) {
                assert!((sum.clamp(0.0, 6.0) - sent).abs() < 0.2);
            }
        }
        let now = delta.work().iter().map(|layer| layer.sent).sum::<u64>();
        assert!(now > sent, "a moving bar changes something");
        sent = now;
    }
}

#[test]
fn chosen_thresholds_pay_off_at_their_price() {
    let config = PerceptionConfig { feature_count: 8, ..small() };
    let wave = |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin() * 0.05).collect::<Vec<f32>>();
    let mut tensors = crate::from_safetensors(TRUNK).unwrap();
    let inputs = config.pooled_count();
    tensors.push(crate::NamedTensor::new("feature.weight", &[8, inputs], wave(8 * inputs, 0.37)));
    tensors.push(crate::NamedTensor::new("feature.bias", &[8], vec![0.3; 8]));
    let bytes = crate::to_safetensors(&tensors, crate::Storage::F32).unwrap();
    let clip: Vec<Vec<f32>> = (0..5).map(|frame| picture(&config, frame)).collect();
    let choose = |price: f64, sweeps: usize| {
        choose_thresholds(&bytes, &config, std::slice::from_ref(&clip), &[price], sweeps, None, |_| ())
            .unwrap()
            .remove(0)
    };
    for price in [100.0, 0.1] {
        let (start, found) = (choose(price, 0), choose(price, 2));
        assert!(found.work + price * found.error < start.work + price * start.error, "{found:?} from {start:?}");
        assert_eq!((found.thresholds.len(), found.price), (16, price));
    }
    assert_eq!(choose(0.1, 1), choose(0.1, 1));
    let error = choose_thresholds(&bytes, &config, &[vec![picture(&config, 0)]], &[1.0], 1, None, |_| ()).unwrap_err();
    assert!(error.to_string().contains("at least one clip of two pictures"), "{error}");
}

/// The sums of every layer are those of a plain convolution of the values sent, and each event is counted once a tap.
#[test]
fn sums_and_counts_equal_plain_loops() {
    for (kernel, stride, depthwise) in
        [(3, 2, false), (1, 1, false), (3, 1, true), (3, 2, true), (5, 1, true), (5, 2, true)]
    {
        let (inputs, outputs) = if depthwise { (8, 8) } else { (3, 8) };
        let pad = pad_before(kernel, stride);
        let shape = EventShape { height: 6, width: 8, inputs, outputs, kernel, stride, pad, depthwise };
        let (height, width) = shape.output_size();
        let size = kernel * kernel * inputs * if depthwise { 1 } else { outputs };
        let weights: Vec<f32> = (0..size).map(|i| (i as f32 * 0.7).sin()).collect();
        for set in InstructionSet::available() {
            let (mut sent, mut sums) = (vec![0.0; 48 * inputs], vec![0.0; height * width * outputs]);
            let (mut found, mut expected) = (EventCount::default(), EventCount::default());
            for frame in 0..5 {
                let values: Vec<f32> =
                    (0..48 * inputs).map(|i| (i as f32 * 0.9 + frame as f32 * 0.4).cos() * 3.0).collect();
                let before = sent.clone();
                let mut list = vec![(0, 0.0); inputs];
                let count = kernels::events(set, shape, &weights, &values, true, 0.5, &mut sent, &mut sums, &mut list);
                (found.sent, found.macs) = (found.sent + count.sent, found.macs + count.macs);
                for (i, (value, before)) in values.iter().zip(&before).enumerate() {
                    let moved = (value.clamp(0.0, 6.0) - before).abs() >= 0.5;
                    assert_eq!(sent[i] != *before, moved);
                    if moved {
                        let (y, x) = (i / inputs / 8, i / inputs % 8);
                        expected.sent += 1;
                        expected.macs += reached(shape, y, x) * if depthwise { 1 } else { outputs as u64 };
                    }
                }
            }
            assert_eq!(found, expected, "{set:?} {shape:?}");
            for (at, sum) in sums.iter().enumerate() {
                let plain = convolved(shape, &weights, &sent, at);
                assert!((sum - plain).abs() < 1e-3, "{set:?} {shape:?} at {at}: {sum}, not {plain}");
            }
        }
    }
}

/// Outputs that an input pixel reaches.
fn reached(shape: EventShape, y: usize, x: usize) -> u64 {
    let (height, width) = shape.output_size();
    let along = |at: usize, outputs: usize| {
        (0..outputs)
            .filter(|out| (out * shape.stride..out * shape.stride + shape.kernel).contains(&(at + shape.pad)))
            .count()
    };
    (along(y, height) * along(x, width)) as u64
}

fn convolved(shape: EventShape, weights: &[f32], values: &[f32], at: usize) -> f32 {
    let (_, width) = shape.output_size();
    let (out, y, x) = (at % shape.outputs, at / shape.outputs / width, at / shape.outputs % width);
    let mut sum = 0.0;
    for tap in 0..shape.kernel * shape.kernel {
        let row = (y * shape.stride + tap / shape.kernel).wrapping_sub(shape.pad);
        let column = (x * shape.stride + tap % shape.kernel).wrapping_sub(shape.pad);
        if row >= shape.height || column >= shape.width {
            continue;
        }
        let pixel = (row * shape.width + column) * shape.inputs;
        if shape.depthwise {
            sum += values[pixel + out] * weights[tap * shape.inputs + out];
        } else {
            let term = |k: usize| values[pixel + k] * weights[(tap * shape.inputs + k) * shape.outputs + out];
            sum += (0..shape.inputs).map(term).sum::<f32>();
        }
    }
    sum
}
