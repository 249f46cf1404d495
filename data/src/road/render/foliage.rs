//! Trees, bushes and tufts, painted leaf by leaf once a drive. The sun stands to the upper left and a little in front.

use super::super::noise::Dice;
use super::super::style::{Country, Land, Rgb, Style};
use super::brush::{Brush, Sprite};
use super::light::Light;

/// Rows of a tree's finest picture.
const TREE_ROWS: usize = 192;

/// The plants of one drive.
pub struct Foliage {
    /// Trees of the country, the most usual first.
    pub trees: Vec<Tree>,
    /// Bushes.
    pub bushes: Vec<Sprite>,
    /// Tufts of grass.
    pub tufts: Vec<Sprite>,
}

/// A kind of tree.
pub struct Tree {
    /// Its picture.
    pub sprite: Sprite,
    /// Lowest and greatest height, metres.
    pub heights: [f32; 2],
    /// Height of the crown's middle and its two radii, as shares of the height: what throws the shadow.
    pub crown: [f32; 3],
}

/// Light in which the plants are painted.
struct Daylight {
    sun: Rgb,
    sky: Rgb,
    towards: [f32; 3],
}

impl Daylight {
    /// `colour` on a leaf that faces `normal`, where `open` is the share of sky it sees.
    fn on(&self, colour: Rgb, normal: [f32; 3], open: f32) -> Rgb {
        let length = (normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]).sqrt().max(1e-3);
        let facing: f32 = (0..3).map(|k| normal[k] * self.towards[k]).sum::<f32>() / length;
        let lit = (0.25 + 0.75 * facing).max(0.0) * (0.35 + 0.65 * open);
        std::array::from_fn(|k| colour[k] * (self.sun[k] * lit + self.sky[k] * (0.25 + 0.75 * open)))
    }
}

impl Foliage {
    /// The plants of a seed.
    pub fn new(seed: u64, style: &Style, light: &Light) -> Self {
        let mut dice = Dice::new(seed, 0x706c_616e, 0);
        let day = Daylight { sun: light.sun, sky: light.sky, towards: [-0.62, 0.62, 0.48] };
        let d = &mut dice;
        let trees = match style.country {
            Country::Meadow => vec![
                broadleaf(d, &day, [0.055, 0.10, 0.02], 0.72),
                broadleaf(d, &day, [0.075, 0.125, 0.028], 0.85),
                broadleaf(d, &day, [0.045, 0.085, 0.022], 0.66),
                poplar(d, &day, [0.06, 0.10, 0.025]),
                conifer(d, &day, [0.03, 0.055, 0.022], 0.0),
            ],
            Country::GoldenHills => vec![
                broadleaf(d, &day, [0.05, 0.07, 0.022], 0.95),
                broadleaf(d, &day, [0.06, 0.075, 0.025], 0.85),
                broadleaf(d, &day, [0.075, 0.09, 0.04], 0.62),
                poplar(d, &day, [0.05, 0.065, 0.03]),
            ],
            Country::Autumn => vec![
                broadleaf(d, &day, [0.30, 0.12, 0.02], 0.8),
                broadleaf(d, &day, [0.32, 0.21, 0.03], 0.72),
                broadleaf(d, &day, [0.20, 0.055, 0.02], 0.78),
                broadleaf(d, &day, [0.11, 0.10, 0.02], 0.7),
                conifer(d, &day, [0.03, 0.05, 0.02], 0.0),
            ],
            Country::PineForest => vec![
                conifer(d, &day, [0.030, 0.058, 0.022], 0.0),
                conifer(d, &day, [0.038, 0.066, 0.026], 0.0),
                conifer(d, &day, [0.026, 0.048, 0.024], 0.0),
                broadleaf(d, &day, [0.07, 0.10, 0.025], 0.66),
            ],
            Country::Desert => vec![cactus(d, &day), cactus(d, &day), bush_tree(d, &day, [0.13, 0.12, 0.05])],
            Country::Winter => vec![
                conifer(d, &day, [0.035, 0.055, 0.035], 0.55),
                conifer(d, &day, [0.04, 0.06, 0.04], 0.35),
                bare_tree(d, &day),
                bare_tree(d, &day),
            ],
        };
        let Land { bush, tuft, .. } = *style.country.land();
        let bushes = (0..3).map(|_| shrub(d, &day, bush)).collect();
        let tufts = (0..3).map(|_| blades(d, &day, tuft)).collect();
        Self { trees, bushes, tufts }
    }
}

/// A crown of leaf clusters, painted from the back to the front.
struct Crown {
    centre: [f32; 2],
    radii: [f32; 2],
    clusters: usize,
    cluster_radius: f32,
    leaves: usize,
    leaf_radius: f32,
}

