//! One property suite for every variant of every kernel: each equals plain loops on random sizes and values.

use super::*;
use proptest::prelude::*;

/// Values in -1..1 from a small generator, so that a failing case is described by its seed.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// The same values in bf16, whose products are exact in f32: every set must give the same sums.
fn rounded(values: Vec<f32>) -> Vec<f32> {
    values.into_iter().map(|value| half::bf16::from_f32(value).to_f32()).collect()
}

fn all_sets() -> Vec<InstructionSet> {
    InstructionSet::available().into_iter().chain(InstructionSet::bf16()).collect()
}

fn finish(value: f32, finish: Finish) -> f32 {
    if finish == Finish::Relu6 { value.clamp(0.0, 6.0) } else { value }
}

fn assert_close(set: InstructionSet, found: &[f32], expected: &[f32]) {
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1.0), "{set:?} at {i}: {found}, not {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matmul_equals_plain_loops(
        (pixels, inputs, eighths) in (0usize..30, 1usize..50, 1usize..20),
        (relu6, with_residual, seed) in any::<(bool, bool, u32)>(),
    ) {
        let outputs = eighths * 8;
        let (input, weights) = (rounded(noise(pixels * inputs, seed)), rounded(noise(inputs * outputs, seed ^ 1)));
        let (bias, residual) = (noise(outputs, seed ^ 2), noise(pixels * outputs, seed ^ 3));
        let kind = if relu6 { Finish::Relu6 } else { Finish::Linear };
        let mut expected = vec![0.0; pixels * outputs];
        for (at, value) in expected.iter_mut().enumerate() {
            let (p, n) = (at / outputs, at % outputs);
            let sum: f32 = (0..inputs).map(|k| input[p * inputs + k] * weights[k * outputs + n]).sum();
            *value = finish(sum + bias[n] + if with_residual { residual[at] } else { 0.0 }, kind);
        }
        for set in all_sets() {
            let matrix = PackedMatrix::new(&weights, &bias, inputs, set);
            let mut output = vec![f32::NAN; pixels * outputs];
            let residual = with_residual.then_some(residual.as_slice());
            let mut padded = input.clone();
            padded.resize(input.len().max(inputs), 0.0);
            matmul(set, &matrix, &padded, Gather::pointwise(inputs), pixels, &mut output, kind, residual);
            assert_close(set, &output, &expected);
        }
    }

    #[test]
    fn stem_gather_equals_plain_loops((pixels, seed) in (1usize..20, any::<u32>())) {
        let stride = ((2 * pixels + 1) * 3).next_multiple_of(2);
        let (input, weights) = (rounded(noise(3 * stride, seed)), rounded(noise(27 * 32, seed ^ 1)));
        let bias = noise(32, seed ^ 2);
        let mut expected = vec![0.0; pixels * 32];
        for (at, value) in expected.iter_mut().enumerate() {
            let (p, n) = (at / 32, at % 32);
            let tap = |k: usize| input[k / 9 * stride + p * 6 + k % 9] * weights[k * 32 + n];
            *value = finish((0..27).map(tap).sum::<f32>() + bias[n], Finish::Relu6);
        }
        let gather = Gather { segments: 3, run: 9, segment_stride: stride, pixel_stride: 6 };
        for set in all_sets() {
            let mut output = vec![f32::NAN; pixels * 32];
            let matrix = PackedMatrix::new(&weights, &bias, 9, set);
            matmul(set, &matrix, &input, gather, pixels, &mut output, Finish::Relu6, None);
            assert_close(set, &output, &expected);
        }
    }

    #[test]
    fn depthwise_equals_plain_loops(
        (width, eighths, seed) in (0usize..20, 1usize..8, any::<u32>()),
        (kernel, stride) in prop_oneof![Just((3usize, 1usize)), Just((3, 2)), Just((5, 1)), Just((5, 2))],
    ) {
        let channels = eighths * 8;
        let length = (width * stride + kernel) * channels;
        let input: Vec<Vec<f32>> = (0..kernel).map(|i| noise(length, seed ^ i as u32)).collect();
        let rows: Vec<&[f32]> = input.iter().map(Vec::as_slice).collect();
        let (weights, bias) = (noise(kernel * kernel * channels, seed ^ 7), noise(channels, seed ^ 8));
        let mut expected = vec![0.0; width * channels];
        for (at, value) in expected.iter_mut().enumerate() {
            let (x, c) = (at / channels, at % channels);
            let tap = |t: usize| {
                input[t / kernel][(x * stride + t % kernel) * channels + c] * weights[t * channels + c]
            };
            *value = ((0..kernel * kernel).map(tap).sum::<f32>() + bias[c]).clamp(0.0, 6.0);
        }
        for set in all_sets() {
            let mut output = vec![f32::NAN; width * channels];
            depthwise_row(set, (kernel, stride), &rows, &weights, &bias, width, &mut output);
            assert_close(set, &output, &expected);
        }
    }

    #[test]
    fn blending_equals_plain_loops((width, count, seed) in (1usize..200, 1usize..6, any::<u32>())) {
        let bytes: Vec<Vec<u8>> =
            (0..count).map(|i| noise(width, seed ^ i as u32).iter().map(|v| (v * 127.0 + 128.0) as u8).collect()).collect();
        let rows: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let weights = noise(count, seed ^ 9);
        let expected: Vec<f32> =
            (0..width).map(|i| (0..count).map(|t| weights[t] * f32::from(bytes[t][i])).sum()).collect();
        for set in all_sets() {
            let mut sum = vec![f32::NAN; width];
            blend_rows(set, &rows, &weights, &mut sum);
            assert_close(set, &sum, &expected);
        }
    }

    #[test]
    fn blending_columns_equals_plain_loops((width, taps, seed) in (1usize..40, 1usize..6, any::<u32>())) {
        let starts: Vec<u32> = (0..width as u32).map(|x| 2 * x + seed % 3).collect();
        let row = noise((2 * width + 3 + taps) * 3 + 1, seed);
        let (weights, mean) = (noise(width * taps, seed ^ 1), 0.3);
        let tap = |x: usize, c: usize, t: usize| weights[x * taps + t] * row[(starts[x] as usize + t) * 3 + c];
        let sum = |at: usize| (0..taps).map(|t| tap(at / 3, at % 3, t)).sum::<f32>() - mean;
        let expected: Vec<f32> = (0..width * 3).map(sum).collect();
        for set in all_sets() {
            let mut output = vec![f32::NAN; width * 3];
            blend_columns(set, &row, &starts, &weights, mean, &mut output);
            assert_close(set, &output, &expected);
        }
    }
}

#[test]
#[should_panic(expected = "too short")]
fn a_short_row_is_refused() {
    let matrix = PackedMatrix::new(&[0.0; 64], &[0.0; 8], 8, InstructionSet::Portable);
    let mut output = [0.0; 8];
    matmul(InstructionSet::Portable, &matrix, &[0.0; 15], Gather::pointwise(8), 2, &mut output, Finish::Linear, None);
}
