//! Udacity Challenge 2 on recordings made here: every layout and every row of bad input.

#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::{error, frames, noted, numbered_sized, numbers, open, recorded, write_image, write_jpeg, write_text};
use tempfile::tempdir;

const START_NS: u64 = 1_479_425_441_182_877_835;

fn time_ns(index: usize) -> u64 {
    START_NS + index as u64 * 50_000_000
}

fn write_pictures(folder: &Path, count: usize) {
    for i in 0..count {
        write_jpeg(folder.join(format!("center/{}.jpg", time_ns(i))), i);
    }
}

fn test_set_labels(count: usize) -> String {
    let mut text = String::from("frame_id,steering_angle,public\n");
    for i in 0..count {
        writeln!(text, "{},{},{}", time_ns(i), i as f64 * 0.01, i % 2).unwrap();
    }
    text
}

#[test]
fn the_test_set_layout_gives_every_frame_in_order_with_its_angle() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 60);
    write_text(dir.path().join("CH2_final_evaluation.csv"), &test_set_labels(60));
    let mut source = open(dir.path());
    let info = source.info().clone();
    assert_eq!(info.format, "Udacity Challenge 2 (test-set layout)");
    assert_eq!((info.frame_count, info.width, info.height, info.live), (Some(60), 128, 16, false));
    assert!((info.rate_hz - 20.0).abs() < 1e-3 && info.gaps.is_empty() && info.notes.is_empty(), "{info:?}");
    for (i, frame) in frames(&mut *source).iter().enumerate() {
        assert_eq!((frame.index, common::number_in(&frame.image)), (i, i));
        assert!((frame.time_s - i as f64 * 0.05).abs() < 1e-9);
        assert!((frame.steering_true_rad.unwrap() - i as f32 * 0.01).abs() < 1e-6);
    }
    source.seek(41).unwrap();
    assert_eq!(numbers(&mut *source), (41..60).collect::<Vec<_>>());
    assert_eq!(source.skipped().count, 0);
}

#[test]
fn the_training_set_layout_uses_the_centre_camera_alone() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 10);
    let mut text = String::from("index,timestamp,width,height,frame_id,filename,angle,torque,speed\n");
    for i in 0..10 {
        for (camera, folder) in [("left_camera", "left"), ("center_camera", "center"), ("right_camera", "right")] {
            let t = time_ns(i) + if camera == "center_camera" { 0 } else { 7 };
            writeln!(text, "x,{t},128,16,{camera},{folder}/{t}.jpg,{},0,20", -(i as f64) * 0.01).unwrap();
        }
    }
    write_text(dir.path().join("interpolated.csv"), &text);
    let mut source = open(dir.path());
    assert_eq!(source.info().format, "Udacity Challenge 2 (training-set layout)");
    assert!((source.info().steering_true_rad[9].unwrap() + 0.09).abs() < 1e-6);
    assert!(noted(&*source, "20 rows of other cameras"), "{:?}", source.info().notes);
    assert_eq!(numbers(&mut *source), (0..10).collect::<Vec<_>>());
}

#[test]
fn images_without_labels_replay_without_truth() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 3);
    let mut source = open(dir.path());
    assert!(source.info().steering_true_rad.is_empty() && noted(&*source, "without true angles"));
    assert!(frames(&mut *source).iter().all(|frame| frame.steering_true_rad.is_none()));
}

#[test]
fn ten_times_more_labels_than_images_are_counted_and_named() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 4);
    write_text(dir.path().join("CH2_final_evaluation.csv"), &test_set_labels(40));
    let mut source = open(dir.path());
    assert_eq!(source.info().frame_count, Some(4));
    assert_eq!((source.skipped().count, source.skipped().examples.len()), (36, 20));
    assert!(source.skipped().examples[0].contains(&format!("{}.jpg", time_ns(4))));
    assert!(noted(&*source, "36 labels have no image"));
    assert_eq!(numbers(&mut *source), [0, 1, 2, 3]);
}