fn paint_crown(brush: &mut Brush, dice: &mut Dice, day: &Daylight, colour: Rgb, crown: &Crown) {
    let mut clusters: Vec<[f32; 4]> = (0..crown.clusters)
        .map(|_| {
            let direction = [dice.normal(), dice.normal(), dice.normal()];
            let length = direction.iter().map(|c| c * c).sum::<f32>().sqrt().max(0.1);
            let reach = dice.unit().sqrt().max(0.35);
            let [x, y, z] = direction.map(|c| c / length * reach);
            [x, y, z, dice.range(0.75, 1.25)]
        })
        .collect();
    clusters.sort_by(|a, b| a[2].total_cmp(&b[2]));
    for [x, y, z, tone] in clusters {
        let centre = [crown.centre[0] + x * crown.radii[0], crown.centre[1] - y * crown.radii[1]];
        let open = (0.45 + 0.3 * y + 0.25 * z).clamp(0.1, 1.0);
        let dark = day.on(colour.map(|c| c * 0.55), [x, y, z], 0.3 * open);
        for _ in 0..crown.leaves / 3 {
            let [dx, dy] = [0.0; 2].map(|_: f32| 0.8 * (dice.unit() - dice.unit()) * crown.cluster_radius);
            brush.disc(centre[0] + dx, centre[1] + dy, crown.leaf_radius * 1.6, dark, 0.95);
        }
        for _ in 0..crown.leaves {
            let offset = [0.0; 3].map(|_: f32| dice.range(-0.5, 0.5) + dice.range(-0.5, 0.5));
            let place = [centre[0] + offset[0] * crown.cluster_radius, centre[1] - offset[1] * crown.cluster_radius];
            let normal = [x + 0.9 * offset[0], y + 0.9 * offset[1], z + 0.9 * offset[2]];
            let tone = tone * dice.range(0.75, 1.25);
            let leaf =
                day.on(colour.map(|c| c * tone), normal, (open + 0.3 * offset[1] + 0.2 * offset[2]).clamp(0.05, 1.0));
            brush.disc(place[0], place[1], crown.leaf_radius * dice.range(0.7, 1.3), leaf, 0.95);
        }
    }
}

fn bark(day: &Daylight, tone: f32) -> Rgb {
    day.on([0.11 * tone, 0.085 * tone, 0.065 * tone], [0.0, 0.2, 1.0], 0.5)
}

fn broadleaf(dice: &mut Dice, day: &Daylight, colour: Rgb, aspect: f32) -> Tree {
    let mut brush = Brush::new((TREE_ROWS as f32 * aspect) as usize, TREE_ROWS);
    let middle = 0.5 * aspect;
    let top = [middle + dice.range(-0.03, 0.03), 0.42];
    let trunk = bark(day, dice.range(0.7, 1.3));
    brush.stroke([middle, 1.0], top, [0.05, 0.025], trunk);
    for _ in 0..5 {
        let to = [middle + dice.range(-0.3, 0.3) * aspect, dice.range(0.3, 0.5)];
        brush.stroke([middle, dice.range(0.6, 0.75)], to, [0.022, 0.01], trunk);
    }
    let crown = Crown {
        centre: [middle, 0.39],
        radii: [0.36 * aspect, 0.29],
        clusters: 46,
        cluster_radius: 0.085 + 0.03 * aspect,
        leaves: 70,
        leaf_radius: 0.0085,
    };
    paint_crown(&mut brush, dice, day, colour, &crown);
    Tree { sprite: brush.finish(), heights: [6.0, 12.5], crown: [0.6, 0.42 * aspect, 0.33] }
}

fn poplar(dice: &mut Dice, day: &Daylight, colour: Rgb) -> Tree {
    let aspect = 0.36;
    let mut brush = Brush::new((TREE_ROWS as f32 * aspect) as usize, TREE_ROWS);
    brush.stroke([0.18, 1.0], [0.18, 0.4], [0.03, 0.02], bark(day, 1.2));
    let crown = Crown {
        centre: [0.18, 0.46],
        radii: [0.105, 0.40],
        clusters: 48,
        cluster_radius: 0.065,
        leaves: 30,
        leaf_radius: 0.009,
    };
    paint_crown(&mut brush, dice, day, colour, &crown);
    Tree { sprite: brush.finish(), heights: [10.0, 17.0], crown: [0.55, 0.14, 0.42] }
}

fn bush_tree(dice: &mut Dice, day: &Daylight, colour: Rgb) -> Tree {
    Tree { sprite: shrub(dice, day, colour), heights: [1.5, 3.2], crown: [0.5, 0.6, 0.5] }
}

fn shrub(dice: &mut Dice, day: &Daylight, colour: Rgb) -> Sprite {
    let mut brush = Brush::new(140, 96);
    let crown = Crown {
        centre: [0.73, 0.58],
        radii: [0.55, 0.40],
        clusters: 34,
        cluster_radius: 0.16,
        leaves: 34,
        leaf_radius: 0.019,
    };
    paint_crown(&mut brush, dice, day, colour, &crown);
    brush.finish()
}

