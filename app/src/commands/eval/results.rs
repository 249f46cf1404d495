//! The folder of finished drives: one JSON file a drive, written whole, so that several processes may share it. A drive that failed
//! has a file in the folder `failed` inside it until it succeeds.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::drives::Asked;
use super::report::{Report, Run};
use crate::fingerprint::Fingerprint;
use crate::{output, warn};

/// Characters of a drive's name that its file's name repeats.
const NAME_LENGTH: usize = 48;

/// A results folder.
pub struct Results(PathBuf);

/// A drive that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// As the user named it.
    pub source: String,
    /// Why.
    pub error: String,
    /// Of the program that tried.
    pub version: String,
}

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

    /// The kept report of a drive that was run in this way; `None` if it is not there yet or not whole, if the drive's files have
    /// changed, or if another version of the program wrote it.
    ///
    /// # Errors
    /// A file that is no report, or one of the same drive that was run in another way.
    pub fn find(&self, source: &str, drive: &Fingerprint, run: &Run) -> anyhow::Result<Option<Report>> {
        let path = self.path(drive, run.range_s());
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let again = |why: String| {
            warn!("note: {why}; {source} is evaluated again");
            Ok(None)
        };
        let mut report: Report = match serde_json::from_str(&text) {
            Ok(report) => report,
            Err(error) if error.is_eof() => return again(format!("{} is empty or cut off", path.display())),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("{}: expected a drive that eval --results wrote", path.display()));
            }
        };
        if let Some(difference) = report.run.difference(run) {
            bail!(
                "{}: {difference}; expected results of the same model and options, or another --results folder",
                path.display()
            );
        }
        if report.files != drive.content {
            return again(format!("the files of {source} have changed since {} was written", path.display()));
        }
        if report.version != crate::VERSION {
            return again(format!("{} is of deltasteer {}", path.display(), report.version));
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
        output::write_whole(&self.path(drive, report.run.range_s()), &serde_json::to_vec_pretty(report)?)
    }

    /// Whether a drive is finished, in whatever way it was run.
    pub fn has(&self, drive: &Asked) -> bool {
        Fingerprint::of(&drive.spec).is_ok_and(|print| self.path(&print, drive.run.range_s()).exists())
    }

    fn path(&self, drive: &Fingerprint, range_s: [Option<f64>; 2]) -> PathBuf {
        self.0.join(stem(drive, range_s) + ".json")
    }

    /// Notes that a drive has failed or, without a reason, that it has not.
    ///
    /// # Errors
    /// A file that cannot be written or removed.
    pub fn note(&self, drive: &Asked, error: Option<&str>) -> anyhow::Result<()> {
        let path = self.failed(drive);
        let Some(error) = error else {
            return match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(error).with_context(|| path.display().to_string())
                }
                _ => Ok(()),
            };
        };
        std::fs::create_dir_all(self.0.join("failed")).with_context(|| path.display().to_string())?;
        let failure =
            Failure { source: drive.source.clone(), error: error.to_owned(), version: crate::VERSION.to_owned() };
        output::write_whole(&path, &serde_json::to_vec_pretty(&failure)?)
    }

    /// Why a drive has failed.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn failure(&self, drive: &Asked) -> anyhow::Result<Option<Failure>> {
        let path = self.failed(drive);
        if path.exists() { read(&path).map(Some) } else { Ok(None) }
    }

    /// All drives that have failed, by name.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn failures(&self) -> anyhow::Result<Vec<Failure>> {
        let folder = self.0.join("failed");
        let mut failures = Vec::new();
        if folder.is_dir() {
            for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
                let path = entry?.path();
                if path.extension().is_some_and(|suffix| suffix == "json") {
                    failures.push(read(&path)?);
                }
            }
        }
        failures.sort_by(|a: &Failure, b| a.source.cmp(&b.source));
        Ok(failures)
    }

    /// A drive that is missing has no files by which it could be known; its path remains.
    fn failed(&self, drive: &Asked) -> PathBuf {
        let name = stem(&Fingerprint::of_text(&drive.spec, &drive.source), drive.run.range_s());
        self.0.join("failed").join(name + ".json")
    }
}

fn read(path: &Path) -> anyhow::Result<Failure> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(name)?;
    serde_json::from_str(&text).with_context(|| format!("{}: expected a failure that eval wrote", path.display()))
}

/// The name of a drive's files. Two drives may share their last name, and a manifest may name two stretches of one drive.
pub fn stem(drive: &Fingerprint, [from_s, to_s]: [Option<f64>; 2]) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' };
    let name: String = drive.name.trim_start_matches('.').chars().map(plain).take(NAME_LENGTH).collect();
    let stretch = match (from_s, to_s) {
        (None, None) => String::new(),
        (from, Some(to)) => format!("-{}-{to}s", from.unwrap_or(0.0)),
        (Some(from), None) => format!("-{from}s-end"),
    };
    format!("{name}-{}{stretch}", drive.place)
}
