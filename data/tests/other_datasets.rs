//! donkeycar, SullyChen, the Udacity simulator and plain folders, on recordings made here and on the real, damaged tub.

#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::{error, frames, noted, numbered, numbers, open, recorded, write_image, write_jpeg, write_text};
use deltasteer_data::SteeringUnit;
use tempfile::tempdir;

/// Radians of the road wheels that a command of 1 stands for.
const FULL_LOCK_RAD: f32 = 25.0 * std::f32::consts::PI / 180.0;

/// Writes a tub of version 4 with `count` records in catalogs of 10.
fn write_tub(folder: &Path, count: usize, deleted: &str, current_index: usize) {
    let catalogs: Vec<_> = (0..count.div_ceil(10)).map(|c| format!("\"catalog_{c}.catalog\"")).collect();
    let manifest = format!(
        "[\"cam/image_array\"]\n[\"image_array\"]\n{{}}\n{{\"created_at\": 1.0}}\n\
         {{\"paths\": [{}], \"current_index\": {current_index}, \"max_len\": 10, \"deleted_indexes\": [{deleted}]}}\n",
        catalogs.join(", ")
    );
    write_text(folder.join("manifest.json"), &manifest);
    for c in 0..count.div_ceil(10) {
        let mut text = String::new();
        for i in c * 10..(c * 10 + 10).min(count) {
            let angle = i as f64 / 100.0;
            writeln!(
                text,
                "{{\"_index\": {i}, \"_timestamp_ms\": {}, \"cam/image_array\": \"{i}_cam_image_array_.jpg\", \
                 \"user/angle\": {angle}, \"user/mode\": \"user\"}}",
                1_706_113_043_000usize + 50 * i
            )
            .unwrap();
            write_jpeg(folder.join(format!("images/{i}_cam_image_array_.jpg")), i);
        }
        write_text(folder.join(format!("catalog_{c}.catalog")), &text);
    }
}

#[test]
fn a_tub_plays_in_order_with_its_sign_turned() {
    let dir = tempdir().unwrap();
    write_tub(dir.path(), 25, "", 25);
    let mut source = open(dir.path());
    assert_eq!(source.info().format, "donkeycar tub (version 4)");
    assert_eq!(source.info().steering_unit, SteeringUnit::Normalised { full_scale_rad: FULL_LOCK_RAD });
    assert!((source.info().rate_hz - 20.0).abs() < 1e-3);
    assert_eq!(source.info().notes.len(), 1, "{:?}", source.info().notes);
    for (i, frame) in frames(&mut *source).iter().enumerate() {
        assert_eq!(common::number_in(&frame.image), i);
        assert!((frame.steering_true_rad.unwrap() + i as f32 / 100.0 * FULL_LOCK_RAD).abs() < 1e-6);
    }
}

#[test]
fn a_damaged_tub_says_what_is_wrong_with_it() {
    let dir = tempdir().unwrap();
    write_tub(dir.path(), 30, "28, 29", 5);
    for i in [3, 4] {
        fs::remove_file(dir.path().join(format!("images/{i}_cam_image_array_.jpg"))).unwrap();
    }
    fs::write(dir.path().join("images/7_cam_image_array_.jpg"), b"").unwrap();
    write_jpeg(dir.path().join("images/stray.jpg"), 500);
    write_jpeg(dir.path().join("images/stray2.jpg"), 501);
    write_jpeg(dir.path().join("images/stray3.jpg"), 502);
    let catalog = dir.path().join("catalog_1.catalog");
    let text = fs::read_to_string(&catalog).unwrap();
    let text = text
        .replace("\"user/angle\": 0.15", "\"user/angle\": NaN")
        .replace("\"user/angle\": 0.16", "\"user/angle\": \"x\"");
    let torn = text.rfind("{\"_index\": 19").unwrap() + 40;
    fs::write(&catalog, &text[..torn]).unwrap();
    let mut source = open(dir.path());
    for part in [
        "current_index is 5",
        "2 images named in the records are missing",
        "1 image files are empty",
        "1 records cannot be read and are left out (catalog_1.catalog line 10)",
        "2 records have no usable user/angle (catalog_1.catalog line 6; catalog_1.catalog line 7)",
        "2 records are marked as deleted",
        "named by no record",
    ] {
        assert!(noted(&*source, part), "{part:?} is not in {:?}", source.info().notes);
    }
    assert_eq!(source.skipped().count, 3);
    let expected: Vec<_> = (0..28).filter(|i| ![3, 4, 7, 19].contains(i)).collect();
    assert_eq!(numbers(&mut *source), expected);
}

