//! Finds out what a source is and opens it.

use std::io::ErrorKind;
use std::path::Path;

use crate::folder::bad_file;
use crate::formats;
use crate::framing::Framing;
use crate::road::{RoadSettings, RoadSource};
use crate::video;
use crate::{DataError, Source};

/// What `open` accepts, for error messages.
const KNOWN: &str = "the folder of a recorded drive, a video file, a ROS bag, camera:0, the URL of a stream (http, rtsp), or a \
                     built-in road such as road:7 or road:7,seconds=30,size=640x480,rate=20";

/// Opens a source by the text that names it.
///
/// # Errors
/// [`DataError::NoSuchSource`] for a text that names nothing known, [`DataError::BadSpec`] for an option that makes no sense,
/// [`DataError::Io`] and [`DataError::BadFile`] for what cannot be read, [`DataError::NoFeed`] for a camera or stream that does not
/// answer, [`DataError::Unsupported`] for a source that this build cannot read.
pub fn open(spec: &str) -> Result<Box<dyn Source>, DataError> {
    if let Some(rest) = spec.strip_prefix("road:") {
        let (seed, settings) = RoadSettings::parse(rest)?;
        return Ok(Box::new(RoadSource::named(spec, seed, settings)?));
    }
    if let Some(framing) = Framing::parse(spec) {
        return open_framing(spec, &framing?);
    }
    if let Some(opened) = video::open_live(spec) {
        return opened;
    }
    let path = Path::new(spec);
    match path.metadata() {
        Ok(found) if found.is_dir() => formats::open_folder(spec, path),
        Ok(_) => open_file(spec, path),
        Err(source) if source.kind() == ErrorKind::PermissionDenied => {
            Err(DataError::Io { path: path.to_owned(), source })
        }
        Err(_) => Err(DataError::NoSuchSource { spec: spec.to_owned(), expected: KNOWN.to_owned() }),
    }
}

/// Opens a file: a video, a container, or a label file, which stands for its folder.
fn open_file(spec: &str, path: &Path) -> Result<Box<dyn Source>, DataError> {
    if video::is_video(path) {
        let segment = path.parent().filter(|folder| formats::is_segment_video(folder, path));
        return match segment {
            Some(folder) => formats::open_folder(spec, folder),
            None => video::open_with_csv(spec, path),
        };
    }
    if let Some(opened) = formats::open_container(spec, path) {
        return opened;
    }
    if path.extension().is_some_and(|suffix| suffix == "json") && !formats::is_label_file(path) {
        return open_framed(spec, path);
    }
    if let Some(folder) = path.parent().filter(|_| formats::is_label_file(path)) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        return formats::open_folder(spec, folder);
    }
    let videos = video::SUFFIXES.join(", ");
    Err(bad_file(path, "a file of no known kind", format!("{KNOWN} (videos are known by their suffix: {videos})")))
}

/// Opens a file that says how a camera looks. It may not lead to another such file, which could lead back.
fn open_framed(spec: &str, path: &Path) -> Result<Box<dyn Source>, DataError> {
    let framing = Framing::read(path)?;
    if Path::new(&framing.source).extension().is_some_and(|suffix| suffix == "json") {
        return Err(bad_file(path, "its source is a .json file as well", "a source that is no such file"));
    }
    open_framing(spec, &framing)
}

/// Opens the source of a framing, cropped.
fn open_framing(spec: &str, framing: &Framing) -> Result<Box<dyn Source>, DataError> {
    framing.check()?;
    framing.apply(spec, open(&framing.source)?)
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
