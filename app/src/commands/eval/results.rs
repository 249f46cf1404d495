//! The folder of finished drives: one JSON file a drive, written whole, so that several processes may share it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::report::{Report, Run};
use crate::fingerprint::Fingerprint;
use crate::{output, warn};

/// Characters of a drive's name that its file's name repeats.
const NAME_LENGTH: usize = 48;

/// A results folder.
pub struct Results(PathBuf);

impl Results {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// A folder that cannot be made or written.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("--results {}", folder.display()))?;
        output::check(&[&folder.join("drive.json")], &[])?;
        Ok(Self(folder.to_owned()))
    }

    /// The kept report of a drive that was run in this way; `None` if it is not there yet, or if the drive's files have changed.
    ///
    /// # Errors
    /// A file that is no report, or one of the same drive that was run in another way.
    pub fn find(&self, source: &str, drive: &Fingerprint, run: &Run) -> anyhow::Result<Option<Report>> {
        let path = self.path(drive);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let mut report: Report = serde_json::from_str(&text)
            .with_context(|| format!("{}: expected a drive that eval --results wrote", path.display()))?;
        if let Some(difference) = report.run.difference(run) {
            bail!(
                "{}: {difference}; expected results of the same model and options, or another --results folder",
                path.display()
            );
        }
        if report.files != drive.content {
            warn!(
                "note: the files of {source} have changed since {} was written; it is evaluated again",
                path.display()
            );
            return Ok(None);
        }
        // The same drive may be named in another way today.
        source.clone_into(&mut report.figures.source);
        Ok(Some(report))
    }

    /// Keeps a finished drive.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn keep(&self, drive: &Fingerprint, report: &Report) -> anyhow::Result<()> {
        output::write_whole(&self.path(drive), &serde_json::to_vec_pretty(report)?)
    }

    /// Two drives may share their last name; the digits tell them apart.
    fn path(&self, drive: &Fingerprint) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' };
        let name: String = drive.name.trim_start_matches('.').chars().map(plain).take(NAME_LENGTH).collect();
        self.0.join(format!("{name}-{}.json", drive.place))
    }
}
