//! What people put beside roads: posts, signs, rails, telephone poles, fences, houses.

use super::super::noise::{Dice, NoiseMap};
use super::super::style::{Country, Rgb, Style};
use super::super::track::Track;
use super::canvas::Light4;
use super::polygon::{Local, Painter};
use super::pose::CameraPose;
use super::terrain::Terrain;

/// A thing beside the road.
pub struct Thing {
    /// Metres ahead of the camera, for drawing the farthest first.
    pub depth: f32,
    /// Metres along the road.
    pub s: f64,
    /// Metres to the left of its centre.
    pub left: f32,
    local: Local,
    what: What,
}

enum What {
    Post,
    Chevron {
        to_left: bool,
    },
    SpeedSign,
    CurveSign {
        to_left: bool,
    },
    /// A stretch of rail up to this place.
    Rail {
        to: [f64; 3],
    },
    /// A telephone pole, with wires to the top of the next.
    Pole {
        next: Option<Local>,
    },
    /// A fence post with rails to the next.
    Fence {
        to: [f64; 3],
    },
    House {
        size: [f32; 3],
        walls: Rgb,
        roof: Rgb,
    },
}

/// Finds things beside the road.
pub struct Finder<'a> {
    /// Seed of the drive.
    pub seed: u64,
    /// Style of the drive.
    pub style: &'a Style,
    /// Course of the road.
    pub track: &'a Track,
    /// Shape of the land.
    pub terrain: &'a Terrain,
    /// Noise of the drive.
    pub noise: &'a NoiseMap,
    /// The camera.
    pub view: &'a CameraPose,
}

impl Finder<'_> {
    /// Everything that may be seen.
    pub fn find(&self) -> Vec<Thing> {
        let mut things = Vec::new();
        if self.style.posts {
            self.posts(&mut things);
        }
        self.rails(&mut things);
        self.signs(&mut things);
        if self.style.poles {
            self.poles(&mut things);
        }
        self.fences(&mut things);
        self.houses(&mut things);
        things.retain(|t| t.depth > -2.0);
        things
    }

    /// Numbers of places `spacing` apart from behind the camera up to `reach` ahead.
    fn places(&self, spacing: f64, reach: f64) -> std::ops::RangeInclusive<i64> {
        ((self.view.s - 4.0) / spacing).floor() as i64..=((self.view.s + reach) / spacing).floor() as i64
    }

    fn stand(&self, s: f64, left: f32) -> Local {
        let here = self.track.at(s);
        Local::new(self.terrain.ground(self.noise, &here, s, left), here.heading, here.grade)
    }

    fn add(&self, things: &mut Vec<Thing>, s: f64, left: f32, what: What) {
        let local = self.stand(s, left);
        let [x, y, z] = local.origin;
        things.push(Thing { depth: self.view.see(x, y, z)[0], s, left, local, what });
    }

    fn edge(&self, beside: f32) -> f32 {
        self.style.half_width_m() + beside
    }

    fn posts(&self, things: &mut Vec<Thing>) {
        for k in self.places(25.0, 260.0) {
            let s = k as f64 * 25.0;
            for side in [1.0, -1.0] {
                if !self.has_rail(s, side) {
                    self.add(things, s, side * self.edge(self.style.gravel_m * 0.6 + 0.35), What::Post);
                }
            }
        }
    }

    /// Rails stand outside tight curves and, here and there, elsewhere.
    fn has_rail(&self, s: f64, side: f32) -> bool {
        let stretch = (s / 60.0).floor();
        let middle = self.track.at((stretch + 0.5) * 60.0).curvature as f32;
        let outside = -middle * side;
        let mut dice = Dice::new(self.seed, if side > 0.0 { 0x6c72_6169 } else { 0x7272_6169 }, stretch as i64);
        dice.chance(if outside > 1.0 / 260.0 { 0.55 } else { 0.08 })
    }

    fn rails(&self, things: &mut Vec<Thing>) {
        for k in self.places(4.0, 200.0) {
            let s = k as f64 * 4.0;
            for side in [1.0, -1.0] {
                if self.has_rail(s, side) {
                    let left = side * self.edge(self.style.gravel_m * 0.6 + 0.5);
                    let to = self.stand(s + 4.0, left).origin;
                    self.add(things, s, left, What::Rail { to });
                }
            }
        }
    }

    fn signs(&self, things: &mut Vec<Thing>) {
        for k in self.places(18.0, 200.0) {
            let s = k as f64 * 18.0;
            let curvature = self.track.at(s).curvature as f32;
            if curvature.abs() > 1.0 / 125.0 {
                let left = -curvature.signum() * self.edge(2.2);
                self.add(things, s, left, What::Chevron { to_left: curvature > 0.0 });
            }
        }
        for k in self.places(130.0, 200.0) {
            let mut dice = Dice::new(self.seed, 0x7369_676e, k);
            let s = (k as f64 + f64::from(dice.unit())) * 130.0;
            let ahead = self.track.at(s + 60.0).curvature;
            let what = if ahead.abs() > 1.0 / 160.0 {
                What::CurveSign { to_left: ahead > 0.0 }
            } else if dice.chance(0.4) {
                What::SpeedSign
            } else {
                continue;
            };
            self.add(things, s, -self.edge(1.9), what);
        }
    }

    fn poles(&self, things: &mut Vec<Thing>) {
        let side = Dice::new(self.seed, 0x706f_6c65, 0).sign();
        let left = side * self.edge(5.2);
        for k in self.places(42.0, 330.0) {
            let s = k as f64 * 42.0;
            let next = Some(self.stand(s + 42.0, left));
            self.add(things, s, left, What::Pole { next });
        }
    }

    fn fences(&self, things: &mut Vec<Thing>) {
        if matches!(self.style.country, Country::PineForest) {
            return;
        }
        for k in self.places(3.5, 110.0) {
            let s = k as f64 * 3.5;
            for side in [1.0_f32, -1.0] {
                let mut dice =
                    Dice::new(self.seed, if side > 0.0 { 0x6c66_656e } else { 0x7266_656e }, (s / 140.0) as i64);
                if dice.chance(0.4) {
                    let left = side * self.edge(6.8);
                    let to = self.stand(s + 3.5, left).origin;
                    self.add(things, s, left, What::Fence { to });
                }
            }
        }
    }

    fn houses(&self, things: &mut Vec<Thing>) {
        const WALLS: [Rgb; 5] =
            [[0.62, 0.58, 0.50], [0.70, 0.68, 0.64], [0.36, 0.08, 0.05], [0.30, 0.22, 0.14], [0.48, 0.42, 0.30]];
        const ROOFS: [Rgb; 3] = [[0.22, 0.07, 0.045], [0.09, 0.085, 0.085], [0.16, 0.12, 0.10]];
        for k in self.places(120.0, 380.0) {
            let mut dice = Dice::new(self.seed, 0x686f_7573, k);
            if !dice.chance(0.42) {
                continue;
            }
            let s = (k as f64 + f64::from(dice.unit())) * 120.0;
            let left = dice.sign() * dice.range(17.0, 34.0);
            if f64::from(left) * self.track.at(s).curvature > 0.35 {
                continue;
            }
            let size = [dice.range(4.0, 7.0), dice.range(3.5, 5.0), dice.range(2.8, 5.2)];
            let (walls, roof) = (WALLS[dice.pick(5)], ROOFS[dice.pick(3)]);
            self.add(things, s, left, What::House { size, walls, roof });
        }
    }
}

