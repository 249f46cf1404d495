//! Damaged input for every parser, and for whole recordings. `PROPTEST_CASES` says how much; `make fuzz` sets it.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::tempdir;

use super::{Target, targets};

/// What is done to an input.
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

/// Bytes that parsers stumble over.
const WORDS: [&str; 20] = [
    "NaN",
    "-inf",
    "1e999",
    "\n",
    "\r",
    "\"",
    ",",
    ";",
    "../../",
    "/etc/passwd",
    "99999999999999999999999",
    "-1",
    "{",
    "[",
    "null",
    "\u{feff}",
    "\0\0\0",
    "\u{1b}[2J",
    "=",
    "0,5",
];

fn damage() -> impl Strategy<Value = Damage> {
    let words = prop::sample::select(&WORDS[..]).prop_map(|word| word.as_bytes().to_vec());
    let bytes = prop_oneof![prop::collection::vec(any::<u8>(), 1..8), words];
    prop_oneof![
        (any::<usize>(), bytes.clone()).prop_map(|(at, with)| Damage::Overwrite(at, with)),
        (any::<usize>(), bytes).prop_map(|(at, with)| Damage::Insert(at, with)),
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), 1usize..12).prop_map(|(at, times)| Damage::Repeat(at, times)),
    ]
}

/// Damaged seeds, and now and then bytes of no origin at all.
fn inputs(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damaged =
        (prop::sample::select(seeds), prop::collection::vec(damage(), 1..5)).prop_map(|(mut bytes, damages)| {
            damages.iter().for_each(|damage| damage.apply(&mut bytes));
            bytes
        });
    prop_oneof![9 => damaged, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

/// Cases for each parser; a whole recording costs as much as many inputs of a parser.
fn cases(share: u32) -> u32 {
    let all = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(256u32);
    (all / share).max(32)
}

fn run(target: &Target, cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&inputs(target.seeds.clone()), |bytes| {
        (target.run)(&bytes);
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{}: {failure}", target.name));
    println!("fuzz: {cases} inputs of {}", target.name);
}

#[test]
fn no_input_makes_a_parser_panic() {
    for target in targets() {
        target.seeds.iter().for_each(|seed| (target.run)(seed));
        run(&target, cases(1));
    }
}

/// A recording in a folder, whose file `name` is the one that is damaged.
struct Recorded {
    name: &'static str,
    /// The file as it should be.
    text: &'static str,
    /// The folder and the names of its pictures.
    pictures: fn(usize) -> String,
    /// A file without which the format is not recognised.
    other: Option<(&'static str, &'static str)>,
    /// How many frames the sound recording plays.
    frames: usize,
}

const TUB: &str = "{\"_index\": 0, \"_timestamp_ms\": 0, \"cam/image_array\": \"0.jpg\", \"user/angle\": 0.0}\n\
    {\"_index\": 1, \"_timestamp_ms\": 50, \"cam/image_array\": \"1.jpg\", \"user/angle\": 0.1}\n\
    {\"_index\": 2, \"_timestamp_ms\": 100, \"cam/image_array\": \"2.jpg\", \"user/angle\": 0.2}\n";
const MANIFEST: &str =
    "[]\n[]\n{}\n{}\n{\"paths\": [\"catalog_0.catalog\"], \"current_index\": 3, \"deleted_indexes\": [1]}\n";

const RECORDINGS: [Recorded; 8] = [
    Recorded {
        name: "CH2_final_evaluation.csv",
        text: "frame_id,steering_angle,public\n1479425441000000000,0.0,0\n1479425441050000000,0.1,0\n1479425441100000000,0.2,0\n",
        pictures: |i| format!("center/{}.jpg", 1_479_425_441_000_000_000 + i as u64 * 50_000_000),
        other: None,
        frames: 3,
    },
    Recorded {
        name: "interpolated.csv",
        text: "index,timestamp,width,height,frame_id,filename,angle,torque,speed\nx,100,1,1,center_camera,center/100.jpg,0.0,0,9\n\
               x,101,1,1,center_camera,center/101.jpg,0.1,0,9\nx,102,1,1,center_camera,center/102.jpg,0.2,0,9\n",
        pictures: |i| format!("center/{}.jpg", 100 + i),
        other: None,
        frames: 3,
    },
    Recorded {
        name: "catalog_0.catalog",
        text: TUB,
        pictures: |i| format!("images/{i}.jpg"),
        other: Some(("manifest.json", MANIFEST)),
        frames: 2,
    },
    Recorded {
        name: "manifest.json",
        text: MANIFEST,
        pictures: |i| format!("images/{i}.jpg"),
        other: Some(("catalog_0.catalog", TUB)),
        frames: 2,
    },
    Recorded {
        name: "record_1.json",
        text: "{\"cam/image_array\": \"1.jpg\", \"user/angle\": -0.1, \"milliseconds\": 50}",
        pictures: |i| format!("{i}.jpg"),
        other: Some(("record_0.json", "{\"cam/image_array\": \"0.jpg\", \"user/angle\": 0, \"milliseconds\": 0}")),
        frames: 2,
    },
    Recorded {
        name: "data.txt",
        text: "0.jpg -10.5,2018-07-01 17:09:44:000\n1.jpg -11.5,2018-07-01 17:09:44:100\n2.jpg -12.5,2018-07-01 17:09:44:200\n",
        pictures: |i| format!("data/{i}.jpg"),
        other: None,
        frames: 3,
    },
    Recorded {
        name: "driving_log.csv",
        text: "C:\\a\\IMG\\center_2016_12_01_13_30_40_100.jpg,l,r,0.0,0,0,9\nIMG/center_2016_12_01_13_30_41_100.jpg,l,r,0.1,0,0,9\n\
               IMG/center_2016_12_01_13_30_42_100.jpg,l,r,0.2,0,0,9\n",
        pictures: |i| format!("IMG/center_2016_12_01_13_30_4{i}_100.jpg"),
        other: None,
        frames: 3,
    },
    Recorded {
        name: "labels.csv",
        text: "file,time_s,steering_deg\nframe0.jpg,0.5,-0\nframe1.jpg,1.5,-1\nframe2.jpg,2.5,-2\n",
        pictures: |i| format!("frame{i}.jpg"),
        other: None,
        frames: 3,
    },
];

impl Recorded {
    fn write(&self, folder: &Path) {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        let picture = super::pictures().swap_remove(0);
        (0..3).for_each(|i| write(&(self.pictures)(i), &picture));
        write(self.name, self.text.as_bytes());
        if let Some((name, text)) = self.other {
            write(name, text.as_bytes());
        }
    }
}

/// Plays what can be played and checks what must hold of any source; gives the frames' numbers.
fn play(path: &Path) -> Vec<usize> {
    let Ok(mut source) = crate::open(path.to_str().unwrap()) else { return Vec::new() };
    let info = source.info().clone();
    let count = info.frame_count.unwrap();
    assert!(info.times_s.len() == count && info.times_s.windows(2).all(|t| t[1] >= t[0]), "{info:?}");
    assert!(info.times_s.iter().all(|t| t.is_finite()) && info.rate_hz > 0.0, "{info:?}");
    assert!(info.steering_true_rad.is_empty() || info.steering_true_rad.len() == count);
    assert!(info.steering_true_rad.iter().flatten().all(|angle| angle.is_finite()), "{info:?}");
    assert!(info.notes.iter().map(String::len).sum::<usize>() < 20_000, "the notes stay short");
    let played: Vec<usize> = std::iter::from_fn(|| source.next_frame().unwrap().map(|frame| frame.index)).collect();
    assert!(played.windows(2).all(|pair| pair[0] < pair[1]) && played.iter().all(|index| *index < count));
    played
}

#[test]
fn sound_recordings_play_whole_from_their_folder_and_from_their_label_file() {
    for recording in RECORDINGS {
        let dir = tempdir().unwrap();
        recording.write(dir.path());
        let found = crate::open(dir.path().to_str().unwrap()).unwrap();
        assert!(found.info().steering_true_rad.iter().all(Option::is_some), "{}", recording.name);
        assert_eq!(play(dir.path()).len(), recording.frames, "{}", recording.name);
        if !recording.name.contains("catalog") && !recording.name.contains("record") {
            assert_eq!(play(&dir.path().join(recording.name)).len(), recording.frames, "{}", recording.name);
        }
    }
}

#[test]
fn damaged_recordings_never_panic() {
    for recording in RECORDINGS {
        let dir = tempdir().unwrap();
        recording.write(dir.path());
        let file = dir.path().join(recording.name);
        damage_file(recording.name, recording.text.as_bytes().to_vec(), &file, dir.path());
    }
}

#[test]
fn damaged_containers_never_panic() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    for name in ["plain.bag", "lz4.bag", "comma2016/camera/chunked.h5"] {
        let dir = tempdir().unwrap();
        let file = dir.path().join(Path::new(name).file_name().unwrap());
        damage_file(name, std::fs::read(goldens.join(name)).unwrap(), &file, &file);
    }
}

#[test]
fn damaged_recordings_of_topics_never_panic() {
    let dir = tempdir().unwrap();
    for (name, file, path) in crate::formats::recordings_tests::recordings(dir.path()) {
        let sound = std::fs::read(&file).unwrap();
        assert_eq!(play(&path).len(), 4, "{name}");
        damage_file(name, sound.clone(), &file, &path);
        std::fs::write(&file, sound).unwrap();
    }
}

/// Plays `path` again and again while `file` is damaged in ever other ways.
fn damage_file(name: &str, sound: Vec<u8>, file: &Path, path: &Path) {
    let cases = cases(40);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&inputs(vec![sound]), |bytes| {
        std::fs::write(file, bytes).unwrap();
        play(path);
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    println!("fuzz: {cases} recordings with a damaged {name}");
}
