//! Pictures on the graphics card: the frame, the raster and the saliency map, changed only when their data has changed.

use std::cell::Cell;

use deltasteer_data::rgb_bytes;
use egui::{Color32, ColorImage, TextureHandle, TextureOptions, Theme};

use super::sent::{SentColumn, SentRing};
use super::theme::Palette;
use super::view::{SaliencyMap, View};

/// The textures of a window.
#[derive(Default)]
pub struct Textures {
    /// The frame shown.
    pub picture: Option<TextureHandle>,
    /// The ring of sent deltas: one column a frame, of which `raster_next` is the oldest.
    pub raster: Option<TextureHandle>,
    /// The saliency map, spread over the crop.
    pub saliency: Option<TextureHandle>,
    /// Rows of pixels that the raster's panel had when it was last painted.
    pub raster_rows: Cell<usize>,
    picture_of: Option<*const ndarray::Array3<u8>>,
    raster_of: Option<RasterState>,
    saliency_of: Option<(usize, Theme)>,
}

/// What the raster's texture shows.
#[derive(Clone, Copy, PartialEq)]
struct RasterState {
    pushed: u64,
    units: usize,
    rows: usize,
    theme: Theme,
}

impl Textures {
    /// Brings every texture up to date with the view.
    pub fn update(&mut self, ctx: &egui::Context, view: &View) {
        self.update_picture(ctx, view);
        self.update_raster(ctx, &view.sent);
        self.update_saliency(ctx, view.saliency.as_deref());
    }

    /// The column of the raster's texture that holds the frame pushed as number `pushed`.
    pub fn raster_column(ring: &SentRing, pushed: u64) -> usize {
        (pushed % ring.capacity() as u64) as usize
    }

    fn update_picture(&mut self, ctx: &egui::Context, view: &View) {
        let Some(frame) = &view.main.frame else {
            self.picture = None;
            self.picture_of = None;
            return;
        };
        // The pointer only tells one snapshot's picture from the next; it is never read through.
        let identity = std::sync::Arc::as_ptr(&frame.image);
        if self.picture_of == Some(identity) && self.picture.is_some() {
            return;
        }
        self.picture_of = Some(identity);
        let (height, width, _) = frame.image.dim();
        let image = ColorImage::from_rgb([width, height], rgb_bytes(&frame.image));
        put(&mut self.picture, ctx, "frame", image, TextureOptions::LINEAR);
    }

    fn update_raster(&mut self, ctx: &egui::Context, ring: &SentRing) {
        if ring.units() == 0 {
            self.raster = None;
            return;
        }
        let rows = ring.units().min(self.raster_rows.get().max(1));
        let now = RasterState { pushed: ring.pushed(), units: ring.units(), rows, theme: ctx.theme() };
        let before = self.raster_of;
        if before == Some(now) {
            return;
        }
        self.raster_of = Some(now);
        let held = ring.columns().len();
        let fresh = before.map_or(u64::MAX, |b| now.pushed.saturating_sub(b.pushed));
        let same_form =
            before.is_some_and(|b| RasterState { pushed: now.pushed, ..b } == now && b.pushed <= now.pushed);
        let colours = Palette::of(now.theme);
        if !same_form || fresh > held as u64 || self.raster.is_none() {
            let image = ColorImage::filled([ring.capacity(), rows], Color32::TRANSPARENT);
            put(&mut self.raster, ctx, "raster", image, TextureOptions::NEAREST);
        }
        let Some(texture) = &mut self.raster else { return };
        let lacking = if same_form { (fresh as usize).min(held) } else { held };
        for (place, column) in ring.columns().iter().enumerate().skip(held - lacking) {
            let pushed = now.pushed - (held - place) as u64;
            let x = Self::raster_column(ring, pushed);
            texture.set_partial([x, 0], column_image(ring, column, rows, colours), TextureOptions::NEAREST);
        }
    }

    fn update_saliency(&mut self, ctx: &egui::Context, map: Option<&SaliencyMap>) {
        let Some(map) = map else {
            self.saliency = None;
            self.saliency_of = None;
            return;
        };
        let now = Some((map.index, ctx.theme()));
        if self.saliency_of == now {
            return;
        }
        self.saliency_of = now;
        put(&mut self.saliency, ctx, "saliency", saliency_image(map), TextureOptions::LINEAR);
    }
}

fn put(slot: &mut Option<TextureHandle>, ctx: &egui::Context, name: &str, image: ColorImage, options: TextureOptions) {
    match slot {
        Some(texture) => texture.set(image, options),
        None => *slot = Some(ctx.load_texture(name, image, options)),
    }
}

/// One frame's marks as a picture one pixel wide.
fn column_image(ring: &SentRing, column: &SentColumn, rows: usize, colours: &Palette) -> ColorImage {
    let mut pixels = vec![Color32::TRANSPARENT; rows];
    for &(unit, rose) in &column.marks {
        pixels[ring.row_of(unit, rows)] = if rose { colours.rise } else { colours.fall };
    }
    ColorImage::new([1, rows], pixels)
}

/// The map as a veil: dark where nothing depends on the picture, clear and warm where the angle does.
fn saliency_image(map: &SaliencyMap) -> ColorImage {
    let pixels = map
        .values
        .iter()
        .map(|&value| {
            let value = value.clamp(0.0, 1.0);
            let veil = 150.0 * (1.0 - value).powi(2);
            let glow = 170.0 * value * value;
            Color32::from_rgba_premultiplied(
                (0.9 * glow) as u8,
                (0.55 * glow) as u8,
                (0.05 * glow) as u8,
                (veil.max(0.55 * glow)) as u8,
            )
        })
        .collect();
    ColorImage::new([map.columns, map.rows], pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_columns_marks_take_their_units_rows() {
        let mut ring = SentRing::new(4, 4, 8);
        ring.push(0, &[(1, 0.5)], &[(3, -0.5)]);
        let colours = Palette::of(Theme::Dark);
        let image = column_image(&ring, &ring.columns()[0], 8, colours);
        let lit: Vec<usize> = (0..8).filter(|&row| image.pixels[row] != Color32::TRANSPARENT).collect();
        assert_eq!(lit, [1, 7]);
        assert_eq!((image.pixels[1], image.pixels[7]), (colours.rise, colours.fall));
        let halved = column_image(&ring, &ring.columns()[0], 4, colours);
        assert_eq!(halved.pixels.iter().filter(|p| **p != Color32::TRANSPARENT).count(), 2);
    }
}
