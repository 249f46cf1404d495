//! JPEG and PNG bytes to RGB.

use std::ops::Range;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use ndarray::Array3;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::upright::Upright;

/// Largest side that is decoded. A damaged header must not make the reader ask for gigabytes.
pub(crate) const MAX_SIDE: usize = 8192;

/// Largest picture that is decoded, in pixels: 8K video.
pub(crate) const MAX_PIXELS: usize = MAX_SIDE * 4320;

/// Largest image file that is read into memory.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// All rows of a picture, as [`Source::look_at_rows`](crate::Source::look_at_rows) states them.
pub(crate) const ALL_ROWS: [u32; 2] = [0, 480];

/// Reads and decodes one image file; rows outside `rows_of_480` may be left black.
///
/// # Errors
/// A plain sentence fragment: unreadable, empty, not an image, truncated or too large.
pub(crate) fn image_file(path: &Path, rows_of_480: [u32; 2]) -> Result<Array3<u8>, String> {
    let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if length > MAX_FILE_BYTES {
        return Err(format!("{length} bytes; an image of at most {MAX_FILE_BYTES} was expected"));
    }
    image_bytes(&std::fs::read(path).map_err(|e| e.to_string())?, rows_of_480)
}

/// Decodes a JPEG or PNG, told apart by its first bytes; rows outside `rows_of_480` may be left black.
///
/// # Errors
/// As [`image_file`].
pub(crate) fn image_bytes(bytes: &[u8], rows_of_480: [u32; 2]) -> Result<Array3<u8>, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    let decode = || if bytes.starts_with(&[0xff, 0xd8]) { jpeg(bytes, rows_of_480) } else { other(bytes) };
    // A defect in a codec costs this picture, not the drive.
    std::panic::catch_unwind(decode).unwrap_or_else(|_| Err("damaged image: the decoder gave up".to_owned()))
}

/// Decodes a JPEG strictly: a truncated one is an error, not a picture whose lower part is grey.
fn jpeg(bytes: &[u8], rows_of_480: [u32; 2]) -> Result<Array3<u8>, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| format!("damaged JPEG: {e:?}"))?;
    let (width, height) = decoder.dimensions().ok_or("damaged JPEG: no size")?;
    if width * height > MAX_PIXELS {
        return Err(format!("{width}x{height}; a picture of at most {MAX_PIXELS} pixels was expected"));
    }
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let turned = orientation.is_some_and(|orientation| orientation != Orientation::NoTransforms);
    // Whoever reads a part does not see that the end is missing. Bytes behind the end only cost the time of a whole picture.
    let cut_short = !bytes.ends_with(&[0xff, 0xd9]);
    let rows = if turned || cut_short { 0..height } else { pixel_rows(rows_of_480, height) };
    let pixels = match turbo(bytes, [height, width], rows) {
        Some(pixels) => pixels,
        None => decoder.decode().map_err(|e| format!("damaged JPEG: {e:?}"))?,
    };
    let image = Array3::from_shape_vec((height, width, 3), pixels)
        .map_err(|e| format!("damaged JPEG: {width}x{height} RGB: {e}"))?;
    Ok(upright(image, orientation))
}

/// The rows of a picture of `height` rows that hold the given 480ths.
fn pixel_rows([top, bottom]: [u32; 2], height: usize) -> Range<usize> {
    let end = (bottom as usize * height).div_ceil(480).clamp(1, height);
    (top as usize * height / 480).min(end - 1)..end
}

#[cfg(feature = "turbojpeg")]
use super::turbo::decode as turbo;

/// Without libjpeg-turbo the pure Rust decoder does it all, and decodes every row.
#[cfg(not(feature = "turbojpeg"))]
fn turbo(_: &[u8], _: [usize; 2], _: Range<usize>) -> Option<Vec<u8>> {
    None
}