#[test]
fn a_tub_whose_manifest_is_torn_still_plays() {
    let dir = tempdir().unwrap();
    write_tub(dir.path(), 12, "", 12);
    write_text(dir.path().join("manifest.json"), "[\"cam/image_array\"]\n[\"image_ar");
    let mut source = open(dir.path());
    assert!(noted(&*source, "all *.catalog files are read"));
    assert_eq!(numbers(&mut *source), (0..12).collect::<Vec<_>>());
}

#[test]
fn a_tub_never_reads_outside_its_folder() {
    let outer = tempdir().unwrap();
    let tub = outer.path().join("tub");
    write_tub(&tub, 2, "", 2);
    write_jpeg(outer.path().join("secret.jpg"), 999);
    fs::copy(tub.join("catalog_0.catalog"), outer.path().join("other.catalog")).unwrap();
    write_text(
        tub.join("manifest.json"),
        "{\"paths\": [\"../other.catalog\", \"catalog_0.catalog\"], \"current_index\": 3}\n",
    );
    let mut text = fs::read_to_string(tub.join("catalog_0.catalog")).unwrap();
    text.push_str("{\"_index\": 2, \"cam/image_array\": \"../../secret.jpg\", \"user/angle\": 0}\n");
    fs::write(tub.join("catalog_0.catalog"), text).unwrap();
    let mut source = open(&tub);
    assert!(noted(&*source, "../other.catalog"));
    assert!(source.skipped().examples[0].contains("leads out"), "{:?}", source.skipped());
    assert_eq!(numbers(&mut *source), [0, 1]);
}

