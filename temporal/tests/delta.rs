//! Properties of the delta cell that must hold for every kernel and size.
#![allow(clippy::unwrap_used)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use std::sync::Arc;

use deltasteer_temporal::{
    DeltaGru, DenseGru, GruWeights, Kernel, PackedGru, Storage, TemporalError, Thresholds, reference,
};
use ndarray::Array1;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A signal like a drive's features: a random walk in which some values rest.
fn walk(x: &mut Array1<f32>, rng: &mut ChaCha8Rng) {
    for value in x {
        if rng.random_bool(0.4) {
            *value = (0.97 * *value + rng.random_range(-0.3..0.3f32)).max(0.0);
        }
    }
}

/// The packed weights, and what the kernels see of them as weights for the oracle.
fn pack(weights: &GruWeights, storage: Storage) -> (Arc<PackedGru>, GruWeights) {
    let packed = Arc::new(PackedGru::new(weights, storage).unwrap());
    let seen = packed.decoded(weights);
    (packed, seen)
}

fn cell(weights: &GruWeights, thresholds: Thresholds) -> DeltaGru {
    DeltaGru::new(pack(weights, Storage::F32).0, thresholds).unwrap()
}

#[test]
fn delta_at_zero_equals_dense_over_a_thousand_steps() {
    for kernel in Kernel::available() {
        // Once with inputs of which many rest (only the others are walked), once with all of them new in each step.
        for rest in [true, false] {
            let mut rng = ChaCha8Rng::seed_from_u64(4);
            let weights = GruWeights::random(96, 64, &mut rng).unwrap();
            let (packed, _) = pack(&weights, Storage::F32);
            let mut delta = DeltaGru::with_kernel(packed.clone(), Thresholds::ZERO, kernel).unwrap();
            let mut dense = DenseGru::with_kernel(packed, kernel);
            let mut oracle = Array1::zeros(64);
            let mut x = Array1::zeros(96);
            let mut worst = [0.0f32; 2];
            for _ in 0..1000 {
                if rest {
                    walk(&mut x, &mut rng)
                } else {
                    x.mapv_inplace(|_| rng.random_range(-2.0..2.0))
                }
                oracle = reference::gru_step(&weights, x.view(), oracle.view());
                delta.step(x.view()).unwrap();
                dense.step(x.view()).unwrap();
                for (worst, cell) in worst.iter_mut().zip([delta.hidden(), dense.hidden()]) {
                    *worst = cell.iter().zip(&oracle).fold(*worst, |w, (a, b)| w.max((a - b).abs()));
                }
            }
            println!("{}: largest difference from the reference GRU, delta and dense: {worst:?}", kernel.name());
            assert!(worst[0] < 1e-5 && worst[1] < 1e-5, "{} {worst:?}", kernel.name());
        }
    }
}

/// A delta cell beside the instrumented oracle, for 20 steps.
fn compare(
    mut cell: DeltaGru,
    seen: &GruWeights,
    thresholds: Thresholds,
    rng: &mut ChaCha8Rng,
) -> Result<(), TestCaseError> {
    let mut oracle = reference::ReferenceDeltaGru::new(seen, thresholds);
    let mut x = Array1::zeros(seen.input_size());
    let (inputs, hidden) = (seen.input_size(), seen.hidden_size());
    let all = seen.macs();
    for _ in 0..20 {
        walk(&mut x, rng);
        (oracle.multiplications, oracle.multiplications_nonzero) = (0, 0);
        // The oracle goes on from the cell's own state, so that a value exactly at its threshold cannot part them.
        oracle.h.assign(&cell.hidden());
        let h_before = cell.hidden().to_owned();
        let count = cell.step(x.view()).unwrap();
        oracle.step(x.view());
        let active = (cell.delta_x().len() + cell.delta_h().len()) as u64;
        if 16 * active >= 15 * (inputs + hidden) as u64 {
            // So many that the cell multiplies all columns, and must say so.
            prop_assert_eq!(count.macs, all);
            prop_assert_eq!(oracle.multiplications, 3 * hidden as u64 * active);
        } else {
            prop_assert_eq!(count.macs, oracle.multiplications);
            prop_assert_eq!(count.macs_after_weight_sparsity, oracle.multiplications_nonzero);
        }
        prop_assert_eq!(count.columns_x as usize, cell.delta_x().len());
        prop_assert_eq!(count.columns_h as usize, cell.delta_h().len());
        prop_assert_eq!(cell.x_ref(), oracle.x_ref.view());
        prop_assert_eq!(cell.h_ref(), oracle.h_ref.view());
        for (a, b) in cell.hidden().iter().zip(&oracle.h) {
            prop_assert!((a - b).abs() < 1e-5, "{} {}", a, b);
        }
        for (x, x_ref) in x.iter().zip(cell.x_ref()) {
            prop_assert!((x - x_ref).abs() < thresholds.theta_x.max(f32::MIN_POSITIVE));
        }
        for (h, h_ref) in h_before.iter().zip(cell.h_ref()) {
            prop_assert!((h - h_ref).abs() < thresholds.theta_h.max(f32::MIN_POSITIVE));
        }
    }
    Ok(())
}

