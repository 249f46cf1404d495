//! Rendering a [`View`] of a frame: geometry, blur, tone, shadow, noise.

use super::View;
use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::preprocess::Preprocessor;
use ndarray::ArrayView3;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A frame resized as the trunk sees it, values 0 to 255, with an eighth of its height more above and below, so that a
/// shifted or turned view does not run out of picture.
#[derive(Debug, Clone)]
pub struct WidePicture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) margin: usize,
    /// `[height + 2 * margin][width][3]`
    pub(crate) pixels: Vec<f32>,
}

impl WidePicture {
    /// Resizes a frame `[height, width, 3]` as `config` says.
    pub(crate) fn of(
        preprocessor: &mut Preprocessor,
        config: &PerceptionConfig,
        frame: ArrayView3<'_, u8>,
    ) -> Result<Self, PerceptionError> {
        let (width, height) = (config.input_width, config.input_height);
        let margin = height / 8;
        Ok(Self { width, height, margin, pixels: preprocessor.run_wide(frame, margin)? })
    }

    /// The altered picture, `[height][width][3]`, values 0 to 255.
    pub fn render(&self, view: &View) -> Vec<f32> {
        let mut picture = self.warp(view);
        if view.blur_px >= 0.3 {
            blur(&mut picture, self.width, view.blur_px);
        }
        tone(&mut picture, view);
        if view.shade >= 0.1 {
            self.shade(&mut picture, view);
        }
        if view.noise > 0.0 {
            add_noise(&mut picture, view);
        }
        picture.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
        picture
    }

    /// Mirror, turn, zoom and shift about the centre, bilinear; beyond the edge the edge is repeated.
    fn warp(&self, view: &View) -> Vec<f32> {
        let (centre_x, centre_y) = ((self.width - 1) as f32 / 2.0, (self.height - 1) as f32 / 2.0);
        let (sin, cos) = view.rotation_deg.to_radians().sin_cos();
        let (sin, cos) = (sin / view.zoom, cos / view.zoom);
        let mut picture = Vec::with_capacity(self.width * self.height * 3);
        for y in 0..self.height {
            let down = y as f32 - centre_y - view.shift_down_px;
            for x in 0..self.width {
                let right = x as f32 - centre_x - view.shift_right_px;
                // Rows grow downwards: an anticlockwise turn of the picture reads clockwise from the source.
                let from_x = cos * right - sin * down + centre_x;
                let from_y = sin * right + cos * down + centre_y;
                let from_x = if view.mirror { (self.width - 1) as f32 - from_x } else { from_x };
                picture.extend(self.sample(from_x, from_y + self.margin as f32));
            }
        }
        picture
    }

    fn sample(&self, x: f32, y: f32) -> [f32; 3] {
        let (last_x, last_y) = (self.width - 1, self.height + 2 * self.margin - 1);
        let (x, y) = (x.clamp(0.0, last_x as f32), y.clamp(0.0, last_y as f32));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(last_x), (top + 1).min(last_y));
        let (share_x, share_y) = (x - left as f32, y - top as f32);
        let at = |x: usize, y: usize, c: usize| self.pixels[(y * self.width + x) * 3 + c];
        std::array::from_fn(|c| {
            let above = at(left, top, c) * (1.0 - share_x) + at(right, top, c) * share_x;
            let below = at(left, bottom, c) * (1.0 - share_x) + at(right, bottom, c) * share_x;
            above * (1.0 - share_y) + below * share_y
        })
    }

    /// Darkens what lies left of a slanting edge.
    fn shade(&self, picture: &mut [f32], view: &View) {
        let [top, bottom] = view.shade_edge_px;
        for (y, row) in picture.chunks_exact_mut(self.width * 3).enumerate() {
            let edge = top + (bottom - top) * y as f32 / (self.height - 1).max(1) as f32;
            let columns = (edge.max(0.0) as usize).min(self.width);
            row[..columns * 3].iter_mut().for_each(|value| *value *= 1.0 - view.shade);
        }
    }
}

/// Gaussian blur, rows then columns; the picture's edge is repeated.
fn blur(picture: &mut [f32], width: usize, deviation: f32) {
    let reach = (deviation * 3.0).ceil() as isize;
    let weights: Vec<f32> =
        (-reach..=reach).map(|d| (-((d * d) as f32) / (2.0 * deviation * deviation)).exp()).collect();
    let sum: f32 = weights.iter().sum();
    let weights: Vec<f32> = weights.into_iter().map(|weight| weight / sum).collect();
    let source = picture.to_vec();
    let stride = width * 3;
    let rows = (source.len() / stride) as isize;
    picture.fill(0.0);
    for (y, row) in picture.chunks_exact_mut(stride).enumerate() {
        for (tap, weight) in weights.iter().enumerate() {
            let from = (y as isize + tap as isize - reach).clamp(0, rows - 1) as usize * stride;
            row.iter_mut().zip(&source[from..from + stride]).for_each(|(to, from)| *to += weight * from);
        }
    }
    let mut padded = vec![0.0; (width + 2 * reach as usize) * 3];
    for row in picture.chunks_exact_mut(stride) {
        for (x, pixel) in padded.chunks_exact_mut(3).enumerate() {
            let from = (x as isize - reach).clamp(0, width as isize - 1) as usize * 3;
            pixel.copy_from_slice(&row[from..from + 3]);
        }
        row.fill(0.0);
        for (tap, weight) in weights.iter().enumerate() {
            row.iter_mut().zip(&padded[tap * 3..]).for_each(|(to, from)| *to += weight * from);
        }
    }
}

/// Gamma, gain, lift and colour by a table of quarter steps.
fn tone(picture: &mut [f32], view: &View) {
    if (view.gamma, view.gain, view.lift, view.colour) == (1.0, 1.0, 0.0, [1.0; 3]) {
        return;
    }
    let level = |step: usize| (step as f32 / 1020.0).powf(view.gamma) * 255.0 * view.gain + view.lift;
    let table: Vec<f32> = (0..=1020).map(level).collect();
    for pixel in picture.chunks_exact_mut(3) {
        for (value, colour) in pixel.iter_mut().zip(view.colour) {
            *value = (table[((*value * 4.0 + 0.5) as usize).min(1020)] * colour).clamp(0.0, 255.0);
        }
    }
}

/// Noise that is close to normal: the sum of four bytes, whose deviation is 147.8.
fn add_noise(picture: &mut [f32], view: &View) {
    let mut bytes = vec![0; picture.len() * 4];
    ChaCha8Rng::seed_from_u64(view.noise_seed).fill_bytes(&mut bytes);
    let scale = view.noise / 147.8;
    for (value, bytes) in picture.iter_mut().zip(bytes.chunks_exact(4)) {
        let sum: i32 = bytes.iter().map(|byte| i32::from(*byte)).sum();
        *value += (sum - 510) as f32 * scale;
    }
}
