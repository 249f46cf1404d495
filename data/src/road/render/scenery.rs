//! What grows where: every plant follows from the seed and a stretch of road of [`CELL_M`].

use super::super::noise::{Dice, wave};
use super::super::style::{Land, Style};
use super::foliage::Foliage;

/// Length of road whose plants are decided together.
pub const CELL_M: f64 = 5.0;

/// Which picture a plant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Index of [`Foliage::trees`].
    Tree(usize),
    /// Index of [`Foliage::bushes`].
    Bush(usize),
    /// Index of [`Foliage::tufts`].
    Tuft(usize),
}

/// One plant.
#[derive(Debug, Clone, Copy)]
pub struct Plant {
    /// Metres along the road.
    pub s: f64,
    /// Metres to the left of its centre.
    pub left: f32,
    /// Metres.
    pub height: f32,
    /// Its picture.
    pub kind: Kind,
    /// Factor on its colours.
    pub tone: [f32; 3],
}

/// Rows of trees: nearest and farthest beyond the asphalt, and how likely a tree is in a cell of dense forest.
const TREE_ROWS: [(f32, f32, f32); 6] =
    [(3.6, 6.5, 0.42), (6.5, 11.0, 0.7), (11.0, 18.0, 0.8), (18.0, 28.0, 0.8), (28.0, 44.0, 0.85), (44.0, 75.0, 0.85)];

/// The scenery of one drive.
pub struct Scenery {
    seed: u64,
    half_width_m: f32,
    verge_m: f32,
    woods: f32,
    tree_weights: Vec<f32>,
    bush_share: f32,
    tuft_share: f32,
}

impl Scenery {
    /// The scenery of a seed.
    pub fn new(seed: u64, style: &Style, foliage: &Foliage) -> Self {
        let Land { trees, bushes_and_tufts: [bush_share, tuft_share], .. } = *style.country.land();
        let tree_weights = (0..foliage.trees.len()).map(|i| 1.0 / (1.0 + 0.6 * i as f32)).collect();
        Self {
            seed,
            half_width_m: style.half_width_m(),
            verge_m: style.gravel_m,
            woods: style.woods * trees,
            tree_weights,
            bush_share,
            tuft_share,
        }
    }

    /// How dense the forest is on a side, 0 to 1.
    pub fn density(&self, s: f64, side: f32) -> f32 {
        let purpose = if side > 0.0 { 0x776f_6f64 } else { 0x746f_7265 };
        let n = wave(self.seed, purpose, s / 95.0) + 0.5 * wave(self.seed, purpose + 7, s / 31.0);
        (self.woods + 0.75 * n - 0.12).clamp(0.02, 1.0)
    }

    /// Adds the plants of a cell whose nearest edge is at most `beside_m` beyond the asphalt.
    pub fn plants(&self, foliage: &Foliage, cell: i64, beside_m: f32, out: &mut Vec<Plant>) {
        for side in [1.0_f32, -1.0] {
            let mut dice = Dice::new(self.seed, if side > 0.0 { 0x6c70_6c61 } else { 0x7270_6c61 }, cell);
            let start = cell as f64 * CELL_M;
            let density = self.density(start, side);
            for (nearest, farthest, share) in TREE_ROWS {
                if nearest > beside_m {
                    break;
                }
                // Every row uses up the same number of dice, so that a short look finds the same trees as a long one.
                let mut d = Dice::new(dice.pick(1 << 20) as u64, 0x726f_7720, cell);
                if d.chance(share * density) {
                    let beside = d.range(nearest, farthest);
                    let kind = self.tree_kind(&mut d);
                    let [low, high] = foliage.trees[kind].heights;
                    let height = low + (high - low) * d.unit() * if nearest < 6.0 { 0.75 } else { 1.0 };
                    out.push(self.plant(&mut d, start, side * beside, height, Kind::Tree(kind)));
                }
            }
            let mut d = Dice::new(dice.pick(1 << 20) as u64, 0x6275_7368, cell);
            for (nearest, farthest) in [(2.2, 4.5), (4.5, 9.0), (9.0, 20.0)] {
                if d.chance(self.bush_share * (0.5 + density)) {
                    let beside = self.verge_m * 0.5 + d.range(nearest, farthest);
                    let height = d.range(0.7, 2.3);
                    let kind = Kind::Bush(d.pick(foliage.bushes.len()));
                    out.push(self.plant(&mut d, start, side * beside, height, kind));
                }
            }
        }
    }

    /// Adds the tufts of a cell.
    pub fn tufts(&self, foliage: &Foliage, cell: i64, out: &mut Vec<Plant>) {
        for side in [1.0_f32, -1.0] {
            let mut d = Dice::new(self.seed, if side > 0.0 { 0x6c74_7566 } else { 0x7274_7566 }, cell);
            for _ in 0..6 {
                if d.chance(self.tuft_share) {
                    let beside = self.verge_m + 0.25 + 3.2 * d.unit() * d.unit();
                    let height = d.range(0.18, 0.55);
                    let kind = Kind::Tuft(d.pick(foliage.tufts.len()));
                    out.push(self.plant(&mut d, cell as f64 * CELL_M, side * beside, height, kind));
                }
            }
        }
    }

    fn plant(&self, d: &mut Dice, start: f64, beside: f32, height: f32, kind: Kind) -> Plant {
        let bright = d.range(0.78, 1.18);
        let warm = d.range(-0.10, 0.10);
        Plant {
            s: start + CELL_M * f64::from(d.unit()),
            left: beside + self.half_width_m.copysign(beside),
            height,
            kind,
            tone: [bright * (1.0 + warm), bright, bright * (1.0 - warm)],
        }
    }

    fn tree_kind(&self, d: &mut Dice) -> usize {
        let total: f32 = self.tree_weights.iter().sum();
        let mut at = d.unit() * total;
        for (kind, weight) in self.tree_weights.iter().enumerate() {
            at -= weight;
            if at < 0.0 {
                return kind;
            }
        }
        0
    }
}
