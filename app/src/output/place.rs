//! Where a named output goes.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Symbolic links that may follow each other.
const LINKS: usize = 40;

/// What files written by this program hold near their beginning or end. Such a file may be replaced even among a drive's own.
const OWN: [&[u8]; 4] = [
    b"frame,time_s,steering_true_rad,steering_rad",
    b"<!doctype html>\n<html lang=\"en\"><head>",
    b"deltasteer",
    b"radians of the steering wheel, positive to the left",
];

/// A named output, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A regular file or a new name, in a folder that is there; symbolic links are followed.
    File(PathBuf),
    /// A pipe or a character device: it is written into, never replaced.
    Through(PathBuf),
}

impl Place {
    /// Finds out what `name` is.
    pub fn of(name: &Path) -> anyhow::Result<Self> {
        let shown = name.display();
        let folder_like = name.as_os_str().to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
        if name.is_dir() || folder_like || name.file_name().is_none() {
            bail!("{shown}: is a folder; expected the name of a file to write");
        }
        let followed = follow(name).with_context(|| format!("{shown}: cannot be written"))?;
        match std::fs::metadata(followed.as_deref().unwrap_or(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match followed {
                Some(path) => Ok(Self::File(path)),
                None => bail!("{shown}: no such open file"),
            },
            Err(error) => Err(error).with_context(|| format!("{shown}: cannot be written")),
            Ok(data) if data.is_file() => match followed {
                Some(path) => {
                    // A file that its owner has made read-only is not replaced either.
                    OpenOptions::new()
                        .write(true)
                        .open(&path)
                        .with_context(|| format!("{shown}: cannot be written"))?;
                    Ok(Self::File(path))
                }
                None => bail!("{shown}: is a file that is open already; expected the name of that file or of another"),
            },
            Ok(data) if is_stream(&data) => Ok(Self::Through(followed.unwrap_or_else(|| name.to_owned()))),
            Ok(_) => bail!("{shown}: is a disk or a socket; expected a file, a pipe or a character device"),
        }
    }

    /// Whether two outputs may go there at the same time: a device such as `/dev/null` takes anything.
    pub fn takes_anything(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Through(path) => std::fs::metadata(path).is_ok_and(|data| is_device(&data)),
        }
    }
}

#[cfg(unix)]
fn is_stream(data: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    data.file_type().is_fifo() || data.file_type().is_char_device()
}

#[cfg(unix)]
fn is_device(data: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    data.file_type().is_char_device()
}

#[cfg(not(unix))]
fn is_stream(_data: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn is_device(_data: &Metadata) -> bool {
    false
}

/// The end of a chain of symbolic links, which need not exist; `None` where it leads to an open file of this program, as
/// `/dev/stdout` does.
fn follow(name: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = name.to_owned();
    for _ in 0..LINKS {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize()?;
        if folder.starts_with("/proc") {
            return Ok(None);
        }
        path = folder.join(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        match std::fs::symlink_metadata(&path) {
            Ok(data) if data.is_symlink() => path = folder.join(std::fs::read_link(&path)?),
            _ => return Ok(Some(path)),
        }
    }
    Err(io::Error::other("too many symbolic links lead on from there"))
}

/// Opens a pipe or device. A pipe waits for its reader; a signal ends the waiting.
pub(super) fn open_through(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        use std::sync::atomic::Ordering;
        loop {
            // Without O_NONBLOCK the call would wait where no signal's flag is looked at.
            let probe = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
            match probe {
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {}
                Err(error) => return Err(error),
                // The probe keeps the reader there until the second opening.
                Ok(_probe) => return OpenOptions::new().write(true).open(path),
            }
            if crate::interrupt::interrupted().load(Ordering::Relaxed) {
                return Err(io::Error::other("interrupted while no reader was there"));
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    #[cfg(not(unix))]
    OpenOptions::new().write(true).open(path)
}

/// Refuses an output that is an input, or one of a drive's own files.
pub(super) fn refuse_input(name: &Path, path: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    for input in inputs {
        let Ok(input) = input.canonicalize() else { continue };
        if path == input || (path.starts_with(&input) && path.is_file() && !is_own(path)) {
            bail!("{}: is a file of {}, which is read; expected another name", name.display(), input.display());
        }
    }
    Ok(())
}

/// Whether a file tells that this program has written it.
fn is_own(path: &Path) -> bool {
    let ends = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.by_ref().take(256).read_to_end(&mut bytes)?;
        let end = file.metadata()?.len().saturating_sub(4096);
        file.seek(SeekFrom::Start(end))?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    ends().is_ok_and(|bytes| OWN.iter().any(|own| bytes.windows(own.len()).any(|part| part == *own)))
}