/// A cone of drooping branches; `snow` is the share of upper sides that lie under snow.
fn conifer(dice: &mut Dice, day: &Daylight, colour: Rgb, snow: f32) -> Tree {
    let aspect = dice.range(0.40, 0.52);
    let mut brush = Brush::new((TREE_ROWS as f32 * aspect) as usize, TREE_ROWS);
    let middle = 0.5 * aspect;
    brush.stroke([middle, 1.0], [middle, 0.05], [0.028, 0.006], bark(day, 0.8));
    let tiers = 17;
    for tier in (0..tiers).rev() {
        let h = (tier as f32 + 0.7) / tiers as f32;
        let reach = middle * (0.10 + 0.88 * h) * dice.range(0.8, 1.08);
        let base = 0.03 + 0.86 * h;
        let mut branches: Vec<f32> = (0..13).map(|_| dice.range(0.0, std::f32::consts::TAU)).collect();
        branches.sort_by(|a, b| libm::sinf(*a).total_cmp(&libm::sinf(*b)));
        for angle in branches {
            let (z, x) = (libm::sinf(angle), libm::cosf(angle));
            let length = reach * dice.range(0.7, 1.05);
            for i in 0..9 {
                let t = (i as f32 + dice.unit()) / 9.0;
                let place = [middle + x * length * t, base + 0.06 * t * (0.4 + h) - 0.012 * z];
                let place = [place[0] + dice.normal() * 0.006, place[1] + dice.normal() * 0.008];
                let tone = dice.range(0.6, 1.35);
                let open = (0.25 + 0.6 * t - 0.15 * h + 0.15 * z).clamp(0.08, 1.0);
                let mut needle = colour.map(|c| c * tone);
                if dice.chance(snow) && t > 0.25 {
                    needle = [0.72, 0.74, 0.78];
                }
                brush.disc(place[0], place[1], 0.009, day.on(needle, [x, 0.35, z], open), 0.9);
            }
        }
    }
    Tree { sprite: brush.finish(), heights: [8.0, 18.0], crown: [0.45, 0.40 * aspect, 0.42] }
}

fn bare_tree(dice: &mut Dice, day: &Daylight) -> Tree {
    let mut brush = Brush::new(150, TREE_ROWS);
    let colour = bark(day, 0.9);
    grow(&mut brush, dice, colour, [0.39, 1.0], std::f32::consts::FRAC_PI_2, 0.26, 0.042, 0);
    Tree { sprite: brush.finish(), heights: [6.0, 11.0], crown: [0.6, 0.2, 0.25] }
}

fn grow(
    brush: &mut Brush,
    dice: &mut Dice,
    colour: Rgb,
    from: [f32; 2],
    angle: f32,
    length: f32,
    width: f32,
    depth: u32,
) {
    let to = [from[0] + length * libm::cosf(angle), from[1] - length * libm::sinf(angle)];
    brush.stroke(from, to, [width, width * 0.7], colour);
    if depth < 6 {
        for _ in 0..2 + dice.pick(2) {
            let turn = dice.range(-0.75, 0.75);
            let next = length * dice.range(0.62, 0.85);
            grow(brush, dice, colour, to, angle + turn, next, width * 0.62, depth + 1);
        }
    }
}

fn cactus(dice: &mut Dice, day: &Daylight) -> Tree {
    let mut brush = Brush::new(110, TREE_ROWS);
    let colour = day.on([0.10, 0.13, 0.06], [-0.1, 0.3, 1.0], 0.7);
    brush.stroke([0.28, 1.0], [0.28, 0.08], [0.085, 0.075], colour);
    for side in [-1.0, 1.0] {
        let elbow = [0.28 + side * dice.range(0.13, 0.2), dice.range(0.45, 0.65)];
        brush.stroke([0.28, elbow[1] + 0.03], elbow, [0.055, 0.055], colour);
        brush.stroke(elbow, [elbow[0], elbow[1] - dice.range(0.15, 0.3)], [0.06, 0.05], colour);
    }
    Tree { sprite: brush.finish(), heights: [2.5, 5.5], crown: [0.5, 0.06, 0.5] }
}

fn blades(dice: &mut Dice, day: &Daylight, colour: Rgb) -> Sprite {
    let mut brush = Brush::new(96, 64);
    for _ in 0..90 {
        let x = 0.75 + dice.normal() * 0.25;
        let tip = [x + dice.normal() * 0.16, dice.range(0.1, 0.7)];
        let tone = dice.range(0.55, 1.3);
        let blade = day.on(colour.map(|c| c * tone), [dice.normal() * 0.4, 0.8, 0.6], 0.75);
        brush.stroke([0.75 + (x - 0.75) * 0.55, dice.range(0.88, 1.0)], tip, [0.022, 0.012], blade);
    }
    brush.finish()
}
