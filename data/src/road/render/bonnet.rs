//! The edge of our own car's bonnet, at the very bottom of the picture.

use super::super::noise::{Dice, smoothstep};
use super::super::style::Rgb;
use super::canvas::{Canvas, HIDDEN_DEPTH};
use super::light::Light;

const PAINTS: [Rgb; 5] =
    [[0.03, 0.032, 0.036], [0.045, 0.07, 0.15], [0.16, 0.02, 0.02], [0.20, 0.21, 0.22], [0.42, 0.42, 0.41]];

/// Share of the height that the bonnet covers in the middle: below what any network is shown.
const SHARE: f32 = 0.07;

/// The bonnet of one drive's car.
pub struct Bonnet {
    paint: Rgb,
}

impl Bonnet {
    /// The bonnet of a seed.
    pub fn new(seed: u64) -> Self {
        Self { paint: PAINTS[Dice::new(seed, 0x626f_6e6e, 0).pick(PAINTS.len())] }
    }

    /// Marks the pixels that the bonnet hides, so that no work is spent on them.
    pub fn hide(canvas: &mut Canvas) {
        let (width, height) = (canvas.width, canvas.height as f32);
        for column in 0..width {
            for row in (edge(column, width) * height).max(0.0).ceil() as usize..canvas.height {
                canvas.ground[row * width + column].depth = HIDDEN_DEPTH;
            }
        }
    }

    /// Paints the bonnet: an arch that mirrors the sky at its far edge.
    pub fn draw(&self, canvas: &mut Canvas, light: &Light, sunlit: f32) {
        let height = canvas.height as f32;
        let body = light.on(self.paint, 0.5 * sunlit, 0.7);
        for column in 0..canvas.width {
            let x = across(column, canvas.width);
            let edge = height * edge(column, canvas.width);
            let ridge = 0.5 + 0.5 * smoothstep(0.05, 0.0, (x.abs() - 0.42).abs());
            for row in edge.max(0.0) as usize..canvas.height {
                let cover = (row as f32 + 1.0 - edge).clamp(0.0, 1.0);
                let depth = (row as f32 + 0.5 - edge) / (SHARE * height);
                let near_edge = (1.0 - depth).clamp(0.0, 1.0);
                let mirror = 0.07 + 0.30 * (near_edge * near_edge * near_edge) * (0.7 + 0.3 * ridge);
                let colour = std::array::from_fn(|k| {
                    if k < 3 {
                        body[k] * (0.75 + 0.25 * ridge) + light.horizon[k] * mirror * (0.35 + 0.65 * sunlit)
                    } else {
                        0.0
                    }
                });
                canvas.blend(row * canvas.width + column, colour, cover);
            }
        }
    }
}

/// Place of a column across the picture, -1 to 1.
fn across(column: usize, width: usize) -> f32 {
    (column as f32 + 0.5) / width as f32 * 2.0 - 1.0
}

/// Where the bonnet begins in a column, as a share of the height: an arch that falls off steeply at the wings.
fn edge(column: usize, width: usize) -> f32 {
    let x = across(column, width);
    1.0 - SHARE * (1.0 - 0.35 * x * x - 0.9 * smoothstep(0.72, 1.15, x.abs()))
}
