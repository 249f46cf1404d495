//! The focus of expansion that several pairs of frames have in common.
//!
//! A block at `p` moves by `s (p - e) + r`: away from the focus `e`, as fast as its distance says (`s > 0`, unknown), and with the
//! camera's small turn `r` of this pair. Across the line from `e` to `p` only the turn is left, so the part of the motion across
//! it, less that of the best `r`, is the residual. Blocks on other cars or badly followed are outliers: the cost grows with the
//! logarithm of their residuals only.

/// A block's middle and its motion, columns and rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Block {
    pub at: [f32; 2],
    pub shift: [f32; 2],
}

/// The blocks of one pair of frames.
pub(super) type PairFlow = Vec<Block>;

/// Where the focus is looked for, shares of width and height.
const RANGE_X: [f32; 2] = [0.3, 0.7];
const RANGE_Y: [f32; 2] = [0.2, 0.75];
/// Steps of the search: first everywhere, then around the best place.
const COARSE: f32 = 0.05;
const FINE: f32 = 0.01;
/// Residuals, in columns, from which on a block counts less.
const USUAL_RESIDUAL: f32 = 0.35;
/// Fits of a pair's turn, each with weights from the residuals of the one before.
const ROUNDS: usize = 4;
/// Keeps the turn of a pair whose blocks all lie in one direction finite.
const RIDGE: f32 = 1e-3;

/// The focus as shares of the width and height of pictures of `size` columns and rows.
pub(super) fn focus(pairs: &[&PairFlow], size: [usize; 2]) -> [f32; 2] {
    let steps = |range: [f32; 2], step: f32| {
        let count = ((range[1] - range[0]) / step).round() as usize;
        (0..=count).map(move |i| range[0] + step * i as f32)
    };
    let best = |xs: Vec<f32>, ys: Vec<f32>| {
        let places = xs.iter().flat_map(|&x| ys.iter().map(move |&y| [x, y]));
        lowest(places, |place| cost(pairs, size, place))
    };
    let [x, y] = best(steps(RANGE_X, COARSE).collect(), steps(RANGE_Y, COARSE).collect());
    let around = |middle: f32| steps([middle - COARSE, middle + COARSE], FINE).collect();
    best(around(x), around(y))
}

/// The row of the focus where its column is known, shares.
pub(super) fn row(pairs: &[&PairFlow], size: [usize; 2], column_share: f32) -> f32 {
    let count = ((RANGE_Y[1] - RANGE_Y[0]) / FINE).round() as usize;
    let places = (0..=count).map(|i| [column_share, RANGE_Y[0] + FINE * i as f32]);
    lowest(places, |place| cost(pairs, size, place))[1]
}

/// Whether a row is no minimum but the end of the search.
pub(super) fn at_the_edge(row_share: f32) -> bool {
    !(RANGE_Y[0] + FINE..=RANGE_Y[1] - FINE).contains(&row_share)
}

fn lowest(places: impl Iterator<Item = [f32; 2]>, cost: impl Fn([f32; 2]) -> f64) -> [f32; 2] {
    let costs = places.map(|place| (cost(place), place));
    costs.min_by(|a, b| a.0.total_cmp(&b.0)).map_or([0.5; 2], |(_, place)| place)
}

/// Mean cost of all blocks if `focus` (shares) were the focus.
fn cost(pairs: &[&PairFlow], size: [usize; 2], focus: [f32; 2]) -> f64 {
    let focus = [focus[0] * size[0] as f32, focus[1] * size[1] as f32];
    let sum: f64 = pairs.iter().map(|pair| pair_cost(pair, focus)).sum();
    let blocks: usize = pairs.iter().map(|pair| pair.len()).sum();
    sum / blocks.max(1) as f64
}

fn pair_cost(pair: &PairFlow, focus: [f32; 2]) -> f64 {
    // Direction across the line from the focus, and the motion along it.
    let across: Vec<([f32; 2], f32)> = pair
        .iter()
        .map(|block| {
            let [x, y] = [block.at[0] - focus[0], block.at[1] - focus[1]];
            // Next to the focus itself no direction means anything.
            let length = x.hypot(y) + 1.5;
            let normal = [-y / length, x / length];
            (normal, normal[0] * block.shift[0] + normal[1] * block.shift[1])
        })
        .collect();
    let mut turn = [0.0f32; 2];
    let mut weights = vec![1.0f32; pair.len()];
    let squared = |turn: [f32; 2], (normal, moved): &([f32; 2], f32)| {
        ((moved - normal[0] * turn[0] - normal[1] * turn[1]) / USUAL_RESIDUAL).powi(2)
    };
    for _ in 0..ROUNDS {
        let (mut xx, mut xy, mut yy, mut bx, mut by) = (RIDGE, 0.0, RIDGE, 0.0, 0.0);
        for (([nx, ny], moved), weight) in across.iter().zip(&weights) {
            xx += weight * nx * nx;
            xy += weight * nx * ny;
            yy += weight * ny * ny;
            bx += weight * nx * moved;
            by += weight * ny * moved;
        }
        let determinant = xx * yy - xy * xy;
        turn = [(yy * bx - xy * by) / determinant, (xx * by - xy * bx) / determinant];
        weights.iter_mut().zip(&across).for_each(|(weight, block)| *weight = 1.0 / (1.0 + squared(turn, block)));
    }
    across.iter().map(|block| f64::from(squared(turn, block)).ln_1p()).sum()
}
