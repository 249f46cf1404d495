//! The files and folders behind a source's text, without opening them.

use std::path::{Path, PathBuf};

use crate::framing::Framing;
use crate::{formats, remote};

/// What a source's text names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// The part of the text that names no file: a camera's framing, or the whole text of a road, a camera or a stream.
    pub options: String,
    /// The files and folders that the source is read from; what is in the folders belongs to them.
    pub paths: Vec<PathBuf>,
    /// The addresses of recorded files on servers: that of the drive, and that of its labels, which may not be there.
    pub urls: Vec<String>,
}

impl Inputs {
    /// Of the text that [`open`](crate::open()) takes. A text that names nothing has no paths.
    pub fn of(spec: &str) -> Self {
        if let Some(Ok(framing)) = Framing::parse(spec) {
            let inner = Self::of(&framing.source);
            let options = Framing { source: inner.options, ..framing }.spec();
            return Self { options, ..inner };
        }
        let path = Path::new(spec);
        if spec.starts_with("road:") || !path.exists() {
            let urls = remote::urls_of(spec);
            let options = if urls.is_empty() { spec.to_owned() } else { String::new() };
            return Self { options, urls, ..Self::default() };
        }
        if path.is_dir() {
            return Self { paths: vec![path.to_owned()], ..Self::default() };
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if formats::is_label_file(path) || formats::is_segment_video(folder, path) {
            return Self { paths: vec![folder.to_owned()], ..Self::default() };
        }
        let mut inputs = Self { paths: same_stem(folder, path), ..Self::default() };
        // A log may lie in a folder beside the pictures' folder.
        if let Some(above) = folder.parent() {
            inputs.paths.extend(same_stem(&above.join("log"), path));
        }
        if let Ok(framing) = Framing::read(path)
            && Path::new(&framing.source).extension().is_none_or(|suffix| suffix != "json")
        {
            let inner = Self::of(&framing.source);
            inputs.paths.extend(inner.paths);
            inputs.urls.extend(inner.urls);
        }
        inputs
    }
}

/// The files in `folder` whose names are that of `path` up to the last dot: a recording, and the labels beside it.
fn same_stem(folder: &Path, path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|file| file.file_stem() == path.file_stem() && file.is_file()).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_its_options_and_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("drive")).unwrap();
        for name in ["v.mp4", "v.csv", "w.mp4", "drive/driving_log.csv", "drive/camera.json"] {
            std::fs::write(at(name), "{\"source\": \"../v.mp4\"}").unwrap();
        }
        let of = |spec: String| {
            let Inputs { options, paths, urls } = Inputs::of(&spec);
            assert!(urls.is_empty());
            let names: Vec<_> = paths
                .iter()
                .map(|path| {
                    path.canonicalize().unwrap().strip_prefix(folder.path().canonicalize().unwrap()).unwrap().to_owned()
                })
                .collect();
            (options, names.iter().map(|name| name.display().to_string()).collect::<Vec<_>>().join(" "))
        };
        let text = |name: &str| at(name).display().to_string();
        assert_eq!(of("road:7,seconds=3".into()), ("road:7,seconds=3".into(), "".into()));
        assert_eq!(of("camera:0".into()), ("camera:0".into(), "".into()));
        assert_eq!(of(text("drive")), ("".into(), "drive".into()));
        assert_eq!(of(text("drive/driving_log.csv")), ("".into(), "drive".into()));
        assert_eq!(of(text("v.mp4")), ("".into(), "v.csv v.mp4".into()));
        assert_eq!(of(format!("fov=90,source={}", text("w.mp4"))), ("fov=90,source=".into(), "w.mp4".into()));
        assert_eq!(of(text("drive/camera.json")), ("".into(), "drive/camera.json v.csv v.mp4".into()));
        let remote = Inputs::of("fov=90,source=http://host/a/v.mp4");
        assert_eq!((remote.options.as_str(), remote.paths.len()), ("fov=90,source=", 0));
        assert_eq!(remote.urls, ["http://host/a/v.mp4", "http://host/a/v.csv"]);
        assert_eq!(of("http://host/stream".into()).0, "http://host/stream");
        assert_eq!(of("crop=0:0:9:9,source=road:1".into()).0, "crop=0:0:9:9,source=road:1");
    }
}
