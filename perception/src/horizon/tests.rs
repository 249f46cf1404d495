//! Known foci: of made-up motion, and of pictures that grow away from a place.

use ndarray::{Array2, Array3};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::fit::{Block, PairFlow, focus, row};
use super::*;

const SIZE: [usize; 2] = [320, 240];

fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Pairs whose blocks move away from `at`, each pair with a turn of its own; a third of the blocks are on other cars.
fn pairs(at: [f32; 2], seed: u64) -> Vec<PairFlow> {
    let mut random = random(seed);
    let mut pair = || {
        let turn = [4.0 * random() - 2.0, 3.0 * random() - 1.5];
        let mut block = || {
            let place = [320.0 * random(), 240.0 * random()];
            let speed = 0.005 + 0.05 * random();
            let still = |i: usize| speed * (place[i] - at[i]) + turn[i];
            let noise = 0.2 * (random() - 0.5);
            let shift = match random() < 0.33 {
                true => [8.0 * random() - 4.0, 8.0 * random() - 4.0],
                false => [still(0) + noise, still(1) - noise],
            };
            Block { at: place, shift }
        };
        (0..60).map(|_| block()).collect()
    };
    (0..20).map(|_| pair()).collect()
}

#[test]
fn the_focus_is_found_in_spite_of_turns_and_other_cars() {
    for (number, at) in [[160.0, 108.0], [180.0, 84.0], [140.0, 140.0]].into_iter().enumerate() {
        let pairs = pairs(at, number as u64);
        let pairs: Vec<&PairFlow> = pairs.iter().collect();
        let [x, y] = focus(&pairs, SIZE);
        assert!((x * 320.0 - at[0]).abs() < 4.0 && (y * 240.0 - at[1]).abs() < 4.0, "{x} {y} instead of {at:?}");
        assert!((row(&pairs, SIZE, x) - y).abs() < 0.015);
    }
}

/// A picture `[240, 320, 3]` of smooth random patches, enlarged about `at` and moved down by `bump` rows. The left and right
/// quarters are near and grow three times as much as the middle: where all points were equally far, a turn could explain all.
fn grown(texture: &Array2<f32>, at: [f32; 2], growth: f32, bump: f32) -> Array3<u8> {
    let level = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, 198.0), y.clamp(0.0, 198.0));
        let (column, line, fx, fy) = (x as usize, y as usize, x.fract(), y.fract());
        let between = |line: usize| texture[[line, column]] * (1.0 - fx) + texture[[line, column + 1]] * fx;
        between(line) * (1.0 - fy) + between(line + 1) * fy
    };
    Array3::from_shape_fn((240, 320, 3), |(row, column, _)| {
        let growth = if (80..240).contains(&column) { growth } else { 1.0 + 3.0 * (growth - 1.0) };
        let x = at[0] + (column as f32 - at[0]) / growth;
        let y = at[1] + (row as f32 - bump - at[1]) / growth;
        (255.0 * level(10.0 + x / 2.0, 10.0 + y / 2.0)) as u8
    })
}

#[test]
fn pictures_that_grow_show_the_horizon() {
    let mut random = random(7);
    let at = [150.0, 96.0];
    let mut estimator = HorizonEstimator::default();
    for number in 0..10 {
        let texture = Array2::from_shape_fn((200, 200), |_| random());
        let bump = if number % 2 == 0 { 1.0 } else { -1.0 };
        let (earlier, later) = (grown(&texture, at, 1.0, 0.0), grown(&texture, at, 1.02, bump));
        estimator.add(earlier.view(), later.view()).unwrap();
    }
    let horizon = estimator.estimate().unwrap();
    assert!(
        (horizon.row_share - 0.4).abs() < 0.02 && (horizon.column_share - 150.0 / 320.0).abs() < 0.03,
        "{horizon:?}"
    );
    assert_eq!(horizon.pairs, 10);
}

#[test]
fn a_standing_or_turning_car_shows_none() {
    let mut random = random(3);
    let texture = Array2::from_shape_fn((200, 200), |_| random());
    let still = grown(&texture, [160.0, 96.0], 1.0, 0.0);
    let turned = Array3::from_shape_fn((240, 320, 3), |(y, x, c)| still[[y, (x + 8).min(319), c]]);
    let mut estimator = HorizonEstimator::default();
    for _ in 0..20 {
        estimator.add(still.view(), still.view()).unwrap();
        estimator.add(still.view(), turned.view()).unwrap();
    }
    assert_eq!((estimator.pairs(), estimator.estimate()), (0, None));
    let small = Array3::zeros((20, 30, 3));
    assert!(estimator.add(still.view(), small.view()).is_err());
    assert!(estimator.add(small.view(), small.view()).is_ok(), "too small to follow anything, and no fault");
}
