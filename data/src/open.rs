//! Finds out what a source is and opens it.

use std::path::Path;

use crate::folder::bad_file;
use crate::formats;
use crate::road::{RoadSettings, RoadSource};
use crate::{DataError, Source};

/// What `open` accepts, for error messages.
const KNOWN: &str =
    "the folder of a recorded drive, or a built-in road such as road:7 or road:7,seconds=30,size=640x480,rate=20";

/// Opens a source by the text that names it.
///
/// # Errors
/// A text that names nothing known, or whatever the reader of that kind finds wrong.
pub fn open(spec: &str) -> Result<Box<dyn Source>, DataError> {
    if let Some(rest) = spec.strip_prefix("road:") {
        let (seed, settings) = RoadSettings::parse(rest)?;
        return Ok(Box::new(RoadSource::named(spec, seed, settings)?));
    }
    let path = Path::new(spec);
    if path.is_dir() {
        return formats::open_folder(spec, path);
    }
    if path.exists() {
        return Err(bad_file(path, "a file of no known kind", KNOWN));
    }
    Err(DataError::NoSuchSource { spec: spec.to_owned(), expected: KNOWN.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_source_is_named_with_what_is_known() {
        let message = open("/no/such/folder").err().unwrap().to_string();
        assert!(message.contains("/no/such/folder") && message.contains("road:7"), "{message}");
    }
}
