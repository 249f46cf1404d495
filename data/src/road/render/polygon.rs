//! Flat shapes with smooth edges: cars, posts, signs, rails, houses.

use super::canvas::{Canvas, Light4};
use super::light::Light;
use super::pose::{CameraPoint, CameraPose};

/// Lines within a row of pixels at which a shape's edge is measured.
const SUB_ROWS: usize = 4;
/// Nothing nearer than this is drawn.
const NEAR_M: f32 = 0.6;

/// A place in the world from which shapes are measured: metres ahead, left and up.
#[derive(Debug, Clone, Copy)]
pub struct Local {
    /// Its origin in the world.
    pub origin: [f64; 3],
    /// Cosine and sine of its direction.
    pub ahead: [f64; 2],
    /// Rise per metre ahead.
    pub grade: f64,
}

impl Local {
    /// The origin and direction of a thing that stands on the ground.
    pub fn new(origin: [f64; 3], heading: f64, grade: f64) -> Self {
        Self { origin, ahead: [libm::cos(heading), libm::sin(heading)], grade }
    }

    /// A point of the thing in the world.
    pub fn at(&self, [ahead, left, up]: [f32; 3]) -> [f64; 3] {
        let (a, l) = (f64::from(ahead), f64::from(left));
        [
            self.origin[0] + a * self.ahead[0] - l * self.ahead[1],
            self.origin[1] + a * self.ahead[1] + l * self.ahead[0],
            self.origin[2] + a * self.grade + f64::from(up),
        ]
    }

    /// A direction of the world as the thing has it.
    pub fn turn(&self, world: [f32; 3]) -> [f32; 3] {
        let (cos, sin) = (self.ahead[0] as f32, self.ahead[1] as f32);
        [world[0] * cos + world[1] * sin, world[1] * cos - world[0] * sin, world[2]]
    }
}

/// Draws flat shapes.
pub struct Painter<'a> {
    /// The picture.
    pub canvas: &'a mut Canvas,
    /// The camera.
    pub view: &'a CameraPose,
    /// Sun, sky and haze.
    pub light: &'a Light,
    coverage: Vec<f32>,
}

impl<'a> Painter<'a> {
    /// A painter on a canvas.
    pub fn new(canvas: &'a mut Canvas, view: &'a CameraPose, light: &'a Light) -> Self {
        Self { canvas, view, light, coverage: Vec::new() }
    }

    /// Draws a flat shape of a thing in the given light; haze is added.
    pub fn shape(&mut self, local: &Local, points: &[[f32; 3]], light: Light4, opacity: f32) {
        let mut seen = [[0.0; 3]; 12];
        let count = points.len().min(seen.len());
        for (to, point) in seen.iter_mut().zip(points) {
            let [x, y, z] = local.at(*point);
            *to = self.view.see(x, y, z);
        }
        self.seen_shape(&seen[..count], light, opacity);
    }

    /// Draws a shape given as the camera sees it.
    pub fn seen_shape(&mut self, points: &[CameraPoint], light: Light4, opacity: f32) {
        let mut flat: Vec<[f32; 2]> = Vec::with_capacity(points.len() + 2);
        let mut depth = 0.0_f32;
        for (k, a) in points.iter().enumerate() {
            let b = &points[(k + 1) % points.len()];
            if a[0] >= NEAR_M {
                flat.push(self.view.project(*a));
                depth += a[0] / points.len() as f32;
            }
            if (a[0] >= NEAR_M) != (b[0] >= NEAR_M) {
                let t = (NEAR_M - a[0]) / (b[0] - a[0]);
                flat.push(self.view.project(std::array::from_fn(|k| a[k] + (b[k] - a[k]) * t)));
            }
        }
        if flat.len() >= 3 {
            let seen = self.light.through_air(light, depth);
            self.fill(&flat, seen, opacity, depth * 0.985 - 0.5);
        }
    }

