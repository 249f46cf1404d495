//! Where a video's bytes are: in a file of this machine, or in one behind http(s).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ffmpeg::{Demuxer, Watch};
use crate::remote::RemoteFile;

/// A recorded video that can be opened again and again.
pub(super) enum Origin {
    /// On this machine.
    File(PathBuf),
    /// On a server.
    Remote(Arc<RemoteFile>),
}

impl Origin {
    /// What names it in messages.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Remote(file) => Path::new(file.url()),
        }
    }

    /// Its bytes.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::File(path) => std::fs::metadata(path).map_or(u64::MAX, |file| file.len()),
            Self::Remote(file) => file.length(),
        }
    }

    /// A demuxer at its beginning.
    ///
    /// # Errors
    /// A plain fragment.
    pub(super) fn demuxer(&self) -> Result<Demuxer, String> {
        let path = match self {
            Self::File(path) => path,
            Self::Remote(file) => return Demuxer::open_remote(file),
        };
        let metadata = std::fs::metadata(path).map_err(|e| e.to_string())?;
        if !metadata.is_file() {
            return Err("not a regular file".to_owned());
        }
        // FFmpeg would take a name such as `a:b.mp4` for a URL.
        let url = path.to_str().map(|path| format!("file:{path}")).ok_or("its name is not UTF-8")?;
        Demuxer::open(&url, None, &Watch::new(Arc::default()))
    }
}
