//! Symbolic links in a drive's folder: one rule in every layout, and counts that agree with what is read.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::{error, noted, numbers, open, write_jpeg, write_text};
use deltasteer_data::Source;
use tempfile::tempdir;

/// Images of each drive.
const COUNT: usize = 6;
/// Those of them that become links.
const LINKED: [usize; 2] = [1, 4];

/// A layout: writes its label files, and names image `i`.
type Layout = (&'static str, fn(&Path), fn(usize) -> String);

fn time_ns(i: usize) -> u64 {
    1_479_425_441_000_000_000 + 50_000_000 * i as u64
}

fn lines(line: impl Fn(usize) -> String) -> String {
    (0..COUNT).fold(String::new(), |mut text, i| {
        writeln!(text, "{}", line(i)).unwrap();
        text
    })
}

const LAYOUTS: [Layout; 9] = [
    ("udacity-pictures", |_| {}, |i| format!("center/{}.jpg", time_ns(i))),
    (
        "udacity-test-set",
        |folder| {
            let text = lines(|i| format!("{},0.1", time_ns(i)));
            write_text(folder.join("CH2_final_evaluation.csv"), &format!("frame_id,steering_angle\n{text}"));
        },
        |i| format!("center/{}.jpg", time_ns(i)),
    ),
    (
        "udacity-training-set",
        |folder| {
            let text = lines(|i| format!("{},center/{}.jpg,0.1", time_ns(i), time_ns(i)));
            write_text(folder.join("interpolated.csv"), &format!("timestamp,filename,angle\n{text}"));
        },
        |i| format!("center/{}.jpg", time_ns(i)),
    ),
    (
        "donkeycar-tub",
        |folder| {
            let text = lines(|i| format!("{{\"_index\": {i}, \"cam/image_array\": \"{i}.jpg\", \"user/angle\": 0.1}}"));
            write_text(folder.join("catalog_0.catalog"), &text);
            write_text(folder.join("manifest.json"), "{\"paths\": [\"catalog_0.catalog\"], \"current_index\": 6}\n");
        },
        |i| format!("images/{i}.jpg"),
    ),
    (
        "donkeycar-records",
        |folder| {
            for i in 0..COUNT {
                let text = format!("{{\"cam/image_array\": \"{i}.jpg\", \"user/angle\": 0.1}}");
                write_text(folder.join(format!("record_{i}.json")), &text);
            }
        },
        |i| format!("{i}.jpg"),
    ),
    (
        "simulator",
        |folder| {
            let text = lines(|i| format!("C:\\IMG\\center_{i}.jpg,l,r,0.1,0,0,0"));
            write_text(folder.join("driving_log.csv"), &text);
        },
        |i| format!("IMG/center_{i}.jpg"),
    ),
    (
        "sullychen",
        |folder| write_text(folder.join("data.txt"), &lines(|i| format!("{i}.jpg 1.5"))),
        |i| format!("data/{i}.jpg"),
    ),
    (
        "images-with-labels",
        |folder| {
            let text = lines(|i| format!("{i}.jpg,0.1"));
            write_text(folder.join("labels.csv"), &format!("file,steering_rad\n{text}"));
        },
        |i| format!("{i}.jpg"),
    ),
    ("images", |_| {}, |i| format!("{i}.jpg")),
];

/// Writes a drive whose images `LINKED` are links to files in the folder `store`.
fn write_linked(drive: &Path, (_, labels, image): Layout, store: &Path) {
    labels(drive);
    for i in 0..COUNT {
        let path = drive.join(image(i));
        let target = store.join(format!("picture-{i}"));
        write_jpeg(&path, i);
        if LINKED.contains(&i) {
            fs::create_dir_all(store).unwrap();
            fs::rename(&path, &target).unwrap();
            symlink(&target, &path).unwrap();
        }
    }
}

fn following(drive: &Path) -> Box<dyn Source> {
    open(&PathBuf::from(format!("links=follow,source={}", drive.display())))
}

fn note_on_links(source: &dyn Source) -> Option<&String> {
    source.info().notes.iter().find(|note| note.contains("--follow-links"))
}

#[test]
fn images_that_are_links_out_of_the_drive_are_refused_and_counted_in_every_layout() {
    let dir = tempdir().unwrap();
    for layout in LAYOUTS {
        let drive = dir.path().join(layout.0);
        write_linked(&drive, layout, &dir.path().join("store").join(layout.0));
        let mut source = open(&drive);
        let left = COUNT - LINKED.len();
        assert_eq!(source.info().frame_count, Some(left), "{}", layout.0);
        assert_eq!(source.skipped().count, LINKED.len(), "{}: {:?}", layout.0, source.skipped());
        assert!(source.skipped().examples.iter().all(|reason| reason.contains("--follow-links")), "{}", layout.0);
        let note = note_on_links(&*source).unwrap_or_else(|| panic!("{}: {:?}", layout.0, source.info().notes));
        assert!(note.starts_with("2 images are symbolic links") && note.contains(&layout.2(1)), "{note}");
        let others = source.info().notes.iter().filter(|other| *other != note);
        let misleading =
            |note: &&String| ["not read", "missing", "no image", "cannot be"].iter().any(|w| note.contains(w));
        assert_eq!(others.filter(misleading).count(), 0, "{}: {:?}", layout.0, source.info().notes);
        assert_eq!(numbers(&mut *source), [0, 2, 3, 5], "{}", layout.0);

        let mut source = following(&drive);
        assert_eq!((note_on_links(&*source), source.skipped().count), (None, 0), "{}", layout.0);
        assert_eq!(numbers(&mut *source), [0, 1, 2, 3, 4, 5], "{}", layout.0);
    }
}

#[test]
fn images_that_are_links_within_the_drive_are_read_in_every_layout() {
    let dir = tempdir().unwrap();
    for layout in LAYOUTS {
        let drive = dir.path().join(layout.0);
        write_linked(&drive, layout, &drive.join("store"));
        let mut source = open(&drive);
        assert_eq!((note_on_links(&*source), source.skipped().count), (None, 0), "{}", layout.0);
        assert_eq!(numbers(&mut *source), [0, 1, 2, 3, 4, 5], "{}", layout.0);
        // The drive's own folder may be a link.
        let link = dir.path().join(format!("link-{}", layout.0));
        symlink(&drive, &link).unwrap();
        assert_eq!(numbers(&mut *open(&link)), [0, 1, 2, 3, 4, 5], "{}", layout.0);
    }
}

#[test]
fn a_folder_of_images_that_is_a_link_out_of_the_drive_is_refused() {
    let dir = tempdir().unwrap();
    for layout in LAYOUTS.into_iter().filter(|layout| layout.2(0).contains('/')) {
        let drive = dir.path().join(layout.0);
        write_linked(&drive, layout, &drive.join("store"));
        for path in LINKED.map(|i| drive.join(layout.2(i))) {
            let image = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            fs::write(&path, image).unwrap();
        }
        let images = drive.join(layout.2(0)).parent().unwrap().to_owned();
        let elsewhere = dir.path().join(format!("elsewhere-{}", layout.0));
        fs::rename(&images, &elsewhere).unwrap();
        symlink(&elsewhere, &images).unwrap();
        let message = error(&drive);
        assert!(message.contains("--follow-links"), "{}: {message}", layout.0);
        assert_eq!(numbers(&mut *following(&drive)).len(), COUNT, "{}", layout.0);
    }
}

#[test]
fn label_files_follow_the_same_rule() {
    let dir = tempdir().unwrap();
    let cases = [
        (LAYOUTS[1], "CH2_final_evaluation.csv"),
        (LAYOUTS[2], "interpolated.csv"),
        (LAYOUTS[3], "manifest.json"),
        (LAYOUTS[5], "driving_log.csv"),
        (LAYOUTS[6], "data.txt"),
        (LAYOUTS[7], "labels.csv"),
    ];
    for (layout, file) in cases {
        let drive = dir.path().join(layout.0);
        write_linked(&drive, layout, &drive.join("store"));
        let elsewhere = dir.path().join(format!("elsewhere-{}", layout.0));
        fs::rename(drive.join(file), &elsewhere).unwrap();
        symlink(&elsewhere, drive.join(file)).unwrap();
        let message = error(&drive);
        assert!(message.contains(file) && message.contains("--follow-links"), "{}: {message}", layout.0);
        assert_eq!(numbers(&mut *following(&drive)).len(), COUNT, "{}", layout.0);
    }
}

#[test]
fn records_that_are_links_out_of_a_tub_are_counted() {
    let dir = tempdir().unwrap();
    let drive = dir.path().join("tub");
    write_linked(&drive, LAYOUTS[4], &drive.join("store"));
    let elsewhere = dir.path().join("record");
    fs::rename(drive.join("record_3.json"), &elsewhere).unwrap();
    symlink(&elsewhere, drive.join("record_3.json")).unwrap();
    let mut source = open(&drive);
    assert!(noted(&*source, "1 records are symbolic links"), "{:?}", source.info().notes);
    assert_eq!(numbers(&mut *source), [0, 1, 2, 4, 5]);
}

#[test]
fn logs_of_comma_drives_follow_the_same_rule() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/comma2016");
    let dir = tempdir().unwrap();
    let drive = dir.path().join("drive");
    for folder in ["camera", "log"] {
        fs::create_dir_all(drive.join(folder)).unwrap();
        fs::copy(golden.join(folder).join("chunked.h5"), drive.join(folder).join("chunked.h5")).unwrap();
    }
    let count = open(&drive).info().frame_count;
    for folder in ["log", "camera"] {
        let file = drive.join(folder).join("chunked.h5");
        fs::remove_file(&file).unwrap();
        symlink(golden.join(folder).join("chunked.h5"), &file).unwrap();
        let message = error(&drive);
        assert!(message.contains("chunked.h5") && message.contains("--follow-links"), "{message}");
        assert_eq!(following(&drive).info().frame_count, count);
    }
}

#[test]
fn what_names_a_row_twice_is_no_trouble_where_the_picture_is_read() {
    let dir = tempdir().unwrap();
    let text = lines(|i| format!("{},/home/me/center/{}.jpg,0.1", time_ns(i), time_ns(i)));
    write_text(dir.path().join("interpolated.csv"), &format!("timestamp,filename,angle\n{text}"));
    (0..COUNT).for_each(|i| write_jpeg(dir.path().join(format!("center/{}.jpg", time_ns(i))), i));
    let mut source = open(dir.path());
    assert!(!noted(&*source, "not read"), "{:?}", source.info().notes);
    assert_eq!(numbers(&mut *source), [0, 1, 2, 3, 4, 5]);
}
