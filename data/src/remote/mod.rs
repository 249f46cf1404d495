//! Recorded files behind `http://` and `https://`.
//!
//! An address whose path ends like a recorded file is a recording if the server sends the parts of it that are asked for (range
//! requests). A stream stays a live feed. No labels are lost in silence, and no frames: a failure of the network is an error.
//!
//! - [`request`]: the client and its errors
//! - [`file`]: a file as `Read + Seek`

mod file;
mod request;
#[cfg(test)]
pub(crate) mod tests;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

pub(crate) use self::file::RemoteFile;
use self::file::{Found, find};
use self::request::Failure;
use crate::folder::{MAX_TEXT_BYTES, bad_file, decode_text};
use crate::selection::Selection;
use crate::{DataError, Source, formats, video};

/// What is expected of an address, for error messages.
const EXPECTED: &str =
    "a recorded file that the server sends in parts (range requests); or download it and give its path";

/// How the file at an address is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Video,
    Mcap,
    /// Only from a disk.
    LocalOnly,
}

/// The kind of an address that names a recorded file.
fn kind_of(url: &str) -> Option<Kind> {
    let name = Path::new(file_name(url)?);
    match name.extension()?.to_ascii_lowercase().to_str()? {
        "mcap" => Some(Kind::Mcap),
        "bag" | "db3" | "h5" | "hdf5" => Some(Kind::LocalOnly),
        _ => video::is_video(name).then_some(Kind::Video),
    }
}

/// Where the path of an address ends: what follows (`?token=...`) belongs to no name.
fn path_end(url: &str) -> usize {
    url.find(['?', '#']).unwrap_or(url.len())
}

/// The last part of an http(s) address's path; `None` for another address, or where it has none.
pub fn file_name(url: &str) -> Option<&str> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let (_, path) = rest[..path_end(rest)].split_once('/')?;
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

/// The address of a video's labels: `NAME.csv` beside `NAME.mp4`.
fn labels_url(url: &str) -> String {
    let (path, rest) = url.split_at(path_end(url));
    let stem = path.rfind('.').map_or(path, |dot| &path[..dot]);
    format!("{stem}.csv{rest}")
}

/// The addresses of the recorded file that `spec` names, and of its labels; none if it names no such file.
pub(crate) fn urls_of(spec: &str) -> Vec<String> {
    match kind_of(spec) {
        Some(Kind::Video) => vec![spec.to_owned(), labels_url(spec)],
        Some(Kind::Mcap | Kind::LocalOnly) => vec![spec.to_owned()],
        None => Vec::new(),
    }
}

/// Opens the recorded file at an address; `None` if it is none, such as a stream.
pub(crate) fn open(name: &str, url: &str, selection: &Selection) -> Option<Result<Box<dyn Source>, DataError>> {
    let kind = kind_of(url)?;
    if kind == Kind::LocalOnly {
        let expected = "the file on this machine: download it, with the files that belong to it, and give its path";
        return Some(Err(bad_file(Path::new(url), "this format is not read over the network", expected)));
    }
    let file = match find(url) {
        Ok(Found::File(file)) => Arc::new(file),
        Ok(Found::Stream) if kind == Kind::Video => return None,
        Ok(Found::Stream | Found::WholeOnly) => {
            let problem = "the server does not answer range requests (status 200 instead of 206)";
            return Some(Err(bad_file(Path::new(url), problem, EXPECTED)));
        }
        Err(failure) => return Some(Err(error(url, failure))),
    };
    Some(match kind {
        Kind::Mcap => formats::open_remote_mcap(name, &file, selection),
        Kind::Video | Kind::LocalOnly => {
            selection.refuse(name).and_then(|()| video::open_remote(name, &file, &labels_url(url)))
        }
    })
}

fn error(url: &str, failure: Failure) -> DataError {
    bad_file(Path::new(url), failure.reason, EXPECTED)
}

/// The text at an address, or why it is not to be had there: servers hide with 401 and 403 what is not there.
///
/// # Errors
/// [`DataError::BadFile`] for a server that cannot be reached, or breaks off.
pub(crate) fn text(url: &str) -> Result<Result<String, String>, DataError> {
    let bad = |problem: String| bad_file(Path::new(url), problem, EXPECTED);
    let file = match find(url) {
        Ok(Found::File(file)) => Arc::new(file),
        Ok(Found::WholeOnly | Found::Stream) => {
            return Err(bad("the server does not answer range requests".to_owned()));
        }
        Err(Failure { status: Some(401 | 403 | 404 | 410), reason, .. }) => return Ok(Err(reason)),
        Err(failure) => return Err(error(url, failure)),
    };
    if file.length() > MAX_TEXT_BYTES {
        return Err(bad(format!("{} bytes; at most {MAX_TEXT_BYTES} are read", file.length())));
    }
    let mut bytes = Vec::new();
    file.reader().read_to_end(&mut bytes).map_err(|error| bad(error.to_string()))?;
    Ok(Ok(decode_text(&bytes)))
}

/// What a server says of a file; it changes when the file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteState {
    /// Its bytes.
    pub length: u64,
    /// Its ETag, or the time of its last change; empty if the server gives neither.
    pub version: String,
}

/// The state of the file at an address of [`Inputs`](crate::Inputs); `None` if there is none, or a stream.
///
/// # Errors
/// [`DataError::BadFile`] for a server that cannot be reached.
pub fn remote_state(url: &str) -> Result<Option<RemoteState>, DataError> {
    match find(url) {
        Ok(Found::File(file)) => Ok(Some(RemoteState { length: file.length(), version: file.version().to_owned() })),
        Ok(Found::WholeOnly | Found::Stream) | Err(Failure { status: Some(401 | 403 | 404 | 410), .. }) => Ok(None),
        Err(failure) => Err(error(url, failure)),
    }
}
