//! A small picture with transparency, painted once and drawn at any size: trees, bushes, tufts.

use super::canvas::Canvas;

/// Colour times opacity, and opacity.
pub type Texel = [f32; 4];

/// One fineness of a sprite.
struct Level {
    width: usize,
    height: usize,
    texels: Vec<Texel>,
}

/// A picture with transparency at several finenesses.
pub struct Sprite {
    levels: Vec<Level>,
    /// Width divided by height.
    pub aspect: f32,
}

/// Where and how a sprite is drawn.
pub struct Placement {
    /// Column of its left edge.
    pub x: f32,
    /// Row of its upper edge.
    pub y: f32,
    /// Columns.
    pub width: f32,
    /// Rows.
    pub height: f32,
    /// Mirrored.
    pub flip: bool,
    /// Metres ahead.
    pub depth: f32,
    /// Factor on its colours.
    pub brightness: [f32; 3],
    /// Share that haze replaces.
    pub haze: f32,
    /// What haze replaces it with.
    pub horizon: [f32; 3],
}

/// The finest level while it is being painted.
pub struct Brush {
    width: usize,
    height: usize,
    texels: Vec<Texel>,
}

impl Brush {
    /// A transparent picture.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, texels: vec![[0.0; 4]; width * height] }
    }

    /// Paints a soft disc; places and sizes are in units of the height, `x` from the left.
    pub fn disc(&mut self, x: f32, y: f32, radius: f32, colour: [f32; 3], opacity: f32) {
        let unit = self.height as f32;
        let (cx, cy, r) = (x * unit, y * unit, (radius * unit).max(0.6));
        let rows = (cy - r - 1.0).max(0.0) as usize..((cy + r + 2.0).max(0.0) as usize).min(self.height);
        for row in rows {
            let dy = row as f32 + 0.5 - cy;
            let columns = (cx - r - 1.0).max(0.0) as usize..((cx + r + 2.0).max(0.0) as usize).min(self.width);
            for column in columns {
                let dx = column as f32 + 0.5 - cx;
                let cover = (r - (dx * dx + dy * dy).sqrt() + 0.5).clamp(0.0, 1.0) * opacity;
                if cover > 0.0 {
                    let texel = &mut self.texels[row * self.width + column];
                    for k in 0..3 {
                        texel[k] += (colour[k] - texel[k]) * cover;
                    }
                    texel[3] += (1.0 - texel[3]) * cover;
                }
            }
        }
    }

    /// Paints a line that tapers from one width to another.
    pub fn stroke(&mut self, from: [f32; 2], to: [f32; 2], widths: [f32; 2], colour: [f32; 3]) {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = (dx * dx + dy * dy).sqrt();
        let thin = widths[0].min(widths[1]).max(0.5 / self.height as f32);
        let steps = (length / (0.5 * thin)) as usize + 1;
        for i in 0..=steps {
            let t = i as f32 / steps as f32;
            let width = widths[0] + (widths[1] - widths[0]) * t;
            let place: [f32; 2] = std::array::from_fn(|k| from[k] + (to[k] - from[k]) * t);
            // A stroke is lighter on the side of the sun, which stands to the left.
            self.disc(place[0], place[1], 0.5 * width, colour, 1.0);
            self.disc(place[0] - 0.18 * width, place[1], 0.25 * width, colour.map(|c| c * 1.35), 0.7);
        }
    }

    /// The finished sprite.
    pub fn finish(self) -> Sprite {
        let aspect = self.width as f32 / self.height as f32;
        let mut levels = vec![Level { width: self.width, height: self.height, texels: self.texels }];
        while let Some(last) = levels.last()
            && last.width > 2
            && last.height > 2
        {
            levels.push(halve(last));
        }
        Sprite { levels, aspect }
    }
}

fn halve(level: &Level) -> Level {
    let (width, height) = (level.width / 2, level.height / 2);
    let mut texels = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let at = 2 * y * level.width + 2 * x;
            let four = [at, at + 1, at + level.width, at + level.width + 1].map(|i| level.texels[i]);
            texels.push(std::array::from_fn(|k| 0.25 * (four[0][k] + four[1][k] + four[2][k] + four[3][k])));
        }
    }
    Level { width, height, texels }
}

impl Sprite {
    /// Draws the sprite where no nearer ground hides it.
    pub fn draw(&self, canvas: &mut Canvas, p: &Placement) {
        let finest = &self.levels[0];
        let shrink = (finest.height as f32 / p.height.max(0.1)).max(1.0);
        let level = (((shrink * 1.1).to_bits() >> 23) as usize - 127).min(self.levels.len() - 1);
        let level = &self.levels[level];
        let clip = |from: f32, length: f32, limit: usize| {
            let first = (from - 0.5).ceil().max(0.0) as usize;
            first..((from + length - 0.5).ceil().max(0.0) as usize).min(limit)
        };
        let (rows, columns) = (clip(p.y, p.height, canvas.height), clip(p.x, p.width, canvas.width));
        if columns.is_empty() {
            return;
        }
        let (across, down) = (level.width as f32 / p.width, level.height as f32 / p.height);
        let nearest = p.depth * 0.985 - 0.4;
        // A texel is its colour times its opacity, so haze adds its own light times opacity.
        let [r, g, b] = p.brightness.map(|c| c * (1.0 - p.haze));
        let own: Texel = [r, g, b, 1.0];
        let [r, g, b] = p.horizon.map(|c| c * p.haze);
        let air: Texel = [r, g, b, 0.0];
        let mut lookups = std::mem::take(&mut canvas.lookups);
        lookups.clear();
        lookups.extend(columns.clone().map(|column| {
            let u = (column as f32 + 0.5 - p.x) * across - 0.5;
            let u = if p.flip { level.width as f32 - 1.0 - u } else { u };
            let x0 = (u.max(0.0) as i32 as usize).min(level.width - 1);
            (x0, (x0 + 1).min(level.width - 1), u.max(0.0) - x0 as f32)
        }));
        for row in rows {
            let v = ((row as f32 + 0.5 - p.y) * down - 0.5).max(0.0);
            let y0 = (v as usize).min(level.height - 1);
            let (upper, lower) = (level.row(y0), level.row((y0 + 1).min(level.height - 1)));
            let ty = v - y0 as f32;
            let span = row * canvas.width + columns.start..row * canvas.width + columns.end;
            let pixels = canvas.light[span.clone()].iter_mut().zip(&canvas.ground[span]);
            for ((light, ground), &(x0, x1, tx)) in pixels.zip(&lookups) {
                if ground.depth < nearest {
                    continue;
                }
                let (a, b, c, d) = (upper[x0], upper[x1], lower[x0], lower[x1]);
                let mut texel: Texel = [0.0; 4];
                for k in 0..4 {
                    let top = a[k] + (b[k] - a[k]) * tx;
                    let bottom = c[k] + (d[k] - c[k]) * tx;
                    texel[k] = top + (bottom - top) * ty;
                }
                let left = 1.0 - texel[3];
                if left < 0.996 {
                    for k in 0..4 {
                        light[k] = light[k] * left + texel[k] * own[k] + air[k] * texel[3];
                    }
                }
            }
        }
        canvas.lookups = lookups;
    }
}

impl Level {
    fn row(&self, y: usize) -> &[Texel] {
        &self.texels[y * self.width..(y + 1) * self.width]
    }
}
