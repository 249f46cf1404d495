//! The files that `replay` writes: each kind gets every frame, then the finished drive.

pub(crate) mod charts;
mod columns;
mod kind;
mod mcap;
mod messages;
mod paint;
mod parquet;
pub(crate) mod report;
#[cfg(feature = "opencv")]
mod video;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use deltasteer_data::SourceInfo;

#[cfg(feature = "window")]
pub(crate) use self::columns::Columns;
pub use self::columns::Csv;
pub use self::kind::Export;
pub use self::mcap::jpeg;
use crate::drive::Drive;
use crate::model::Model;
use crate::pipeline::FrameResult;
use crate::warn;

/// The files to write, one a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// One line per frame.
    pub csv: Option<PathBuf>,
    /// The same columns as Parquet.
    pub parquet: Option<PathBuf>,
    /// Pictures, angles and work for Foxglove and Rerun.
    pub mcap: Option<PathBuf>,
    /// An MP4 with the overlays drawn in.
    pub video: Option<PathBuf>,
    /// A page of HTML.
    pub report: Option<PathBuf>,
}

impl Outputs {
    /// All that are asked for.
    pub fn paths(&self) -> Vec<&Path> {
        let all = [&self.csv, &self.parquet, &self.mcap, &self.video, &self.report];
        all.into_iter().flatten().map(PathBuf::as_path).collect()
    }

    /// Whether a file shows the pictures, and not numbers alone.
    pub fn show_pictures(&self) -> bool {
        self.mcap.is_some() || self.video.is_some() || self.report.is_some()
    }
}

/// All files asked for, each with the name it will have. They are begun before the work starts, so that a folder that cannot be
/// written is known at once.
pub struct Exports {
    open: Vec<(PathBuf, Box<dyn Export>)>,
    lost: Vec<String>,
}

/// What has become of the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Those that are complete.
    pub complete: Vec<PathBuf>,
    /// Those that are not, each with its reason, which is on standard error as well.
    pub lost: Vec<String>,
}

impl Exports {
    /// Begins the files.
    ///
    /// # Errors
    /// A file that cannot be begun, by name.
    pub fn open(outputs: &Outputs, info: &SourceInfo, model: &Model) -> anyhow::Result<Self> {
        let mut open: Vec<(PathBuf, Box<dyn Export>)> = Vec::new();
        if let Some(path) = &outputs.csv {
            open.push((path.clone(), Box::new(Csv::create(path, model)?)));
        }
        if let Some(path) = &outputs.parquet {
            open.push((path.clone(), Box::new(parquet::Parquet::create(path, info, model)?)));
        }
        if let Some(path) = &outputs.mcap {
            open.push((path.clone(), Box::new(mcap::Mcap::create(path)?)));
        }
        if let Some(path) = &outputs.report {
            open.push((path.clone(), Box::new(report::Report::create(path, info, model)?)));
        }
        if let Some(path) = &outputs.video {
            open.push((path.clone(), open_video(path, info)?));
        }
        Ok(Self { open, lost: Vec::new() })
    }

    /// Hands a frame to every file. One that cannot take it is given up; the others go on.
    pub fn frame(&mut self, result: &FrameResult) {
        let lost = &mut self.lost;
        self.open.retain_mut(|(path, export)| match export.frame(result) {
            Ok(()) => true,
            Err(error) => {
                lost.push(not_written(path, &error));
                false
            }
        });
    }

    /// Completes every file that was not given up.
    pub fn finish(self, drive: &Drive) -> Written {
        let mut written = Written { lost: self.lost, ..Written::default() };
        for (path, export) in self.open {
            match export.finish(drive) {
                Ok(()) => written.complete.push(path),
                Err(error) => {
                    written.lost.push(not_written(&path, &error));
                }
            }
        }
        written
    }
}

fn not_written(path: &Path, error: &anyhow::Error) -> String {
    let words = format!("{} is not written: {error:#}", path.display());
    warn!("deltasteer: {words}");
    words
}

#[cfg(feature = "opencv")]
fn open_video(path: &Path, info: &SourceInfo) -> anyhow::Result<Box<dyn Export>> {
    Ok(Box::new(video::Video::create(path, info)?))
}

#[cfg(not(feature = "opencv"))]
fn open_video(path: &Path, _info: &SourceInfo) -> anyhow::Result<Box<dyn Export>> {
    anyhow::bail!("--video {}: this build has no OpenCV; build with --features opencv", path.display())
}