#[test]
fn ten_times_more_images_than_labels_still_replay() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 40);
    write_text(dir.path().join("CH2_final_evaluation.csv"), &test_set_labels(4));
    let mut source = open(dir.path());
    assert!(noted(&*source, "36 images have no usable label"));
    assert_eq!(frames(&mut *source).iter().filter(|frame| frame.steering_true_rad.is_some()).count(), 4);
}

#[test]
fn damaged_and_empty_images_are_skipped_counted_and_named() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 8);
    write_text(dir.path().join("CH2_final_evaluation.csv"), &test_set_labels(8));
    let picture = |i| dir.path().join(format!("center/{}.jpg", time_ns(i)));
    fs::write(picture(0), b"").unwrap();
    fs::write(picture(3), b"this is no picture").unwrap();
    let whole = fs::read(picture(5)).unwrap();
    fs::write(picture(5), &whole[..whole.len() * 2 / 3]).unwrap();
    let mut source = open(dir.path());
    assert_eq!(source.info().frame_count, Some(7), "the empty file is no frame");
    assert!(noted(&*source, "1 image files are empty"));
    let seen: Vec<_> = frames(&mut *source).iter().map(|f| (f.index, common::number_in(&f.image))).collect();
    assert_eq!(seen, [(0, 1), (1, 2), (3, 4), (5, 6), (6, 7)], "damaged frames keep their place");
    let skipped = source.skipped();
    assert_eq!(skipped.count, 3);
    for (example, reason) in skipped.examples.iter().zip(["empty", "neither JPEG nor PNG", "damaged JPEG"]) {
        assert!(example.contains(reason) && example.contains("center/"), "{example}");
    }
}

#[test]
fn text_and_nan_among_the_labels_cost_those_labels_only() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 4);
    let text = format!(
        "frame_id,steering_angle\n{},NaN\n{},left\n{},0.25\n{}\n",
        time_ns(0),
        time_ns(1),
        time_ns(2),
        time_ns(3)
    );
    write_text(dir.path().join("CH2_final_evaluation.csv"), &text);
    let mut source = open(dir.path());
    assert!(noted(&*source, "3 label lines have no usable angle (line 2: \"NaN\"; line 3: \"left\"; line 5: nothing)"));
    let angles: Vec<_> = frames(&mut *source).iter().map(|f| f.steering_true_rad).collect();
    assert_eq!(angles, [None, None, Some(0.25), None]);
}

#[test]
fn unsorted_and_repeated_lines_play_in_the_order_of_time() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 6);
    let mut lines: Vec<_> = test_set_labels(6).lines().map(str::to_owned).collect();
    lines[1..].reverse();
    lines.push(format!("{},0.9,0", time_ns(2)));
    write_text(dir.path().join("CH2_final_evaluation.csv"), &lines.join("\n"));
    let mut source = open(dir.path());
    assert!(noted(&*source, "not in the order of time") && noted(&*source, "1 label lines repeat"));
    assert!((source.info().steering_true_rad[2].unwrap() - 0.02).abs() < 1e-6);
    assert_eq!(numbers(&mut *source), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_gap_is_reported_where_it_is() {
    let dir = tempdir().unwrap();
    for i in [0, 1, 2, 3, 60, 61] {
        write_jpeg(dir.path().join(format!("center/{}.jpg", time_ns(i))), i);
    }
    let source = open(dir.path());
    let gaps = &source.info().gaps;
    assert_eq!((gaps.len(), gaps[0].after_index), (1, 3));
    assert!((gaps[0].seconds - 57.0 * 0.05).abs() < 1e-9);
}

#[test]
fn a_size_that_changes_midway_is_noted_and_nothing_is_lost() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 6);
    write_image(dir.path().join(format!("center/{}.jpg", time_ns(4))), &numbered_sized(4, 160, 32));
    let mut source = open(dir.path());
    assert_eq!(numbers(&mut *source), [0, 1, 2, 3, 4, 5]);
    assert!(noted(&*source, "frame 4 is 160x32, before it was 128x16"));
}

