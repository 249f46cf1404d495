//! The files of one drive: which names, and which symbolic links, of its folder are read.
//!
//! One rule for all layouts. A link whose target lies in the drive's folder is read like a file. A link that leads out of it is
//! refused, unless the user follows links (`--follow-links`). The drive's own folder may be a link: the user named it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use crate::DataError;
use crate::folder::{bad_file, read_text};
use crate::selection::Links;

/// Why a link is refused, and what to do about it.
pub(crate) const LINKED_OUT: &str = "a symbolic link that leads out of the drive's folder, not read (--follow-links, or \
                                     links=follow in the source's text, reads it)";

/// As above, of several files, for a note.
pub(crate) fn linked_out(what: &str) -> String {
    format!(
        "{what} are symbolic links that lead out of the drive's folder, not read (--follow-links, or links=follow in the \
         source's text, reads them)"
    )
}

/// Why a file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// The name itself leads out of the folder.
    Outside,
    /// A symbolic link leads out of the drive's folder.
    LinkedOut,
    /// No such file.
    Missing,
}

impl Unreachable {
    /// In plain words.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Outside => "leads out of the dataset's folder and was not read",
            Self::LinkedOut => LINKED_OUT,
            Self::Missing => "no such file",
        }
    }
}

/// The folder of a drive.
pub(crate) struct DriveFolder {
    path: PathBuf,
    /// With symbolic links followed; equal to `path` where that fails.
    real: PathBuf,
    links: Links,
}

impl DriveFolder {
    /// The folder that the user named.
    pub(crate) fn new(path: &Path, links: Links) -> Self {
        Self { path: path.to_owned(), real: path.canonicalize().unwrap_or_else(|_| path.to_owned()), links }
    }

    /// As the user named it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path below the folder.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Refuses a file or folder that a link leads out of the drive's folder.
    ///
    /// # Errors
    /// [`Unreachable::LinkedOut`], or [`Unreachable::Missing`] for a link that leads nowhere.
    pub(crate) fn check(&self, path: &Path) -> Result<(), Unreachable> {
        if self.links == Links::Follow {
            return Ok(());
        }
        let real = path.canonicalize().map_err(|_| Unreachable::Missing)?;
        if real.starts_with(&self.real) { Ok(()) } else { Err(Unreachable::LinkedOut) }
    }

    /// As [`check`](Self::check), as an error that names the file.
    ///
    /// # Errors
    /// [`DataError::BadFile`].
    pub(crate) fn allow(&self, path: &Path) -> Result<(), DataError> {
        match self.check(path) {
            Err(Unreachable::LinkedOut) => Err(bad_file(path, LINKED_OUT, "a file in the drive's folder")),
            _ => Ok(()),
        }
    }

    /// Text of a file of the drive.
    ///
    /// # Errors
    /// Those of [`allow`](Self::allow) and [`read_text`].
    pub(crate) fn read_text(&self, path: &Path) -> Result<String, DataError> {
        self.allow(path).and_then(|()| read_text(path))
    }

    /// The existing file that `name` names relative to the folder.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub(crate) fn find(&self, name: &str) -> Result<PathBuf, Unreachable> {
        let path = locate(&self.path, name)?;
        self.check(&path)?;
        Ok(path)
    }

    /// The same rule for many images: each folder is looked at once, and of the files only links.
    pub(crate) fn images(&self) -> ImageRule<'_> {
        ImageRule { drive: self, folders: HashMap::new() }
    }
}

/// The existing file that `name` names below `folder`. Absolute names and `..` are refused; `\` counts as `/`, since some
/// recorders ran on Windows. Where links lead is not looked at: of images, a recording does that for all of its frames.
///
/// # Errors
/// [`Unreachable`].
pub(crate) fn locate(folder: &Path, name: &str) -> Result<PathBuf, Unreachable> {
    let name = name.replace('\\', "/");
    let relative = Path::new(&name);
    let drive_letter = name.as_bytes().get(1) == Some(&b':');
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if name.contains('\0') || name.is_empty() {
        return Err(Unreachable::Missing);
    }
    if !plain || drive_letter {
        return Err(Unreachable::Outside);
    }
    let path = folder.join(relative);
    if path.is_file() { Ok(path) } else { Err(Unreachable::Missing) }
}

