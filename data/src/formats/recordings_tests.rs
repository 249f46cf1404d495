//! MCAP files and ROS 2 bags that are written here: whole, compressed, cut short and damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::mcap::records::MessageHeader;
use ::mcap::{Compression, WriteOptions};
use ndarray::Array3;

use crate::recorded::decode::tests::jpeg_of;
use crate::topics::tests::{Cdr, STATE, compressed, state};
use crate::{Source, open};

/// Frames of a recording, at 20 Hz from 100 s on.
pub(super) const FRAMES: u64 = 40;

fn at_ns(frame: u64) -> u64 {
    100_000_000_000 + frame * 50_000_000
}

/// The angle at a frame, radians, positive left.
fn angle_rad(frame: u64) -> f64 {
    0.01 * frame as f64 - 0.2
}

fn picture(frame: u64) -> Array3<u8> {
    Array3::from_elem((24, 32, 3), 5 * frame as u8)
}

/// `sensor_msgs/msg/Image` in BGR, with eight unused bytes a row.
fn raw_image(frame: u64) -> Vec<u8> {
    let mut rows = Vec::new();
    for _ in 0..24 {
        (0..32).for_each(|_| rows.extend([0, 100, 5 * frame as u8]));
        rows.extend([9; 8]);
    }
    Cdr::new(false).header(at_ns(frame)).u32(24).u32(32).text("bgr8").u8(0).u32(104).list(&rows).done()
}

/// Topic, type, definition and message of every frame; the angle is in degrees, positive right, in a field of a list.
fn messages(frame: u64) -> [(&'static str, &'static str, &'static str, Vec<u8>); 3] {
    const COMPRESSED: &str = "std_msgs/Header header\nstring format\nuint8[] data\n";
    const IMAGE: &str = "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\nuint8[] data\n";
    let value = -angle_rad(frame).to_degrees();
    [
        ("/front", "sensor_msgs/msg/CompressedImage", COMPRESSED, compressed(at_ns(frame), &jpeg_of(&picture(frame)))),
        ("/raw", "sensor_msgs/msg/Image", IMAGE, raw_image(frame)),
        ("/car", "car_msgs/msg/State", STATE, state(at_ns(frame), value, frame % 2 == 1)),
    ]
}

pub(super) const STEERING: &str = "steering=/car.position[1],unit=deg,sign=right,source=";

pub(super) fn write_mcap(path: &Path, options: WriteOptions, frames: std::ops::Range<u64>) {
    write_mcap_filled(path, options, frames, 0);
}

/// The same with that many bytes of another topic between the frames.
pub(super) fn write_mcap_filled(path: &Path, options: WriteOptions, frames: std::ops::Range<u64>, filling: usize) {
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut writer = options.chunk_size(Some(4096)).create(file).unwrap();
    let mut channels = BTreeMap::new();
    for frame in frames {
        let filling = (filling > 0).then(|| ("/filling", "test_msgs/msg/Filling", "uint8[] data\n", vec![1; filling]));
        for (topic, kind, text, data) in messages(frame).into_iter().chain(filling) {
            let channel_id = *channels.entry(topic).or_insert_with(|| {
                let schema = writer.add_schema(kind, "ros2msg", text.as_bytes()).unwrap();
                writer.add_channel(schema, topic, "cdr", &BTreeMap::new()).unwrap()
            });
            let time = at_ns(frame) + 7;
            let header = MessageHeader { channel_id, sequence: frame as u32, log_time: time, publish_time: time };
            writer.write_to_known_channel(&header, &data).unwrap();
        }
    }
    writer.finish().unwrap();
}

fn write_db3(path: &Path, frames: std::ops::Range<u64>, defined: bool, pack: fn(Vec<u8>) -> Vec<u8>) {
    let mut db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
         CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);
         CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL, encoded_message_definition TEXT NOT NULL);",
    )
    .unwrap();
    let all = db.transaction().unwrap();
    for frame in frames {
        for (id, (topic, kind, text, data)) in messages(frame).into_iter().enumerate() {
            let id = id as i64 + 1;
            all.execute("INSERT OR IGNORE INTO topics VALUES (?1, ?2, ?3, 'cdr', '')", (id, topic, kind)).unwrap();
            if defined {
                let sql = "INSERT OR IGNORE INTO message_definitions VALUES (?1, ?2, 'ros2msg', ?3)";
                all.execute(sql, (id, kind, text)).unwrap();
            }
            let sql = "INSERT INTO messages (topic_id, timestamp, data) VALUES (?1, ?2, ?3)";
            all.execute(sql, (id, at_ns(frame) as i64 + 7, pack(data))).unwrap();
        }
    }
    all.commit().unwrap();
}