#[test]
fn an_older_tub_plays_in_natural_order() {
    let dir = tempdir().unwrap();
    for i in 0..12 {
        write_jpeg(dir.path().join(format!("{i}_cam-image_array_.jpg")), i);
        let json = format!("{{\"cam/image_array\": \"{i}_cam-image_array_.jpg\", \"user/angle\": {}}}", -0.5);
        write_text(dir.path().join(format!("record_{i}.json")), &json);
    }
    write_text(dir.path().join("record_5.json"), "{\"cam/image_array\": ");
    let mut source = open(dir.path());
    assert_eq!(source.info().format, "donkeycar tub (JSON records)");
    assert!(noted(&*source, "1 records cannot be read") && noted(&*source, "20 frames a second are assumed"));
    assert!((source.info().steering_true_rad[0].unwrap() - 0.5 * FULL_LOCK_RAD).abs() < 1e-6);
    assert_eq!(numbers(&mut *source), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn an_empty_tub_is_an_error() {
    let dir = tempdir().unwrap();
    write_tub(dir.path(), 1, "", 1);
    write_text(dir.path().join("catalog_0.catalog"), "not json\n");
    assert!(error(dir.path()).contains("no record of this tub can be read"));
    write_text(dir.path().join("catalog_0.catalog"), "");
    assert!(error(dir.path()).contains("no record of this tub can be read"));
}

#[test]
fn the_real_damaged_tub_replays_what_it_has() {
    let Some(path) = recorded("donkeycar-tub") else { return };
    let mut source = open(&path);
    let info = source.info().clone();
    assert_eq!((info.frame_count, info.width, info.height), (Some(1203), 160, 120));
    assert!((info.rate_hz - 20.0).abs() < 0.5, "{}", info.rate_hz);
    assert!(noted(&*source, "797 image files are empty") && noted(&*source, "current_index is 5854"));
    assert_eq!(frames(&mut *source).len(), 1203);
    assert_eq!((source.skipped().count, source.skipped().examples.len()), (797, 20));
    println!("donkeycar-tub: {:.2} Hz, {} gaps, {:?}", info.rate_hz, info.gaps.len(), info.notes);
}

#[test]
fn sullychen_2016_is_degrees_positive_right() {
    let dir = tempdir().unwrap();
    let mut text = String::new();
    for i in 0..12 {
        write_jpeg(dir.path().join(format!("{i}.jpg")), i);
        writeln!(text, "{i}.jpg {}", i * 9).unwrap();
    }
    text.push_str("12.jpg 3\n../x.jpg 4\n");
    write_text(dir.path().join("data.txt"), &text);
    let mut source = open(dir.path());
    assert_eq!((source.info().format, source.info().frame_count), ("SullyChen (2016)", Some(12)));
    assert!((source.info().steering_true_rad[10].unwrap() + std::f32::consts::FRAC_PI_2).abs() < 1e-6);
    assert!(noted(&*source, "30 frames a second are assumed") && noted(&*source, "1 lines name a file outside"));
    assert_eq!(source.skipped().count, 2);
    assert_eq!(numbers(&mut *source), (0..12).collect::<Vec<_>>());
}

#[test]
fn sullychen_2018_has_times_and_a_folder() {
    let dir = tempdir().unwrap();
    let mut text = String::new();
    for i in 0..5 {
        write_jpeg(dir.path().join(format!("data/{i}.jpg")), i);
        writeln!(text, "{i}.jpg -1.5,2018-07-01 17:09:{:02}:{:03}", 44 + i / 4, i % 4 * 250).unwrap();
    }
    write_text(dir.path().join("data.txt"), &text);
    let mut source = open(dir.path());
    assert_eq!(source.info().format, "SullyChen (2018)");
    assert!((source.info().rate_hz - 4.0).abs() < 1e-6 && (source.info().times_s[4] - 1.0).abs() < 1e-6);
    assert!((source.info().steering_true_rad[0].unwrap() - 1.5f32.to_radians()).abs() < 1e-6);
    assert_eq!(numbers(&mut *source), [0, 1, 2, 3, 4]);
    write_text(dir.path().join("data.txt"), "\n");
    assert!(error(dir.path()).contains("data.txt: the file is empty"));
}

#[test]
fn the_simulator_writes_paths_of_another_machine() {
    let dir = tempdir().unwrap();
    let mut text = String::new();
    for i in 0..8 {
        let name = format!("center_2016_12_01_13_30_4{i}_100.jpg");
        write_jpeg(dir.path().join("IMG").join(&name), i);
        let folder = if i % 2 == 0 { "C:\\Users\\me\\Desktop\\IMG\\" } else { "/Users/me/IMG/" };
        writeln!(text, "{folder}{name}, {folder}left.jpg, {folder}right.jpg, {}, 0.9, 0, 30.1", i as f64 * 0.1)
            .unwrap();
    }
    text.push_str("/elsewhere/gone.jpg,l,r,0,0,0,0\n..,l,r,0,0,0,0\n");
    write_text(dir.path().join("driving_log.csv"), &text);
    write_jpeg(dir.path().join("IMG/center_2016_12_01_13_31_00_100.jpg"), 99);
    let mut source = open(dir.path());
    assert_eq!((source.info().format, source.info().frame_count), ("Udacity simulator", Some(8)));
    assert!((source.info().rate_hz - 1.0).abs() < 1e-6);
    assert!((source.info().steering_true_rad[7].unwrap() + 0.7 * FULL_LOCK_RAD).abs() < 1e-6);
    assert!(noted(&*source, "1 images of the centre camera are named by no line"));
    assert_eq!(source.skipped().count, 2);
    assert_eq!(numbers(&mut *source), (0..8).collect::<Vec<_>>());
    write_text(dir.path().join("driving_log.csv"), ",,\n,,\n");
    assert!(error(dir.path()).contains("no line names an image"));
}

#[test]
fn a_plain_folder_plays_in_natural_order() {
    let dir = tempdir().unwrap();
    for i in 0..12 {
        write_image(dir.path().join(format!("frame{i}.png")), &numbered(i));
    }
    let mut source = open(dir.path());
    assert_eq!((source.info().format, source.info().frame_count), ("folder of images", Some(12)));
    assert!(source.info().steering_true_rad.is_empty() && noted(&*source, "no labels.csv"));
    assert_eq!(numbers(&mut *source), (0..12).collect::<Vec<_>>());

    write_text(
        dir.path().join("labels.csv"),
        "file,time_s,steering_deg\nframe0.png,5.0,10\nframe1.png,5.1,ten\nframe2.png,5.2,-20\nframe2.png,9,9\nno.png,6,0\n",
    );
    let mut source = open(dir.path());
    for part in [
        "9 images have no label",
        "1 label lines have no usable angle",
        "1 label lines repeat",
        "1 labels have no image",
    ] {
        assert!(noted(&*source, part), "{part:?} is not in {:?}", source.info().notes);
    }
    let angles = source.info().steering_true_rad.clone();
    assert!((angles[0].unwrap() - 10f32.to_radians()).abs() < 1e-6 && angles[1].is_none());
    assert!((angles[2].unwrap() + 20f32.to_radians()).abs() < 1e-6);
    assert!((source.info().rate_hz - 10.0).abs() < 1e-6);
    assert_eq!(numbers(&mut *source).len(), 12);

    write_text(dir.path().join("labels.csv"), "file,angle\n");
    assert!(error(dir.path()).contains("steering_rad or steering_deg"));
}
