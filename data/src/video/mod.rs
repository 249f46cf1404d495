//! Video files, cameras and streams (feature `opencv`).
//!
//! - [`labels`]: angles for the frames of a video
//! - `ffmpeg`, `decode`: FFmpeg's demuxers and decoders with plain pictures
//! - [`h264`]: whether a picture is missing that others are predicted from
//! - [`index`]: which frame each packet of a file holds, and when it is shown
//! - `file`: a recorded video, frame by frame; `reader`: what reads it; `origin`: where its bytes are
//! - [`live`]: a camera or stream: the newest frame, with drops counted and reconnection
//! - `stream`, `camera`: what a live source reads, from FFmpeg and from OpenCV
//! - `write`: OpenCV's writer with plain pictures

#[cfg(feature = "opencv")]
mod camera;
#[cfg(feature = "opencv")]
mod decode;
#[cfg(feature = "opencv")]
mod ffmpeg;
#[cfg(feature = "opencv")]
mod file;
#[cfg(any(feature = "opencv", feature = "fuzzing", test))]
#[cfg_attr(not(feature = "opencv"), allow(dead_code))] // their tests need no OpenCV
mod h264;
#[cfg(any(feature = "opencv", test))]
#[cfg_attr(not(feature = "opencv"), allow(dead_code))]
mod index;
mod labels;
#[cfg(any(feature = "opencv", test))]
mod live;
#[cfg(feature = "opencv")]
mod origin;
#[cfg(feature = "opencv")]
mod reader;
#[cfg(feature = "opencv")]
mod stream;
#[cfg(feature = "opencv")]
mod write;

use std::path::Path;
use std::sync::Arc;

use crate::remote::RemoteFile;
use crate::{DataError, Source};

pub(crate) use labels::Labels;
#[cfg(feature = "opencv")]
pub use write::VideoWriter;

/// Suffixes of the files that are taken for videos.
pub(crate) const SUFFIXES: [&str; 24] = [
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "mts", "m2ts", "mpg", "mpeg", "vob", "3gp", "3g2", "insv", "lrv",
    "flv", "wmv", "asf", "hevc", "h265", "h264", "264", "mjpeg",
];

type Opened = Result<Box<dyn Source>, DataError>;

/// True if a file's suffix is that of a video.
pub(crate) fn is_video(path: &Path) -> bool {
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
    suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix.as_str()))
}

/// Opens a video file, with the angles of the CSV file of the same name beside it if there is one.
///
/// # Errors
/// [`DataError::BadFile`] for a CSV file without the needed columns, and those of [`open_file`].
pub(crate) fn open_with_csv(name: &str, path: &Path) -> Opened {
    labels::beside(path).and_then(|beside| open_file(name, path, beside))
}

/// Opens a video file whose frames have the given labels.
///
/// # Errors
/// [`DataError::BadFile`] for a file that is no video, [`DataError::Unsupported`] in a build without OpenCV.
#[cfg(feature = "opencv")]
pub(crate) fn open_file(name: &str, path: &Path, labels: Labels) -> Opened {
    Ok(Box::new(file::VideoFile::open(name, origin::Origin::File(path.to_owned()), labels)?))
}

/// As above; this build has no OpenCV.
///
/// # Errors
/// [`DataError::Unsupported`], always.
#[cfg(not(feature = "opencv"))]
pub(crate) fn open_file(name: &str, _path: &Path, _labels: Labels) -> Opened {
    Err(needs_opencv(name))
}

/// Opens a video on a server, with the angles of the CSV file at `labels_url` if there is one.
///
/// # Errors
/// As [`open_with_csv`].
pub(crate) fn open_remote(name: &str, file: &Arc<RemoteFile>, labels_url: &str) -> Opened {
    labels::beside_url(labels_url).and_then(|labels| open_remote_file(name, file, labels))
}

#[cfg(feature = "opencv")]
fn open_remote_file(name: &str, file: &Arc<RemoteFile>, labels: Labels) -> Opened {
    Ok(Box::new(file::VideoFile::open(name, origin::Origin::Remote(Arc::clone(file)), labels)?))
}

