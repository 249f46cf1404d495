//! Pictures are `ndarray::Array3<u8>` of shape `[height, width, 3]`: 8-bit RGB in standard (row-major) layout.

use ndarray::Array3;

/// The bytes of a picture, `[height][width][3]`, for libraries that take a slice.
///
/// # Panics
/// If the picture is not in standard layout; every [`Frame`](crate::Frame) is.
pub fn rgb_bytes(image: &Array3<u8>) -> &[u8] {
    image.as_slice().expect("pictures are in standard layout")
}
