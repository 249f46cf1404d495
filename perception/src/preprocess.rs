//! From an 8-bit picture of any size to the trunk's input: crop, resize, normalise.
//!
//! Shrinking averages over the area that each output pixel covers, enlarging is bilinear (pixel centres at halves);
//! both are separable, so rows are blended first and columns second.

use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::{self, InstructionSet};
use ndarray::ArrayView3;
use std::ops::Range;

/// Pre-processing for one picture size at a time; the tables are made again when the size changes.
#[derive(Debug, Clone)]
pub(crate) struct Preprocessor {
    config: PerceptionConfig,
    set: InstructionSet,
    size: (usize, usize),
    rows: Taps,
    columns: Taps,
    blended: Vec<f32>,
}

impl Preprocessor {
    pub fn new(config: &PerceptionConfig, set: InstructionSet) -> Self {
        let (rows, columns) = (Taps::default(), Taps::default());
        Self { config: config.clone(), set, size: (0, 0), rows, columns, blended: Vec::new() }
    }

    /// The picture `[input_height][input_width][3]`, normalised, of a frame `[height, width, 3]`.
    ///
    /// # Errors
    /// [`PerceptionError::Image`] where the frame is not RGB or nothing is left after the crop.
    pub fn run(&mut self, frame: ArrayView3<'_, u8>) -> Result<Vec<f32>, PerceptionError> {
        let [x, y, crop_width, crop_height] = self.checked_crop(frame)?;
        let (height, width, _) = frame.dim();
        let PerceptionConfig { input_width, input_height, pixel_mean, pixel_scale, .. } = self.config;
        if self.size != (width, height) {
            self.rows = Taps::new(y..y + crop_height, 0..input_height as isize, y..y + crop_height, 1.0);
            self.columns = Taps::new(x..x + crop_width, 0..input_width as isize, x..x + crop_width, 1.0 / pixel_scale);
            self.size = (width, height);
        }
        Ok(self.resize(frame, pixel_mean / pixel_scale))
    }

    /// As [`Preprocessor::run`], but not normalised (values stay 0 to 255), and with `margin` more rows above and below
    /// the crop, as far as the frame has them: `[input_height + 2 * margin][input_width][3]`.
    pub fn run_wide(&mut self, frame: ArrayView3<'_, u8>, margin: usize) -> Result<Vec<f32>, PerceptionError> {
        let [x, y, crop_width, crop_height] = self.checked_crop(frame)?;
        let PerceptionConfig { input_width, input_height, .. } = self.config;
        let margin = margin as isize;
        self.rows = Taps::new(y..y + crop_height, -margin..input_height as isize + margin, 0..frame.dim().0, 1.0);
        self.columns = Taps::new(x..x + crop_width, 0..input_width as isize, x..x + crop_width, 1.0);
        self.size = (0, 0); // the tables are no longer those of `run`
        Ok(self.resize(frame, 0.0))
    }

    fn resize(&mut self, frame: ArrayView3<'_, u8>, mean: f32) -> Vec<f32> {
        let frame = frame.as_standard_layout();
        let (height, width, _) = frame.dim();
        let (rgb, outputs) = (frame.as_slice().unwrap_or_default(), self.config.input_width * 3);
        let mut picture = vec![0.0; self.rows.starts.len() * outputs];
        // Taps past the last column have weight zero but are read, and one value more: the row is padded for them.
        self.blended.resize((width + self.columns.count) * 3 + 1, 0.0);
        let mut lines: Vec<&[u8]> = Vec::with_capacity(self.rows.count);
        for (row, output) in picture.chunks_exact_mut(outputs).enumerate() {
            let (start, weights) = self.rows.of(row);
            lines.clear();
            lines.extend((0..weights.len()).map(|t| {
                let line = (start + t).min(height - 1);
                &rgb[line * width * 3..(line + 1) * width * 3]
            }));
            kernels::blend_rows(self.set, &lines, weights, &mut self.blended[..width * 3]);
            kernels::blend_columns(self.set, &self.blended, &self.columns.starts, &self.columns.weights, mean, output);
        }
        picture
    }

    fn checked_crop(&self, frame: ArrayView3<'_, u8>) -> Result<[usize; 4], PerceptionError> {
        let bad = |expected: String| PerceptionError::Image { shape: frame.shape().to_vec(), expected };
        let (height, width, colours) = frame.dim();
        if width == 0 || height == 0 || colours != 3 {
            return Err(bad("[height, width, 3] with at least one pixel".into()));
        }
        let crop = self.config.crop_rect(width, height);
        if crop[3] == 0 {
            let [top, bottom] = self.config.crop_rows_of_480;
            return Err(bad(format!("at least one row between {top}/480 and {bottom}/480 of the height")));
        }
        Ok(crop)
    }
}

