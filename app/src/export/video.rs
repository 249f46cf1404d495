//! The drive as a video with the overlays burnt in.

use std::path::Path;

use deltasteer_data::{CameraGeometry, SourceInfo, VideoWriter};

use super::Export;
use super::paint;
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
}

impl Video {
    pub fn create(path: &Path, info: &SourceInfo) -> anyhow::Result<Self> {
        let output = OutputPath::create(path, ".partial.mp4")?;
        let rate_hz = if info.rate_hz.is_finite() && info.rate_hz > 0.0 { info.rate_hz } else { USUAL_RATE_HZ };
        let writer = VideoWriter::create(output.temporary(), info.width, info.height, rate_hz)?;
        Ok(Self { writer, output, camera: info.camera })
    }
}

impl Export for Video {
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        Ok(self.writer.write(&paint::overlaid(result, &self.camera)?)?)
    }

    fn finish(self: Box<Self>, _drive: &Drive) -> anyhow::Result<()> {
        self.writer.finish()?;
        self.output.finish()
    }
}
