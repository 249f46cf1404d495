//! Whole recordings with damage anywhere: opening gives an error or a source, playing gives frames, and nothing panics.
//!
//! `make fuzz` runs these and the parsers' own property tests with many more cases and a bound on memory.

#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::fs;
use std::path::Path;

use common::{write_jpeg, write_text};
use proptest::prelude::*;
use tempfile::tempdir;

/// Images in every small recording below.
const IMAGES: usize = 4;

/// Writes a sound recording of each format and returns the file to be damaged, relative to the folder.
fn write_recording(folder: &Path, format: usize) -> &'static str {
    let rows = |line: fn(usize) -> String| (0..IMAGES).map(line).collect::<String>();
    let pictures = |name: fn(usize) -> String| (0..IMAGES).for_each(|i| write_jpeg(folder.join(name(i)), i));
    match format {
        0 => {
            pictures(|i| format!("center/{}.jpg", 1_479_425_441_000_000_000 + i as u64 * 50_000_000));
            let rows = rows(|i| format!("{},0.{i},0\n", 1_479_425_441_000_000_000 + i as u64 * 50_000_000));
            write_text(folder.join("CH2_final_evaluation.csv"), &format!("frame_id,steering_angle,public\n{rows}"));
            "CH2_final_evaluation.csv"
        }
        1 => {
            pictures(|i| format!("center/{}.jpg", 100 + i));
            let rows = rows(|i| format!("x,{0},1,1,center_camera,center/{0}.jpg,0.{i},0,9\n", 100 + i));
            let header = "index,timestamp,width,height,frame_id,filename,angle,torque,speed\n";
            write_text(folder.join("interpolated.csv"), &format!("{header}{rows}"));
            "interpolated.csv"
        }
        2 | 3 => {
            pictures(|i| format!("images/{i}.jpg"));
            let rows = rows(|i| {
                format!(
                    "{{\"_index\": {i}, \"_timestamp_ms\": {}, \"cam/image_array\": \"{i}.jpg\", \"user/angle\": 0.{i}}}\n",
                    50 * i
                )
            });
            write_text(folder.join("catalog_0.catalog"), &rows);
            let manifest = "[]\n[]\n{}\n{}\n{\"paths\": [\"catalog_0.catalog\"], \"current_index\": 4, \"deleted_indexes\": [1]}\n";
            write_text(folder.join("manifest.json"), manifest);
            if format == 2 { "catalog_0.catalog" } else { "manifest.json" }
        }
        4 => {
            pictures(|i| format!("{i}.jpg"));
            for i in 0..IMAGES {
                let json =
                    format!("{{\"cam/image_array\": \"{i}.jpg\", \"user/angle\": -0.{i}, \"milliseconds\": 1{i}00}}");
                write_text(folder.join(format!("record_{i}.json")), &json);
            }
            "record_2.json"
        }
        5 => {
            pictures(|i| format!("data/{i}.jpg"));
            write_text(folder.join("data.txt"), &rows(|i| format!("{i}.jpg -1{i}.5,2018-07-01 17:09:44:{i}00\n")));
            "data.txt"
        }
        6 => {
            pictures(|i| format!("IMG/center_2016_12_01_13_30_4{i}_100.jpg"));
            let rows = rows(|i| format!("C:\\a\\IMG\\center_2016_12_01_13_30_4{i}_100.jpg,l.jpg,r.jpg,0.{i},0,0,9\n"));
            write_text(folder.join("driving_log.csv"), &rows);
            "driving_log.csv"
        }
        _ => {
            pictures(|i| format!("frame{i}.jpg"));
            let rows = rows(|i| format!("frame{i}.jpg,{i}.5,-{i}\n"));
            write_text(folder.join("labels.csv"), &format!("file,time_s,steering_deg\n{rows}"));
            "labels.csv"
        }
    }
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Damage {
    Overwrite(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Cut(usize),
    Repeat(usize, usize),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: usize| at % (bytes.len() + 1);
        match self {
            Self::Overwrite(at, with) => {
                let at = place(*at);
                let end = (at + with.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&with[..end - at]);
            }
            Self::Insert(at, with) => {
                let at = place(*at);
                bytes.splice(at..at, with.iter().copied());
            }
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Repeat(at, times) => {
                let tail = bytes[place(*at)..].to_vec();
                (0..*times).for_each(|_| bytes.extend_from_slice(&tail));
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let text = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..8),
        prop_oneof![
            Just("NaN"),
            Just("-inf"),
            Just("1e999"),
            Just("\n"),
            Just("\""),
            Just(","),
            Just("../../"),
            Just("/etc/passwd"),
            Just("99999999999999999999999"),
            Just("-1"),
            Just("{"),
            Just("["),
            Just("null"),
            Just("\u{feff}"),
        ]
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<usize>(), text.clone()).prop_map(|(at, with)| Damage::Overwrite(at, with)),
        (any::<usize>(), text).prop_map(|(at, with)| Damage::Insert(at, with)),
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), 1usize..20).prop_map(|(at, times)| Damage::Repeat(at, times)),
    ]
}

/// Plays what can be played and checks what must hold of any source.
fn play(folder: &Path) {
    let Ok(mut source) = deltasteer_data::open(folder.to_str().unwrap()) else { return };
    let info = source.info().clone();
    let count = info.frame_count.unwrap();
    assert!(info.times_s.len() == count && info.times_s.windows(2).all(|t| t[1] >= t[0]), "{info:?}");
    assert!(info.times_s.iter().all(|t| t.is_finite()) && info.rate_hz > 0.0, "{info:?}");
    assert!(info.steering_true_rad.is_empty() || info.steering_true_rad.len() == count);
    assert!(info.steering_true_rad.iter().flatten().all(|angle| angle.is_finite()), "{info:?}");
    assert!(info.notes.iter().map(String::len).sum::<usize>() < 20_000, "the notes stay short");
    let mut last = None;
    while let Some(frame) = source.next_frame().unwrap() {
        assert!(last.is_none_or(|last| frame.index > last) && frame.index < count);
        last = Some(frame.index);
    }
}

proptest! {
    #[test]
    fn damaged_labels_never_panic(format in 0usize..8, damages in proptest::collection::vec(damage(), 1..4)) {
        let dir = tempdir().unwrap();
        let file = dir.path().join(write_recording(dir.path(), format));
        let mut bytes = fs::read(&file).unwrap();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        fs::write(&file, bytes).unwrap();
        play(dir.path());
    }
}

#[test]
fn the_sound_recordings_play_whole() {
    for format in 0..8 {
        let dir = tempdir().unwrap();
        write_recording(dir.path(), format);
        let mut source = common::open(dir.path());
        let expected = if format == 2 || format == 3 { vec![0, 2, 3] } else { vec![0, 1, 2, 3] };
        assert_eq!(common::numbers(&mut *source), expected, "format {format}");
        assert!(source.info().steering_true_rad.iter().all(Option::is_some), "format {format}");
        play(dir.path());
    }
}

#[test]
fn a_label_file_stands_for_its_folder() {
    for (format, name) in
        [(0, "CH2_final_evaluation.csv"), (3, "manifest.json"), (6, "driving_log.csv"), (7, "labels.csv")]
    {
        let dir = tempdir().unwrap();
        write_recording(dir.path(), format);
        assert!(common::frames(&mut *common::open(&dir.path().join(name))).len() >= 3, "{name}");
    }
}
