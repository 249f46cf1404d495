//! WAV files to log-mel energies.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use hound::{SampleFormat, WavReader};
use ndarray::Array2;
use realfft::RealFftPlanner;

/// Mel bands.
pub const BANDS: usize = 40;
/// Added to every energy: about 40 dB below speech, so that the noise below does not move the features.
const FLOOR: f32 = 1e-3;

/// Samples in -1 to 1 of a mono file of 16 bits at `rate` Hz.
pub fn read_wav(path: &Path, rate: u32) -> anyhow::Result<Vec<f32>> {
    let name = || path.display().to_string();
    let mut reader = WavReader::open(path).with_context(name)?;
    let spec = reader.spec();
    if (spec.sample_rate, spec.channels, spec.bits_per_sample) != (rate, 1, 16)
        || spec.sample_format != SampleFormat::Int
    {
        let (hz, channels, bits) = (spec.sample_rate, spec.channels, spec.bits_per_sample);
        bail!("{}: {hz} Hz, {channels} channels, {bits} bits; expected {rate} Hz, 1 channel, 16 bits", name());
    }
    let samples = reader.samples::<i16>().map(|sample| Ok(f32::from(sample?) / 32768.0));
    let samples: Vec<f32> = samples.collect::<Result<_, hound::Error>>().with_context(name)?;
    ensure!(!samples.is_empty(), "{}: no samples; expected a recording", name());
    Ok(samples)
}

/// Natural logarithms of [`BANDS`] mel energies `[frames, BANDS]`: Hann windows of 25 ms every 10 ms, after the recording's level was set
/// to an RMS of 0.1.
pub fn log_mel(samples: &[f32], rate: u32) -> Array2<f32> {
    let (window, step) = (rate as usize / 40, rate as usize / 100);
    let size = window.next_power_of_two();
    let filters = mel_filters(size, rate);
    let rms = (samples.iter().map(|x| x * x).sum::<f32>() / samples.len().max(1) as f32).sqrt();
    let gain = 0.1 / rms.max(1e-5);
    let hann: Vec<f32> =
        (0..window).map(|i| gain * (0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / window as f32).cos())).collect();
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(size);
    let (mut input, mut spectrum) = (fft.make_input_vec(), fft.make_output_vec());
    let frames = 1 + samples.len().saturating_sub(window) / step;
    let mut features = Array2::zeros((frames, BANDS));
    for (t, mut row) in features.rows_mut().into_iter().enumerate() {
        input.fill(0.0);
        let samples = &samples[t * step..samples.len().min(t * step + window)];
        input.iter_mut().zip(samples).zip(&hann).for_each(|((to, sample), hann)| *to = sample * hann);
        // The buffers have the sizes that the plan asked for.
        fft.process(&mut input, &mut spectrum).unwrap_or_else(|error| unreachable!("{error}"));
        for (to, filter) in row.iter_mut().zip(&filters) {
            let energy: f32 = filter.iter().map(|(bin, weight)| weight * spectrum[*bin].norm_sqr()).sum();
            *to = (energy + FLOOR).ln();
        }
    }
    features
}

/// Bins and weights of each triangular filter, equally spaced in mel from 20 Hz to half the rate.
fn mel_filters(size: usize, rate: u32) -> Vec<Vec<(usize, f32)>> {
    let mel = |hz: f32| 1127.0 * (1.0 + hz / 700.0).ln();
    let hz = |mel: f32| 700.0 * ((mel / 1127.0).exp() - 1.0);
    let (low, high) = (mel(20.0), mel(rate as f32 / 2.0));
    let edge = |i: usize| hz(low + (high - low) * i as f32 / (BANDS + 1) as f32);
    let bin_hz = rate as f32 / size as f32;
    let filter = |band: usize| {
        // At least one bin wide, or low bands of short spectra would be empty.
        let (centre, left, right) = (edge(band + 1), edge(band), edge(band + 2));
        let (left, right) = (left.min(centre - bin_hz), right.max(centre + bin_hz));
        let weight = |bin: usize| {
            let f = bin as f32 * bin_hz;
            ((f - left) / (centre - left)).min((right - f) / (right - centre)).max(0.0)
        };
        (0..=size / 2).map(|bin| (bin, weight(bin))).filter(|(_, weight)| *weight > 0.0).collect()
    };
    (0..BANDS).map(filter).collect()
}
