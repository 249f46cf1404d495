//! Paints egui's triangles into an image without a display or a graphics card: screenshots, and pictures for tests.
//!
//! As egui's own painters do, colours are blended in gamma space with premultiplied alpha, and textures are sampled
//! linearly or by the nearest texel.

use std::collections::HashMap;

use egui::epaint::{ClippedPrimitive, ImageData, Mesh, Primitive, Vertex};
use egui::{Color32, ColorImage, Rect, TextureFilter, TextureId, TexturesDelta};
use image::RgbaImage;

/// The textures that egui has handed over.
#[derive(Default)]
pub struct Offscreen {
    textures: HashMap<TextureId, Texture>,
}

struct Texture {
    image: ColorImage,
    nearest: bool,
}

impl Offscreen {
    /// Takes in new and changed textures. Removed ones are let go by [`Offscreen::free`] after painting.
    pub fn update(&mut self, delta: &TexturesDelta) {
        let changes = delta.set.iter().flat_map(|(id, changes)| changes.iter().map(move |change| (id, change)));
        for (id, change) in changes {
            let ImageData::Color(image) = &change.image;
            match change.pos {
                None => {
                    let nearest = change.options.magnification == TextureFilter::Nearest;
                    self.textures.insert(*id, Texture { image: image.as_ref().clone(), nearest });
                }
                Some([left, top]) => {
                    let Some(texture) = self.textures.get_mut(id) else { continue };
                    let width = texture.image.size[0];
                    for (row, pixels) in image.pixels.chunks_exact(image.size[0].max(1)).enumerate() {
                        let start = (top + row) * width + left;
                        texture.image.pixels[start..start + pixels.len()].copy_from_slice(pixels);
                    }
                }
            }
        }
    }

    /// Lets go of textures that egui no longer needs.
    pub fn free(&mut self, delta: &TexturesDelta) {
        for id in &delta.free {
            self.textures.remove(id);
        }
    }

    /// Paints `primitives` over `ground` into an image of `width` by `height` pixels.
    pub fn paint(
        &self,
        primitives: &[ClippedPrimitive],
        pixels_per_point: f32,
        width: usize,
        height: usize,
        ground: Color32,
    ) -> RgbaImage {
        let mut canvas = Canvas { width, height, pixels: vec![ground; width * height] };
        for ClippedPrimitive { clip_rect, primitive } in primitives {
            let Primitive::Mesh(mesh) = primitive else { continue };
            if let Some(texture) = self.textures.get(&mesh.texture_id) {
                canvas.mesh(mesh, texture, *clip_rect, pixels_per_point);
            }
        }
        let bytes = canvas.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b(), 255]).collect();
        RgbaImage::from_raw(width as u32, height as u32, bytes).unwrap_or_default()
    }
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Color32>,
}

impl Canvas {
    fn mesh(&mut self, mesh: &Mesh, texture: &Texture, clip: Rect, scale: f32) {
        let clip = [
            (clip.left() * scale).round().max(0.0) as usize,
            (clip.top() * scale).round().max(0.0) as usize,
            ((clip.right() * scale).round().max(0.0) as usize).min(self.width),
            ((clip.bottom() * scale).round().max(0.0) as usize).min(self.height),
        ];
        for corners in mesh.indices.chunks_exact(3) {
            let corner = |place: usize| mesh.vertices[corners[place] as usize];
            self.triangle([corner(0), corner(1), corner(2)], texture, clip, scale);
        }
    }

    fn triangle(&mut self, mut v: [Vertex; 3], texture: &Texture, clip: [usize; 4], scale: f32) {
        let area = edge(at(&v[0], scale), at(&v[1], scale), at(&v[2], scale));
        if area == 0.0 || !area.is_finite() {
            return;
        }
        if area < 0.0 {
            v.swap(1, 2);
        }
        let p = [at(&v[0], scale), at(&v[1], scale), at(&v[2], scale)];
        let span = |axis: usize, low: usize, high: usize| {
            let values = [p[0][axis], p[1][axis], p[2][axis]];
            let first = values.iter().copied().fold(f32::MAX, f32::min).floor().max(low as f32) as usize;
            let end = values.iter().copied().fold(f32::MIN, f32::max).ceil().max(0.0) as usize;
            (first, end.min(high))
        };
        let ((x0, x1), (y0, y1)) = (span(0, clip[0], clip[2]), span(1, clip[1], clip[3]));
        let inverse = 1.0 / area.abs();
        let flat = v[0].uv == v[1].uv && v[1].uv == v[2].uv && v[0].color == v[1].color && v[1].color == v[2].color;
        let flat = flat.then(|| shade(&v, [1.0, 0.0, 0.0], texture));
        for y in y0..y1 {
            for x in x0..x1 {
                let centre = [x as f32 + 0.5, y as f32 + 0.5];
                let w = [edge(p[1], p[2], centre), edge(p[2], p[0], centre), edge(p[0], p[1], centre)];
                if !inside(w[0], p[1], p[2]) || !inside(w[1], p[2], p[0]) || !inside(w[2], p[0], p[1]) {
                    continue;
                }
                let weights = [w[0] * inverse, w[1] * inverse, w[2] * inverse];
                let source = flat.unwrap_or_else(|| shade(&v, weights, texture));
                let pixel = &mut self.pixels[y * self.width + x];
                *pixel = over(source, *pixel);
            }
        }
    }
}

