//! What can go wrong when a source is opened or read.

use std::path::{Path, PathBuf};

use crate::folder::printable;

/// Errors of this crate; each names the file or option and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The text that names a source, or one of its options, cannot be understood.
    #[error("{option}: got {given:?}, expected {expected}")]
    BadSpec {
        /// The part of the text that is wrong, such as `road: option 'size'`.
        option: String,
        /// What the user gave.
        given: String,
        /// What would have been accepted.
        expected: String,
    },
    /// Neither a file nor a folder nor any other known kind of source.
    #[error("{spec:?}: no such file or folder, and no other kind of source; expected {expected}")]
    NoSuchSource {
        /// What the user gave.
        spec: String,
        /// The kinds of source that are known.
        expected: String,
    },
    /// A file or folder is there but does not hold what its format asks for.
    #[error("{}: {}; expected {expected}", shown(path), printable(problem))]
    BadFile {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What was expected.
        expected: String,
    },
    /// The operating system could not read a file or folder.
    #[error("{}: cannot be read: {source}", shown(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason that the operating system gave.
        source: std::io::Error,
    },
    /// [`seek`](crate::Source::seek) beyond the end, or on a source that cannot seek.
    #[error("{}: cannot go to frame {index}: {reason}", printable(name))]
    Seek {
        /// The source.
        name: String,
        /// The frame that was asked for.
        index: usize,
        /// Why it cannot be shown.
        reason: String,
    },
    /// This build lacks what the source needs.
    #[error("{spec:?}: {reason}")]
    Unsupported {
        /// What the user gave.
        spec: String,
        /// What is missing and how to get it.
        reason: String,
    },
    /// A live feed has no new frame yet. Not an end: [`health`](crate::Source::health) says how it fares, and
    /// [`next_frame`](crate::Source::next_frame) may be called again at once.
    #[error("{}: no new frame yet: {reason}", printable(name))]
    Waiting {
        /// The feed.
        name: String,
        /// What it waits for.
        reason: String,
    },
    /// A camera or stream that cannot be had at all.
    #[error("{}: {reason}; expected a camera or stream that sends pictures", printable(name))]
    NoFeed {
        /// The feed.
        name: String,
        /// Why not.
        reason: String,
    },
}

/// A path for a message.
fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}
