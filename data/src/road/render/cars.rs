//! Other cars: where they are at any time, and how they are drawn.

use super::super::driver::CarState;
use super::super::noise::{Dice, wave};
use super::super::style::{Rgb, Style};
use super::super::track::Track;
use super::car_shape::{Face, NARROWING, PAINTS, SHAPES, Shape, prism};
use super::polygon::{Local, Painter};
use super::pose::CameraPose;
use super::terrain::REACH_M;

/// Speed of all oncoming cars; as nobody overtakes, where each one is needs no history.
const ONCOMING_SPEED: f64 = 14.5;
/// Length of oncoming road in which at most one car drives.
const SLOT_M: f64 = 55.0;
/// Time by which the car ahead is in front, seconds.
pub const HEADWAY_S: f64 = 2.6;

/// A car on the road.
pub struct Car {
    /// Where it stands.
    pub local: Local,
    /// Metres ahead of the camera, for drawing the farthest first.
    pub depth: f32,
    /// Metres along the road.
    pub s: f64,
    /// Metres to the left of its centre.
    pub left: f32,
    shape: usize,
    paint: Rgb,
    /// Brake lights shine.
    braking: bool,
    /// Headlights shine.
    lit: bool,
}

/// Finds the cars that may be seen. `ahead` is where our own car will be [`HEADWAY_S`] from now.
pub fn find(
    seed: u64,
    style: &Style,
    track: &Track,
    view: &CameraPose,
    time_s: f64,
    ahead: Option<CarState>,
) -> Vec<Car> {
    let mut cars = Vec::new();
    let moved = ONCOMING_SPEED * time_s;
    let slots = ((view.s - 8.0 + moved) / SLOT_M).floor() as i64..=((view.s + REACH_M + moved) / SLOT_M).floor() as i64;
    for slot in slots {
        let mut dice = Dice::new(seed, 0x6f6e_636f, slot);
        if dice.chance(style.traffic * 0.55) {
            let s = slot as f64 * SLOT_M + f64::from(dice.range(0.0, 30.0)) - moved;
            let left = -style.lane_centre_m() + dice.range(-0.25, 0.35);
            cars.push(car(track, view, s, left, true, &mut dice));
        }
    }
    if let Some(ahead) = ahead.filter(|_| style.leader) {
        let mut dice = Dice::new(seed, 0x6c65_6164, 0);
        let s = ahead.s + 1.5 + 6.0 * f64::from(wave(seed, 0x6865_6164, time_s / 9.0));
        let sway = 0.2 * wave(seed, 0x7377_6179, time_s / 5.0);
        let mut leader = car(track, view, s, style.lane_centre_m() + sway, false, &mut dice);
        leader.braking = ahead.dip > 0.003;
        cars.push(leader);
    }
    cars.retain(|c| c.depth > -3.0 && c.depth < REACH_M as f32);
    cars
}

fn car(track: &Track, view: &CameraPose, s: f64, left: f32, oncoming: bool, dice: &mut Dice) -> Car {
    let here = track.at(s);
    let l = f64::from(left);
    let (sin, cos) = (libm::sin(here.heading), libm::cos(here.heading));
    let origin = [here.x - l * sin, here.y + l * cos, here.z - here.bank * l];
    let (heading, grade) =
        if oncoming { (here.heading + std::f64::consts::PI, -here.grade) } else { (here.heading, here.grade) };
    let shape = [0, 0, 1, 1, 2, 2, 3][dice.pick(7)];
    let paint = PAINTS[dice.pick(PAINTS.len())];
    let depth = view.see(origin[0], origin[1], origin[2])[0];
    Car {
        local: Local::new(origin, heading, grade),
        depth,
        s,
        left,
        shape,
        paint,
        braking: false,
        lit: dice.chance(0.5),
    }
}

impl Car {
    /// Draws the car; `sunlit` is the share of sunlight that reaches it.
    pub fn draw(&self, painter: &mut Painter, sunlit: f32) {
        let shape = &SHAPES[self.shape];
        let eye = self.eye(painter.view);
        let sun = self.local.turn(painter.light.to_sun);
        self.shadow(painter, shape, sun, sunlit);
        self.tyres(painter, shape, eye);
        let body = prism(&shape.body, shape.half_width, shape.half_width);
        for face in &body {
            self.face(painter, face, eye, sun, sunlit, self.paint);
        }
        let cabin = prism(&shape.cabin, shape.half_width * 0.97, shape.roof_half_width);
        for face in &cabin {
            self.face(painter, face, eye, sun, sunlit, self.paint);
        }
        if self.depth < 150.0 {
            self.bumper(painter, shape, eye, sunlit);
            self.windows(painter, shape, eye);
            self.wheels(painter, shape, eye);
        }
        self.lamps(painter, shape, eye);
    }

    /// The camera as the car has it.
    fn eye(&self, view: &CameraPose) -> [f32; 3] {
        let position = view.position();
        self.local.turn(std::array::from_fn(|k| (position[k] - self.local.origin[k]) as f32))
    }

