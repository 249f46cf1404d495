//! `eval --parquet`: every frame's figures, one file a drive, in the pass that evaluates it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use deltasteer_data::SourceInfo;

use crate::drive::Drive;
use crate::export::{Exports, Outputs};
use crate::model::Model;
use crate::output;

/// The folder of these files.
pub struct FramesFolder(PathBuf);

impl FramesFolder {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// A folder that cannot be made or written.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("--parquet {}", folder.display()))?;
        output::check(&[&folder.join("drive.parquet")], &[])?;
        Ok(Self(folder.to_owned()))
    }

    /// The file of the drive with this name.
    pub fn path(&self, stem: &str) -> PathBuf {
        self.0.join(format!("{stem}.parquet"))
    }

    /// Begins that file.
    ///
    /// # Errors
    /// A file that cannot be begun.
    pub fn create(&self, stem: &str, info: &SourceInfo, model: &Model) -> anyhow::Result<Exports> {
        Exports::open(&Outputs { parquet: Some(self.path(stem)), ..Outputs::default() }, info, model)
    }
}

/// Completes the file of a finished drive.
///
/// # Errors
/// A file that could not be written.
pub fn finish(exports: Exports, drive: &Drive) -> anyhow::Result<()> {
    match exports.finish(drive).lost.first() {
        Some(lost) => bail!("{lost}"),
        None => Ok(()),
    }
}
