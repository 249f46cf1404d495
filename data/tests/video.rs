//! Video files and live feeds, made and served here by ffmpeg. Needs the feature `opencv` and the program `ffmpeg`; without
//! ffmpeg the tests say that they were skipped.

#![cfg(feature = "opencv")]
#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::clips::{H264, HEVC, MJPEG, ffmpeg, ffmpeg_is_there, write_clip};
use common::{error, frames, noted, number_in, numbers, open, write_text};
use deltasteer_data::{DataError, Source};
use tempfile::tempdir;

/// Frames of a test clip: 6 s at 20 Hz, with a key frame each second.
const FRAMES: usize = 120;

#[test]
fn every_container_gives_every_frame_once_and_in_order() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    for (name, coding) in
        [("a.mp4", H264), ("b.mkv", H264), ("c.avi", MJPEG), ("d.ts", H264), ("e.hevc", HEVC), ("f.mp4", HEVC)]
    {
        let path = write_clip(dir.path(), name, FRAMES, coding);
        let mut source = open(&path);
        let info = source.info().clone();
        println!("{name}: {:?} frames announced, {:.2} Hz, notes {:?}", info.frame_count, info.rate_hz, info.notes);
        assert_eq!((info.format, info.width, info.height), ("video file", 160, 96), "{name}");
        assert_eq!(numbers(&mut *source), (0..FRAMES).collect::<Vec<_>>(), "{name}");
        assert!(source.next_frame().unwrap().is_none(), "{name}");
        if name != "e.hevc" {
            assert!((info.rate_hz - 20.0).abs() < 0.01, "{name}: {}", info.rate_hz);
        }
    }
}

#[test]
fn a_seek_lands_on_its_very_frame_in_every_container() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let count = 400;
    for (name, coding) in [("a.mp4", H264), ("b.mkv", H264), ("c.avi", MJPEG), ("d.ts", H264), ("e.hevc", HEVC)] {
        let mut source = open(&write_clip(dir.path(), name, count, coding));
        let begun = Instant::now();
        for index in [350, 3, 399, 0, 120, 119, 121, 380, 200, 7] {
            source.seek(index).unwrap();
            for expected in index..(index + 3).min(count) {
                let frame = source.next_frame().unwrap().unwrap();
                assert_eq!((frame.index, number_in(&frame.image)), (expected, expected), "{name}: seek to {index}");
            }
        }
        println!("{name}: 10 seeks in {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
        assert!(matches!(source.seek(count + 50), Err(DataError::Seek { .. })), "{name}");
    }
}

#[test]
fn a_seek_is_exact_where_the_rate_varies() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    // Every frame whose number is 1 modulo 3 is left out, the others keep their times.
    let coding = ["-vf", "select='not(eq(mod(n,3),1))'", "-fps_mode", "vfr"];
    let coding: Vec<_> = coding.iter().chain(H264).copied().collect();
    let mut source = open(&write_clip(dir.path(), "varies.mp4", 300, &coding));
    let expected: Vec<_> = (0..300).filter(|i| i % 3 != 1).collect();
    assert_eq!(numbers(&mut *source), expected);
    for index in [150, 3, 101, 199, 0] {
        source.seek(index).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.index, number_in(&frame.image)), (index, expected[index]));
    }
}

#[test]
fn angles_come_from_the_csv_of_the_same_name() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let path = write_clip(dir.path(), "drive.mp4", 40, H264);
    write_text(dir.path().join("drive.csv"), "time_s,steering_rad\n0,0\n1.0,0.5\n1.2,0.5\n");
    let mut source = open(&path);
    let angles: Vec<_> = frames(&mut *source).iter().map(|frame| frame.steering_true_rad).collect();
    assert!((angles[10].unwrap() - 0.25).abs() < 1e-4 && (angles[22].unwrap() - 0.5).abs() < 1e-4);
    assert_eq!(angles[39], None, "nothing is known at 1.95 s");
}

