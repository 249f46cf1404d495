//! Output files: found writable before the work starts, and never half-written under their final name.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

/// A file that takes its final name only when it is complete. Dropped before that, it leaves nothing behind.
pub struct OutputFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl OutputFile {
    /// Begins a file beside its final name.
    ///
    /// # Errors
    /// A folder that is missing or cannot be written, or a final name that is taken by a folder.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { path: path.to_owned(), file: BufWriter::new(beside(path, ".partial")?) })
    }

    /// Gives the file its final name, in place of any file that had it.
    ///
    /// # Errors
    /// What the operating system says, with the path.
    pub fn finish(self) -> anyhow::Result<()> {
        let name = self.path.display().to_string();
        let file = self.file.into_inner().map_err(|error| error.into_error()).with_context(|| name.clone())?;
        file.as_file().sync_all().with_context(|| name.clone())?;
        file.persist(&self.path).with_context(|| name)?;
        Ok(())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Seek for OutputFile {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

/// As [`OutputFile`], for a library that opens its file by name.
#[cfg(feature = "opencv")]
pub struct OutputPath {
    path: PathBuf,
    file: tempfile::TempPath,
}

#[cfg(feature = "opencv")]
impl OutputPath {
    /// Begins a file beside its final name; its temporary name ends in `suffix`, by which libraries know what to write.
    ///
    /// # Errors
    /// As [`OutputFile::create`].
    pub fn create(path: &Path, suffix: &str) -> anyhow::Result<Self> {
        Ok(Self { path: path.to_owned(), file: beside(path, suffix)?.into_temp_path() })
    }

    /// Where to write.
    pub fn temporary(&self) -> &Path {
        &self.file
    }

    /// As [`OutputFile::finish`].
    ///
    /// # Errors
    /// What the operating system says, with the path.
    pub fn finish(self) -> anyhow::Result<()> {
        self.file.persist(&self.path).with_context(|| self.path.display().to_string())
    }
}

/// Whether a file can be written there; leaves nothing behind.
///
/// # Errors
/// As [`OutputFile::create`].
pub fn check(path: &Path) -> anyhow::Result<()> {
    beside(path, ".partial").map(drop)
}

/// A new file beside `path`, which will take its place.
fn beside(path: &Path, suffix: &str) -> anyhow::Result<NamedTempFile> {
    if path.is_dir() || path.file_name().is_none() {
        bail!("{}: is a folder; expected the name of a file to write", path.display());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut options = tempfile::Builder::new();
    options.prefix(".deltasteer-").suffix(suffix);
    #[cfg(unix)]
    {
        // A temporary file is private by default; this one becomes an ordinary file, less the user's umask.
        use std::os::unix::fs::PermissionsExt;
        options.permissions(std::fs::Permissions::from_mode(0o666));
    }
    options.tempfile_in(folder).with_context(|| format!("{}: cannot be written", path.display()))
}

/// Writes a whole file in one go.
///
/// # Errors
/// As [`OutputFile`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = OutputFile::create(path)?;
    file.write_all(bytes).with_context(|| path.display().to_string())?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_file_leaves_nothing_and_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        write_whole(&path, b"old").unwrap();
        let mut file = OutputFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let message = format!("{:#}", OutputFile::create(Path::new("/no/such/folder/out.csv")).err().unwrap());
        assert!(message.contains("/no/such/folder/out.csv"), "{message}");
    }
}