/// Which inputs make up each output along one axis, and by how much; the same number of taps for every output.
#[derive(Debug, Clone, Default)]
struct Taps {
    count: usize,
    starts: Vec<u32>,
    weights: Vec<f32>,
}

impl Taps {
    /// Weights that sum to `gain` for the output positions `outputs`, where `crop` of the input is stretched over as many
    /// outputs as `outputs` has at or above 0 on both sides; only inputs of `readable` are used.
    fn new(crop: Range<usize>, outputs: Range<isize>, readable: Range<usize>, gain: f32) -> Self {
        let inner = outputs.end + outputs.start.min(0);
        let scale = crop.len() as f64 / inner as f64;
        let spans: Vec<(usize, Vec<f64>)> = outputs.map(|i| span(i, scale, crop.start, &readable)).collect();
        let count = spans.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0);
        let mut weights = vec![0.0; count * spans.len()];
        for ((_, span), weights) in spans.iter().zip(weights.chunks_exact_mut(count.max(1))) {
            let sum: f64 = span.iter().sum();
            weights.iter_mut().zip(span).for_each(|(to, from)| *to = (from / sum) as f32 * gain);
        }
        Self { count, starts: spans.iter().map(|(start, _)| *start as u32).collect(), weights }
    }

    fn of(&self, output: usize) -> (usize, &[f32]) {
        (self.starts[output] as usize, &self.weights[output * self.count..(output + 1) * self.count])
    }
}

/// First input and unnormalised weights of output `i`; what lies outside `readable` counts as its nearest edge.
fn span(i: isize, scale: f64, origin: usize, readable: &Range<usize>) -> (usize, Vec<f64>) {
    let (low, high) = (readable.start as f64, readable.end as f64);
    if scale >= 1.0 {
        let from = (origin as f64 + i as f64 * scale).clamp(low, high - 1.0);
        let to = (origin as f64 + (i + 1) as f64 * scale).clamp(low + 1.0, high);
        let first = from as usize;
        let last = ((to - 1e-9) as usize).clamp(first, readable.end - 1);
        let covered = |j: usize| (to.min((j + 1) as f64) - from.max(j as f64)).max(1e-12);
        (first, (first..=last).map(covered).collect())
    } else {
        let centre = (origin as f64 + (i as f64 + 0.5) * scale - 0.5).clamp(low, high - 1.0);
        if readable.len() == 1 {
            return (readable.start, vec![1.0]);
        }
        let first = (centre as usize).min(readable.end - 2);
        let right = centre - first as f64;
        (first, vec![1.0 - right, right])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rgb: &[u8], width: usize, height: usize, set: InstructionSet) -> Result<Vec<f32>, PerceptionError> {
        let frame = ArrayView3::from_shape((height, width, 3), rgb).unwrap();
        Preprocessor::new(&PerceptionConfig::default(), set).run(frame)
    }

    #[test]
    fn weights_of_every_output_sum_to_one() {
        for input in [1, 2, 3, 50, 96, 97, 256, 270, 640, 1920] {
            for output in [96, 256] {
                let taps = Taps::new(0..input, 0..output as isize, 0..input, 1.0);
                for i in 0..output {
                    let (start, weights) = taps.of(i);
                    assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{input} -> {output}, {i}");
                    let used = weights.iter().rposition(|w| *w > 0.0).unwrap();
                    assert!(start + used < input, "{input} -> {output}, {i} reads past the end");
                }
            }
        }
    }

    #[test]
    fn whole_blocks_are_averaged() {
        // Columns are halved exactly; every pair of columns holds the same two pixels.
        let mut rgb = vec![0; 512 * 480 * 3];
        rgb.chunks_exact_mut(6).for_each(|pair| pair.copy_from_slice(&[10, 20, 30, 30, 40, 50]));
        let picture = run(&rgb, 512, 480, InstructionSet::best()).unwrap();
        for pixel in picture.chunks_exact(3) {
            for (value, mean) in pixel.iter().zip([20.0, 30.0, 40.0]) {
                assert!((value - (mean - 127.0) / 128.0).abs() < 1e-5, "{value}");
            }
        }
    }

    #[test]
    fn odd_and_tiny_sizes_work() {
        for set in InstructionSet::available() {
            for (width, height) in [(1, 1), (2, 1), (3, 5), (160, 120), (255, 97), (641, 479)] {
                let picture = run(&vec![255; width * height * 3], width, height, set).unwrap();
                assert!(picture.iter().all(|value| (value - 1.0).abs() < 1e-5), "{width}x{height}");
            }
        }
    }

    #[test]
    fn frames_that_cannot_be_looked_at_are_errors() {
        for (shape, expected) in [((0, 0, 3), "at least one pixel"), ((4, 4, 4), "[height, width, 3]")] {
            let mut preprocessor = Preprocessor::new(&PerceptionConfig::default(), InstructionSet::Portable);
            let error = preprocessor.run(ndarray::Array3::zeros(shape).view()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
