//! Fonts and colours of everything that is drawn with plotters.

use std::sync::OnceLock;

use anyhow::anyhow;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The palette of Okabe and Ito (Color Universal Design, 2008), with a brown instead of its yellow, which is too pale on white.
/// These colours can be told apart with any common colour blindness.
pub const PALETTE: [RGBColor; 9] = [
    RGBColor(0, 0, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 85, 60),
    RGBColor(135, 145, 0),
];
/// Axes and references.
pub const GREY: RGBColor = RGBColor(110, 110, 110);
/// Lines of the grid.
pub const PALE: RGBColor = RGBColor(225, 225, 225);

/// Text of `size` pixels whose vertical middle, and left end, middle or right end (`side`), is at its place.
pub fn text(size: f64, color: RGBColor, side: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color).pos(Pos::new(side, VPos::Center))
}

/// Makes the built-in font known to plotters, so that pictures are the same on a machine without any font. Needed before the
/// first text.
///
/// # Errors
/// A font that cannot be read.
pub fn register_font() -> anyhow::Result<()> {
    static FINE: OnceLock<bool> = OnceLock::new();
    let register =
        || plotters::style::register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT).is_ok();
    if *FINE.get_or_init(register) { Ok(()) } else { Err(anyhow!("the built-in font cannot be read")) }
}