#[test]
fn files_that_are_no_video_are_named() {
    let dir = tempdir().unwrap();
    for (name, text) in [("empty.mp4", ""), ("text.mkv", "this is no video"), ("odd.hevc", "\u{0}\u{0}\u{1}junk")] {
        write_text(dir.path().join(name), text);
        let message = error(&dir.path().join(name));
        assert!(message.contains(name) && message.contains("FFmpeg"), "{message}");
    }
}

#[test]
fn a_truncated_video_gives_what_it_has_and_says_so() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let path = write_clip(dir.path(), "whole.avi", FRAMES, MJPEG);
    let bytes = std::fs::read(&path).unwrap();
    let torn = dir.path().join("torn.avi");
    std::fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
    let mut source = open(&torn);
    let seen = numbers(&mut *source);
    assert!(seen.len() > 20 && seen.len() < FRAMES, "{} frames", seen.len());
    let (skipped, announced) = (source.skipped().clone(), source.info().frame_count.unwrap());
    println!("torn.avi: {announced} announced, {} read, {skipped:?}", seen.len());
    assert_eq!(seen, (0..seen.len()).collect::<Vec<_>>());
    assert!(noted(&*source, "cut short"), "{:?}", source.info().notes);
    assert_eq!(source.skipped().count, FRAMES - seen.len());
}

/// The bytes of a one-dimensional NumPy array.
fn npy(values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}\n", values.len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

#[test]
fn a_whole_segment_of_comma2k19_plays_with_its_logs() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let segment = dir.path().join("b0c9d2329ad1606b|2018-08-02--08-34-47/40");
    let steering = segment.join("processed_log/CAN/steering_angle");
    std::fs::create_dir_all(segment.join("global_pose")).unwrap();
    std::fs::create_dir_all(&steering).unwrap();
    let count = 1200;
    write_clip(&segment, "video.hevc", count, HEVC);
    // The real logs where they are at hand, made ones otherwise.
    let real = std::env::var_os("DELTASTEER_DATA")
        .map(|root| Path::new(&root).join("comma2k19-example/Example_1/b0c9d2329ad1606b|2018-08-02--08-34-47/40"));
    match real {
        Some(real) => {
            for file in [
                "global_pose/frame_times",
                "processed_log/CAN/steering_angle/t",
                "processed_log/CAN/steering_angle/value",
            ] {
                std::fs::write(segment.join(file), std::fs::read(real.join(file)).unwrap()).unwrap();
            }
        }
        None => {
            println!("DELTASTEER_DATA is not set: the logs are made here");
            let t: Vec<f64> = (0..5000).map(|i| 100.0 + i as f64 * 0.0121).collect();
            std::fs::write(
                segment.join("global_pose/frame_times"),
                npy(&(0..count).map(|i| 100.0 + i as f64 * 0.05).collect::<Vec<_>>()),
            )
            .unwrap();
            std::fs::write(steering.join("value"), npy(&t.iter().map(|t| t.sin()).collect::<Vec<_>>())).unwrap();
            std::fs::write(steering.join("t"), npy(&t)).unwrap();
        }
    }
    let mut source = open(&segment);
    let info = source.info().clone();
    assert_eq!((info.format, info.frame_count), ("comma2k19", Some(count)));
    assert!((info.rate_hz - 20.0).abs() < 0.1);
    assert!(info.steering_true_rad.iter().all(Option::is_some), "{:?}", info.notes);
    assert_eq!(numbers(&mut *source), (0..count).collect::<Vec<_>>());
    assert_eq!(source.skipped().count, 0, "{:?}", source.skipped());
    source.seek(700).unwrap();
    assert_eq!(number_in(&source.next_frame().unwrap().unwrap().image), 700);
}

/// ffmpeg serving its moving test picture as MJPEG over HTTP, to one client; stopped when dropped.
struct Server(Child);

