//! The bench measures what it says: as many columns as asked for, and settings that make no sense are refused.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use deltasteer_temporal::{
    GruWeights, Head, RnnWeights, Storage, TemporalConfig, Thresholds,
    bench::{BenchSettings, run, run_streams, time_drive},
};
use std::time::Duration;

fn quick() -> BenchSettings {
    BenchSettings {
        sizes: vec![(40, 24)],
        occupancies: vec![0.0, 0.25, 1.0],
        storages: Storage::ALL.to_vec(),
        seconds_per_row: 0.001,
        seed: 3,
    }
}

#[test]
fn rows_hold_the_occupancy_asked_for() {
    let mut told = Vec::new();
    let rows = run(&quick(), &mut |done, of| {
        told.push((done, of));
        true
    })
    .unwrap();
    assert_eq!((rows.len(), told.first(), told.last()), (15, Some(&(0, 15)), Some(&(15, 15))));
    for (row, columns) in rows.iter().zip([0, 16, 64].into_iter().cycle()) {
        assert_eq!(row.columns, columns, "{row:?}");
        assert!(row.step_us_delta > 0.0 && row.step_us_dense > 0.0 && row.dense_bandwidth_share > 0.0, "{row:?}");
    }
}

#[test]
fn it_ends_early_when_told_to() {
    assert_eq!(run(&quick(), &mut |done, _| done < 2).unwrap().len(), 2);
}

#[test]
fn senseless_settings_are_refused() {
    let occupancy = BenchSettings { occupancies: vec![1.5], ..quick() };
    assert!(run(&occupancy, &mut |_, _| true).unwrap_err().to_string().contains("occupancy is 1.5"));
    let size = BenchSettings { sizes: vec![(0, 4)], ..quick() };
    assert!(run(&size, &mut |_, _| true).unwrap_err().to_string().contains("0 inputs and 4 hidden"));
    let time = BenchSettings { seconds_per_row: f64::NAN, ..quick() };
    assert!(run(&time, &mut |_, _| true).is_err());
}

#[test]
fn drives_and_streams_are_timed() {
    let config = TemporalConfig::new(5, 3);
    let weights = RnnWeights::new(GruWeights::zeros(5, 3).unwrap(), Head::zeros(3), &config).unwrap();
    let features = vec![0.5; 5 * 70];
    let times = time_drive(&weights, Thresholds::ZERO, &features, Duration::from_millis(1)).unwrap();
    assert!(times.step_us_delta > 0.0 && times.step_us_dense > 0.0);
    assert!(time_drive(&weights, Thresholds::ZERO, &[], Duration::ZERO).is_err());
    assert!(time_drive(&weights, Thresholds::ZERO, &features[1..], Duration::ZERO).is_err());
    let rows = run_streams(&weights, Thresholds::ZERO, &features, &[1, 3], &[1, 2]).unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.streams, row.threads)).collect();
    assert_eq!(seen, [(1, 1), (1, 2), (3, 1), (3, 2)]);
}
