//! Output files: found writable before the work starts, never half-written under their final name, and called written only when
//! they are complete.
//!
//! - `place`: where a named output goes: a file, through a symbolic link, or straight into a pipe or device
//! - `temporary`: the unfinished file beside it, and what killed runs have left

mod place;
mod temporary;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use self::place::Place;
use self::temporary::Temporary;

/// An output. A file takes its final name only when it is complete; dropped before that, it leaves nothing behind and any older
/// file as it was. A pipe or a device is written straight into.
pub struct OutputFile {
    /// As the user named it.
    name: PathBuf,
    to: Destination,
    file: BufWriter<File>,
}

enum Destination {
    /// The unfinished file, and the name that it will have.
    Rename(Temporary, PathBuf),
    Through,
}

impl OutputFile {
    /// Begins an output. Opening a named pipe waits for its reader.
    ///
    /// # Errors
    /// A folder that is missing or cannot be written, or a name that is taken by something that must not be replaced.
    pub fn create(name: &Path) -> anyhow::Result<Self> {
        let (to, file) = match Place::of(name)? {
            Place::File(path) => {
                let (temporary, file) = Temporary::beside(&path, "").with_context(|| unwritable(name))?;
                (Destination::Rename(temporary, path), file)
            }
            Place::Through(path) => {
                (Destination::Through, place::open_through(&path).with_context(|| unwritable(name))?)
            }
        };
        Ok(Self { name: name.to_owned(), to, file: BufWriter::new(file) })
    }

    /// Whether [`Seek`] works: it does not in a pipe or device.
    pub fn seekable(&self) -> bool {
        matches!(self.to, Destination::Rename(..))
    }

    /// Completes the output: everything is on the disk, and a file has its final name, in place of any file that had it.
    ///
    /// # Errors
    /// What the operating system says, with the name.
    pub fn finish(self) -> anyhow::Result<()> {
        let name = || self.name.display().to_string();
        let file = self.file.into_inner().map_err(|error| error.into_error()).with_context(name)?;
        match self.to {
            Destination::Rename(temporary, path) => temporary.persist(file, &path).with_context(name),
            Destination::Through => Ok(()),
        }
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
        if self.seekable() { self.file.seek(to) } else { Err(std::io::ErrorKind::NotSeekable.into()) }
    }
}

/// As [`OutputFile`], for a library that opens its file by name and writes back and forth in it. What goes into a pipe or device
/// is copied there when it is complete.
#[cfg(feature = "opencv")]
pub struct OutputPath {
    name: PathBuf,
    place: Place,
    temporary: Temporary,
    /// Keeps the file locked.
    file: File,
}

#[cfg(feature = "opencv")]
impl OutputPath {
    /// Begins an output; the unfinished file's name ends in `suffix`, by which libraries know what to write.
    ///
    /// # Errors
    /// As [`OutputFile::create`].
    pub fn create(name: &Path, suffix: &str) -> anyhow::Result<Self> {
        let place = Place::of(name)?;
        let beside = match &place {
            Place::File(path) => path.clone(),
            Place::Through(_) => std::env::temp_dir().join("video"),
        };
        let (temporary, file) = Temporary::beside(&beside, suffix).with_context(|| unwritable(name))?;
        Ok(Self { name: name.to_owned(), place, temporary, file })
    }

    /// Where to write.
    pub fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// As [`OutputFile::finish`].
    ///
    /// # Errors
    /// What the operating system says, with the name.
    pub fn finish(self) -> anyhow::Result<()> {
        let copied =
            |from: &Path, to: &Path| std::io::copy(&mut File::open(from)?, &mut place::open_through(to)?).map(drop);
        match &self.place {
            Place::File(path) => self.temporary.persist(self.file, path),
            Place::Through(path) => copied(self.temporary.path(), path),
        }
        .with_context(|| self.name.display().to_string())
    }
}

/// Finds out before any other work whether each of `outputs` can be written, is named once, and is none of the files that are
/// read: those in `inputs` and in the folders there. Leaves nothing behind.
///
/// # Errors
/// The first output that is none of these, by name.
pub fn check(outputs: &[&Path], inputs: &[PathBuf]) -> anyhow::Result<()> {
    let mut places: Vec<Place> = Vec::new();
    for name in outputs {
        let place = Place::of(name)?;
        if places.contains(&place) && !place.takes_anything() {
            bail!("{}: named twice; expected a file of its own for each output", name.display());
        }
        if let Place::File(path) = &place {
            place::refuse_input(name, path, inputs)?;
            Temporary::beside(path, "").with_context(|| unwritable(name))?;
        }
        places.push(place);
    }
    Ok(())
}

/// Writes a whole file in one go.
///
/// # Errors
/// As [`OutputFile`].
pub fn write_whole(name: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = OutputFile::create(name)?;
    file.write_all(bytes).with_context(|| name.display().to_string())?;
    file.finish()
}

fn unwritable(name: &Path) -> String {
    format!("{}: cannot be written", name.display())
}
