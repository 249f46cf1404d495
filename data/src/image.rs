//! The picture type that crosses the crate's border.

/// An 8-bit RGB picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RgbImage {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height][width][3]`, row after row, red first.
    pub pixels: Vec<u8>,
}

impl RgbImage {
    /// A black picture of `width` x `height`.
    pub fn black(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height * 3] }
    }
}