#[test]
fn a_path_in_the_labels_never_leads_out_of_the_folder() {
    let outer = tempdir().unwrap();
    let drive = outer.path().join("drive");
    write_pictures(&drive, 2);
    write_jpeg(outer.path().join("secret.jpg"), 999);
    let secret = outer.path().join("secret.jpg").display().to_string();
    let mut text = String::from("timestamp,filename,angle\n");
    for (i, file) in ["../secret.jpg", &secret, "center/../../secret.jpg", "..\\secret.jpg"].iter().enumerate() {
        writeln!(text, "{},{file},0.1", time_ns(10 + i)).unwrap();
    }
    write_text(drive.join("interpolated.csv"), &text);
    let mut source = open(&drive);
    assert!(noted(&*source, "leads out of the dataset's folder and was not read"), "{:?}", source.info().notes);
    assert_eq!(source.skipped().count, 4);
    assert_eq!(numbers(&mut *source), [0, 1]);
}

#[test]
fn folders_and_files_that_are_no_recording_say_what_was_expected() {
    let dir = tempdir().unwrap();
    let message = error(&dir.path().join("nowhere"));
    assert!(message.contains("nowhere") && message.contains("no such file or folder"), "{message}");

    let message = error(dir.path());
    assert!(message.contains("no known layout") && message.contains("CH2_final_evaluation.csv"), "{message}");

    write_pictures(&dir.path().join("a/drive"), 1);
    let message = error(dir.path());
    assert!(message.contains("a/drive: give that folder"), "{message}");

    write_text(dir.path().join("notes.txt"), "hello");
    assert!(error(&dir.path().join("notes.txt")).contains("no known kind"));
}

#[test]
fn label_files_that_are_none_are_named() {
    let dir = tempdir().unwrap();
    write_pictures(dir.path(), 1);
    let labels = dir.path().join("CH2_final_evaluation.csv");
    for (text, part) in [("", "empty"), ("frame_id,angle\n1,2\n", "steering_angle"), ("\u{0}\u{1}\u{2}", "frame_id")] {
        fs::write(&labels, text).unwrap();
        let message = error(dir.path());
        assert!(message.contains("CH2_final_evaluation.csv") && message.contains(part), "{message}");
    }
}

#[test]
fn labels_without_a_single_image_are_an_error() {
    let dir = tempdir().unwrap();
    write_text(dir.path().join("CH2_final_evaluation.csv"), &test_set_labels(3));
    let message = error(dir.path());
    assert!(message.contains("none of its 3 images"), "{message}");
}

#[test]
fn the_recorded_drives_replay_whole() {
    for (folder, count, size, angle_range) in [
        ("udacity-ch2-hmb3", 3980, (640, 480), (-0.89, 0.96)),
        ("udacity-ch2-hmb1", 4401, (320, 240), (-0.35, 0.15)),
        ("udacity-ch2-hmb4", 1974, (320, 240), (-0.37, 0.55)),
    ] {
        let Some(path) = recorded(folder) else { continue };
        let mut source = open(&path);
        let info = source.info().clone();
        assert_eq!((info.frame_count, (info.width, info.height)), (Some(count), size), "{folder}");
        assert!((info.rate_hz - 20.0).abs() < 0.5, "{folder}: {} Hz", info.rate_hz);
        assert!(info.times_s.windows(2).all(|t| t[1] > t[0]));
        assert!(info.steering_true_rad.iter().all(|a| a.is_some_and(|a| a > angle_range.0 && a < angle_range.1)));
        let mut expected = 0;
        while let Some(frame) = source.next_frame().unwrap() {
            assert_eq!(frame.index, expected, "{folder}");
            expected += 1;
        }
        assert_eq!((expected, source.skipped().count), (count, 0), "{folder}: {:?}", source.skipped());
        println!("{folder}: {count} frames, {:.3} Hz, gaps {:?}, notes {:?}", info.rate_hz, info.gaps, info.notes);
    }
}
