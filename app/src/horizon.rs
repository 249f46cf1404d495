//! The horizon of a recorded drive, from how its pictures move: what a user needs to state a camera.

use std::sync::atomic::Ordering;

use anyhow::bail;
use deltasteer_data::{Frame, Source, SourceInfo};
use deltasteer_perception::horizon::{Horizon, HorizonEstimator};

use crate::drive::interrupted;

/// Places in the drive that are looked at; some are in bends or at a standstill.
const PLACES: usize = 100;
/// Between the two frames of a pair: shorter shows little motion, longer moves the road too far.
const INTERVAL_S: std::ops::Range<f64> = 0.03..0.12;

/// Looks for the horizon in pairs of frames spread over the drive; `None` where too little is seen of straight driving. The
/// source is left at another place than before.
///
/// # Errors
/// A source that fails or is no recording, or a signal.
pub fn find(source: &mut dyn Source) -> anyhow::Result<Option<Horizon>> {
    let Some(count) = source.info().frame_count.filter(|_| !source.info().live) else {
        bail!("{}: the horizon is looked for in recordings; expected a recorded drive", source.info().name);
    };
    let mut estimator = HorizonEstimator::default();
    let step = (count / PLACES).max(2);
    for first in (0..count).step_by(step) {
        if interrupted().load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        source.seek(first)?;
        let Some(earlier) = source.next_frame()? else { break };
        // The size may change within a recording.
        let later = next_in_time(source, &earlier)?.filter(|later| later.image.dim() == earlier.image.dim());
        if let Some(later) = later {
            estimator.add(earlier.image.view(), later.image.view())?;
        }
    }
    Ok(estimator.estimate())
}

/// The first frame that is long enough after `earlier`, unless that is too long.
fn next_in_time(source: &mut dyn Source, earlier: &Frame) -> anyhow::Result<Option<Frame>> {
    while let Some(frame) = source.next_frame()? {
        let since_s = frame.time_s - earlier.time_s;
        if since_s >= INTERVAL_S.start {
            return Ok((since_s < INTERVAL_S.end).then_some(frame));
        }
    }
    Ok(None)
}

/// What was found, in words.
pub fn words(found: Option<Horizon>, info: &SourceInfo) -> String {
    let Some(Horizon { row_share, spread, pairs, .. }) = found else {
        return "not found: too few straight stretches in motion, too few frames a second, or pairs that contradict each other".to_owned();
    };
    let row = row_share * info.height as f32;
    format!(
        "row {row:.0} of {} ({row_share:.2} of the height) by the motion of {pairs} pairs of frames, halves of them differ by {spread:.2}",
        info.height
    )
}

/// How to state the camera of a source whose horizon was found.
pub fn advice(found: Horizon, info: &SourceInfo) -> String {
    format!(
        "state the camera as --fov DEG --horizon {:.0}; DEG, the angle of view from edge to edge, is in the camera's data sheet and can't be \
         seen in the pictures",
        found.row_share * info.height as f32
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_of_the_road_is_found() {
        let mut source = deltasteer_data::open("road:3,seconds=40,size=320x240").unwrap();
        let found = find(source.as_mut()).unwrap().unwrap();
        let known = source.info().camera.horizon_row / 240.0;
        assert!((found.row_share - known).abs() < 0.04, "{found:?} instead of {known}");
        assert!(words(Some(found), source.info()).contains("of 240"));
        assert!(words(None, source.info()).starts_with("not found"));
        assert!(advice(found, source.info()).contains("--fov DEG --horizon "));
    }

    #[test]
    fn the_horizon_of_recorded_drives_is_found() {
        let Some(folder) = std::env::var_os("DELTASTEER_DATA") else {
            println!("SKIPPED: DELTASTEER_DATA is not set");
            return;
        };
        // One camera in one car; by eye the lines of the road meet at 0.45 to 0.48 of the height.
        for drive in ["udacity-ch2-hmb1", "udacity-ch2-hmb3", "udacity-ch2-hmb4"] {
            let path = std::path::Path::new(&folder).join(drive);
            let mut source = deltasteer_data::open(&path.display().to_string()).unwrap();
            let found = find(source.as_mut()).unwrap().unwrap();
            println!("{drive}: {found:?}");
            assert!((found.row_share - 0.46).abs() < 0.03, "{drive}: {found:?}");
        }
    }
}
