//! Small recordings that the tests make themselves.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part of this

pub mod clips;

use std::fs;
use std::path::{Path, PathBuf};

use deltasteer_data::{Frame, Source, rgb_bytes};
use ndarray::{Array3, s};

/// Side of the squares that carry a frame's number.
const CELL: usize = 8;
/// Squares across: that many bits.
const BITS: usize = 16;

/// A picture of 128x16 whose upper squares are the bits of `number`, black or white, so that JPEG cannot blur them.
pub fn numbered(number: usize) -> Array3<u8> {
    numbered_sized(number, CELL * BITS, 2 * CELL)
}

/// The same on a larger canvas.
pub fn numbered_sized(number: usize, width: usize, height: usize) -> Array3<u8> {
    let mut image = Array3::from_elem((height, width, 3), 60);
    for bit in 0..BITS {
        let level = if number >> bit & 1 == 1 { 255 } else { 0 };
        image.slice_mut(s![..CELL, bit * CELL..(bit + 1) * CELL, ..]).fill(level);
    }
    image
}

/// Reads the number back.
pub fn number_in(image: &Array3<u8>) -> usize {
    (0..BITS).map(|bit| usize::from(image[[CELL / 2, bit * CELL + CELL / 2, 0]] > 127) << bit).sum()
}

/// Writes a numbered JPEG, making the folders on its way.
pub fn write_jpeg(path: impl AsRef<Path>, number: usize) {
    write_image(path, &numbered(number));
}

/// Writes an image in the format of its suffix, making the folders on its way.
pub fn write_image(path: impl AsRef<Path>, image: &Array3<u8>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (height, width, _) = image.dim();
    image::save_buffer(path, rgb_bytes(image), width as u32, height as u32, image::ExtendedColorType::Rgb8).unwrap();
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
