//! Pictures that hold their number.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, Rgb, RgbImage};

/// Bits of a number, each a block at the lower edge; they are read from pictures that were coded twice.
const BITS: u32 = 24;

/// A road-like picture of frame `number` as a JPEG.
pub fn jpeg(number: u32, width: u32, height: u32) -> anyhow::Result<Vec<u8>> {
    let middle = width as f32 * (0.5 + 0.2 * (number as f32 * 0.02).sin());
    let picture = RgbImage::from_fn(width, height, |x, y| {
        if y >= height * 7 / 8 {
            let bit = x * BITS / width;
            return if number >> bit & 1 == 1 { Rgb([255; 3]) } else { Rgb([0; 3]) };
        }
        let road = (x as f32 - middle).abs() < (y as f32 - height as f32 * 0.3).max(0.0);
        if road { Rgb([90, 90, 95]) } else { Rgb([60, 140, 200 - (y * 120 / height) as u8]) }
    });
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85).encode(&picture, width, height, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// The number that a picture holds.
pub fn number(picture: &ndarray::Array3<u8>) -> u32 {
    let (height, width, _) = picture.dim();
    let bit = |bit: usize| {
        let column = (2 * bit + 1) * width / (2 * BITS as usize);
        u32::from(picture[[height * 15 / 16, column, 0]] > 127) << bit
    };
    (0..BITS as usize).map(bit).sum()
}
