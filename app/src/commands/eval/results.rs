//! The folder of finished drives: one JSON file a drive, written whole, so that several processes may share it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::report::{Report, Run};
use crate::output;

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
        output::check(&folder.join("drive.json"))?;
        Ok(Self(folder.to_owned()))
    }

    /// The kept report of a drive that was run in this way; `None` if it is not there yet.
    ///
    /// # Errors
    /// A file that is no report, or one of the same drive that was run in another way.
    pub fn find(&self, source: &str, run: &Run) -> anyhow::Result<Option<Report>> {
        let path = self.path(source);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let report: Report = serde_json::from_str(&text)
            .with_context(|| format!("{}: expected a drive that eval --results wrote", path.display()))?;
        if let Some(difference) = report.run.difference(run) {
            bail!(
                "{}: {difference}; expected results of the same model and options, or another --results folder",
                path.display()
            );
        }
        Ok(Some(report))
    }

    /// Keeps a finished drive.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn keep(&self, report: &Report) -> anyhow::Result<()> {
        output::write_whole(&self.path(&report.figures.source), &serde_json::to_vec_pretty(report)?)
    }

    /// Two drives may share their last name; the digits tell them apart.
    fn path(&self, source: &str) -> PathBuf {
        let last = source.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(source);
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' };
        let name: String = last.trim_start_matches('.').chars().map(plain).take(NAME_LENGTH).collect();
        let digits: String = Sha256::digest(source).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        self.0.join(format!("{name}-{digits}.json"))
    }
}
