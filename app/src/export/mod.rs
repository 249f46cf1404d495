//! Taking a drive's results away: each kind of file gets every frame, then the finished drive.

mod charts;
mod columns;
mod mcap;
mod messages;
mod paint;
mod parquet;
mod report;
mod table;
#[cfg(feature = "opencv")]
mod video;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use deltasteer_data::SourceInfo;

use crate::cli::ExportArgs;
use crate::drive::Drive;
use crate::model::Model;
use crate::pipeline::FrameResult;

/// A file in the making. Dropped before [`Export::finish`], it leaves nothing behind.
pub trait Export {
    /// Takes in the next frame.
    ///
    /// # Errors
    /// What keeps the file from being written.
    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()>;

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// As [`Export::frame`].
    fn finish(self: Box<Self>, drive: &Drive) -> anyhow::Result<()>;
}

/// All files asked for, each with the name it will have. Begun before the work starts, so that a folder that cannot be
/// written is known at once.
pub struct Exports(Vec<(PathBuf, Box<dyn Export>)>);

impl Exports {
    /// Begins the files that `args` names.
    ///
    /// # Errors
    /// A file that cannot be made, by name.
    pub fn open(args: &ExportArgs, info: &SourceInfo, model: &Arc<Model>) -> anyhow::Result<Self> {
        let mut all: Vec<(PathBuf, Box<dyn Export>)> = Vec::new();
        if let Some(path) = &args.csv {
            all.push((path.clone(), Box::new(table::Table::create(path, model)?)));
        }
        if let Some(path) = &args.parquet {
            all.push((path.clone(), Box::new(parquet::Parquet::create(path, info, model)?)));
        }
        if let Some(path) = &args.mcap {
            all.push((path.clone(), Box::new(mcap::Mcap::create(path)?)));
        }
        if let Some(path) = &args.report {
            all.push((path.clone(), Box::new(report::Report::create(path, info, model)?)));
        }
        if let Some(path) = &args.video {
            all.push((path.clone(), open_video(path, info)?));
        }
        Ok(Self(all))
    }

    /// Hands a frame to every file.
    ///
    /// # Errors
    /// The first file that cannot take it.
    pub fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        self.0.iter_mut().try_for_each(|(_, export)| export.frame(result))
    }

    /// Completes every file; their names.
    ///
    /// # Errors
    /// The first file that cannot be completed.
    pub fn finish(self, drive: &Drive) -> anyhow::Result<Vec<PathBuf>> {
        let finish = |(path, export): (PathBuf, Box<dyn Export>)| export.finish(drive).map(|()| path);
        self.0.into_iter().map(finish).collect()
    }
}

#[cfg(feature = "opencv")]
fn open_video(path: &std::path::Path, info: &SourceInfo) -> anyhow::Result<Box<dyn Export>> {
    Ok(Box::new(video::Video::create(path, info)?))
}

#[cfg(not(feature = "opencv"))]
fn open_video(path: &std::path::Path, _info: &SourceInfo) -> anyhow::Result<Box<dyn Export>> {
    anyhow::bail!("--video {}: this build has no OpenCV; build with --features opencv (make does)", path.display())
}