    /// A line of the given width in metres; thinner than a pixel, it is drawn fainter.
    pub fn line(&mut self, from: [f64; 3], to: [f64; 3], width_m: f32, light: Light4) {
        let (a, b) = (self.view.see(from[0], from[1], from[2]), self.view.see(to[0], to[1], to[2]));
        if a[0] < NEAR_M || b[0] < NEAR_M {
            return;
        }
        let (p, q) = (self.view.project(a), self.view.project(b));
        let (dx, dy) = (q[0] - p[0], q[1] - p[1]);
        let length = (dx * dx + dy * dy).sqrt();
        if length.is_nan() || !(0.01..1e5).contains(&length) {
            return;
        }
        let depth = 0.5 * (a[0] + b[0]);
        let wanted = width_m * self.view.focal_px / depth;
        let width = wanted.max(0.9);
        let (nx, ny) = (-dy / length * 0.5 * width, dx / length * 0.5 * width);
        let shape = [[p[0] + nx, p[1] + ny], [q[0] + nx, q[1] + ny], [q[0] - nx, q[1] - ny], [p[0] - nx, p[1] - ny]];
        let seen = self.light.through_air(light, depth);
        self.fill(&shape, seen, (wanted / width).min(1.0), depth * 0.985 - 0.5);
    }

    /// Fills a polygon (even-odd), each pixel by the share of it that is covered.
    fn fill(&mut self, points: &[[f32; 2]], light: Light4, opacity: f32, nearest: f32) {
        let width = self.canvas.width;
        let bound = |k: usize, pick: fn(f32, f32) -> f32| points.iter().map(|p| p[k]).reduce(pick).unwrap_or(0.0);
        let top = bound(1, f32::min).max(0.0) as usize;
        let bottom = (bound(1, f32::max).max(-1.0) + 1.0).min(self.canvas.height as f32) as usize;
        let left = bound(0, f32::min).clamp(0.0, width as f32) as usize;
        let right = (bound(0, f32::max) + 1.0).clamp(0.0, width as f32) as usize;
        if left >= right {
            return;
        }
        let mut coverage = std::mem::take(&mut self.coverage);
        for row in top..bottom {
            coverage.clear();
            coverage.resize(right - left, 0.0);
            for sub in 0..SUB_ROWS {
                let y = row as f32 + (sub as f32 + 0.5) / SUB_ROWS as f32;
                cover_line(points, y, left, &mut coverage);
            }
            for (i, &share) in coverage.iter().enumerate() {
                let at = row * width + left + i;
                if share > 0.0 && self.canvas.ground[at].depth >= nearest {
                    self.canvas.blend(at, light, opacity * share.min(1.0));
                }
            }
        }
        self.coverage = coverage;
    }
}

/// Adds to each pixel the share of it that lies inside the polygon along the line at `y`.
fn cover_line(points: &[[f32; 2]], y: f32, left: usize, coverage: &mut [f32]) {
    let mut crossings = [0.0_f32; 14];
    let mut count = 0;
    for (k, a) in points.iter().enumerate() {
        let b = &points[(k + 1) % points.len()];
        if (a[1] <= y) != (b[1] <= y) && count < crossings.len() {
            crossings[count] = a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) - left as f32;
            count += 1;
        }
    }
    crossings[..count].sort_by(f32::total_cmp);
    let end = coverage.len() as f32;
    for pair in crossings[..count].chunks_exact(2) {
        let (from, to) = (pair[0].clamp(0.0, end), pair[1].clamp(0.0, end));
        if to <= from {
            continue;
        }
        let (first, last) = (from as usize, (to as usize).min(coverage.len() - 1));
        let weight = 1.0 / SUB_ROWS as f32;
        if first == last {
            coverage[first] += (to - from) * weight;
            continue;
        }
        coverage[first] += (first as f32 + 1.0 - from) * weight;
        for share in &mut coverage[first + 1..last] {
            *share += weight;
        }
        coverage[last] += (to - last as f32) * weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_covers_its_area() {
        let square = [[1.25_f32, 1.0], [4.5, 1.0], [4.5, 3.0], [1.25, 3.0]];
        let mut total = 0.0;
        for row in 0..5 {
            let mut coverage = vec![0.0; 6];
            for sub in 0..SUB_ROWS {
                cover_line(&square, row as f32 + (sub as f32 + 0.5) / SUB_ROWS as f32, 0, &mut coverage);
            }
            total += coverage.iter().sum::<f32>();
        }
        assert!((total - 3.25 * 2.0).abs() < 1e-4, "{total}");
    }
}
