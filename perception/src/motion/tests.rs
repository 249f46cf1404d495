use ndarray::Array3;
use proptest::prelude::*;

use super::config::{MotionConfig, MotionWindow, PROFILE_COLUMNS};
use super::{ASSUMED_FOCAL_WIDTHS, MotionSensor};

const DT_S: f64 = 0.05;

/// A textured scene moved to the right by `right` 320ths of the width; `gain` and `offset` are its exposure.
fn scene(width: usize, height: usize, seed: u32, right: f64, (gain, offset): (f64, f64)) -> Array3<u8> {
    Array3::from_shape_fn((height, width, 3), |(row, column, colour)| {
        let x = (column as f64 + 0.5) * 320.0 / width as f64 - right;
        let wave = |k: u32| {
            let phase = f64::from(seed.wrapping_mul(2_654_435_761).wrapping_add(k * 7919) % 1000) / 159.0;
            (x * std::f64::consts::TAU / (9.0 + 7.3 * f64::from(k)) + phase).sin()
        };
        let value = (0..7).map(wave).sum::<f64>() * 14.0 + (row % 7) as f64 + 5.0 * colour as f64;
        (120.0 + offset + gain * value).clamp(0.0, 255.0).round() as u8
    })
}

/// All nine windows, no smoothing, in columns of 320 moved to the right per frame of `DT_S`.
fn nine() -> MotionConfig {
    let rows = [[80, 180], [180, 240], [280, 400]];
    let columns = [[30, 130], [110, 210], [190, 290]];
    let windows = rows.iter().flat_map(|&rows_of_480| {
        columns.iter().map(move |&columns_of_320| MotionWindow { rows_of_480, columns_of_320 })
    });
    let windows: Vec<_> = windows.collect();
    let columns_per_rad_s = ASSUMED_FOCAL_WIDTHS * PROFILE_COLUMNS as f32 * DT_S as f32;
    MotionConfig { scale: vec![columns_per_rad_s; 9], windows, gain: 1.0, time_constant_s: 0.0 }
}

fn sensor() -> MotionSensor {
    MotionSensor::new(&nine(), None).unwrap()
}