impl Thing {
    /// Draws the thing; `sunlit` is the share of sunlight that reaches it.
    pub fn draw(&self, painter: &mut Painter, sunlit: f32) {
        match &self.what {
            What::Post => self.post(painter, sunlit),
            What::Chevron { to_left } => self.chevron(painter, sunlit, *to_left),
            What::SpeedSign => self.speed_sign(painter, sunlit),
            What::CurveSign { to_left } => self.curve_sign(painter, sunlit, *to_left),
            What::Rail { to } => self.rail(painter, sunlit, *to),
            What::Pole { next } => self.pole(painter, sunlit, next.as_ref()),
            What::Fence { to } => self.fence(painter, sunlit, *to),
            What::House { size, walls, roof } => self.house(painter, sunlit, *size, *walls, *roof),
        }
    }

    fn lit(&self, painter: &Painter, colour: Rgb, normal: [f32; 3], sunlit: f32) -> Light4 {
        let sun = self.local.turn(painter.light.to_sun);
        let facing = (normal[0] * sun[0] + normal[1] * sun[1] + normal[2] * sun[2]).max(0.0);
        painter.light.on(colour, facing * sunlit, 0.55 + 0.3 * normal[2])
    }

    /// An upright rectangle across the road.
    fn board(&self, painter: &mut Painter, left: [f32; 2], up: [f32; 2], light: Light4) {
        let points = [[0.0, left[0], up[0]], [0.0, left[0], up[1]], [0.0, left[1], up[1]], [0.0, left[1], up[0]]];
        painter.shape(&self.local, &points, light, 1.0);
    }

