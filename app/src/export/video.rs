//! The drive as a video with the overlays drawn in.

use std::path::Path;

use deltasteer_data::{CameraGeometry, SourceInfo, VideoWriter};

use super::{Export, paint};
use crate::drive::Drive;
use crate::output::OutputPath;
use crate::pipeline::FrameResult;

/// The rate of a source that states none, frames a second.
const USUAL_RATE_HZ: f64 = 20.0;

/// The video being written; frames that could not be read are not in it.
pub(super) struct Video {
    writer: VideoWriter,
    output: OutputPath,
    camera: CameraGeometry,
    /// Columns and rows of every frame: those of the first.
    size: (usize, usize),
}

impl Video {
    pub fn create(path: &Path, info: &SourceInfo) -> anyhow::Result<Self> {
        let output = OutputPath::create(path, ".mp4")?;
        let rate_hz = if info.rate_hz.is_finite() && info.rate_hz > 0.0 { info.rate_hz } else { USUAL_RATE_HZ };
        let size = (info.width, info.height);
        let writer = VideoWriter::create(output.temporary(), size.0, size.1, rate_hz)?;
        Ok(Self { writer, output, camera: info.camera, size })
    }
}

impl Export for Video {
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        Ok(self.writer.write(&paint::overlaid(result, &self.camera, self.size)?)?)
    }

    fn finish(self: Box<Self>, _drive: &Drive) -> anyhow::Result<()> {
        self.writer.finish()?;
        self.output.finish()
    }
}
