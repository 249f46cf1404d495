//! Pictures on the graphics card: the frame, the raster and the saliency map, changed only when their data has changed.

use std::cell::Cell;
use std::sync::Arc;

use deltasteer_data::rgb_bytes;
use egui::{Color32, ColorImage, TextureHandle, TextureOptions, Theme};
use ndarray::Array3;

use super::lane::LaneView;
use super::theme::Palette;
use super::view::{SaliencyMap, View};

/// Frames that the raster shows: those up to the one that is shown.
pub const RASTER_FRAMES: usize = 400;

/// The textures of a window.
#[derive(Default)]
pub struct Textures {
    /// The frame shown.
    pub picture: Option<TextureHandle>,
    /// What was sent: one column a frame, flush right.
    pub raster: Option<TextureHandle>,
    /// The saliency map, spread over the crop.
    pub saliency: Option<TextureHandle>,
    /// Rows of the raster for inputs and for hidden units, as its panel had room for when it was last painted.
    pub raster_rows: Cell<[usize; 2]>,
    picture_of: Option<(Arc<Array3<u8>>, bool)>,
    raster_of: Option<RasterState>,
    saliency_of: Option<(usize, Theme)>,
}

/// What the raster's texture shows.
#[derive(Clone, Copy, PartialEq)]
struct RasterState {
    version: u64,
    index: usize,
    rows: [usize; 2],
    theme: Theme,
}

impl Textures {
    /// Brings every texture up to date with the view.
    pub fn update(&mut self, ctx: &egui::Context, view: &View) {
        self.update_picture(ctx, view);
        self.update_raster(ctx, view);
        self.update_saliency(ctx, view.saliency.as_deref());
    }

    fn update_picture(&mut self, ctx: &egui::Context, view: &View) {
        let Some(frame) = &view.shown else {
            self.picture = None;
            self.picture_of = None;
            return;
        };
        let stale = view.stale_s().is_some();
        let same = |(image, was_stale): &(Arc<_>, bool)| Arc::ptr_eq(image, &frame.image) && *was_stale == stale;
        if self.picture_of.as_ref().is_some_and(same) && self.picture.is_some() {
            return;
        }
        self.picture_of = Some((frame.image.clone(), stale));
        let (height, width, _) = frame.image.dim();
        let mut image = ColorImage::from_rgb([width, height], rgb_bytes(&frame.image));
        if stale {
            let grey = |pixel: Color32| Color32::from_gray((255.0 * pixel.intensity()) as u8);
            image.pixels.iter_mut().for_each(|pixel| *pixel = grey(*pixel));
        }
        put(&mut self.picture, ctx, "frame", image, TextureOptions::LINEAR);
    }

    fn update_raster(&mut self, ctx: &egui::Context, view: &View) {
        let (rows, theme) = (self.raster_rows.get().map(|rows| rows.max(1)), ctx.theme());
        let now = RasterState { version: view.main.version, index: view.index(), rows, theme };
        if self.raster_of == Some(now) {
            return;
        }
        self.raster_of = Some(now);
        let image = raster_image(&view.main, now.index, rows, Palette::of(theme));
        put(&mut self.raster, ctx, "raster", image, TextureOptions::NEAREST);
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

/// The marks of the frames up to `index`: `rows` of inputs above, and of hidden units below.
fn raster_image(lane: &LaneView, index: usize, rows: [usize; 2], colours: &Palette) -> ColorImage {
    let [inputs, hidden] = lane.model.as_ref().map_or([1, 1], |model| [model.inputs.max(1), model.hidden.max(1)]);
    let mut image = ColorImage::filled([RASTER_FRAMES, rows[0] + rows[1]], Color32::TRANSPARENT);
    let points = lane.track.up_to(index, RASTER_FRAMES);
    for (place, point) in points.iter().enumerate() {
        let column = RASTER_FRAMES - points.len() + place;
        for mark in lane.track.marks(point) {
            let row = match mark.unit() {
                unit if unit < inputs => unit * rows[0] / inputs,
                unit => rows[0] + ((unit - inputs) * rows[1] / hidden).min(rows[1] - 1),
            };
            image.pixels[row * RASTER_FRAMES + column] = if mark.rose() { colours.rise } else { colours.fall };
        }
    }
    image
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
    fn a_frames_marks_take_their_units_rows() {
        use crate::window::lane::ModelFacts;
        use crate::window::whatif::track::{Mark, Point};
        use deltasteer_temporal::{StepCount, Thresholds};
        let mut lane = LaneView::default();
        let (thresholds, dense) = (Thresholds::ZERO, StepCount::default());
        lane.model = Some(ModelFacts { name: String::new(), inputs: 4, hidden: 4, thresholds, dense, remark: None });
        let point = Point::new(7, 0.0, None, (0.0, StepCount::default()), true);
        lane.track.push(point, &[Mark::new(1, true), Mark::new(7, false)]);
        let colours = Palette::of(Theme::Dark);
        for (rows, lit) in [
            ([4, 4], vec![(1, colours.rise), (7, colours.fall)]),
            ([2, 2], vec![(0, colours.rise), (3, colours.fall)]),
            ([2, 1], vec![(0, colours.rise), (2, colours.fall)]),
        ] {
            let image = raster_image(&lane, 7, rows, colours);
            let found: Vec<_> =
                image.pixels.chunks(RASTER_FRAMES).map(|row| row[RASTER_FRAMES - 1]).enumerate().collect();
            assert_eq!(found.into_iter().filter(|(_, pixel)| *pixel != Color32::TRANSPARENT).collect::<Vec<_>>(), lit);
        }
    }
}