fn metadata(folder: &Path, files: &[&str], mode: &str) {
    let files: String = files.iter().map(|file| format!("    - {file}\n")).collect();
    let text = format!(
        "rosbag2_bagfile_information:\n  version: 8\n  relative_file_paths:\n{files}  compression_mode: {mode}\n"
    );
    std::fs::write(folder.join("metadata.yaml"), text).unwrap();
}

/// Every frame, its time, its angle and its picture.
pub(super) fn check_all(source: &mut dyn Source) {
    for frame in 0..FRAMES {
        let found = source.next_frame().unwrap().unwrap();
        let expected = angle_rad(frame) as f32;
        assert_eq!(found.index as u64, frame);
        assert!((found.time_s - 0.05 * frame as f64).abs() < 1e-9, "{}", found.time_s);
        assert!((found.steering_true_rad.unwrap() - expected).abs() < 1e-6, "{:?} {expected}", found.steering_true_rad);
        assert!(found.image[[3, 3, 0]].abs_diff(5 * frame as u8) < 3);
    }
    assert!(source.next_frame().unwrap().is_none());
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn an_mcap_file_gives_every_frame_whatever_its_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mcap");
    let plain = || WriteOptions::new().compression(None);
    for options in [
        plain(),
        WriteOptions::new().compression(Some(Compression::Zstd)),
        WriteOptions::new().compression(Some(Compression::Lz4)),
        plain().use_chunks(false),
        plain().emit_summary_records(false).emit_summary_offsets(false),
        plain().repeat_channels(false).repeat_schemas(false),
        plain().emit_message_indexes(false),
    ] {
        write_mcap(&path, options, 0..FRAMES);
        let mut source = open(&format!("{STEERING}{}", text(&path))).unwrap();
        check_all(&mut *source);
        assert_eq!((source.info().format, source.skipped().count), ("MCAP", 0), "{:?}", source.info().notes);
        for frame in [30, 2, 39] {
            source.seek(frame).unwrap();
            assert_eq!(source.next_frame().unwrap().unwrap().index, frame);
        }
        let mut raw = open(&format!("camera=/raw,source={}", text(&path))).unwrap();
        raw.seek(20).unwrap();
        let frame = raw.next_frame().unwrap().unwrap();
        assert_eq!((frame.image.dim(), frame.steering_true_rad), ((24, 32, 3), None));
        assert_eq!(crate::rgb_bytes(&frame.image)[..3], [100, 100, 0]);
        assert!(
            raw.info().notes.iter().any(|note| note.contains("/car (car_msgs/msg/State")),
            "{:?}",
            raw.info().notes
        );
    }
}

#[test]
fn a_cut_or_damaged_mcap_file_gives_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mcap");
    write_mcap(&path, WriteOptions::new().compression(None), 0..FRAMES);
    let whole = std::fs::read(&path).unwrap();
    let played = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let mut source = open(&format!("{STEERING}{}", text(&path))).unwrap();
        let frames: Vec<_> = std::iter::from_fn(|| source.next_frame().unwrap()).collect();
        assert!(frames.iter().all(|frame| frame.steering_true_rad.is_some()));
        (frames.len() as u64, source.info().notes.join("; "))
    };
    let (count, notes) = played(&whole[..whole.len() / 2]);
    assert!(count > FRAMES / 4 && count < FRAMES && notes.contains("cut short"), "{count} {notes}");
    let mut damaged = whole.clone();
    let middle = whole.len() / 3;
    damaged[middle..middle + 20].fill(0xa5);
    let (count, notes) = played(&damaged);
    assert!(count > FRAMES / 2 && count < FRAMES, "{count} {notes}");
    assert!(notes.contains("chunks of the file are damaged") && notes.contains("are not there"), "{notes}");
    std::fs::write(&path, b"no").unwrap();
    assert!(open(&text(&path)).err().unwrap().to_string().contains("signature"));
}

fn bag_of(write: impl FnOnce(&Path)) -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("bag");
    std::fs::create_dir(&folder).unwrap();
    write(&folder);
    (outer, folder)
}