/// [`DriveFolder::check`] for the images of a drive.
pub(crate) struct ImageRule<'a> {
    drive: &'a DriveFolder,
    /// Whether a folder lies in the drive's.
    folders: HashMap<PathBuf, bool>,
}

impl ImageRule<'_> {
    /// True for an image that a link leads out of the drive's folder.
    pub(crate) fn refuses(&mut self, image: &Path) -> bool {
        let is_link = std::fs::symlink_metadata(image).is_ok_and(|file| file.is_symlink());
        if is_link {
            return self.drive.check(image) == Err(Unreachable::LinkedOut);
        }
        let Some(folder) = image.parent() else { return false };
        if let Some(inside) = self.folders.get(folder) {
            return !inside;
        }
        let inside = self.drive.check(folder) != Err(Unreachable::LinkedOut);
        self.folders.insert(folder.to_owned(), inside);
        !inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("drive");
        std::fs::create_dir_all(folder.join("center")).unwrap();
        std::fs::write(folder.join("center/1.jpg"), b"x").unwrap();
        std::fs::write(outer.path().join("secret.jpg"), b"x").unwrap();
        let secret = outer.path().join("secret.jpg");
        let drive = DriveFolder::new(&folder, Links::Inside);
        assert_eq!(drive.find("center/1.jpg"), Ok(folder.join("center/1.jpg")));
        assert_eq!(drive.find("center\\1.jpg"), Ok(folder.join("center/1.jpg")));
        assert_eq!(drive.find("center/2.jpg"), Err(Unreachable::Missing));
        assert_eq!(drive.find("center"), Err(Unreachable::Missing));
        assert_eq!(drive.find(""), Err(Unreachable::Missing));
        for name in ["../secret.jpg", "center/../../secret.jpg", secret.to_str().unwrap(), "C:\\1.jpg"] {
            assert_eq!(drive.find(name), Err(Unreachable::Outside), "{name}");
            let following = DriveFolder::new(&folder, Links::Follow);
            assert_eq!(following.find(name), Err(Unreachable::Outside), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_read_inside_the_folder_and_refused_out_of_it() {
        use std::os::unix::fs::symlink;
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        std::fs::create_dir_all(at("drive/center")).unwrap();
        std::fs::create_dir_all(at("elsewhere")).unwrap();
        for name in ["drive/1.jpg", "elsewhere/1.jpg"] {
            std::fs::write(at(name), b"x").unwrap();
        }
        symlink(at("drive/1.jpg"), at("drive/center/in.jpg")).unwrap();
        symlink("../../elsewhere/1.jpg", at("drive/center/out.jpg")).unwrap();
        symlink("nowhere.jpg", at("drive/center/dangling.jpg")).unwrap();
        symlink(at("elsewhere"), at("drive/side")).unwrap();
        symlink(at("drive"), at("link")).unwrap();
        let cases = [
            ("center/in.jpg", Ok(()), Ok(())),
            ("center/out.jpg", Err(Unreachable::LinkedOut), Ok(())),
            ("side/1.jpg", Err(Unreachable::LinkedOut), Ok(())),
            ("center/dangling.jpg", Err(Unreachable::Missing), Err(Unreachable::Missing)),
        ];
        for folder in ["drive", "link"] {
            for (name, inside, following) in cases {
                for (links, expected) in [(Links::Inside, inside), (Links::Follow, following)] {
                    let drive = DriveFolder::new(&at(folder), links);
                    assert_eq!(drive.find(name).map(|_| ()), expected, "{folder}/{name} {links:?}");
                    let refused = drive.images().refuses(&drive.join(name));
                    assert_eq!(refused, expected == Err(Unreachable::LinkedOut), "{folder}/{name} {links:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_name_finds_a_file_outside(name in "[./\\\\a-z:~]{0,24}") {
            let folder = tempfile::tempdir().unwrap();
            prop_assert!(DriveFolder::new(folder.path(), Links::Follow).find(&name).is_err());
        }
    }
}