/// Decodes what is not a JPEG: PNG, the only other kind that recordings hold.
fn other(bytes: &[u8]) -> Result<Array3<u8>, String> {
    let format = image::guess_format(bytes).map_err(|_| "neither JPEG nor PNG".to_owned())?;
    if format != ImageFormat::Png {
        return Err(format!("{format:?} image; JPEG or PNG was expected"));
    }
    let mut reader = ImageReader::with_format(std::io::Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    limits.max_alloc = Some(8 * MAX_PIXELS as u64);
    reader.limits(limits);
    let damaged = |e: image::ImageError| format!("damaged PNG: {e}");
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let orientation = decoder.orientation().ok();
    let rgb = DynamicImage::from_decoder(decoder).map_err(damaged)?.into_rgb8();
    let shape = (rgb.height() as usize, rgb.width() as usize, 3);
    let image = Array3::from_shape_vec(shape, rgb.into_raw()).map_err(|e| format!("damaged PNG: {e}"))?;
    Ok(upright(image, orientation))
}

/// Turns a picture as the camera that took it was held.
fn upright(image: Array3<u8>, orientation: Option<Orientation>) -> Array3<u8> {
    Upright::of_exif(orientation.map_or(1, Orientation::to_exif)).apply(image)
}

#[cfg(test)]
pub(crate) mod tests {
    use ndarray::s;

    use super::*;

    /// A picture as JPEG bytes, for the tests of this crate.
    pub(crate) fn jpeg_of(image: &Array3<u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95)
            .encode(crate::rgb_bytes(image), image.dim().1 as u32, image.dim().0 as u32, image::ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    fn ramp(width: usize, height: usize) -> Array3<u8> {
        Array3::from_shape_fn((height, width, 3), |(row, column, k)| ((row * width + column) * 21 + k * 7) as u8 % 200)
    }

    #[test]
    fn a_jpeg_and_a_png_give_their_pixels() {
        let grey = Array3::from_elem((16, 32, 3), 90);
        let back = image_bytes(&jpeg_of(&grey), ALL_ROWS).unwrap();
        assert_eq!(back.dim(), (16, 32, 3));
        assert!(back.iter().all(|&p| p.abs_diff(90) <= 2));

        let picture = ramp(20, 10);
        let mut png = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        image::ImageEncoder::write_image(encoder, crate::rgb_bytes(&picture), 20, 10, image::ExtendedColorType::Rgb8)
            .unwrap();
        assert_eq!(image_bytes(&png, ALL_ROWS).unwrap(), picture);
    }

    /// An APP1 segment that states an orientation, behind the start of the picture.
    fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn a_jpeg_stands_upright_however_the_camera_was_held() {
        // Dark left, bright right.
        let stored = Array3::from_shape_fn((16, 32, 3), |(_, column, _)| if column < 16 { 20 } else { 220 });
        for (orientation, shape, bright) in
            [(1, (16, 32, 3), (8, 24)), (3, (16, 32, 3), (8, 8)), (6, (32, 16, 3), (24, 8)), (8, (32, 16, 3), (8, 8))]
        {
            let image = image_bytes(&with_exif(&jpeg_of(&stored), orientation), ALL_ROWS).unwrap();
            assert_eq!(image.dim(), shape, "orientation {orientation}");
            assert!(image[[bright.0, bright.1, 0]] > 200, "orientation {orientation}");
        }
    }

    #[test]
    fn a_grey_jpeg_becomes_rgb() {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut bytes)
            .encode(&[128; 64], 8, 8, image::ExtendedColorType::L8)
            .unwrap();
        assert_eq!(image_bytes(&bytes, ALL_ROWS).unwrap().dim(), (8, 8, 3));
    }

    #[test]
    fn a_truncated_jpeg_is_an_error_and_not_half_a_picture() {
        let whole = jpeg_of(&ramp(160, 120));
        for keep in [0, 1, 2, 20, whole.len() / 2, whole.len() - 200] {
            assert!(
                image_bytes(&whole[..keep], ALL_ROWS).is_err(),
                "{keep} of {} bytes were taken for a picture",
                whole.len()
            );
        }
    }

    #[test]
    fn rows_that_are_looked_at_are_those_of_the_whole_picture() {
        // Colours that change from row to row, so that chroma which is read from the wrong rows shows.
        let picture =
            Array3::from_shape_fn((150, 64, 3), |(row, column, k)| ((row * (5 + 7 * k) + 3 * column) % 256) as u8);
        let bytes = jpeg_of(&picture);
        let whole = image_bytes(&bytes, ALL_ROWS).unwrap();
        assert!(whole.iter().zip(&picture).all(|(a, b)| a.abs_diff(*b) < 60));
        for rows_of_480 in [[0, 100], [100, 101], [160, 430], [450, 480], [479, 480], [480, 480]] {
            let rows = pixel_rows(rows_of_480, 150);
            assert!(!rows.is_empty() && rows.end <= 150);
            let part = image_bytes(&bytes, rows_of_480).unwrap();
            assert_eq!(part.dim(), whole.dim());
            assert_eq!(part.slice(s![rows.clone(), .., ..]), whole.slice(s![rows.clone(), .., ..]), "{rows:?}");
            let black =
                part.slice(s![..rows.start, .., ..]).iter().chain(part.slice(s![rows.end.., .., ..])).all(|p| *p == 0);
            assert_eq!(black, cfg!(feature = "turbojpeg"), "{rows:?}");
        }
        // A file that is cut short below the rows is damaged.
        assert!(image_bytes(&bytes[..bytes.len() - 200], [0, 100]).is_err());
        // A picture that is stored on its side is decoded whole.
        let upright = image_bytes(&with_exif(&bytes, 6), [0, 100]).unwrap();
        assert_eq!(upright, image_bytes(&with_exif(&bytes, 6), ALL_ROWS).unwrap());
    }

    #[test]
    fn text_and_a_giant_size_are_refused() {
        assert!(image_bytes(b"frame_id,steering_angle", ALL_ROWS).unwrap_err().contains("neither"));
        let mut giant = jpeg_of(&ramp(16, 16));
        let frame_header = giant.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        giant[frame_header + 5..frame_header + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert!(image_bytes(&giant, ALL_ROWS).is_err());
    }
}
