//! The progress of long work, on standard error.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; with an unknown length it only counts. Nothing is drawn where standard error is no terminal.
pub fn progress_bar(length: Option<usize>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length as u64), "{bar:40.cyan/blue} {pos}/{len} {per_sec} {eta} left  {msg}"),
        None => (ProgressBar::no_length(), "{spinner} {pos} {per_sec}  {msg}"),
    };
    // A template that cannot be read leaves the bar in its plain style.
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