    fn shadow(&self, painter: &mut Painter, shape: &Shape, sun: [f32; 3], sunlit: f32) {
        let (back, front) = (shape.body[1][0], shape.body[7][0]);
        let w = shape.half_width;
        let black = [0.012, 0.013, 0.016, 0.0];
        let under = [[back, w, 0.0], [front, w, 0.0], [front, -w, 0.0], [back, -w, 0.0]];
        if sunlit > 0.3 {
            let reach = (shape.cabin[1][1] / sun[2].max(0.25)).min(4.0);
            let (dx, dy) = (-sun[0] * reach, -sun[1] * reach);
            let cast = under.map(|[a, l, u]| [a * 0.9 + dx, l * 0.9 + dy, u]);
            let near = under.map(|[a, l, u]| [a + 0.5 * dx, l + 0.5 * dy, u]);
            painter.shape(&self.local, &near, black, 0.42 * sunlit);
            painter.shape(&self.local, &cast, black, 0.30 * sunlit);
        }
        painter.shape(&self.local, &under.map(|[a, l, u]| [a * 1.06, l * 1.12, u]), black, 0.45);
        painter.shape(&self.local, &under, black, 0.75);
    }

    fn face(&self, painter: &mut Painter, face: &Face, eye: [f32; 3], sun: [f32; 3], sunlit: f32, paint: Rgb) {
        if !face.faces(eye) {
            return;
        }
        let n = face.normal;
        let lit = (n[0] * sun[0] + n[1] * sun[1] + n[2] * sun[2]).max(0.0) / sun[2].max(0.35) * sunlit;
        let mut light = painter.light.on(paint, lit.min(1.4) * 0.85, 0.45 + 0.4 * n[2].max(0.0));
        // Varnish mirrors the sky.
        let mirror = 0.05 + 0.12 * n[2].max(0.0);
        for k in 0..3 {
            light[k] += painter.light.horizon[k] * mirror;
        }
        painter.shape(&self.local, &face.points, light, 1.0);
    }

    fn windows(&self, painter: &mut Painter, shape: &Shape, eye: [f32; 3]) {
        let [rear_foot, rear_roof, front_roof, front_foot] = shape.cabin;
        let (foot, roof) = (shape.half_width * 0.97, shape.roof_half_width);
        let glass = painter.light.sky.map(|c| 0.012 + 0.035 * c);
        let glass = [glass[0], glass[1], glass[2], 0.0];
        let gleam = painter.light.horizon.map(|c| 0.03 + 0.24 * c);
        let gleam = [gleam[0], gleam[1], gleam[2], 0.0];
        let at =
            |low: [f32; 2], high: [f32; 2], t: f32| [low[0] + (high[0] - low[0]) * t, low[1] + (high[1] - low[1]) * t];
        let pane = |painter: &mut Painter, low: [f32; 2], high: [f32; 2], from: f32, to: f32| {
            let (a, b) = (at(low, high, from), at(low, high, to));
            let wide = |t: f32| (foot + (roof - foot) * t) * 0.88;
            let out = if low[0] > 0.0 { 0.03 } else { -0.03 };
            let corner = |p: [f32; 2], l: f32| [p[0] + out, l, p[1]];
            let points = [corner(a, wide(from)), corner(b, wide(to)), corner(b, -wide(to)), corner(a, -wide(from))];
            painter.shape(&self.local, &points, glass, 1.0);
            // The upper part of a slanting pane mirrors the sky.
            let c = at(low, high, 0.5 * (from + to));
            let middle = wide(0.5 * (from + to));
            let upper = [corner(c, 0.55 * middle), corner(b, wide(to)), corner(b, -wide(to)), corner(c, -0.8 * middle)];
            painter.shape(&self.local, &upper, gleam, 0.55);
        };
        if eye[0] > front_roof[0] {
            let (from, to) = if shape.windows { (0.08, 0.92) } else { (0.32, 0.72) };
            pane(painter, front_foot, front_roof, from, to);
        }
        if shape.windows && eye[0] < rear_roof[0] {
            pane(painter, rear_foot, rear_roof, 0.12, 0.88);
        }
        let side = eye[1].signum();
        if shape.windows && eye[1].abs() > foot {
            let (low_rear, high_rear) = (at(rear_foot, rear_roof, 0.2), at(rear_foot, rear_roof, 0.85));
            let (low_front, high_front) = (at(front_foot, front_roof, 0.2), at(front_foot, front_roof, 0.85));
            let wide = |t: f32| side * ((foot + (roof - foot) * t) + 0.02);
            let points = [
                [low_rear[0] + 0.12, wide(0.2), low_rear[1]],
                [high_rear[0] + 0.12, wide(0.85), high_rear[1]],
                [high_front[0] - 0.1, wide(0.85), high_front[1]],
                [low_front[0] - 0.15, wide(0.2), low_front[1]],
            ];
            painter.shape(&self.local, &points, glass, 1.0);
        }
    }

