//! The shapes and paints of cars, and the flat sides of a body.

use super::super::noise::smoothstep;
use super::super::style::Rgb;

/// Side view of a car: (metres ahead of its middle, metres up).
pub struct Shape {
    pub half_width: f32,
    pub roof_half_width: f32,
    /// From the rear's bottom over the top to the nose's bottom.
    pub body: [[f32; 2]; 9],
    /// Rear foot, rear roof, front roof, front foot of the cabin.
    pub cabin: [[f32; 2]; 4],
    /// Height of the lamps' lower and upper edge, in front and behind.
    pub lamps: [[f32; 2]; 2],
    pub wheels: [f32; 2],
    pub wheel_radius: f32,
    /// Windows all round, or only in front (a lorry).
    pub windows: bool,
}

#[rustfmt::skip]
pub const SHAPES: [Shape; 4] = [
    // saloon
    Shape {
        half_width: 0.9,
        roof_half_width: 0.62,
        body: [[-2.12, 0.30], [-2.25, 0.52], [-2.22, 0.86], [-1.75, 0.98], [0.95, 0.95], [1.65, 0.86], [2.10, 0.72],
               [2.25, 0.52], [2.12, 0.26]],
        cabin: [[-1.7, 0.95], [-0.95, 1.42], [0.2, 1.44], [1.05, 0.94]],
        lamps: [[0.56, 0.70], [0.62, 0.80]],
        wheels: [-1.35, 1.4],
        wheel_radius: 0.33,
        windows: true,
    },
    // hatchback
    Shape {
        half_width: 0.87,
        roof_half_width: 0.66,
        body: [[-1.78, 0.32], [-1.92, 0.55], [-1.92, 0.92], [-1.80, 1.0], [0.85, 0.97], [1.4, 0.88], [1.78, 0.74],
               [1.92, 0.52], [1.80, 0.28]],
        cabin: [[-1.86, 0.98], [-1.45, 1.47], [0.1, 1.5], [0.98, 0.96]],
        lamps: [[0.58, 0.73], [0.68, 0.92]],
        wheels: [-1.2, 1.25],
        wheel_radius: 0.32,
        windows: true,
    },
    // off-roader
    Shape {
        half_width: 0.96,
        roof_half_width: 0.76,
        body: [[-2.18, 0.42], [-2.32, 0.66], [-2.30, 1.04], [-2.2, 1.12], [1.05, 1.1], [1.8, 1.04], [2.2, 0.92],
               [2.32, 0.66], [2.2, 0.36]],
        cabin: [[-2.24, 1.1], [-2.0, 1.72], [0.25, 1.75], [1.12, 1.08]],
        lamps: [[0.74, 0.90], [0.74, 1.02]],
        wheels: [-1.4, 1.45],
        wheel_radius: 0.39,
        windows: true,
    },
    // lorry
    Shape {
        half_width: 1.15,
        roof_half_width: 1.12,
        body: [[-3.6, 0.55], [-3.62, 0.7], [-3.62, 0.9], [-3.5, 1.0], [2.5, 1.0], [2.9, 1.0], [3.42, 0.95],
               [3.45, 0.7], [3.4, 0.4]],
        cabin: [[-3.6, 0.95], [-3.6, 3.1], [3.1, 3.0], [3.42, 0.95]],
        lamps: [[0.62, 0.78], [0.66, 0.84]],
        wheels: [-2.3, 2.4],
        wheel_radius: 0.5,
        windows: false,
    },
];

pub const PAINTS: [Rgb; 9] = [
    [0.62, 0.62, 0.62],
    [0.75, 0.75, 0.73],
    [0.03, 0.03, 0.035],
    [0.13, 0.14, 0.15],
    [0.35, 0.37, 0.39],
    [0.42, 0.03, 0.025],
    [0.03, 0.08, 0.28],
    [0.05, 0.14, 0.12],
    [0.40, 0.28, 0.16],
];

/// How much narrower a car is at its ends.
pub const NARROWING: f32 = 0.84;

/// A flat side of a car.
pub struct Face {
    pub points: Vec<[f32; 3]>,
    pub normal: [f32; 3],
}

impl Face {
    pub fn faces(&self, eye: [f32; 3]) -> bool {
        let p = self.points[0];
        (0..3).map(|k| self.normal[k] * (eye[k] - p[k])).sum::<f32>() > 0.0
    }
}

/// The sides of a body with the given side view, `low` wide at its lowest points and `high` wide at its highest.
pub fn prism<const N: usize>(outline: &[[f32; 2]; N], low: f32, high: f32) -> Vec<Face> {
    let bottom = outline.iter().map(|p| p[1]).fold(f32::INFINITY, f32::min);
    let top = outline.iter().map(|p| p[1]).fold(f32::NEG_INFINITY, f32::max);
    let length = outline.iter().map(|p| p[0].abs()).fold(0.1, f32::max);
    // Seen from above, the ends are narrower.
    let taper = |x: f32| 1.0 - (1.0 - NARROWING) * smoothstep(0.72, 1.0, x.abs() / length);
    let wide = |p: &[f32; 2]| (low + (high - low) * (p[1] - bottom) / (top - bottom).max(0.01)) * taper(p[0]);
    let mut faces: Vec<Face> = [1.0_f32, -1.0]
        .into_iter()
        .map(|side| {
            let points = outline.iter().map(|p| [p[0], side * wide(p), p[1]]).collect();
            let slope = (low - high) / (top - bottom).max(0.01);
            Face { points, normal: [0.0, side, slope] }
        })
        .collect();
    for k in 0..N - 1 {
        let (a, b) = (&outline[k], &outline[k + 1]);
        let points = vec![[a[0], wide(a), a[1]], [b[0], wide(b), b[1]], [b[0], -wide(b), b[1]], [a[0], -wide(a), a[1]]];
        let (dx, dz) = (b[0] - a[0], b[1] - a[1]);
        let length = (dx * dx + dz * dz).sqrt().max(1e-3);
        // The outline runs from the rear over the top to the front, so outside lies to its left.
        faces.push(Face { points, normal: [-dz / length, 0.0, dx / length] });
    }
    faces
}