    fn post(&self, painter: &mut Painter, sunlit: f32) {
        let white = self.lit(painter, [0.75, 0.75, 0.73], [-1.0, 0.0, 0.2], sunlit.max(0.25));
        self.board(painter, [-0.06, 0.06], [-0.1, 0.95], white);
        if self.depth < 90.0 {
            self.board(painter, [-0.062, 0.062], [0.62, 0.84], [0.02, 0.02, 0.02, 0.0]);
            let reflector = if self.left < 0.0 { [0.85, 0.30, 0.03, 0.0] } else { [0.8, 0.8, 0.8, 0.0] };
            self.board(painter, [-0.03, 0.03], [0.66, 0.80], reflector);
        }
    }

    fn chevron(&self, painter: &mut Painter, sunlit: f32, to_left: bool) {
        let pole = self.lit(painter, [0.3, 0.3, 0.3], [-1.0, 0.0, 0.2], sunlit);
        self.board(painter, [-0.04, 0.04], [-0.2, 1.0], pole);
        let yellow = self.lit(painter, [0.80, 0.50, 0.03], [-1.0, 0.0, 0.3], sunlit.max(0.3));
        self.board(painter, [-0.34, 0.34], [0.95, 1.75], yellow);
        let d = if to_left { 1.0 } else { -1.0 };
        let arrow = [[0.22, 1.35], [-0.05, 1.70], [-0.26, 1.70], [0.02, 1.35], [-0.26, 1.0], [-0.05, 1.0]];
        let points = arrow.map(|[l, u]| [-0.01, d * l, u]);
        painter.shape(&self.local, &points, [0.012, 0.012, 0.012, 0.0], 1.0);
    }

    fn disc(&self, painter: &mut Painter, radius: f32, up: f32, ahead: f32, light: Light4) {
        let points: [[f32; 3]; 12] = std::array::from_fn(|k| {
            let angle = k as f32 * std::f32::consts::PI / 6.0;
            [ahead, radius * libm::cosf(angle), up + radius * libm::sinf(angle)]
        });
        painter.shape(&self.local, &points, light, 1.0);
    }

    fn speed_sign(&self, painter: &mut Painter, sunlit: f32) {
        let pole = self.lit(painter, [0.35, 0.35, 0.36], [-1.0, 0.0, 0.2], sunlit);
        self.board(painter, [-0.04, 0.04], [-0.3, 2.0], pole);
        let red = self.lit(painter, [0.55, 0.02, 0.02], [-1.0, 0.0, 0.3], sunlit.max(0.35));
        let white = self.lit(painter, [0.80, 0.80, 0.80], [-1.0, 0.0, 0.3], sunlit.max(0.35));
        self.disc(painter, 0.42, 2.2, 0.0, red);
        self.disc(painter, 0.32, 2.2, -0.01, white);
        if self.depth < 60.0 {
            let black = [0.015, 0.015, 0.015, 0.0];
            // A six and a nought.
            for (left, right) in [(0.20, 0.02), (-0.03, -0.21)] {
                self.board(painter, [left, left - 0.05], [2.02, 2.38], black);
                self.board(painter, [left, right], [2.02, 2.07], black);
                self.board(painter, [left, right], [2.33, 2.38], black);
            }
            self.board(painter, [0.07, 0.02], [2.02, 2.22], black);
            self.board(painter, [0.20, 0.02], [2.18, 2.23], black);
            self.board(painter, [-0.16, -0.21], [2.02, 2.38], black);
        }
    }

    fn curve_sign(&self, painter: &mut Painter, sunlit: f32, to_left: bool) {
        let pole = self.lit(painter, [0.35, 0.35, 0.36], [-1.0, 0.0, 0.2], sunlit);
        self.board(painter, [-0.04, 0.04], [-0.3, 2.0], pole);
        let diamond =
            |r: f32, ahead: f32| [[ahead, 0.0, 2.2 - r], [ahead, r, 2.2], [ahead, 0.0, 2.2 + r], [ahead, -r, 2.2]];
        let black = [0.015, 0.015, 0.015, 0.0];
        let yellow = self.lit(painter, [0.82, 0.50, 0.03], [-1.0, 0.0, 0.3], sunlit.max(0.35));
        painter.shape(&self.local, &diamond(0.55, 0.0), black, 1.0);
        painter.shape(&self.local, &diamond(0.51, -0.01), yellow, 1.0);
        let d = if to_left { 1.0 } else { -1.0 };
        let arrow = [[-0.10, 1.95], [-0.02, 1.95], [0.0, 2.22], [0.20, 2.33], [0.16, 2.41], [-0.08, 2.28]];
        painter.shape(&self.local, &arrow.map(|[l, u]| [-0.02, d * l, u]), black, 1.0);
    }

