//! Ego-motion of the drives that are learned from, measured once and kept beside the trunk outputs.

use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use deltasteer_perception::motion::{MotionConfig, MotionSensor};
use ndarray::Array2;

use super::part::Part;
use super::pooling::Done;
use crate::session::read_frames;

/// Measures a part's frames in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DriveMotion {
    /// Place of each row's frame in the source.
    pub index: Vec<u32>,
    /// `[frames, windows]`, rad/s.
    pub values: Array2<f32>,
}

/// Runs the part's frames through the motion sensor, without scale.
///
/// # Errors
/// A source that fails, or an interruption.
pub fn measure(
    part: &mut Part,
    config: &MotionConfig,
    stop: &AtomicBool,
    done: Done<'_>,
) -> anyhow::Result<DriveMotion> {
    let focal_widths = part.info.camera.focal_px / part.info.width as f32;
    let mut sensor = MotionSensor::new(&config.unscaled(), Some(focal_widths))?;
    let (mut index, mut values) = (Vec::new(), Vec::new());
    let stop = (stop, "interrupted; what is complete is in the cache");
    read_frames(part.source.as_mut(), part.range, stop, |frame| {
        values.extend(sensor.step(frame.image.view(), frame.time_s)?.values);
        index.push(frame.index as u32);
        done(1);
        Ok(true)
    })?;
    Ok(DriveMotion { values: Array2::from_shape_vec((index.len(), config.value_count()), values)?, index })
}

/// The configuration with the scale at which each value's standard deviation over the drives, as recorded and mirrored, is
/// `gain`.
///
/// # Errors
/// A window that never moves.
pub fn fit_scale<'a>(
    config: &MotionConfig,
    drives: impl Iterator<Item = &'a DriveMotion> + Clone,
) -> anyhow::Result<MotionConfig> {
    let mut scale = Vec::new();
    for (place, window) in config.windows.iter().enumerate() {
        let (mut squares, mut count) = (0.0f64, 0usize);
        for drive in drives.clone() {
            // With its mirror image each value has a mean of zero.
            let partner = config.windows.iter().position(|other| *other == window.mirrored()).unwrap_or(place);
            for column in [place, partner] {
                squares += drive.values.column(column).iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
                count += drive.values.nrows();
            }
        }
        let deviation = (squares / count.max(1) as f64).sqrt();
        if deviation < 1e-6 {
            bail!(
                "motion.windows: nothing moves in window {place} of the training drives; expected a window that does"
            );
        }
        scale.push((f64::from(config.gain) / deviation) as f32);
    }
    Ok(MotionConfig { scale, ..config.clone() })
}

/// Motion values of one version of a drive, `[frames, windows]`: odd versions are mirrored. Other alterations change nothing
/// from one frame to the next.
pub fn version(config: &MotionConfig, drive: &DriveMotion, version: usize) -> Array2<f32> {
    let mut values = drive.values.clone();
    let mut mirrored = vec![0.0; config.value_count()];
    for mut row in values.rows_mut() {
        if version % 2 == 1 {
            config.mirror(&row.to_vec(), &mut mirrored);
            row.iter_mut().zip(&mirrored).for_each(|(value, mirrored)| *value = *mirrored);
        }
        row.iter_mut().zip(&config.scale).for_each(|(value, scale)| *value *= scale);
    }
    values
}

/// Checks that both readings of a drive saw the same frames.
///
/// # Errors
/// A cache that holds another drive's motion.
pub fn same_frames(motion: &DriveMotion, index: &[u32], name: &str) -> anyhow::Result<()> {
    let other = || format!("{name}: its frames changed between two readings; the same command reads it anew");
    (motion.index == index).then_some(()).with_context(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltasteer_perception::motion::MotionWindow;

    #[test]
    fn a_mirrored_version_turns_the_other_way_and_the_scale_is_that_of_both() {
        let window = |left| MotionWindow { rows_of_480: [80, 180], columns_of_320: [left, left + 100] };
        let config = MotionConfig {
            windows: vec![window(50), window(170), window(110)],
            scale: vec![1.0; 3],
            gain: 2.0,
            ..MotionConfig::default()
        };
        let values = ndarray::arr2(&[[0.1, 0.3, 0.2], [0.1, -0.3, -0.2]]);
        let drive = DriveMotion { index: vec![0, 1], values };
        let config = fit_scale(&config, [drive.clone()].iter()).unwrap();
        let side = 2.0 / f32::sqrt((0.01 + 0.09) / 2.0);
        for (scale, expected) in config.scale.iter().zip([side, side, 10.0]) {
            assert!((scale - expected).abs() < 1e-4, "{scale} {expected}");
        }
        let (plain, mirrored) = (version(&config, &drive, 2), version(&config, &drive, 3));
        for (row, mirrored) in plain.rows().into_iter().zip(mirrored.rows()) {
            assert_eq!([-row[1], -row[0], -row[2]], [mirrored[0], mirrored[1], mirrored[2]]);
        }
        let still = DriveMotion { values: Array2::zeros((2, 3)), ..drive };
        assert!(fit_scale(&config, [still].iter()).unwrap_err().to_string().contains("window 0"));
    }
}