impl Server {
    fn start(port: u16) -> Self {
        let url = format!("http://127.0.0.1:{port}/");
        let arguments =
            ["-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-c:v", "mjpeg", "-q:v", "3", "-f", "mpjpeg"];
        let child = ffmpeg(&arguments).args(["-listen", "1", &url]).stderr(Stdio::null()).spawn().unwrap();
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody uses at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Connects, trying again while the server starts.
fn connect(port: u16) -> Box<dyn Source> {
    let begun = Instant::now();
    loop {
        match deltasteer_data::open(&format!("http://127.0.0.1:{port}/")) {
            Ok(source) => return source,
            Err(error) if begun.elapsed() > Duration::from_secs(60) => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// The next frame of a feed that runs; a busy machine may make it late.
fn next(source: &mut dyn Source) -> deltasteer_data::Frame {
    let begun = Instant::now();
    loop {
        match source.next_frame() {
            Ok(frame) => return frame.expect("a live feed has no end"),
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
        }
    }
}

#[test]
fn a_live_stream_is_read_dropped_lost_and_found_again() {
    if !ffmpeg_is_there() {
        return;
    }
    let port = free_port();
    let nobody = deltasteer_data::open(&format!("http://127.0.0.1:{port}/")).err().unwrap().to_string();
    assert!(nobody.contains("refused") && !nobody.contains("again"), "{nobody}");

    let server = Server::start(port);
    let mut source = connect(port);
    let info = source.info().clone();
    assert!(info.live && info.frame_count.is_none() && (info.width, info.height) == (160, 120), "{info:?}");

    // Reading at once: frames come in order, hardly older than a frame.
    let mut last = 0;
    for _ in 0..25 {
        let frame = next(&mut *source);
        assert!(frame.index >= last && frame.image.dim() == (120, 160, 3));
        last = frame.index;
    }
    // Reading slowly: the newest is kept, the others are counted.
    let before = source.health().unwrap().dropped;
    std::thread::sleep(Duration::from_millis(800));
    let index = next(&mut *source).index;
    let health = source.health().unwrap();
    assert!(index > last + 5 && health.dropped > before + 5, "{index} after {last}, {health:?}");
    println!("while it runs: {health:?}");

    // The server goes away: waiting, stale, with a reason; never an end.
    drop(server);
    let begun = Instant::now();
    let lost = loop {
        match source.next_frame() {
            Ok(frame) => last = frame.expect("a live feed has no end").index,
            Err(DataError::Waiting { .. }) => {
                let health = source.health().unwrap();
                if health.stale && health.message.contains("connecting again") {
                    break health;
                }
            }
            Err(error) => panic!("{error}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", source.health());
    };
    println!("after the server has gone: {lost:?}");

    // It comes back: frames come again, numbered on.
    let _server = Server::start(port);
    let begun = Instant::now();
    let frame = loop {
        match source.next_frame() {
            Ok(frame) => break frame.unwrap(),
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
        }
    };
    assert!(frame.index > last);
    let health = source.health().unwrap();
    assert!(!health.stale && health.message.is_empty(), "{health:?}");
    println!("back after {:.1} s", begun.elapsed().as_secs_f64());
    for _ in 0..10 {
        next(&mut *source);
    }
}

#[test]
fn a_camera_that_is_not_there_is_named() {
    let message = deltasteer_data::open("camera:63").err().unwrap().to_string();
    assert!(message.contains("camera:63") && message.contains("no such camera"), "{message}");
}

#[test]
fn labels_may_be_longer_than_the_video() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let path = write_clip(dir.path(), "short.mp4", 10, H264);
    let mut text = String::from("time_s,steering_deg\n");
    for i in 0..1000 {
        writeln!(text, "{},{}", i as f64 * 0.01, i).unwrap();
    }
    write_text(dir.path().join("short.csv"), &text);
    let mut source = open(&path);
    assert_eq!(source.info().steering_true_rad.len(), 10);
    assert!(frames(&mut *source).iter().all(|frame| frame.steering_true_rad.is_some()));
}
