//! The drive as a video with the overlays drawn in.

use std::path::Path;

use deltasteer_data::{CameraGeometry, SourceInfo, VideoWriter};
use ndarray::Array3;

use super::kind::Export;
use super::paint;
use crate::drive::Drive;
use crate::output::OutputPath;
use crate::pipeline::FrameResult;

/// The rate of a source that states none, and of a live feed, whose own rate is not to be trusted: frames a second.
const USUAL_RATE_HZ: f64 = 25.0;
/// A longer pause between two frames is shortened to this: a clock may jump by years.
const LONGEST_PAUSE_S: f64 = 60.0;

/// The video being written. It has a steady rate, so that a picture is repeated where frames are late or missing.
pub(super) struct Video {
    writer: VideoWriter,
    output: OutputPath,
    camera: CameraGeometry,
    /// Columns and rows of every frame: those of the first.
    size: (usize, usize),
    rate_hz: f64,
    first_s: Option<f64>,
    written: u64,
    /// The newest picture, which is written when it is known for how long it stands.
    last: Option<Array3<u8>>,
}

impl Video {
    pub fn create(path: &Path, info: &SourceInfo) -> anyhow::Result<Self> {
        let output = OutputPath::create(path, ".mp4")?;
        let stated = info.rate_hz.is_finite() && info.rate_hz > 0.0 && !info.live;
        let rate_hz = if stated { info.rate_hz } else { USUAL_RATE_HZ };
        let size = (info.width, info.height);
        let writer = VideoWriter::create(output.temporary(), size.0, size.1, rate_hz)?;
        Ok(Self { writer, output, camera: info.camera, size, rate_hz, first_s: None, written: 0, last: None })
    }

    /// Writes the last picture until the video has `frames` frames.
    fn fill(&mut self, frames: u64) -> anyhow::Result<()> {
        let Some(picture) = &self.last else { return Ok(()) };
        while self.written < frames {
            self.writer.write(picture)?;
            self.written += 1;
        }
        Ok(())
    }
}

impl Export for Video {
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        let since_s = result.time_s - *self.first_s.get_or_insert(result.time_s);
        let due = (since_s.max(0.0) * self.rate_hz).round() as u64;
        let pause = due.saturating_sub(self.written);
        let surplus = pause.saturating_sub((LONGEST_PAUSE_S * self.rate_hz) as u64);
        self.first_s = self.first_s.map(|first_s| first_s + surplus as f64 / self.rate_hz);
        self.fill(due - surplus)?;
        self.last = Some(paint::overlaid(result, &self.camera, self.size)?);
        Ok(())
    }

    fn finish(mut self: Box<Self>, _drive: &Drive) -> anyhow::Result<()> {
        self.fill(self.written + 1)?;
        self.writer.finish()?;
        self.output.finish()
    }
}
