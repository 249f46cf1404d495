//! Unfinished files beside their final names, and what killed runs have left of them.
//!
//! A run holds each of its unfinished files locked. One that nobody holds belongs to a run that was killed, and is removed by the
//! next run that writes into the folder. Locks end with their process, also on most network drives.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempPath;

use crate::warn;

/// What the names of unfinished files begin with.
const PREFIX: &str = ".deltasteer-";
/// What they go on with, before a suffix that libraries ask for.
const PARTIAL: &str = ".partial";

/// The name of an unfinished file. Dropped, it removes the file.
pub(super) struct Temporary(TempPath);

impl Temporary {
    /// A new file beside `path`, open and locked; its name ends in `suffix`.
    pub fn beside(path: &Path, suffix: &str) -> io::Result<(Self, File)> {
        let folder = path.parent().unwrap_or(Path::new("."));
        remove_leftovers(folder);
        let suffix = format!("{PARTIAL}{suffix}");
        let mut options = tempfile::Builder::new();
        options.prefix(PREFIX).suffix(&suffix);
        #[cfg(unix)]
        {
            // A temporary file is private by default; this one becomes an ordinary file, less the user's umask.
            use std::os::unix::fs::PermissionsExt;
            options.permissions(std::fs::Permissions::from_mode(0o666));
        }
        loop {
            let (file, name) = options.tempfile_in(folder)?.into_parts();
            // Where files cannot be locked, none is taken for a left-over either. Between its making and its locking another run
            // may have taken this one for one.
            if file.lock().is_err() || name.exists() {
                return Ok((Self(name), file));
            }
        }
    }

    /// Where the file lies until it is complete.
    #[cfg(feature = "opencv")]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the complete `file` its final name. An older file's permissions are kept.
    pub fn persist(self, file: File, path: &Path) -> io::Result<()> {
        if let Ok(older) = std::fs::metadata(path) {
            file.set_permissions(older.permissions())?;
        }
        file.sync_all()?;
        self.0.persist(path).map_err(|error| error.error)?;
        // The new name is on the disk once the folder is; not every file system can say so.
        if let Some(folder) = path.parent() {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

/// Removes the unfinished files of killed runs from `folder`, once for each folder in a process, and says so.
fn remove_leftovers(folder: &Path) {
    static SEEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if !SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned()) {
        return;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours =
            name.starts_with(PREFIX) && name.contains(PARTIAL) && entry.file_type().is_ok_and(|kind| kind.is_file());
        if !ours {
            continue;
        }
        let path = entry.path();
        match OpenOptions::new().write(true).open(&path).map(|file| (file.try_lock(), file)) {
            Ok((Err(TryLockError::WouldBlock), _)) => {}
            // The lock is held until the file has gone, so that its maker, if it lives after all, sees that it must make another.
            Ok((Ok(()), _file)) if std::fs::remove_file(&path).is_ok() => {
                warn!("note: removed {}, which a killed run had left unfinished", path.display());
            }
            _ => warn!("note: {} is unfinished; it can be removed if no other run is writing it", path.display()),
        }
    }
}