/// A dense cell beside the reference, for 5 steps.
fn dense_agrees(
    packed: &Arc<PackedGru>,
    seen: &GruWeights,
    kernel: Kernel,
    rng: &mut ChaCha8Rng,
) -> Result<(), TestCaseError> {
    let mut dense = DenseGru::with_kernel(packed.clone(), kernel);
    let mut oracle = Array1::zeros(seen.hidden_size());
    let mut x = Array1::zeros(seen.input_size());
    for _ in 0..5 {
        walk(&mut x, rng);
        oracle = reference::gru_step(seen, x.view(), oracle.view());
        dense.step(x.view()).unwrap();
        for (a, b) in dense.hidden().iter().zip(&oracle) {
            prop_assert!((a - b).abs() < 5e-6, "{} {}", a, b);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// In every variant and storage: counted work equals the multiplications that the instrumented reference does,
    /// the states agree, and no component drifts: what the products know of a value is never a threshold away from it.
    #[test]
    fn counts_are_true_and_nothing_drifts(
        inputs in 1usize..70, hidden in 1usize..50, theta_x in 0.0f32..0.6, theta_h in 0.0f32..0.3,
        pruned in 0.0f64..1.0, seed in any::<u64>(),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut weights = GruWeights::random(inputs, hidden, &mut rng).unwrap();
        for w in weights.weight_ih.iter_mut().chain(&mut weights.weight_hh) {
            if rng.random_bool(pruned) { *w = 0.0; }
        }
        let thresholds = Thresholds::new(theta_x, theta_h).unwrap();
        for storage in Storage::ALL {
            let (packed, seen) = pack(&weights, storage);
            for kernel in Kernel::available() {
                let cell = DeltaGru::with_kernel(packed.clone(), thresholds, kernel).unwrap();
                compare(cell, &seen, thresholds, &mut ChaCha8Rng::seed_from_u64(seed ^ 1))?;
                dense_agrees(&packed, &seen, kernel, &mut ChaCha8Rng::seed_from_u64(seed ^ 2))?;
            }
        }
    }

    /// NaN and infinities are refused by name, and the state stays as it was.
    #[test]
    fn bad_numbers_leave_the_state_alone(
        inputs in 1usize..70, place in 0usize..70,
        bad in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -2e6]),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(inputs as u64);
        let weights = GruWeights::random(inputs, 9, &mut rng).unwrap();
        let (packed, _) = pack(&weights, Storage::F32);
        for kernel in Kernel::available() {
            let mut poisoned = DeltaGru::with_kernel(packed.clone(), Thresholds::new(0.1, 0.05).unwrap(), kernel).unwrap();
            let mut clean = poisoned.clone();
            let mut dense = DenseGru::with_kernel(packed.clone(), kernel);
            let mut x = Array1::from_elem(inputs, 0.5);
            for _ in 0..5 {
                walk(&mut x, &mut rng);
                let mut bad_x = x.clone();
                bad_x[place % inputs] = bad;
                let dense_before = dense.hidden().to_owned();
                for refused in [poisoned.step(bad_x.view()), dense.step(bad_x.view())] {
                    match refused {
                        Err(TemporalError::InputNotFinite { index, .. }) => prop_assert_eq!(index, place % inputs),
                        other => prop_assert!(false, "{:?}", other),
                    }
                }
                prop_assert_eq!(dense.hidden(), dense_before);
                dense.step(x.view()).unwrap();
                poisoned.step(x.view()).unwrap();
                clean.step(x.view()).unwrap();
                prop_assert_eq!(poisoned.hidden(), clean.hidden());
                prop_assert_eq!(poisoned.x_ref(), clean.x_ref());
            }
        }
    }
}

#[test]
fn thresholds_below_zero_or_nan_are_refused_by_name() {
    for (theta_x, theta_h, name) in
        [(-0.1, 0.0, "theta_x"), (0.0, f32::NAN, "theta_h"), (f32::INFINITY, 0.0, "theta_x")]
    {
        let error = Thresholds::new(theta_x, theta_h).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("zero or more"), "{error}");
    }
    let weights = GruWeights::zeros(2, 2).unwrap();
    let mut cell = cell(&weights, Thresholds::ZERO);
    assert!(cell.set_thresholds(Thresholds { theta_x: -1.0, theta_h: 0.0 }).is_err());
    assert_eq!(cell.thresholds(), Thresholds::ZERO);
}

#[test]
fn sizes_and_lengths_are_checked() {
    for (inputs, hidden) in [(0, 3), (3, 0), (usize::MAX / 2, 4), (4, usize::MAX / 4), (4_000_000_000, 20_000)] {
        let error = GruWeights::zeros(inputs, hidden).unwrap_err().to_string();
        assert!(error.contains(&inputs.to_string()) && error.contains(&hidden.to_string()), "{error}");
    }
    let mut cell = cell(&GruWeights::zeros(3, 2).unwrap(), Thresholds::ZERO);
    let error = cell.step(Array1::zeros(4).view()).unwrap_err().to_string();
    assert!(error.contains('4') && error.contains('3'), "{error}");
}
