//! A label is right or absent: recordings whose labels are written in ways that people's tools write them, each with the angles
//! that must come of it. Every picture carries its number; the angle of frame `i` is `angle(i)`.

#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::path::Path;

use common::{error, frames, noted, number_in, open, write_jpeg, write_text};
use tempfile::tempdir;

const COUNT: usize = 12;

/// Radians, positive left.
fn angle(i: usize) -> f64 {
    0.3 * (i as f64 / 5.0).sin()
}

fn lines(line: impl Fn(usize) -> String) -> String {
    (0..COUNT).map(line).collect()
}

/// Asserts that every picture is there with its own label, times `scale`.
fn assert_labelled(path: &Path, scale: f64, what: &str) {
    let mut source = open(path);
    let all = frames(&mut *source);
    assert_eq!(all.len(), COUNT, "{what}: {:?} {:?}", source.info().notes, source.skipped());
    for frame in all {
        let expected = (angle(number_in(&frame.image)) * scale) as f32;
        let found = frame.steering_true_rad;
        assert!(found.is_some_and(|a| (a - expected).abs() < 1e-4), "{what}: {found:?} {:?}", source.info().notes);
    }
}

/// Asserts that no picture has a label, and that a note says why.
fn assert_unlabelled(path: &Path, why: &str) {
    let mut source = open(path);
    let all = frames(&mut *source);
    assert_eq!(all.len(), COUNT, "{why}");
    assert!(all.iter().all(|frame| frame.steering_true_rad.is_none()), "{why}: {all:?}");
    assert!(noted(&*source, why), "{why}: {:?}", source.info().notes);
}

#[test]
fn labels_of_images_in_every_way_of_writing() {
    let comma = |text: String| text.replace('.', ",").replace(",jpg", ".jpg");
    let plain =
        format!("file,time_s,steering_rad\n{}", lines(|i| format!("{i}.jpg,{:.2},{:.5}\n", i as f64 / 20.0, angle(i))));
    let degrees = lines(|i| format!("{i}.jpg,{:.4},\n", angle(i).to_degrees()));
    let bytes_of =
        |unit: fn(u16) -> [u8; 2]| format!("\u{feff}{plain}").encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let cases = [
        ("plain", plain.clone().into_bytes()),
        ("semicolons", plain.replace(',', ";").into_bytes()),
        ("tabs", plain.replace(',', "\t").into_bytes()),
        ("semicolons and decimal commas", comma(plain.replace(',', ";")).into_bytes()),
        ("quoted decimal commas", {
            let rows = lines(|i| format!("{i}.jpg,{:.2},\"{}\"\n", i as f64 / 20.0, comma(format!("{:.5}", angle(i)))));
            format!("file,time_s,steering_rad\n{rows}").into_bytes()
        }),
        ("UTF-16, little end first", bytes_of(u16::to_le_bytes)),
        ("UTF-16, big end first", bytes_of(u16::to_be_bytes)),
        ("a mark before UTF-8", format!("\u{feff}{plain}").into_bytes()),
        ("CR at the ends of lines", plain.replace('\n', "\r").into_bytes()),
        ("CR LF at the ends of lines", plain.replace('\n', "\r\n").into_bytes()),
        (
            "capitals in the header",
            plain.replacen("file,time_s,steering_rad", "File,Time_s,Steering_rad", 1).into_bytes(),
        ),
        ("two columns of angles, one empty", format!("file,steering_deg,steering_rad\n{degrees}").into_bytes()),
        ("the folder before the name", {
            format!("file,steering_rad\n{}", lines(|i| format!("drive/{i}.jpg,{:.5}\n", angle(i)))).into_bytes()
        }),
        ("Unix milliseconds", {
            let rows = lines(|i| format!("{i}.jpg,{},{:.5}\n", 1_479_425_441_000 + 50 * i, angle(i)));
            format!("file,time_s,steering_rad\n{rows}").into_bytes()
        }),
    ];
    for (what, text) in cases {
        let dir = tempdir().unwrap();
        let folder = dir.path().join("drive");
        (0..COUNT).for_each(|i| write_jpeg(folder.join(format!("{i}.jpg")), i));
        std::fs::write(folder.join("labels.csv"), text).unwrap();
        assert_labelled(&folder, 1.0, what);
        let rate_hz = open(&folder).info().rate_hz;
        assert!((rate_hz - 20.0).abs() < 1e-3, "{what}: {rate_hz}");
    }
}

