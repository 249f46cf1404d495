//! Finds out what a source is and opens it.

use std::io::ErrorKind;
use std::path::Path;

use crate::Selection;
use crate::folder::bad_file;
use crate::formats;
use crate::framing::Framing;
use crate::remote;
use crate::road::{RoadSettings, RoadSource};
use crate::video;
use crate::{DataError, Source};

/// What `open` accepts, for error messages.
const KNOWN: &str = "the folder of a recorded drive, a video file, an MCAP file, a ROS or ROS 2 bag, camera:0, the URL (http, https) of a video or MCAP file, \
                     the URL of a stream (http, rtsp), or a \
                     built-in road such as road:7 or road:7,seconds=30,size=640x480,rate=20";

/// Opens a source by the text that names it.
///
/// # Errors
/// [`DataError::NoSuchSource`] for a text that names nothing known, [`DataError::BadSpec`] for an option that makes no sense,
/// [`DataError::Io`] and [`DataError::BadFile`] for what cannot be read, [`DataError::NoFeed`] for a camera or stream that does not
/// answer, [`DataError::Unsupported`] for a source that this build cannot read.
pub fn open(spec: &str) -> Result<Box<dyn Source>, DataError> {
    open_as(spec, spec, &Selection::default())
}

/// Opens the source `spec` under `name`, with what is chosen of it.
fn open_as(name: &str, spec: &str, selection: &Selection) -> Result<Box<dyn Source>, DataError> {
    if let Some(rest) = spec.strip_prefix("road:") {
        selection.refuse(spec)?;
        let (seed, settings) = RoadSettings::parse(rest)?;
        return Ok(Box::new(RoadSource::named(name, seed, settings)?));
    }
    if let Some(framing) = Framing::parse(spec) {
        return open_framing(name, &framing?, selection);
    }
    let path = Path::new(spec);
    match path.metadata() {
        Ok(found) if found.is_dir() => formats::open_folder(name, path, selection),
        Ok(_) => open_file(name, path, selection),
        Err(source) if source.kind() == ErrorKind::PermissionDenied => {
            Err(DataError::Io { path: path.to_owned(), source })
        }
        Err(_) => {
            if let Some(opened) = remote::open(name, spec, selection) {
                return opened;
            }
            let unknown = DataError::NoSuchSource { spec: spec.to_owned(), expected: KNOWN.to_owned() };
            selection.refuse(spec).and_then(|()| video::open_live(spec).unwrap_or(Err(unknown)))
        }
    }
}

/// Opens a file: a video, a container, or a label file, which stands for its folder.
fn open_file(name: &str, path: &Path, selection: &Selection) -> Result<Box<dyn Source>, DataError> {
    if video::is_video(path) {
        selection.refuse(name)?;
        let segment = path.parent().filter(|folder| formats::is_segment_video(folder, path));
        return match segment {
            Some(folder) => formats::open_folder(name, folder, selection),
            None => video::open_with_csv(name, path),
        };
    }
    if let Some(opened) = formats::open_container(name, path, selection) {
        return opened;
    }
    if path.extension().is_some_and(|suffix| suffix == "json") && !formats::is_label_file(path) {
        return open_framed(name, path, selection);
    }
    if let Some(folder) = path.parent().filter(|_| formats::is_label_file(path)) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        return formats::open_folder(name, folder, selection);
    }
    let videos = video::SUFFIXES.join(", ");
    Err(bad_file(path, "a file of no known kind", format!("{KNOWN} (videos are known by their suffix: {videos})")))
}

/// Opens a file that says how a camera looks. It may not lead to another such file, which could lead back.
fn open_framed(name: &str, path: &Path, selection: &Selection) -> Result<Box<dyn Source>, DataError> {
    let framing = Framing::read(path)?;
    if Path::new(&framing.source).extension().is_some_and(|suffix| suffix == "json") {
        return Err(bad_file(path, "its source is a .json file as well", "a source that is no such file"));
    }
    open_framing(name, &framing, selection)
}

/// Opens the source of a framing, cropped if it says how the camera looks.
fn open_framing(name: &str, framing: &Framing, selection: &Selection) -> Result<Box<dyn Source>, DataError> {
    framing.check()?;
    let selection = selection.clone().or(framing.selection.clone());
    let source = open_as(name, &framing.source, &selection)?;
    if framing.has_view() { framing.apply(name, source) } else { Ok(source) }
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
