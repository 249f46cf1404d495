//! Angles for the frames of a video.

use std::path::Path;

use crate::folder::{name_of, read_text};
use crate::recorded::Tally;
use crate::signal::Signal;
use crate::table::{self, Table};
use crate::{DataError, SteeringUnit, remote};

/// What is known of a video's frames beside their pictures.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "opencv"), allow(dead_code))] // without OpenCV nobody reads them
pub(crate) struct Labels {
    /// The format in plain words.
    pub format: &'static str,
    /// Seconds from any origin, one per frame; empty if the video's own rate counts.
    pub raw_times_s: Vec<f64>,
    /// One per frame of `raw_times_s`.
    pub steering_true_rad: Vec<Option<f32>>,
    /// Angles by seconds from the first frame, where the frames' own times are those of the video.
    pub by_time: Option<Signal>,
    /// The unit of the recording's own angles.
    pub steering_unit: SteeringUnit,
    /// The rate if nothing states one.
    pub assumed_hz: f64,
    /// Findings in plain words.
    pub notes: Vec<String>,
}

impl Labels {
    /// None at all.
    pub(crate) fn none(format: &'static str) -> Self {
        Self {
            format,
            raw_times_s: Vec::new(),
            steering_true_rad: Vec::new(),
            by_time: None,
            steering_unit: SteeringUnit::Radians,
            assumed_hz: 25.0,
            notes: Vec::new(),
        }
    }
}

/// The labels of a video file: those of `NAME.csv` beside `NAME.mp4`, if that exists.
///
/// The CSV has a header with `time_s`, seconds from the first frame, and `steering_rad` or `steering_deg`, the angle of the
/// steering wheel, positive to the left. Its lines need not lie at the times of frames: angles are interpolated.
///
/// # Errors
/// [`DataError::Io`], or [`DataError::BadFile`] if a column is missing.
pub(super) fn beside(video: &Path) -> Result<Labels, DataError> {
    let path = video.with_extension("csv");
    let mut labels = Labels::none("video file");
    if path.is_file() {
        labels.by_time = Some(parse(&read_text(&path)?, &path, &mut labels.notes)?);
    } else {
        labels.notes.push(format!("no {} beside it: replay without true angles", name_of(&path)));
    }
    Ok(labels)
}

/// The same for a video on a server; `url` is that of the CSV file.
///
/// # Errors
/// As [`beside`], and those of [`remote::text`].
pub(super) fn beside_url(url: &str) -> Result<Labels, DataError> {
    let mut labels = Labels::none("video file");
    match remote::text(url)? {
        Ok(text) => labels.by_time = Some(parse(&text, Path::new(url), &mut labels.notes)?),
        Err(reason) => {
            let name = remote::file_name(url).unwrap_or(url);
            labels.notes.push(format!("no {name} beside it ({reason}): replay without true angles"));
        }
    }
    Ok(labels)
}

pub(super) fn parse(text: &str, path: &Path, notes: &mut Vec<String>) -> Result<Signal, DataError> {
    let table = Table::parse(text, path, &["time_s"])?;
    let mut angles = table.angle_columns(path)?;
    let time_at = table.column("time_s").unwrap_or(0);
    let mut bad_times = Tally::default();
    let (mut times_s, mut values) = (Vec::new(), Vec::new());
    for line in &table.lines {
        let angle = angles.of(line);
        match table::number(line.get(time_at)) {
            Ok(time_s) => angle.into_iter().for_each(|angle| {
                times_s.push(time_s);
                values.push(f64::from(angle));
            }),
            Err(found) => bad_times.add(|| format!("line {}: {found}", line.number)),
        }
    }
    bad_times.note("label lines have no usable time", notes);
    angles.unusable.note("label lines have no usable angle", notes);
    table.too_long.note(table::TOO_LONG, notes);
    table::seconds(&mut times_s, notes);
    Ok(Signal::new(times_s.into_iter().zip(values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_beside_the_video_gives_angles_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("drive.mp4");
        assert!(beside(&video).unwrap().notes[0].contains("no drive.csv beside it"));
        std::fs::write(video.with_extension("csv"), "time_s,steering_deg\n0.5,90\n0,0\nx,1\n0.2,NaN\n").unwrap();
        let labels = beside(&video).unwrap();
        let angle = labels.by_time.unwrap().at(0.25).unwrap();
        assert!((angle - std::f64::consts::FRAC_PI_4).abs() < 1e-6);
        assert_eq!(labels.notes.len(), 2, "{:?}", labels.notes);
        std::fs::write(video.with_extension("csv"), "time_s,angle\n").unwrap();
        assert!(beside(&video).err().unwrap().to_string().contains("steering_rad or steering_deg"));
    }
}
