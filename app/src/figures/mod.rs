//! Recorded results and the pictures drawn from them.
//!
//! - [`results`]: the rows of a sweep, read from and written to CSV
//! - [`lines`]: from rows to one line per technique, with the spread over training seeds
//! - [`picture`]: the lines as SVG and PNG; [`style`] has the fonts and colours of everything drawn

pub mod lines;
pub mod picture;
pub mod results;
pub mod style;