    fn wheels(&self, painter: &mut Painter, shape: &Shape, eye: [f32; 3]) {
        let side = eye[1].signum() * (shape.half_width + 0.01);
        let r = shape.wheel_radius;
        if eye[1].abs() > shape.half_width {
            for middle in shape.wheels {
                for (radius, tone) in [(r, 0.012), (0.55 * r, 0.22)] {
                    let points: [[f32; 3]; 8] = std::array::from_fn(|k| {
                        let angle = k as f32 * std::f32::consts::FRAC_PI_4;
                        [middle + radius * libm::cosf(angle), side, r + radius * libm::sinf(angle)]
                    });
                    painter.shape(&self.local, &points, [tone, tone, tone, 0.0], 1.0);
                }
            }
        }
    }

    /// The treads of the tyres, drawn before the body that hides most of them.
    fn tyres(&self, painter: &mut Painter, shape: &Shape, eye: [f32; 3]) {
        let r = shape.wheel_radius;
        let black = [0.012, 0.012, 0.013, 0.0];
        let rim = |middle: f32, k: usize| {
            let angle = k as f32 * std::f32::consts::FRAC_PI_4;
            [middle + r * libm::cosf(angle), r + r * libm::sinf(angle)]
        };
        for middle in shape.wheels {
            for side in [-1.0, 1.0] {
                let (out, inner) = (side * shape.half_width * 0.99, side * (shape.half_width - 0.24));
                for k in 0..8 {
                    let (a, b) = (rim(middle, k), rim(middle, k + 1));
                    let faces_eye = (a[0] + b[0] - 2.0 * middle) * (eye[0] - middle) > 0.0;
                    if faces_eye && a[1].min(b[1]) < r {
                        let tread = [[a[0], out, a[1]], [b[0], out, b[1]], [b[0], inner, b[1]], [a[0], inner, a[1]]];
                        painter.shape(&self.local, &tread, black, 1.0);
                    }
                }
            }
        }
    }

    /// The dark strip along the lower edge, and the arches over the wheels.
    fn bumper(&self, painter: &mut Painter, shape: &Shape, eye: [f32; 3], sunlit: f32) {
        let dark = painter.light.on([0.02, 0.02, 0.022], 0.5 * sunlit, 0.6);
        let (low, high) = if eye[0] > 0.0 { (shape.body[8], shape.body[7]) } else { (shape.body[0], shape.body[1]) };
        let half = shape.half_width * NARROWING;
        let t = 0.55;
        let top = [low[0] + (high[0] - low[0]) * t, low[1] + (high[1] - low[1]) * t];
        let out = 0.015 * eye[0].signum();
        let strip = [
            [low[0] + out, half, low[1]],
            [top[0] + out, half, top[1]],
            [top[0] + out, -half, top[1]],
            [low[0] + out, -half, low[1]],
        ];
        painter.shape(&self.local, &strip, dark, 1.0);
        if eye[1].abs() > shape.half_width {
            let side = eye[1].signum() * (shape.half_width + 0.005);
            let r = shape.wheel_radius * 1.18;
            for middle in shape.wheels {
                let points: [[f32; 3]; 7] = std::array::from_fn(|k| {
                    let angle = k as f32 * std::f32::consts::PI / 6.0;
                    [middle + r * libm::cosf(angle), side, shape.wheel_radius + r * libm::sinf(angle)]
                });
                painter.shape(&self.local, &points, dark, 1.0);
            }
        }
    }

    fn lamps(&self, painter: &mut Painter, shape: &Shape, eye: [f32; 3]) {
        let front = eye[0] > 0.0;
        // Lamps lie on the slanting part of the nose, or of the tail.
        let [bottom, top] = shape.lamps[usize::from(!front)];
        let (upper, lower) = if front { (shape.body[6], shape.body[7]) } else { (shape.body[2], shape.body[1]) };
        let at = |up: f32| {
            let t = ((up - lower[1]) / (upper[1] - lower[1])).clamp(0.0, 1.0);
            lower[0] + (upper[0] - lower[0]) * t + 0.02 * eye[0].signum()
        };
        let colour = match (front, self.lit, self.braking) {
            (true, true, _) => [2.6, 2.5, 2.2, 0.0],
            (true, false, _) => [0.75, 0.75, 0.75, 0.0],
            (false, _, true) => [1.7, 0.05, 0.03, 0.0],
            (false, _, false) => [0.42, 0.02, 0.02, 0.0],
        };
        let outer = shape.half_width * NARROWING * 0.97;
        let quad = |painter: &mut Painter, left: [f32; 2], up: [f32; 2], colour: [f32; 4]| {
            let (low, high) = (at(up[0]), at(up[1]));
            let points = [[low, left[0], up[0]], [high, left[0], up[1]], [high, left[1], up[1]], [low, left[1], up[0]]];
            painter.shape(&self.local, &points, colour, 1.0);
        };
        for side in [-1.0, 1.0] {
            quad(painter, [side * outer, side * outer * 0.6], [bottom, top], colour);
        }
        if front {
            quad(painter, [0.5 * outer, -0.5 * outer], [bottom - 0.02, top - 0.03], [0.014, 0.014, 0.016, 0.0]);
        } else {
            quad(painter, [0.27, -0.27], [bottom - 0.04, bottom + 0.09], [0.55, 0.55, 0.5, 0.0]);
        }
    }
}