#[cfg(not(feature = "opencv"))]
fn open_remote_file(name: &str, _file: &Arc<RemoteFile>, _labels: Labels) -> Opened {
    Err(needs_opencv(name))
}

/// The camera or stream that `spec` names (`camera:0`, `http://...`, `rtsp://...`), or `None` if it names none.
pub(crate) fn open_live(spec: &str) -> Option<Opened> {
    let camera = spec.strip_prefix("camera:");
    let url = ["http://", "https://", "rtsp://", "rtp://", "udp://", "tcp://"].iter().any(|s| spec.starts_with(s));
    match camera.map(str::parse::<u16>) {
        Some(Err(_)) => Some(Err(DataError::BadSpec {
            option: "camera:".to_owned(),
            given: spec.to_owned(),
            expected: "the number of a camera, such as camera:0".to_owned(),
        })),
        Some(Ok(number)) => Some(connect(spec, Address::Camera(number))),
        None => url.then(|| connect(spec, Address::Url)),
    }
}

/// What a live feed is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    /// The system's camera of this number.
    Camera(u16),
    /// The text that the user gave.
    Url,
}

#[cfg(feature = "opencv")]
fn connect(spec: &str, address: Address) -> Opened {
    Ok(Box::new(match address {
        Address::Camera(number) => live::LiveSource::start(spec, "camera", camera::Camera::new(number))?,
        Address::Url => live::LiveSource::start(spec, "stream", stream::Stream::new(spec))?,
    }))
}

#[cfg(not(feature = "opencv"))]
fn connect(spec: &str, _address: Address) -> Opened {
    Err(needs_opencv(spec))
}

/// The error of a build without OpenCV.
#[cfg(not(feature = "opencv"))]
fn needs_opencv(spec: &str) -> DataError {
    DataError::Unsupported {
        spec: spec.to_owned(),
        reason:
            "videos, cameras and streams need OpenCV, which this build leaves out; install libopencv-dev, clang and \
                 libclang-dev and build with: cargo build --release --features opencv"
                .to_owned(),
    }
}

/// The parsers of this folder, for fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn targets() -> Vec<crate::fuzz::Target> {
    use crate::fuzz::{Target, text};
    vec![
        Target::new("video labels", &["time_s,steering_rad\n0.5,0.1\n", "time_s\tsteering_deg\n0,5\t10\n"], |bytes| {
            let _ = labels::parse(&text(bytes), Path::new("x.csv"), &mut Vec::new());
        }),
        Target::new(
            "H.264",
            &[
                &b"\0\0\x01\x67\x42\0\x1e\xf4\x40\0\0\x01\x65\xe1\0\0\x01\x41\xe3"[..],
                b"\x01\x42\0\x1e\xff\xe1\0\x05\x67\x42\0\x1e\xf4\0\0\0\x02\x65\xe1\0\0\0\x02\x41\xe3",
            ],
            |bytes| {
                let (extra, packets) = bytes.split_at(bytes.len() / 2);
                let mut numbers = h264::FrameNumbers::new(extra);
                packets.chunks(12).for_each(|packet| {
                    numbers.follow(packet);
                });
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_that_are_no_live_feed_are_left_to_others() {
        for spec in ["road:7", "/data/drive", "drive.mp4", "camera", "file://x"] {
            assert!(open_live(spec).is_none(), "{spec}");
        }
        let message = open_live("camera:front").unwrap().err().unwrap().to_string();
        assert!(message.contains("camera:front") && message.contains("camera:0"), "{message}");
    }

    #[test]
    fn videos_are_known_by_their_suffix() {
        assert!(is_video(Path::new("a/b.MP4")) && is_video(Path::new("video.hevc")));
        assert!(!is_video(Path::new("mp4")) && !is_video(Path::new("drive.csv")));
    }

    #[cfg(not(feature = "opencv"))]
    #[test]
    fn without_opencv_the_error_says_how_to_build_with_it() {
        for result in [open_live("camera:0").unwrap(), open_live("http://127.0.0.1:1/").unwrap()] {
            assert!(result.err().unwrap().to_string().contains("--features opencv"));
        }
    }
}
