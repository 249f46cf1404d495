//! Videos on a server: recorded drives, read like files of this machine. Needs the feature `opencv` and the program `ffmpeg`.

#![cfg(feature = "opencv")]
#![allow(clippy::unwrap_used)] // helpers of tests

mod common;
#[path = "common/server.rs"]
mod server;

use std::fmt::Write as _;

use common::clips::{H264, MJPEG, ffmpeg_is_there, write_clip};
use common::{frames, noted, number_in, numbered};
use deltasteer_data::rgb_bytes;
use server::{Reply, Server};
use tempfile::tempdir;

const COUNT: usize = 70;

fn clip(name: &str, coding: &[&str]) -> Vec<u8> {
    let folder = tempdir().unwrap();
    std::fs::read(write_clip(folder.path(), name, COUNT, coding)).unwrap()
}

/// An angle every tenth of a second.
fn labels() -> String {
    (0..40).fold("time_s,steering_rad\n".to_owned(), |mut text, i| {
        writeln!(text, "{},{}", i as f64 / 10.0, i as f64 / 100.0).unwrap();
        text
    })
}

fn error(url: &str) -> String {
    deltasteer_data::open(url).err().expect("an error was expected").to_string()
}

#[test]
fn a_video_on_a_server_gives_what_the_file_gives() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = tempdir().unwrap();
    for (name, coding) in [("a.mp4", H264), ("a.mkv", H264), ("a.ts", H264), ("a.avi", MJPEG)] {
        let path = write_clip(folder.path(), name, COUNT, coding);
        std::fs::write(path.with_extension("csv"), labels()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let server = Server::start(move |request| match request.path.rsplit_once('.').unwrap().1 {
            "csv?key=1" => Reply::part(request, labels().as_bytes(), "1"),
            _ => Reply::part(request, &bytes, "1"),
        });
        let mut local = common::open(&path);
        let mut remote = deltasteer_data::open(&server.url(&format!("/drives/{name}?key=1"))).unwrap();
        let (before, info) = (local.info().clone(), remote.info().clone());
        assert!(!info.live && info.frame_count == Some(COUNT), "{name}: {info:?}");
        assert_eq!(info.steering_true_rad, before.steering_true_rad, "{name}");
        assert_eq!((info.times_s, info.notes), (before.times_s, before.notes), "{name}");
        assert!(frames(&mut *local) == frames(&mut *remote), "{name}");
        for index in [45, 3, COUNT - 1, 21] {
            remote.seek(index).unwrap();
            let frame = remote.next_frame().unwrap().unwrap();
            assert_eq!((frame.index, number_in(&frame.image)), (index, index), "{name}");
        }
        assert_eq!(remote.skipped().count, 0, "{name}");
    }
}

#[test]
fn labels_that_are_not_there_are_told_and_damaged_ones_are_an_error() {
    if !ffmpeg_is_there() {
        return;
    }
    let video = clip("a.mp4", H264);
    let server = Server::of_files(vec![("/a.mp4", video.clone())]);
    let source = deltasteer_data::open(&server.url("/a.mp4")).unwrap();
    assert!(noted(&*source, "no a.csv beside it") && noted(&*source, "404"), "{:?}", source.info().notes);
    assert!(source.info().steering_true_rad.is_empty());
    let server = Server::of_files(vec![("/a.mp4", video.clone()), ("/a.csv", b"time_s,angle\n".to_vec())]);
    let message = error(&server.url("/a.mp4"));
    assert!(message.contains("/a.csv") && message.contains("steering_rad or steering_deg"), "{message}");
    let server = Server::start(move |request| match request.path.as_str() {
        "/a.mp4" => Reply::part(request, &video, "1"),
        _ => Reply::status(500),
    });
    let message = error(&server.url("/a.mp4"));
    assert!(message.contains("/a.csv") && message.contains("500"), "{message}");
}

#[test]
fn a_network_that_fails_is_an_error_and_no_shorter_drive() {
    if !ffmpeg_is_there() {
        return;
    }
    for name in ["a.mp4", "a.ts"] {
        // Large enough for several requests.
        let noisy = [H264, &["-vf", "scale=640:384,noise=alls=60:allf=t"]].concat();
        let video = clip(name, &noisy);
        assert!(video.len() > 1_500_000, "{name}: {}", video.len());
        let middle = video.len() as u64 / 2;
        let server = Server::start(move |request| {
            let reply = Reply::part(request, &video, "1");
            let range = request.range.clone().unwrap_or(0..1);
            if request.path.ends_with(".csv") {
                return Reply::status(404);
            }
            if range.contains(&middle) { reply.cut_after(0) } else { reply }
        });
        let url = server.url(&format!("/{name}"));
        let message = error(&url);
        assert!(message.contains(&url) && message.contains("cut"), "{name}: {message}");
    }
}

#[test]
fn a_stream_stays_a_live_feed_whatever_its_address_ends_with() {
    let server = Server::start(|_| {
        let mut body = Vec::new();
        for number in 0..50 {
            let mut jpeg = Vec::new();
            let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95);
            let image = numbered(number);
            image::ImageEncoder::write_image(encoder, rgb_bytes(&image), 128, 16, image::ExtendedColorType::Rgb8)
                .unwrap();
            let head = format!("--next\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
            body.extend([head.as_bytes(), &jpeg, b"\r\n"].concat());
        }
        let headers = vec![("Content-Type", "multipart/x-mixed-replace; boundary=next".to_owned())];
        Reply { body, headers, ..Reply::status(200) }
    });
    for path in ["/camera.mjpeg", "/camera.mp4", "/camera"] {
        let mut source = deltasteer_data::open(&server.url(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(source.info().live && source.next_frame().unwrap().is_some(), "{path}");
    }
}

#[test]
fn what_is_no_video_is_named() {
    if !ffmpeg_is_there() {
        return;
    }
    let playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n".to_vec();
    let server = Server::of_files(vec![("/a.mp4", vec![7; 10_000]), ("/list.mp4", playlist)]);
    for path in ["/a.mp4", "/list.mp4"] {
        let message = error(&server.url(path));
        assert!(message.contains(path) && message.contains("video"), "{message}");
    }
    let message = error(&format!("camera=/front,source={}", server.url("/a.mp4")));
    assert!(message.contains("no topics"), "{message}");
}
