//! Clips that ffmpeg makes for the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::tempdir;

use super::{numbered_sized, write_image};

/// A call of ffmpeg.
pub fn ffmpeg(arguments: &[&str]) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-y"]).args(arguments).stdin(Stdio::null());
    command
}

/// False, said plainly, where there is no ffmpeg.
pub fn ffmpeg_is_there() -> bool {
    let there = ffmpeg(&["-version"]).stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there {
        println!("SKIPPED: there is no ffmpeg here");
    }
    there
}

/// Makes a clip of `count` frames numbered in their pixels.
pub fn write_clip(folder: &Path, name: &str, count: usize, coding: &[&str]) -> PathBuf {
    let pictures = tempdir().unwrap();
    for i in 0..count {
        write_image(pictures.path().join(format!("{i:05}.png")), &numbered_sized(i, 160, 96));
    }
    let (input, output) = (pictures.path().join("%05d.png"), folder.join(name));
    run(ffmpeg(&["-framerate", "20", "-i"]).arg(input).args(coding).arg(&output));
    output
}

/// Options of ffmpeg's encoder: a key frame each second.
pub const H264: &[&str] = &["-c:v", "libx264", "-g", "20", "-bf", "2", "-pix_fmt", "yuv420p"];
/// Options of ffmpeg's encoder: a key frame each second.
pub const HEVC: &[&str] =
    &["-c:v", "libx265", "-x265-params", "log-level=none:keyint=20:bframes=2", "-pix_fmt", "yuv420p"];
/// Options of ffmpeg's encoder: a key frame each second.
pub const MJPEG: &[&str] = &["-c:v", "mjpeg", "-q:v", "2"];

/// Runs what must succeed.
pub fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
