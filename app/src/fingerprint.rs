//! What a result or a cached picture was made from: a hash that changes when a drive's files do.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context;
use deltasteer_data::{Inputs, remote_state, url_file_name};
use sha2::{Digest, Sha256};

/// Names of files that hold pictures; every other small file may hold labels.
const PICTURES: [&str; 12] = ["jpg", "jpeg", "png", "mp4", "mkv", "mov", "avi", "webm", "ts", "hevc", "bag", "mcap"];
/// Files of labels up to this size count byte by byte, larger ones by size and time.
const LABEL_BYTES: u64 = 16 << 20;

/// A drive as it lies on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The drive's own name without the folders above it, or the source's text where it is no file.
    pub name: String,
    /// Hash of the source's options and of its absolute paths: the same drive, however its path is written.
    pub place: String,
    /// Hash of the source's options, of the names and sizes of all its files, and of their modification times or, where they may hold
    /// labels, of their bytes; of a file on a server, its address, length, and ETag or time.
    pub content: String,
    /// Names and sizes alone: it stays when a drive is copied to another machine.
    pub sizes: String,
}

impl Fingerprint {
    /// Of the text that names a source.
    ///
    /// # Errors
    /// A file or folder that cannot be looked at, by name.
    pub fn of(spec: &str) -> anyhow::Result<Self> {
        let Inputs { options, paths, urls } = Inputs::of(spec);
        let (mut place, mut content, mut sizes) = (Sha256::new(), Sha256::new(), Sha256::new());
        let mut names = Vec::new();
        for hash in [&mut place, &mut content, &mut sizes] {
            hash.update(&options);
            hash.update([0]);
        }
        for path in paths {
            let name = || path.display().to_string();
            let whole = path.canonicalize().with_context(name)?;
            place.update(whole.as_os_str().as_encoded_bytes());
            place.update([0]);
            names.extend(whole.file_name().map(|name| name.to_string_lossy().into_owned()));
            add([&mut content, &mut sizes], &whole, Path::new(""), &mut BTreeSet::new()).with_context(name)?;
        }
        for url in urls {
            place.update(url.as_bytes());
            place.update([0]);
            let name = url_file_name(&url).unwrap_or(&url);
            names.push(name.to_owned());
            add_remote([&mut content, &mut sizes], &url, name)?;
        }
        let name = names.into_iter().next().unwrap_or(options);
        Ok(Self { name, place: short(place), content: short(content), sizes: short(sizes) })
    }

    /// Of a drive whose files may be missing: by the absolute path of `source`, which `spec` names with its options.
    pub fn of_text(spec: &str, source: &str) -> Self {
        let whole = std::path::absolute(source).unwrap_or_else(|_| PathBuf::from(source));
        let name = whole.file_name().map_or(source.to_owned(), |name| name.to_string_lossy().into_owned());
        let mut place = Sha256::new();
        place.update(spec.replace(source, &whole.to_string_lossy()));
        Self { name, place: short(place), content: String::new(), sizes: String::new() }
    }
}

/// Adds a file, or everything in a folder, under the name `inside` that it has there. Links are followed, but into each of the
/// folders in `seen` once.
fn add(
    [content, sizes]: [&mut Sha256; 2],
    path: &Path,
    inside: &Path,
    seen: &mut BTreeSet<PathBuf>,
) -> std::io::Result<()> {
    let data = std::fs::metadata(path)?;
    if !data.is_dir() {
        for hash in [&mut *content, sizes] {
            hash.update(inside.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(data.len().to_le_bytes());
        }
        let is_picture =
            path.extension().is_some_and(|suffix| PICTURES.iter().any(|one| suffix.eq_ignore_ascii_case(one)));
        if is_picture || data.len() > LABEL_BYTES {
            content.update(modified_ns(&data).to_le_bytes());
        } else {
            content.update(std::fs::read(path)?);
        }
        return Ok(());
    }
    if !seen.insert(path.canonicalize()?) {
        return Ok(());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.push(entry?.file_name());
    }
    names.sort();
    // Hidden files are none of a recording's: the unfinished outputs of a run come and go there.
    for name in names.into_iter().filter(|name| !name.as_encoded_bytes().starts_with(b".")) {
        match add([content, sizes], &path.join(&name), &inside.join(&name), seen) {
            // A link that leads nowhere, or a file that has just gone.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            added => added?,
        }
    }
    Ok(())
}

/// Adds a file on a server, if it is there.
fn add_remote([content, sizes]: [&mut Sha256; 2], url: &str, name: &str) -> anyhow::Result<()> {
    let Some(state) = remote_state(url)? else { return Ok(()) };
    content.update(url.as_bytes());
    sizes.update(name.as_bytes());
    for hash in [&mut *content, sizes] {
        hash.update([0]);
        hash.update(state.length.to_le_bytes());
    }
    content.update(state.version.as_bytes());
    content.update([0]);
    Ok(())
}

fn modified_ns(data: &Metadata) -> u64 {
    data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |time| time.as_nanos() as u64)
}

fn short(hash: Sha256) -> String {
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_with_the_files_and_the_options_but_not_with_the_spelling() {
        let folder = tempfile::tempdir().unwrap();
        let drive = folder.path().join("drive");
        std::fs::create_dir_all(drive.join("center")).unwrap();
        std::fs::write(drive.join("center/1.jpg"), b"one").unwrap();
        let text_of = |path: &Path| path.display().to_string();
        let text = text_of(&drive);
        let of = |spec: &str| Fingerprint::of(spec).unwrap();
        let before = of(&text);
        std::fs::write(drive.join(".hidden"), b"").unwrap();
        assert_eq!(of(&format!("{text}/../drive/")), before);
        let cut = of(&format!("crop=0:0:9:9,source={text}"));
        assert!(cut.place != before.place && cut.content != before.content);
        // Labels count by their bytes, not by their time.
        let (labels, old) = (drive.join("labels.csv"), std::time::UNIX_EPOCH);
        let label = |text: &str| {
            std::fs::write(&labels, text).unwrap();
            std::fs::File::options().write(true).open(&labels).unwrap().set_modified(old).unwrap();
            of(&text_of(&drive)).content
        };
        let one = label("0.1");
        assert_ne!(label("0.2"), one);
        std::fs::write(&labels, "0.1").unwrap();
        assert_eq!(of(&text_of(&drive)).content, one);
        std::fs::remove_file(&labels).unwrap();
        // Another picture of the same size under the same name.
        let time = std::fs::metadata(drive.join("center/1.jpg")).unwrap().modified().unwrap();
        std::fs::write(drive.join("center/1.jpg"), b"two").unwrap();
        let file = std::fs::File::options().write(true).open(drive.join("center/1.jpg")).unwrap();
        file.set_modified(time + std::time::Duration::from_nanos(1_000_000)).unwrap();
        let after = of(&text);
        assert!(after.place == before.place && after.content != before.content && after.sizes == before.sizes);
        std::fs::write(drive.join("center/1.jpg"), b"three").unwrap();
        assert_ne!(of(&text).sizes, before.sizes);
        assert_ne!(of("road:1").content, of("road:2").content);
    }
}
