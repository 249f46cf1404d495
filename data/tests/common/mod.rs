//! Small recordings that the tests make themselves.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part of this

use std::fs;
use std::path::{Path, PathBuf};

use deltasteer_data::{Frame, RgbImage, Source};

/// Side of the squares that carry a frame's number.
const CELL: usize = 8;
/// Squares across: that many bits.
const BITS: usize = 16;

/// A picture of 128x16 whose upper squares are the bits of `number`, black or white, so that JPEG cannot blur them.
pub fn numbered(number: usize) -> RgbImage {
    numbered_sized(number, CELL * BITS, 2 * CELL)
}

/// The same on a larger canvas.
pub fn numbered_sized(number: usize, width: usize, height: usize) -> RgbImage {
    let mut image = RgbImage { width, height, pixels: vec![60; width * height * 3] };
    for row in 0..CELL {
        for column in 0..CELL * BITS {
            let level = if number >> (column / CELL) & 1 == 1 { 255 } else { 0 };
            image.pixels[(row * width + column) * 3..][..3].fill(level);
        }
    }
    image
}

/// Reads the number back.
pub fn number_in(image: &RgbImage) -> usize {
    (0..BITS)
        .map(|bit| {
            let centre = (CELL / 2 * image.width + bit * CELL + CELL / 2) * 3;
            usize::from(image.pixels[centre] > 127) << bit
        })
        .sum()
}

/// Writes a numbered JPEG, making the folders on its way.
pub fn write_jpeg(path: impl AsRef<Path>, number: usize) {
    write_image(path, &numbered(number));
}

/// Writes an image in the format of its suffix, making the folders on its way.
pub fn write_image(path: impl AsRef<Path>, image: &RgbImage) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (width, height) = (image.width as u32, image.height as u32);
    image::save_buffer(path, &image.pixels, width, height, image::ExtendedColorType::Rgb8).unwrap();
}

/// Writes text, making the folders on its way.
pub fn write_text(path: impl AsRef<Path>, text: &str) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Opens what must open.
pub fn open(path: &Path) -> Box<dyn Source> {
    deltasteer_data::open(path.to_str().unwrap()).unwrap_or_else(|e| panic!("{e}"))
}

/// The message of what must not open.
pub fn error(path: &Path) -> String {
    deltasteer_data::open(path.to_str().unwrap()).err().expect("an error was expected").to_string()
}

/// All frames that are left.
pub fn frames(source: &mut dyn Source) -> Vec<Frame> {
    std::iter::from_fn(|| source.next_frame().unwrap()).collect()
}

/// The numbers in the pictures of all frames that are left.
pub fn numbers(source: &mut dyn Source) -> Vec<usize> {
    frames(source).iter().map(|frame| number_in(&frame.image)).collect()
}

/// True if one of the notes holds `part`.
pub fn noted(source: &dyn Source, part: &str) -> bool {
    source.info().notes.iter().any(|note| note.contains(part))
}

/// The folder of a recorded drive, or `None`, said plainly, where the recordings are not at hand.
pub fn recorded(folder: &str) -> Option<PathBuf> {
    let found = std::env::var_os("DELTASTEER_DATA").map(|root| Path::new(&root).join(folder)).filter(|f| f.is_dir());
    if found.is_none() {
        println!("SKIPPED: DELTASTEER_DATA is not set, or has no {folder}");
    }
    found
}
