//! The course of the road: curves, gentle hills and banking, made piece by piece from the seed.

use super::noise::{Dice, wave};
use super::style::Style;

/// Distance between stored nodes.
const STEP_M: f64 = 1.0;
/// Straight road before the drive begins and after it ends.
const LEAD_IN_M: f64 = 40.0;

/// A place on the centre line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// East, metres.
    pub x: f64,
    /// North, metres.
    pub y: f64,
    /// Up, metres.
    pub z: f64,
    /// Direction of travel, radians counter-clockwise from east.
    pub heading: f64,
    /// 1/m, positive to the left.
    pub curvature: f64,
    /// Rise per metre of travel.
    pub grade: f64,
    /// Fall per metre to the left (positive in left-hand curves).
    pub bank: f64,
}

/// The centre line from its start, a node a metre.
pub struct Track {
    nodes: Vec<Station>,
}

impl Track {
    /// A road of at least `length_m` metres.
    pub fn new(seed: u64, style: &Style, length_m: f64) -> Self {
        let count = ((length_m + 2.0 * LEAD_IN_M) / STEP_M) as usize + 2;
        let mut curves = Curves::new(seed, style);
        let mut nodes = Vec::with_capacity(count);
        let mut here = Station { x: 0.0, y: 0.0, z: 0.0, heading: 0.0, curvature: 0.0, grade: 0.0, bank: 0.0 };
        for i in 0..count {
            let s = i as f64 * STEP_M;
            here.curvature = curves.next(here.heading);
            here.grade = grade(seed, style, s);
            here.bank = (here.curvature * 3.5).clamp(-0.055, 0.055);
            nodes.push(here);
            let middle = here.heading + 0.5 * here.curvature * STEP_M;
            here.x += STEP_M * libm::cos(middle);
            here.y += STEP_M * libm::sin(middle);
            here.z += STEP_M * here.grade;
            here.heading += here.curvature * STEP_M;
        }
        Self { nodes }
    }

    /// Length of the stored centre line.
    pub fn length_m(&self) -> f64 {
        (self.nodes.len() - 1) as f64 * STEP_M
    }

    /// The place `s` metres from the start; beyond the ends, the road goes straight on.
    pub fn at(&self, s: f64) -> Station {
        let clamped = s.clamp(0.0, self.length_m());
        let i = ((clamped / STEP_M) as usize).min(self.nodes.len() - 2);
        let (a, b) = (&self.nodes[i], &self.nodes[i + 1]);
        let t = clamped / STEP_M - i as f64;
        let mix = |a: f64, b: f64| a + (b - a) * t;
        let beyond = s - clamped;
        let heading = mix(a.heading, b.heading);
        let grade = mix(a.grade, b.grade);
        Station {
            x: mix(a.x, b.x) + beyond * libm::cos(heading),
            y: mix(a.y, b.y) + beyond * libm::sin(heading),
            z: mix(a.z, b.z) + beyond * grade,
            heading,
            curvature: mix(a.curvature, b.curvature),
            grade,
            bank: mix(a.bank, b.bank),
        }
    }

    /// Distance along and to the left of the centre line of a point near `guess_s`.
    pub fn locate(&self, x: f64, y: f64, guess_s: f64) -> (f64, f64) {
        let mut s = guess_s;
        let mut left = 0.0;
        for _ in 0..3 {
            let here = self.at(s);
            let (sin, cos) = (libm::sin(here.heading), libm::cos(here.heading));
            let (dx, dy) = (x - here.x, y - here.y);
            left = dy * cos - dx * sin;
            let stretch = (1.0 - left * here.curvature).max(0.2);
            s += (dx * cos + dy * sin) / stretch;
        }
        (s, left)
    }
}

fn grade(seed: u64, style: &Style, s: f64) -> f64 {
    let long = f64::from(wave(seed, 0x6869_6c6c, s / 190.0));
    let short = f64::from(wave(seed, 0x6475_6e65, s / 85.0));
    f64::from(style.hilliness) * (long + 0.45 * short)
}

/// Straights and curves, each entered through a transition of steadily growing curvature (a clothoid).
struct Curves {
    dice: Dice,
    tightest_m: f32,
    widest_m: f32,
    straightness_m: f32,
    curvature: f64,
    target: f64,
    ramp_left_m: f64,
    hold_left_m: f64,
}

impl Curves {
    fn new(seed: u64, style: &Style) -> Self {
        Self {
            dice: Dice::new(seed, 0x6375_7276, 0),
            tightest_m: style.tightest_radius_m,
            widest_m: style.tightest_radius_m * 6.0,
            straightness_m: style.longest_straight_m,
            curvature: 0.0,
            target: 0.0,
            ramp_left_m: 0.0,
            hold_left_m: LEAD_IN_M,
        }
    }

    fn next(&mut self, heading: f64) -> f64 {
        if self.ramp_left_m > 0.0 {
            self.curvature += (self.target - self.curvature) * (STEP_M / self.ramp_left_m).min(1.0);
            self.ramp_left_m -= STEP_M;
        } else if self.hold_left_m > 0.0 {
            self.hold_left_m -= STEP_M;
        } else {
            self.plan(heading);
        }
        self.curvature
    }

    /// Chooses the next piece. A road that has turned far to one side tends to turn back, so that it never meets itself.
    fn plan(&mut self, heading: f64) {
        let straight = self.target != 0.0 && self.dice.chance(0.7);
        if straight {
            self.target = 0.0;
            self.hold_left_m = f64::from(self.dice.range(10.0, self.straightness_m));
        } else {
            let share = self.dice.unit();
            let radius = self.tightest_m * libm::powf(self.widest_m / self.tightest_m, share);
            let angle = self.dice.range(0.3, 1.15) * (0.35 + 0.65 * (1.0 - share));
            let turn_back = heading.abs() > 0.5 || self.dice.chance(0.3);
            let random = f64::from(self.dice.sign());
            let sign = if turn_back && heading != 0.0 { -heading.signum() } else { random };
            self.target = sign / f64::from(radius);
            self.hold_left_m = f64::from(radius * angle).min(260.0);
        }
        let change = (self.target - self.curvature).abs();
        self.ramp_left_m = (change * 3200.0).clamp(12.0, 55.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_road_is_smooth_and_a_point_is_found_again() {
        let track = Track::new(5, &Style::new(5), 2000.0);
        let mut before = track.at(0.0);
        for i in 1..20_000 {
            let s = f64::from(i) * 0.1;
            let here = track.at(s);
            assert!((here.curvature - before.curvature).abs() < 1e-3 && here.curvature.abs() < 1.0 / 50.0);
            assert!(here.grade.abs() < 0.15);
            let left = 3.0 * (f64::from(i) * 0.01).sin();
            let x = here.x - left * here.heading.sin();
            let y = here.y + left * here.heading.cos();
            let (found_s, found_left) = track.locate(x, y, s - 2.0);
            assert!((found_s - s).abs() < 0.02 && (found_left - left).abs() < 0.02, "{s}: {found_s} {found_left}");
            before = here;
        }
    }

    #[test]
    fn a_longer_road_begins_like_a_shorter_one() {
        let style = Style::new(9);
        let (short, long) = (Track::new(9, &style, 300.0), Track::new(9, &style, 3000.0));
        assert_eq!(short.at(250.5), long.at(250.5));
    }
}