#[test]
fn a_ros2_bag_gives_every_frame_of_all_its_files() {
    let half = FRAMES / 2;
    let pack = |data: Vec<u8>| zstd::stream::encode_all(&data[..], 1).unwrap();
    let write_three = |folder: &Path| {
        write_db3(&folder.join("bag_0.db3"), 0..half, true, |data| data);
        write_db3(&folder.join("bag_1.db3"), half..FRAMES, true, |data| data);
        metadata(folder, &["bag_0.db3", "bag_1.db3"], "''");
    };
    let bags = [
        bag_of(write_three),
        bag_of(|folder| {
            write_mcap(&folder.join("b.mcap"), WriteOptions::new(), 0..half);
            write_mcap(&folder.join("a.mcap"), WriteOptions::new(), half..FRAMES);
            metadata(folder, &["bag/b.mcap", "bag/a.mcap"], "''");
        }),
        bag_of(|folder| {
            write_db3(&folder.join("bag_0.db3"), 0..FRAMES, true, pack);
            metadata(folder, &["bag_0.db3"], "MESSAGE");
        }),
    ];
    for (_outer, folder) in &bags {
        for spec in [text(folder), text(&folder.join("metadata.yaml"))] {
            let mut source = open(&format!("{STEERING}{spec}")).unwrap();
            check_all(&mut *source);
            assert_eq!(source.info().format, "ROS 2 bag");
        }
    }
    let folder = &bags[0].1;
    let alone = open(&text(&folder.join("bag_1.db3"))).unwrap();
    assert_eq!(alone.info().frame_count, Some(half as usize));
    std::fs::remove_file(folder.join("bag_1.db3")).unwrap();
    let rest = open(&text(folder)).unwrap();
    assert!(rest.info().notes.iter().any(|note| note.contains("bag_1.db3")), "{:?}", rest.info().notes);
    assert_eq!(rest.info().frame_count, Some(half as usize));
}

#[cfg(unix)]
#[test]
fn files_of_a_bag_that_are_links_out_of_it_are_refused_and_told() {
    let (outer, folder) = bag_of(|folder| {
        write_db3(&folder.join("bag_0.db3"), 0..FRAMES / 2, true, |data| data);
        write_db3(&folder.join("bag_1.db3"), FRAMES / 2..FRAMES, true, |data| data);
        metadata(folder, &["bag_0.db3", "bag_1.db3"], "''");
    });
    let (file, elsewhere) = (folder.join("bag_1.db3"), outer.path().join("elsewhere.db3"));
    std::fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let half = open(&text(&folder)).unwrap();
    assert_eq!(half.info().frame_count, Some(FRAMES as usize / 2));
    assert!(half.info().notes.iter().any(|note| note.contains("--follow-links")), "{:?}", half.info().notes);
    let whole = open(&format!("links=follow,source={}", text(&folder))).unwrap();
    assert_eq!(whole.info().frame_count, Some(FRAMES as usize));
}

#[test]
fn bags_without_definitions_and_packed_files_are_told() {
    let (_outer, folder) = bag_of(|folder| {
        write_db3(&folder.join("bag_0.db3"), 0..FRAMES, false, |data| data);
        metadata(folder, &["bag_0.db3"], "''");
    });
    let source = open(&text(&folder)).unwrap();
    assert_eq!(source.info().frame_count, Some(FRAMES as usize), "pictures are known without a definition");
    let message = open(&format!("{STEERING}{}", text(&folder))).err().unwrap().to_string();
    assert!(message.contains("does not hold its definition"), "{message}");
    let whole = std::fs::read(folder.join("bag_0.db3")).unwrap();
    std::fs::write(folder.join("bag_0.db3"), &whole[..whole.len() / 2]).unwrap();
    match open(&text(&folder)) {
        Ok(cut) => assert!(cut.info().notes.iter().any(|note| note.contains("damaged")), "{:?}", cut.info().notes),
        Err(error) => assert!(error.to_string().contains("bag"), "{error}"),
    }
    metadata(&folder, &["bag_0.db3.zstd"], "FILE");
    std::fs::write(folder.join("bag_0.db3.zstd"), b"x").unwrap();
    let message = open(&text(&folder)).err().unwrap().to_string();
    assert!(message.contains("compressed as a whole") && message.contains("zstd -d"), "{message}");
}

/// The recordings that the fuzz tests damage: the file that is damaged, and what is opened.
pub(crate) fn recordings(folder: &Path) -> Vec<(&'static str, PathBuf, PathBuf)> {
    let at = |name: &str| folder.join(name);
    write_mcap(&at("zstd.mcap"), WriteOptions::new(), 0..4);
    write_mcap(&at("plain.mcap"), WriteOptions::new().compression(None).emit_summary_records(false), 0..4);
    let bag = at("bag");
    std::fs::create_dir(&bag).unwrap();
    write_db3(&bag.join("bag_0.db3"), 0..4, true, |data| data);
    metadata(&bag, &["bag_0.db3"], "''");
    vec![
        ("zstd.mcap", at("zstd.mcap"), at("zstd.mcap")),
        ("plain.mcap", at("plain.mcap"), at("plain.mcap")),
        ("bag_0.db3", bag.join("bag_0.db3"), bag.clone()),
        ("metadata.yaml", bag.join("metadata.yaml"), bag),
    ]
}