/// Values after each of the frames, and the last confidence.
fn values(sensor: &mut MotionSensor, frames: &[(Array3<u8>, f64)]) -> Vec<Vec<f32>> {
    frames.iter().map(|(frame, time_s)| sensor.step(frame.view(), *time_s).unwrap().values.to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_shift_is_found_to_a_tenth_of_a_column(
        seed in 0u32..1000, right in -20.0f64..20.0, size in prop::sample::select(vec![(640, 480), (320, 160), (1280, 720), (257, 131)]),
        gain in 0.4f64..1.4, offset in -40.0f64..20.0,
    ) {
        let frames = [(scene(size.0, size.1, seed, 0.0, (1.0, 0.0)), 7.0), (scene(size.0, size.1, seed, right, (gain, offset)), 7.0 + DT_S)];
        let found = values(&mut sensor(), &frames);
        prop_assert!(found[0].iter().all(|value| *value == 0.0));
        for value in &found[1] {
            prop_assert!((f64::from(*value) - right).abs() < 0.1, "{value} instead of {right}");
        }
        // The mirrored drive: windows change places, and every turn goes the other way.
        let mirror = |frame: &Array3<u8>| frame.slice(ndarray::s![.., ..;-1, ..]).to_owned();
        let mirrored = frames.iter().map(|(frame, time_s)| (mirror(frame), *time_s)).collect::<Vec<_>>();
        let mut expected = [0.0; 9];
        nine().mirror(&found[1], &mut expected);
        for (value, expected) in values(&mut sensor(), &mirrored)[1].iter().zip(expected) {
            prop_assert!((value - expected).abs() < 0.01, "{value} instead of {expected}");
        }
    }

    #[test]
    fn no_picture_and_no_clock_breaks_it(
        width in 1usize..70, height in 1usize..70, bytes in prop::collection::vec(any::<u8>(), 64),
        times in prop::collection::vec(prop::sample::select(vec![0.0, 0.01, 0.05, 0.1, 9.0, -3.0, f64::NAN, f64::INFINITY]), 6),
    ) {
        let mut sensor = sensor();
        for (n, time_s) in times.into_iter().enumerate() {
            let frame = Array3::from_shape_fn((height, width, 3), |(y, x, c)| bytes[(y * 31 + x * 7 + c + n * 13) % 64]);
            let motion = sensor.step(frame.view(), time_s).unwrap();
            prop_assert!(motion.values.iter().all(|value| value.is_finite()));
            prop_assert!(motion.confidence.iter().all(|confidence| (0.0..=1.0).contains(confidence)));
        }
    }
}

/// A steady turn of `columns` a frame, frame by frame.
fn turn(columns: f64, frames: usize) -> Vec<(Array3<u8>, f64)> {
    (0..frames).map(|i| (scene(320, 240, 5, columns * i as f64, (1.0, 0.0)), DT_S * i as f64)).collect()
}

fn close(values: &[f32], expected: f64) -> bool {
    values.iter().all(|value| (f64::from(*value) - expected).abs() < 0.1)
}

#[test]
fn a_repeated_frame_changes_nothing_and_the_next_one_is_measured_over_the_whole_time() {
    let mut frames = turn(3.0, 5);
    frames[3].0 = frames[2].0.clone();
    let found = values(&mut sensor(), &frames);
    assert!(found[1..].iter().all(|values| close(values, 3.0)), "{found:?}");
    // A picture that stands still for long is a car that stands.
    let still = (0..20).map(|i| (frames[4].0.clone(), 0.2 + DT_S * f64::from(i))).collect::<Vec<_>>();
    let mut sensor = sensor();
    values(&mut sensor, &frames);
    assert!(close(values(&mut sensor, &still).last().unwrap(), 0.0));
}

#[test]
fn uneven_times_are_divided_out() {
    let at = |time_s: f64| (scene(320, 240, 5, 40.0 * time_s, (1.0, 0.0)), time_s);
    // 40 columns a second are 2 a frame; at 100 Hz as at 10 Hz.
    for times in [vec![0.0, 0.03, 0.1, 0.13], (0..20).map(|i| f64::from(i) * 0.01).collect(), vec![0.0, 0.1, 0.2]] {
        let frames: Vec<_> = times.iter().map(|time_s| at(*time_s)).collect();
        let found = values(&mut sensor(), &frames);
        assert!(found[1..].iter().all(|values| close(values, 2.0)), "{times:?}: {found:?}");
    }
}

#[test]
fn across_a_gap_a_cut_or_the_dark_nothing_is_measured_and_the_rate_fades() {
    let before = turn(3.0, 4);
    let last = |next: (Array3<u8>, f64)| {
        let mut sensor = sensor();
        values(&mut sensor, &before);
        let motion = sensor.step(next.0.view(), next.1).unwrap();
        (motion.values.to_vec(), motion.confidence.to_vec())
    };
    let dark = Array3::from_elem((240, 320, 3), 3);
    // Blocks of seven columns whose brightness is a hash: nothing of the drive before.
    let cut =
        Array3::from_shape_fn((240, 320, 3), |(_, x, _)| ((x as u32 / 7 + 1).wrapping_mul(2_654_435_761) >> 24) as u8);
    let gap = scene(320, 240, 5, 9.0, (1.0, 0.0));
    for (name, next, most) in [("dark", (dark, 0.2), 3.1), ("gap", (gap, 5.15), 0.1), ("cut", (cut, 0.2), 6.0)] {
        let (values, confidence) = last(next);
        assert!(confidence.iter().all(|confidence| *confidence < 0.8), "{name}: {confidence:?}");
        assert!(values.iter().all(|value| value.abs() <= most), "{name}: {values:?}");
    }
    // Time that runs backwards is another drive.
    assert_eq!(last((scene(320, 240, 5, 12.0, (1.0, 0.0)), -1.0)).0, vec![0.0; 9]);
}

#[test]
fn a_longer_lens_sees_the_same_turn_as_a_larger_shift() {
    let config = MotionConfig { time_constant_s: 0.0, ..MotionConfig::default() };
    let rate = |focal: f32, columns: f64| {
        let mut sensor = MotionSensor::new(&config, Some(focal)).unwrap();
        values(&mut sensor, &turn(columns, 3)).pop().unwrap()[0]
    };
    let (wide, narrow) = (rate(0.6, 3.0), rate(1.2, 6.0));
    assert!((wide / narrow - 1.0).abs() < 0.02 && wide > 0.0, "{wide} {narrow}");
    assert!((f64::from(wide) - 3.0 / (0.6 * 320.0 * DT_S)).abs() < 0.02, "{wide} rad/s");
}

#[test]
fn smoothing_starts_at_once_and_then_lags() {
    let config = MotionConfig { time_constant_s: 0.1, ..nine() };
    let mut sensor = MotionSensor::new(&config, None).unwrap();
    let found = values(&mut sensor, &turn(3.0, 4));
    assert!(found[1].iter().all(|value| *value > 2.0), "{found:?}");
    let turned = scene(320, 240, 5, 9.0 - 3.0, (1.0, 0.0));
    let next = sensor.step(turned.view(), 4.0 * DT_S).unwrap().values.to_vec();
    assert!(next.iter().all(|value| *value > -1.0 && *value < 2.0), "{next:?}");
}

#[test]
fn work_is_counted_from_the_sizes() {
    let mut sensor = sensor();
    let frames = turn(1.0, 2);
    let work: Vec<u64> = frames.iter().map(|(frame, time)| sensor.step(frame.view(), *time).unwrap().macs).collect();
    // Three bands of 50, 30 and 60 of the 240 rows, 960 values each; then nine windows of 100 columns.
    assert_eq!(work[0], (50 + 30 + 60) * 960 + 3 * (960 + 4 * 320));
    // A window in the middle needs 45 columns on both sides, and one more on the right: 191 of the 320.
    let middle = MotionWindow { rows_of_480: [80, 180], columns_of_320: [110, 210] };
    let alone = MotionConfig { windows: vec![middle], scale: vec![1.0], ..MotionConfig::default() };
    let (frame, time_s) = &frames[0];
    let alone = MotionSensor::new(&alone, None).unwrap().step(frame.view(), *time_s).unwrap().macs;
    assert_eq!(alone, 51 * 3 * 192 + 4 * 191);
    assert_eq!(work[1] - work[0], 9 * (61 * 3 * 100 + 3 * 100));
}

#[test]
fn configurations_that_make_no_sense_are_named() {
    let window = |rows_of_480, columns_of_320| MotionWindow { rows_of_480, columns_of_320 };
    let with =
        |window: MotionWindow| MotionConfig { windows: vec![window], scale: vec![1.0], ..MotionConfig::default() };
    for (config, named) in [
        (with(window([90, 80], [110, 210])), "rows_of_480 is [90, 80]"),
        (with(window([80, 481], [110, 210])), "<= 480"),
        (with(window([80, 180], [20, 210])), "columns_of_320 is [20, 210]"),
        (with(window([80, 180], [40, 140])), "mirror image of columns [40, 140]"),
        (MotionConfig { windows: vec![], ..MotionConfig::default() }, "1 to 64"),
        (MotionConfig { scale: vec![1.0, f32::NAN, 1.0], ..MotionConfig::default() }, "motion.scale"),
        (MotionConfig { gain: 0.0, ..MotionConfig::default() }, "motion.gain"),
        (MotionConfig { time_constant_s: -1.0, ..MotionConfig::default() }, "time_constant_s"),
    ] {
        let error = MotionSensor::new(&config, None).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    let error = MotionSensor::new(&MotionConfig::default(), Some(0.0)).unwrap_err().to_string();
    assert!(error.contains("focal"), "{error}");
    let error = sensor().step(Array3::zeros((0, 4, 3)).view(), 0.0).unwrap_err().to_string();
    assert!(error.contains("at least one pixel"), "{error}");
}
