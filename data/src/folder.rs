//! Reading a dataset's folder: listings in natural order and text of bounded size. What is read of it: `drive_folder`.

use std::path::{Path, PathBuf};

use crate::DataError;

/// Largest label file that is read. A drive of ten hours at 20 Hz with long lines stays below a tenth of it.
pub(crate) const MAX_TEXT_BYTES: u64 = 512 << 20;

/// Reads a label file as text, whichever way its letters and its ends of lines are written; each line ends with `\n`.
///
/// # Errors
/// [`DataError::Io`], or [`DataError::BadFile`] if it is empty or larger than any label file.
pub(crate) fn read_text(path: &Path) -> Result<String, DataError> {
    let bytes = read_bytes(path, MAX_TEXT_BYTES)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(bad_file(path, "the file is empty", "lines of text"));
    }
    Ok(decode_text(&bytes))
}

/// UTF-8 or UTF-16 to text. Spreadsheets write UTF-16 with a mark; without one, the zeros between Latin letters tell. What is
/// neither becomes U+FFFD, so that only its own lines are lost.
pub(crate) fn decode_text(bytes: &[u8]) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let zeros =
        |place: usize| pairs.iter().take(64).filter(|pair| pair[place] == 0).count() * 4 > pairs.len().min(64) * 3;
    let utf16 =
        |unit: fn([u8; 2]) -> u16| String::from_utf16_lossy(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>());
    let text = match bytes {
        [0xff, 0xfe, ..] => utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(u16::from_be_bytes),
        _ if zeros(1) && !zeros(0) => utf16(u16::from_le_bytes),
        _ if zeros(0) && !zeros(1) => utf16(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n")
}

/// Text that is safe to print: control characters, which could move the cursor or colour the terminal, as escapes.
pub(crate) fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// [`DataError::Io`], or [`DataError::BadFile`] if it is larger.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > limit {
        return Err(bad_file(path, format!("{length} bytes"), format!("at most {limit}")));
    }
    std::fs::read(path).map_err(io)
}

/// A [`DataError::BadFile`].
pub(crate) fn bad_file(path: &Path, problem: impl Into<String>, expected: impl Into<String>) -> DataError {
    DataError::BadFile { path: path.to_owned(), problem: problem.into(), expected: expected.into() }
}

/// The image files (JPEG, PNG) directly in `folder`, in natural order: `frame2` before `frame10`.
///
/// # Errors
/// [`DataError::Io`].
pub(crate) fn images_in(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut images = files_in(folder)?;
    images.retain(|path| is_image(path));
    sort_naturally(&mut images);
    Ok(images)
}

/// Sorts files by their names as people do: `frame2` before `frame10`.
pub(crate) fn sort_naturally(files: &mut [PathBuf]) {
    files.sort_by(|a, b| alphanumeric_sort::compare_str(name_of(a), name_of(b)).then_with(|| a.cmp(b)));
}

/// Everything directly in `folder` that is no folder itself.
///
/// # Errors
/// [`DataError::Io`].
pub(crate) fn files_in(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let io = |source| DataError::Io { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_type().map_err(io)?.is_dir() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// The last part of a path, as text.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The last part of a path without its suffix, as text.
pub(crate) fn stem_of(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// True for the image suffixes that recordings use. Hidden files (such as macOS's `._1.jpg`) are none.
fn is_image(path: &Path) -> bool {
    let suffix = path.extension().map(|s| s.to_ascii_lowercase());
    let known = suffix.is_some_and(|s| s == "jpg" || s == "jpeg" || s == "png");
    known && !name_of(path).starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_sorted_as_people_do() {
        let mut names = ["frame10.jpg", "frame2.jpg", "a.jpg", "frame1.jpg", "frame1b.jpg"].map(PathBuf::from);
        sort_naturally(&mut names);
        assert_eq!(
            names.map(|name| name_of(&name)),
            ["a.jpg", "frame1.jpg", "frame1b.jpg", "frame2.jpg", "frame10.jpg"]
        );
    }

    #[test]
    fn text_is_read_whichever_way_it_is_written() {
        let text = "file,rad\n1.jpg,0.5\n";
        let utf16 = |unit: fn(u16) -> [u8; 2], mark: &str| {
            format!("{mark}{text}").encode_utf16().flat_map(unit).collect::<Vec<u8>>()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            text.replace('\n', "\r\n").into_bytes(),
            text.replace('\n', "\r").into_bytes(),
            utf16(u16::to_le_bytes, "\u{feff}"),
            utf16(u16::to_be_bytes, "\u{feff}"),
            utf16(u16::to_le_bytes, ""),
            utf16(u16::to_be_bytes, ""),
        ] {
            assert_eq!(decode_text(&bytes), text, "{bytes:?}");
        }
        assert_eq!(decode_text(b"a\xffb\n"), "a\u{fffd}b\n");
        assert_eq!(printable("a\n\u{1b}[31m\u{fc}"), "a\\n\\u{1b}[31m\u{fc}");
    }

    #[test]
    fn listings_hold_images_only() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10.jpg", "9.JPG", "8.png", "notes.txt", "._9.jpg"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        std::fs::create_dir(folder.path().join("7.jpg")).unwrap();
        let names: Vec<_> = images_in(folder.path()).unwrap().iter().map(|p| name_of(p)).collect();
        assert_eq!(names, ["8.png", "9.JPG", "10.jpg"]);
    }

    proptest! {
        #[test]
        fn any_bytes_become_text(bytes in proptest::collection::vec(prop_oneof![Just(0), Just(13), any::<u8>()], 0..80)) {
            prop_assert!(!decode_text(&bytes).contains('\r'));
        }
    }
}
