//! Writing a file so that it appears under its name only when complete.

use crate::error::PerceptionError;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Writes `bytes` beside `path`, flushes them to the disk and renames.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), PerceptionError> {
    let mut name = path.file_name().ok_or_else(|| PerceptionError::file(path, "expected a file name"))?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&part);
        PerceptionError::file(path, format!("cannot be written: {error}"))
    })
}