fn at(vertex: &Vertex, scale: f32) -> [f32; 2] {
    [vertex.pos.x * scale, vertex.pos.y * scale]
}

/// Twice the signed area of a triangle; positive where the corners run clockwise on the screen.
fn edge(a: [f32; 2], b: [f32; 2], c: [f32; 2]) -> f32 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// Whether a pixel's centre belongs to the triangle. On an edge it belongs to the one whose top or left edge it is, so
/// that neighbours never blend the same pixel twice.
fn inside(weight: f32, from: [f32; 2], to: [f32; 2]) -> bool {
    let top_left = (from[1] == to[1] && to[0] > from[0]) || to[1] < from[1];
    weight > 0.0 || (weight == 0.0 && top_left)
}

/// Colour of a point inside a triangle: vertex colour times texel.
fn shade(v: &[Vertex; 3], weights: [f32; 3], texture: &Texture) -> [f32; 4] {
    let mix = |pick: &dyn Fn(&Vertex) -> f32| v.iter().zip(weights).map(|(v, w)| pick(v) * w).sum::<f32>();
    let (u, t) = (mix(&|v| v.uv.x), mix(&|v| v.uv.y));
    let texel = texture.sample(u, t);
    std::array::from_fn(|channel| mix(&|v| f32::from(v.color.to_array()[channel])) * texel[channel] / 255.0)
}

/// Premultiplied source over destination, in gamma space. `source` is 0 to 255 in each channel.
fn over(source: [f32; 4], below: Color32) -> Color32 {
    let keep = 1.0 - source[3] / 255.0;
    let below = below.to_array();
    let mix = |channel: usize| (source[channel] + f32::from(below[channel]) * keep).round().clamp(0.0, 255.0) as u8;
    Color32::from_rgba_premultiplied(mix(0), mix(1), mix(2), mix(3))
}

impl Texture {
    fn texel(&self, x: i64, y: i64) -> [f32; 4] {
        let [width, height] = self.image.size;
        let x = x.clamp(0, width as i64 - 1) as usize;
        let y = y.clamp(0, height as i64 - 1) as usize;
        self.image.pixels[y * width + x].to_array().map(f32::from)
    }

    fn sample(&self, u: f32, t: f32) -> [f32; 4] {
        let [width, height] = self.image.size;
        let (x, y) = (u * width as f32, t * height as f32);
        if self.nearest {
            return self.texel(x.floor() as i64, y.floor() as i64);
        }
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (right_share, low_share) = (x - left, y - top);
        let (left, top) = (left as i64, top as i64);
        let corners = [
            self.texel(left, top),
            self.texel(left + 1, top),
            self.texel(left, top + 1),
            self.texel(left + 1, top + 1),
        ];
        std::array::from_fn(|channel| {
            let upper = corners[0][channel] * (1.0 - right_share) + corners[1][channel] * right_share;
            let lower = corners[2][channel] * (1.0 - right_share) + corners[3][channel] * right_share;
            upper * (1.0 - low_share) + lower * low_share
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{Pos2, RawInput, vec2};

    /// Paints what `draw` draws on a black ground of 20 by 20 pixels.
    fn picture(draw: impl Fn(&egui::Painter)) -> RgbaImage {
        let ctx = egui::Context::default();
        ctx.tessellation_options_mut(|options| options.feathering = false);
        let input =
            RawInput { screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(20.0, 20.0))), ..RawInput::default() };
        let output = ctx.run_ui(input, |ui| draw(ui.painter()));
        let mut offscreen = Offscreen::default();
        offscreen.update(&output.textures_delta);
        let primitives = ctx.tessellate(output.shapes.clone(), 1.0);
        let image = offscreen.paint(&primitives, 1.0, 20, 20, Color32::BLACK);
        let mut output = output;
        output.textures_delta.clear();
        image
    }

    #[test]
    fn a_half_transparent_rectangle_is_blended_once_everywhere() {
        let red = Color32::from_rgba_unmultiplied(255, 0, 0, 128);
        let image = picture(|paint| {
            paint.rect_filled(Rect::from_min_size(Pos2::new(5.0, 5.0), vec2(10.0, 10.0)), 0.0, red);
        });
        for (x, y, pixel) in image.enumerate_pixels() {
            let within = (5..15).contains(&x) && (5..15).contains(&y);
            assert_eq!(pixel.0[0] > 100, within, "at {x}, {y}: {pixel:?}");
            assert!(pixel.0[0] < 200, "blended twice at {x}, {y}");
        }
    }

    #[test]
    fn a_picture_keeps_its_texels() {
        let image = picture(|paint| {
            let colours = vec![Color32::RED, Color32::GREEN, Color32::BLUE, Color32::WHITE];
            let texture =
                paint.ctx().load_texture("t", ColorImage::new([2, 2], colours), egui::TextureOptions::NEAREST);
            let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
            paint.image(texture.id(), Rect::from_min_size(Pos2::ZERO, vec2(20.0, 20.0)), whole, Color32::WHITE);
            std::mem::forget(texture);
        });
        let at = |x, y| image.get_pixel(x, y).0;
        assert_eq!(at(2, 2), [255, 0, 0, 255]);
        assert_eq!(at(17, 17), [255, 255, 255, 255]);
        assert_eq!(at(2, 17), [0, 0, 255, 255]);
    }
}
