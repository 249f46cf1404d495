//! The SVG as a PNG, with the font that the window brings along, so that it looks the same everywhere.

use anyhow::Context;
use resvg::{tiny_skia, usvg};

/// Pixels for each unit of the SVG.
const SCALE: f32 = 1.5;

/// Renders `svg` to the bytes of a PNG file.
///
/// # Errors
/// An SVG that cannot be read, which would be our own fault.
pub fn render(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut options = usvg::Options { font_family: "Ubuntu".to_owned(), ..usvg::Options::default() };
    options.fontdb_mut().load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    let tree = usvg::Tree::from_str(svg, &options).context("the picture's SVG")?;
    let size = tree.size().to_int_size().scale_by(SCALE).context("a picture without a size")?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).context("a picture without a size")?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().context("the picture's PNG")
}