    fn rail(&self, painter: &mut Painter, sunlit: f32, to: [f64; 3]) {
        let inwards = -self.left.signum();
        let steel = [0.42, 0.43, 0.44];
        let post = self.lit(painter, steel.map(|c| c * 0.6), [-1.0, 0.0, 0.1], sunlit);
        self.board(painter, [-0.05, 0.05], [-0.3, 0.72], post);
        let from = self.local.origin;
        for (low, high, tilt, tone) in [(0.42, 0.52, -0.4, 0.8), (0.52, 0.60, 0.1, 0.62), (0.60, 0.70, 0.5, 1.1)] {
            let light = self.lit(painter, steel.map(|c| c * tone), [0.0, inwards * 0.9, tilt], sunlit.max(0.2));
            let corner = |p: [f64; 3], up: f64| painter.view.see(p[0], p[1], p[2] + up);
            let seen = [corner(from, low), corner(from, high), corner(to, high), corner(to, low)];
            painter.seen_shape(&seen, light, 1.0);
        }
    }

    fn pole(&self, painter: &mut Painter, sunlit: f32, next: Option<&Local>) {
        let wood = self.lit(painter, [0.16, 0.12, 0.09], [-0.7, 0.5, 0.2], sunlit.max(0.3));
        let top = 8.2;
        painter.line(self.local.at([0.0, 0.0, -0.5]), self.local.at([0.0, 0.0, top + 0.3]), 0.26, wood);
        painter.line(self.local.at([0.0, -1.0, top]), self.local.at([0.0, 1.0, top]), 0.14, wood);
        let Some(next) = next else { return };
        let dark = [0.03, 0.03, 0.035, 0.0];
        for left in [-0.9, 0.0, 0.9] {
            let (a, b) = (self.local.at([0.0, left, top]), next.at([0.0, left, top]));
            let hang = |t: f64| -> [f64; 3] {
                let sag = -1.1 * 4.0 * t * (1.0 - t);
                std::array::from_fn(|k| a[k] + (b[k] - a[k]) * t + if k == 2 { sag } else { 0.0 })
            };
            for i in 0..8 {
                painter.line(hang(f64::from(i) / 8.0), hang(f64::from(i + 1) / 8.0), 0.025, dark);
            }
        }
    }

    fn fence(&self, painter: &mut Painter, sunlit: f32, to: [f64; 3]) {
        let wood = self.lit(painter, [0.20, 0.155, 0.115], [-0.8, 0.0, 0.3], sunlit.max(0.3));
        painter.line(self.local.at([0.0, 0.0, -0.2]), self.local.at([0.0, 0.0, 1.1]), 0.11, wood);
        let from = self.local.origin;
        for up in [0.5, 0.95] {
            painter.line([from[0], from[1], from[2] + up], [to[0], to[1], to[2] + up], 0.07, wood);
        }
    }

    fn house(&self, painter: &mut Painter, sunlit: f32, size: [f32; 3], walls: Rgb, roof: Rgb) {
        let [length, depth, height] = size;
        let inwards = -self.left.signum();
        let (near, ridge) = (inwards * depth, height + 0.75 * depth);
        let base = -1.5;
        let gable = |ahead: f32| {
            [
                [ahead, depth, base],
                [ahead, depth, height],
                [ahead, 0.0, ridge],
                [ahead, -depth, height],
                [ahead, -depth, base],
            ]
        };
        let end = self.lit(painter, walls, [-1.0, 0.0, 0.0], sunlit);
        painter.shape(&self.local, &gable(-length), end, 1.0);
        let front = self.lit(painter, walls, [0.0, inwards, 0.0], sunlit);
        let wall = |a: f32, b: f32, low: f32, high: f32, out: f32| {
            let l = near + inwards * out;
            [[a, l, low], [a, l, high], [b, l, high], [b, l, low]]
        };
        painter.shape(&self.local, &wall(-length, length, base, height, 0.0), front, 1.0);
        let dark = [0.03, 0.035, 0.045, 0.0];
        for k in 0..3 {
            let a = -length + (0.35 + k as f32 * 0.62) * length;
            painter.shape(&self.local, &wall(a, a + 1.1, height - 1.9, height - 0.7, 0.02), dark, 1.0);
            painter.shape(
                &self.local,
                &[
                    [-length - 0.02, 0.5, 1.0],
                    [-length - 0.02, 0.5, 2.1],
                    [-length - 0.02, -0.5, 2.1],
                    [-length - 0.02, -0.5, 1.0],
                ],
                dark,
                1.0,
            );
        }
        let tiles = self.lit(painter, roof, [0.0, inwards * 0.6, 0.8], sunlit);
        let over = [
            [-length - 0.4, near * 1.1, height - 0.2],
            [length + 0.4, near * 1.1, height - 0.2],
            [length + 0.4, 0.0, ridge + 0.1],
            [-length - 0.4, 0.0, ridge + 0.1],
        ];
        painter.shape(&self.local, &over, tiles, 1.0);
    }
}