#[test]
fn labels_that_cannot_be_read_right_are_absent() {
    let cases = [
        ("decimal commas", "file,steering_rad\n", lines(|i| format!("{i}.jpg,0,{:05}\n", i))),
        ("the unit must be another", "file,steering_rad\n", lines(|i| format!("{i}.jpg,{:.3}\n", 60.0 + i as f64))),
        ("have no label", "file,steering_rad\n", lines(|i| format!("../other/{i}.jpg,0.5\n"))),
        ("no usable angle", "file,steering_rad\n", lines(|i| format!("{i}.jpg,left\n"))),
    ];
    for (why, header, text) in cases {
        let dir = tempdir().unwrap();
        (0..COUNT).for_each(|i| write_jpeg(dir.path().join(format!("{i}.jpg")), i));
        write_text(dir.path().join("labels.csv"), &format!("{header}{text}"));
        assert_unlabelled(dir.path(), why);
    }
}

#[test]
fn a_spike_of_the_sensor_is_no_label() {
    let dir = tempdir().unwrap();
    (0..COUNT).for_each(|i| write_jpeg(dir.path().join(format!("{i}.jpg")), i));
    let degrees = |i: usize| if i == 5 { 450.0 } else { angle(i).to_degrees() };
    write_text(
        dir.path().join("labels.csv"),
        &format!(
            "file,time_s,steering_deg\n{}",
            lines(|i| format!("{i}.jpg,{:.2},{:.3}\n", i as f64 / 20.0, degrees(i)))
        ),
    );
    let mut source = open(dir.path());
    let without: Vec<_> =
        frames(&mut *source).iter().filter(|f| f.steering_true_rad.is_none()).map(|f| f.index).collect();
    assert_eq!(without, [5]);
    assert!(noted(&*source, "frame 5: 450 degrees"), "{:?}", source.info().notes);
}

#[test]
fn the_simulator_on_a_machine_with_decimal_commas() {
    let full = f64::from(25f32.to_radians());
    let number = |value: f64| format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').replace('.', ",");
    let name = |i: usize| format!("center_2016_12_01_13_30_4{}_{}00.jpg", i / 10, i % 10);
    for (folder, blank) in [("IMG", " "), ("img", ""), (".", " ")] {
        let dir = tempdir().unwrap();
        (0..COUNT).for_each(|i| write_jpeg(dir.path().join(folder).join(name(i)), i));
        let log = lines(|i| {
            let command = number(-angle(i) + if blank.is_empty() { 1e-6 } else { 0.0 });
            format!("/home/m/IMG/{},{blank}l,{blank}r,{blank}{command},{blank}0,1,{blank}0,5,{blank}12,18\n", name(i))
        });
        write_text(dir.path().join("driving_log.csv"), &log);
        assert_labelled(dir.path(), full, folder);
        assert!(noted(&*open(dir.path()), "decimal commas"));
    }
    // Without blanks, and whole numbers without a comma, nothing tells which comma is which.
    let dir = tempdir().unwrap();
    (0..COUNT).for_each(|i| write_jpeg(dir.path().join("IMG").join(name(i)), i));
    write_text(dir.path().join("driving_log.csv"), &lines(|i| format!("{},l,r,0,5,0,0,12,18\n", name(i))));
    assert_unlabelled(dir.path(), "no usable steering");
}

#[test]
fn the_test_set_as_others_store_it() {
    let stamp = |i: usize| 1_479_425_441_000_000_000 + i as u64 * 50_000_000;
    for name in ["final_example.csv", "CH2_final_evaluation.csv"] {
        let dir = tempdir().unwrap();
        (0..COUNT).for_each(|i| write_jpeg(dir.path().join(format!("center/{}.jpg", stamp(i))), i));
        let text = format!("frame_id,steering_angle\n{}", lines(|i| format!("{},{:.6}\n", stamp(i), angle(i))));
        write_text(dir.path().join(name), &text);
        assert_labelled(dir.path(), 1.0, name);
        assert_labelled(&dir.path().join(name), 1.0, name);
    }
    // A spreadsheet has rounded the stamps; the names of the images are whole.
    let dir = tempdir().unwrap();
    (0..COUNT).for_each(|i| write_jpeg(dir.path().join(format!("center/{}.jpg", stamp(i))), i));
    let rows =
        lines(|i| format!("x,{:.5E},1,1,center_camera,center/{}.jpg,{:.6},0,9\n", stamp(i) as f64, stamp(i), angle(i)));
    let header = "index,timestamp,width,height,frame_id,filename,angle,torque,speed\n";
    write_text(dir.path().join("interpolated.csv"), &format!("{header}{rows}"));
    assert_labelled(dir.path(), 1.0, "rounded stamps");
    assert!(noted(&*open(dir.path()), "the name of their image has it"));
}

