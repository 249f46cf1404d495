//! ROS bags and HDF5 drives that other people's libraries wrote (`goldens/containers.py`).

#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::path::{Path, PathBuf};

use common::{error, frames, noted, number_in, numbers, open, write_text};
use tempfile::tempdir;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

#[test]
fn bags_of_every_compression_play_the_centre_camera_with_interpolated_angles() {
    for name in ["plain.bag", "lz4.bag", "bz2.bag"] {
        let mut source = open(&golden(name));
        let info = source.info().clone();
        assert_eq!((info.format, info.frame_count), ("ROS bag (Udacity Challenge 2)", Some(12)), "{name}");
        assert!((info.rate_hz - 20.0).abs() < 1e-6 && (info.times_s[11] - 0.55).abs() < 1e-9, "{name}");
        assert!(noted(&*source, "images of /center_camera") && noted(&*source, "/left_camera"), "{:?}", info.notes);
        for (i, frame) in frames(&mut *source).iter().enumerate() {
            assert_eq!((frame.index, number_in(&frame.image)), (i, i), "{name}");
            let angle = frame.steering_true_rad.unwrap();
            assert!((angle - 0.1 * i as f32).abs() < 1e-5, "{name}: frame {i}: {angle}");
        }
        source.seek(7).unwrap();
        assert_eq!(numbers(&mut *source), [7, 8, 9, 10, 11], "{name}");
    }
}

#[test]
fn bags_that_cannot_be_read_say_why() {
    let dir = tempdir().unwrap();
    let bytes = std::fs::read(golden("plain.bag")).unwrap();
    let bag = dir.path().join("drive.bag");
    let message_of = |bytes: &[u8]| {
        std::fs::write(&bag, bytes).unwrap();
        error(&bag)
    };
    assert!(message_of(b"").contains("signature"));
    assert!(message_of(&bytes[..bytes.len() / 2]).contains("cut short"));
    let at = bytes.windows(10).position(|w| w == b"index_pos=").unwrap() + 10;
    let mut unindexed = bytes.clone();
    unindexed[at..at + 8].fill(0);
    assert!(message_of(&unindexed).contains("rosbag reindex"));
}

#[test]
fn a_damaged_chunk_costs_what_it_holds() {
    let dir = tempdir().unwrap();
    let mut bytes = std::fs::read(golden("plain.bag")).unwrap();
    let jpeg = bytes.windows(3).enumerate().filter(|(_, w)| *w == [0xff, 0xd8, 0xff]).map(|(at, _)| at).nth(3).unwrap();
    bytes[jpeg..jpeg + 40].fill(0);
    let bag = dir.path().join("drive.bag");
    std::fs::write(&bag, &bytes).unwrap();
    let mut source = open(&bag);
    assert_eq!(frames(&mut *source).len(), 11);
    assert_eq!(source.skipped().count, 1);
    assert!(source.skipped().examples[0].contains("stamped"), "{:?}", source.skipped());
}

#[test]
fn a_drive_of_2016_plays_with_the_log_aligned_by_its_pointer() {
    for name in ["contiguous.h5", "chunked.h5"] {
        let mut source = open(&golden("comma2016/camera").join(name));
        let info = source.info().clone();
        assert_eq!((info.format, info.frame_count, info.width, info.height), ("comma.ai 2016", Some(12), 128, 8));
        assert!((info.rate_hz - 20.0).abs() < 1e-6, "{name}: {}", info.rate_hz);
        for part in ["publisher states no unit", "1 frames are named by no line", "lines of the log point to no frame"]
        {
            assert!(noted(&*source, part), "{part:?} is not in {:?}", info.notes);
        }
        for (i, frame) in frames(&mut *source).iter().enumerate() {
            assert_eq!((frame.index, number_in(&frame.image)), (i, i), "{name}");
            assert!((frame.time_s - 0.05 * i as f64).abs() < 1e-6, "{name}: frame {i} at {}", frame.time_s);
            match frame.steering_true_rad {
                // 10 units a frame, tenths of degrees, positive right
                Some(angle) => assert!((angle + (i as f32).to_radians()).abs() < 1e-6, "{name}: frame {i}: {angle}"),
                None => assert_eq!(i, 5),
            }
        }
        source.seek(9).unwrap();
        assert_eq!(numbers(&mut *source), [9, 10, 11]);
    }
}

#[test]
fn drives_of_2016_that_cannot_be_read_say_why() {
    let message = error(&golden("comma2016"));
    assert!(message.contains("2 drives") && message.contains("camera/chunked.h5"), "{message}");

    let dir = tempdir().unwrap();
    let camera = dir.path().join("camera/a.h5");
    for text in ["", "no HDF5"] {
        write_text(&camera, text);
        assert!(error(&camera).contains("an HDF5 file"), "{}", error(&camera));
    }
    let bytes = std::fs::read(golden("comma2016/camera/contiguous.h5")).unwrap();
    std::fs::write(&camera, &bytes[..bytes.len() / 2]).unwrap();
    match deltasteer_data::open(camera.to_str().unwrap()) {
        Err(e) => assert!(e.to_string().contains("a.h5"), "{e}"),
        Ok(mut source) => assert!(frames(&mut *source).len() < 12 && source.skipped().count > 0),
    }
    std::fs::write(&camera, &bytes).unwrap();
    let source = open(&camera);
    assert!(noted(&*source, "no log/a.h5") && source.info().steering_true_rad.is_empty());

    std::fs::create_dir_all(dir.path().join("log")).unwrap();
    std::fs::copy(&camera, dir.path().join("log/a.h5")).unwrap();
    assert!(error(&camera).contains("times"), "a log without its arrays");
}
