//! Printing that cannot panic. Standard output that cannot be written is an error; control characters are escaped.

use std::io::{self, Write};

use crate::text;

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub struct StdoutError(#[source] pub io::Error);

/// Prints one line to standard output, as [`say!`](crate::say) does.
///
/// # Errors
/// [`StdoutError`] with what the operating system says: a full disk, or a reader that has gone.
pub fn line(words: std::fmt::Arguments<'_>) -> Result<(), StdoutError> {
    let mut line = text::escaped(&words.to_string()).into_owned();
    line.push('\n');
    // Whole lines: standard output is flushed at each line end, so no error is left for the end of the program.
    io::stdout().lock().write_all(line.as_bytes()).map_err(StdoutError)
}

/// Prints one line to standard error, as [`warn!`](crate::warn) does. Where that cannot be written, nobody is there to be told.
pub fn warning(words: std::fmt::Arguments<'_>) {
    let mut line = text::escaped(&words.to_string()).into_owned();
    line.push('\n');
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Prints a line to standard output; a `Result` where `println!` panics.
#[macro_export]
macro_rules! say {
    ($($words:tt)*) => { $crate::stdout::line(format_args!($($words)*)) };
}

/// Prints a line to standard error; never panics.
#[macro_export]
macro_rules! warn {
    ($($words:tt)*) => { $crate::stdout::warning(format_args!($($words)*)) };
}