/// A tub whose record `i` holds the fields that `extra` gives beside image, index and time.
fn write_tub(folder: &Path, extra: impl Fn(usize) -> String) {
    (0..COUNT).for_each(|i| write_jpeg(folder.join(format!("images/{i}.jpg")), i));
    let record = |i: usize| {
        format!(
            "{{\"_index\": {i}, \"_timestamp_ms\": {}, \"cam/image_array\": \"{i}.jpg\", {}}}\r\n",
            50 * i,
            extra(i)
        )
    };
    write_text(folder.join("catalog_0.catalog"), &lines(record));
    let paths =
        "{\"paths\": [\"catalog_0.catalog\", \"catalog_1.catalog\"], \"current_index\": 12, \"deleted_indexes\": []}";
    write_text(folder.join("manifest.json"), &format!("[]\n[]\n{{}}\n{{}}\n{paths}\n"));
}

#[test]
fn tubs_that_were_cut_off_or_driven_otherwise() {
    let full = f64::from(25f32.to_radians());
    let user = |i: usize| format!("\"user/angle\": {:.6}, \"user/mode\": \"user\"", -angle(i));
    for (manifest, catalog, note) in [
        (true, Some(""), "catalog_1.catalog is left out"),
        (true, None, "no such file"),
        (false, None, "no manifest.json that names a catalog"),
    ] {
        let dir = tempdir().unwrap();
        write_tub(dir.path(), user);
        if let Some(text) = catalog {
            write_text(dir.path().join("catalog_1.catalog"), text);
        }
        if !manifest {
            std::fs::remove_file(dir.path().join("manifest.json")).unwrap();
        }
        assert_labelled(dir.path(), full, note);
        assert!(noted(&*open(dir.path()), note), "{:?}", open(dir.path()).info().notes);
    }
    for (fields, why) in [
        ("\"user/angle\": 90", "a command is from -1 to 1"),
        ("\"user/angle\": \"0.5\"", "no usable user/angle"),
        ("\"user/angle\": 0.0, \"user/mode\": \"local\", \"pilot/angle\": 0.3", "steered by a pilot"),
    ] {
        let dir = tempdir().unwrap();
        write_tub(dir.path(), |_| fields.to_owned());
        write_text(dir.path().join("catalog_1.catalog"), "");
        assert_unlabelled(dir.path(), why);
    }
}

#[test]
fn sullychen_s_lines_with_other_marks_between() {
    for (between, folder, before) in
        [(" ", "", ""), (",", "", ""), (", ", "", ""), ("\t", "", ""), (" ", "data", "data/")]
    {
        let dir = tempdir().unwrap();
        (0..COUNT).for_each(|i| write_jpeg(dir.path().join(folder).join(format!("{i}.jpg")), i));
        let text = lines(|i| format!("{before}{i}.jpg{between}{:.5}\n", -angle(i).to_degrees()));
        write_text(dir.path().join("data.txt"), &text);
        assert_labelled(dir.path(), 1.0, &format!("{between:?} {folder}"));
    }
}

#[test]
fn names_cannot_write_to_the_terminal() {
    let dir = tempdir().unwrap();
    let folder = dir.path().join("a\u{1b}[31m");
    (0..3).for_each(|i| write_jpeg(folder.join(format!("b\n\u{1b}[2J{i}.jpg")), i));
    std::fs::write(folder.join("c\u{1b}[2J.jpg"), b"junk").unwrap();
    let mut source = open(&folder);
    frames(&mut *source);
    let said = format!("{}{}", source.info().notes.join(""), source.skipped().examples.join(""));
    assert!(said.contains("\\u{1b}") && !said.contains(char::is_control), "{said:?}");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    let message = error(&folder);
    assert!(message.contains("\\u{1b}") && !message.contains('\u{1b}'), "{message:?}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_read_is_not_an_unknown_layout() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempdir().unwrap();
    let folder = dir.path().join("secret");
    write_jpeg(folder.join("1.jpg"), 1);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read_dir(&folder).is_ok() {
        println!("SKIPPED: this user may read everything");
        return;
    }
    let message = error(&folder);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(message.contains("cannot be read") && !message.contains("layout"), "{message}");
}
