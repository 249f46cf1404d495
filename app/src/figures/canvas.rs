//! What the pictures are drawn with: places, sizes, fonts and colours.

use std::sync::Once;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
pub use plotters::style::text_anchor::HPos;
use plotters::style::text_anchor::{Pos, VPos};

/// Okabe and Ito's palette (Color Universal Design, 2008) with a brown for its yellow, which is lost on white: chosen so
/// that colours can be told apart with any common colour blindness; names at the lines' ends help where they cannot.
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

/// A drawing surface in points; `scale` pixels a point.
pub struct Canvas<B: DrawingBackend> {
    area: DrawingArea<B, Shift>,
    scale: f64,
}

/// A place in points from the upper left corner.
pub type Place = (f64, f64);

impl<B: DrawingBackend> Canvas<B> {
    /// A white surface.
    pub fn new(backend: B, scale: f64) -> anyhow::Result<Self> {
        let canvas = Self::over(backend, scale)?;
        canvas.area.fill(&WHITE).map_err(fault)?;
        Ok(canvas)
    }

    /// A surface on top of what is there.
    pub fn over(backend: B, scale: f64) -> anyhow::Result<Self> {
        register_font()?;
        Ok(Self { area: backend.into_drawing_area(), scale })
    }

    fn pixel(&self, (x, y): Place) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn width(&self, points: f64) -> u32 {
        (points * self.scale).round().max(1.0) as u32
    }

    /// A line through all `places`.
    pub fn line(&self, places: &[Place], color: RGBColor, width: f64) -> anyhow::Result<()> {
        let places: Vec<_> = places.iter().map(|&place| self.pixel(place)).collect();
        self.area.draw(&PathElement::new(places, color.stroke_width(self.width(width)))).map_err(fault)
    }

    /// A dashed straight line.
    pub fn dashes(&self, from: Place, to: Place, color: RGBColor, width: f64) -> anyhow::Result<()> {
        const DASH: f64 = 6.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let count = (dx.hypot(dy) / (2.0 * DASH)).ceil().max(1.0);
        let at = |share: f64| (from.0 + dx * share, from.1 + dy * share);
        for dash in 0..count as usize {
            let start = dash as f64 / count;
            self.line(&[at(start), at(start + 0.5 / count)], color, width)?;
        }
        Ok(())
    }

    /// A filled area without an edge; `opacity` from 0 to 1.
    pub fn area(&self, places: &[Place], color: RGBColor, opacity: f64) -> anyhow::Result<()> {
        let places: Vec<_> = places.iter().map(|&place| self.pixel(place)).collect();
        self.area.draw(&Polygon::new(places, color.mix(opacity).filled())).map_err(fault)
    }

    /// A dot; `opacity` from 0 to 1.
    pub fn dot(&self, place: Place, radius: f64, color: RGBColor, opacity: f64) -> anyhow::Result<()> {
        let dot = Circle::new(self.pixel(place), (radius * self.scale).round() as i32, color.mix(opacity).filled());
        self.area.draw(&dot).map_err(fault)
    }

    /// A line of words with its `side` at `place`.
    pub fn text(&self, words: &str, place: Place, side: HPos, size: f64, color: RGBColor) -> anyhow::Result<()> {
        let style = self.style(side, size, color);
        self.area.draw(&Text::new(words.to_owned(), self.pixel(place), style)).map_err(fault)
    }

    /// Words that run upwards, with their middle at `place`.
    pub fn upward_text(&self, words: &str, place: Place, size: f64, color: RGBColor) -> anyhow::Result<()> {
        let style = self.style(HPos::Center, size, color).transform(FontTransform::Rotate270);
        self.area.draw(&Text::new(words.to_owned(), self.pixel(place), style)).map_err(fault)
    }

    fn style(&self, side: HPos, size: f64, color: RGBColor) -> TextStyle<'static> {
        ("sans-serif", size * self.scale).into_font().color(&color).pos(Pos::new(side, VPos::Center))
    }

    /// Ends the picture.
    pub fn finish(self) -> anyhow::Result<()> {
        self.area.present().map_err(fault)
    }
}

/// A scale of one axis: values to points.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Values at both ends.
    pub values: (f64, f64),
    /// Points at both ends.
    pub points: (f64, f64),
    /// Equal ratios are equally far apart.
    pub logarithmic: bool,
}

impl Scale {
    /// Where `value` lies, in points; values beyond an end lie on it.
    pub fn place(&self, value: f64) -> f64 {
        let bend = |value: f64| if self.logarithmic { value.ln() } else { value };
        let (from, to) = (bend(self.values.0), bend(self.values.1));
        let share = ((bend(value) - from) / (to - from)).clamp(0.0, 1.0);
        self.points.0 + share * (self.points.1 - self.points.0)
    }
}

/// The font that egui brings, so that pictures are the same on a machine without any.
fn register_font() -> anyhow::Result<()> {
    static ONCE: Once = Once::new();
    let mut fine = true;
    ONCE.call_once(|| {
        let bytes = epaint_default_fonts::UBUNTU_LIGHT;
        fine = plotters::style::register_font("sans-serif", FontStyle::Normal, bytes).is_ok();
    });
    if fine { Ok(()) } else { Err(anyhow!("the built-in font cannot be read")) }
}

fn fault(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("drawing: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_are_equally_far_apart() {
        let scale = Scale { values: (1.0, 1000.0), points: (100.0, 400.0), logarithmic: true };
        let places = [1.0, 10.0, 100.0, 1000.0, 5000.0].map(|value| scale.place(value).round());
        assert_eq!(places, [100.0, 200.0, 300.0, 400.0, 400.0]);
    }
}
