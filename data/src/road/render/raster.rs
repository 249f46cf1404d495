//! Triangles of ground into [`Fragment`]s: perspective-correct, nearest wins.

use super::canvas::{Canvas, Fragment};
use super::pose::{CameraPoint, CameraPose};

/// Nothing nearer than this is drawn.
const NEAR_M: f32 = 0.4;

/// A corner of the ground.
#[derive(Debug, Clone, Copy)]
pub struct Corner {
    /// As the camera sees it.
    pub seen: CameraPoint,
    /// Metres along the road.
    pub s: f32,
    /// Metres to the left of the centre.
    pub left: f32,
    /// Share of sunlight caught.
    pub lit: f32,
}

/// A corner in the picture; attributes divided by depth, so that they are linear there.
#[derive(Debug, Clone, Copy)]
struct Spot {
    x: f32,
    y: f32,
    /// 1/depth, s/depth, left/depth, lit/depth.
    by_depth: [f32; 4],
}

/// Draws a triangle, cut off at the near plane.
pub fn triangle(canvas: &mut Canvas, view: &CameraPose, corners: [Corner; 3]) {
    let near = |c: &Corner| c.seen[0] < NEAR_M;
    match corners.iter().filter(|c| near(c)).count() {
        0 => fill(canvas, corners.map(|c| spot(view, &c)), &corners),
        3 => {}
        _ => {
            let mut cut = Vec::with_capacity(4);
            for k in 0..3 {
                let (a, b) = (&corners[k], &corners[(k + 1) % 3]);
                if !near(a) {
                    cut.push(*a);
                }
                if near(a) != near(b) {
                    cut.push(between(a, b, (NEAR_M - a.seen[0]) / (b.seen[0] - a.seen[0])));
                }
            }
            for k in 1..cut.len() - 1 {
                let part = [cut[0], cut[k], cut[k + 1]];
                fill(canvas, part.map(|c| spot(view, &c)), &part);
            }
        }
    }
}

fn between(a: &Corner, b: &Corner, t: f32) -> Corner {
    let mix = |a: f32, b: f32| a + (b - a) * t;
    Corner {
        seen: std::array::from_fn(|k| mix(a.seen[k], b.seen[k])),
        s: mix(a.s, b.s),
        left: mix(a.left, b.left),
        lit: mix(a.lit, b.lit),
    }
}

fn spot(view: &CameraPose, corner: &Corner) -> Spot {
    let [x, y] = view.project(corner.seen);
    let w = 1.0 / corner.seen[0];
    Spot { x, y, by_depth: [w, corner.s * w, corner.left * w, corner.lit * w] }
}

/// Value, change to the right and change downwards of each linear attribute.
struct Planes {
    at_origin: [f32; 4],
    right: [f32; 4],
    down: [f32; 4],
}

impl Planes {
    fn new(spots: &[Spot; 3], area: f32) -> Self {
        let [a, b, c] = spots;
        let scale = 1.0 / area;
        let right: [f32; 4] = std::array::from_fn(|k| {
            ((b.by_depth[k] - a.by_depth[k]) * (c.y - a.y) - (c.by_depth[k] - a.by_depth[k]) * (b.y - a.y)) * scale
        });
        let down: [f32; 4] = std::array::from_fn(|k| {
            ((c.by_depth[k] - a.by_depth[k]) * (b.x - a.x) - (b.by_depth[k] - a.by_depth[k]) * (c.x - a.x)) * scale
        });
        let at_origin = std::array::from_fn(|k| a.by_depth[k] - right[k] * a.x - down[k] * a.y);
        Self { at_origin, right, down }
    }
}

fn fill(canvas: &mut Canvas, spots: [Spot; 3], corners: &[Corner; 3]) {
    let [a, b, c] = &spots;
    let area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
    // Corners run so that ground seen from above has a positive area; the rest is hidden anyway.
    if area.is_nan() || area <= 1e-6 {
        return;
    }
    let top = a.y.min(b.y).min(c.y);
    let bottom = a.y.max(b.y).max(c.y);
    let first = (top - 0.5).ceil().max(0.0) as usize;
    let end = ((bottom - 0.5).ceil().max(0.0) as usize).min(canvas.height);
    if first >= end {
        return;
    }
    let planes = Planes::new(&spots, area);
    let bounds = Bounds::new(corners);
    for row in first..end {
        let y = row as f32 + 0.5;
        if let Some((from, to)) = span(&spots, y, canvas.width) {
            let at = row * canvas.width;
            fill_row(&mut canvas.ground[at + from..at + to], &planes, &bounds, from as f32 + 0.5, y);
        }
    }
}

/// Columns whose centres a row of the triangle covers, a hair wider so that neighbours leave no gap.
fn span(spots: &[Spot; 3], y: f32, width: usize) -> Option<(usize, usize)> {
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for k in 0..3 {
        let (p, q) = (&spots[k], &spots[(k + 1) % 3]);
        let (p, q) = if p.y <= q.y { (p, q) } else { (q, p) };
        if p.y <= y && y <= q.y {
            let t = if q.y > p.y { (y - p.y) / (q.y - p.y) } else { 0.0 };
            let x = p.x + (q.x - p.x) * t;
            low = low.min(x);
            high = high.max(x);
        }
    }
    let from = (low - 0.5 - 2e-3).ceil().clamp(0.0, width as f32) as usize;
    let to = ((high - 0.5 + 2e-3).floor() + 1.0).clamp(0.0, width as f32) as usize;
    (from < to).then_some((from, to))
}

/// Limits of the attributes: rounding must not carry a pixel beyond its own triangle.
struct Bounds {
    s: [f32; 2],
    left: [f32; 2],
}

impl Bounds {
    fn new(corners: &[Corner; 3]) -> Self {
        let of = |get: fn(&Corner) -> f32| {
            let values = corners.map(|c| get(&c));
            [values[0].min(values[1]).min(values[2]), values[0].max(values[1]).max(values[2])]
        };
        Self { s: of(|c| c.s), left: of(|c| c.left) }
    }
}

fn fill_row(row: &mut [Fragment], planes: &Planes, bounds: &Bounds, x0: f32, y: f32) {
    let Planes { at_origin, right, down } = planes;
    let start: [f32; 4] = std::array::from_fn(|k| at_origin[k] + down[k] * y + right[k] * x0);
    for (i, fragment) in row.iter_mut().enumerate() {
        let dx = i as f32;
        let depth = 1.0 / (start[0] + right[0] * dx);
        if !(depth > 0.0 && depth < fragment.depth) {
            continue;
        }
        let s = ((start[1] + right[1] * dx) * depth).clamp(bounds.s[0], bounds.s[1]);
        let left = ((start[2] + right[2] * dx) * depth).clamp(bounds.left[0], bounds.left[1]);
        let change = |k: usize, value: f32| {
            let x = (right[k] - value * right[0]).abs() * depth;
            let y = (down[k] - value * down[0]).abs() * depth;
            x.max(y) + 0.4 * x.min(y)
        };
        *fragment = Fragment {
            depth,
            s,
            left,
            s_span: change(1, s).clamp(1e-3, 100.0),
            left_span: change(2, left).clamp(1e-3, 100.0),
            lit: (start[3] + right[3] * dx) * depth,
        };
    }
}
