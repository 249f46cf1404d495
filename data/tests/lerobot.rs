//! LeRobot data sets of both layouts, written here with ffmpeg and Parquet. Needs the feature `opencv` and the program `ffmpeg`.

#![cfg(feature = "opencv")]
#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::path::Path;
use std::sync::Arc;

use common::clips::{H264, ffmpeg_is_there, write_clip};
use common::{number_in, write_text};
use deltasteer_data::SteeringUnit;
use parquet::basic::Compression;
use parquet::data_type::{DoubleType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::tempdir;

const CAMERA: &str = "observation.images.front_left";
/// Frames of the episodes, at 20 Hz.
const EPISODES: [usize; 3] = [30, 25, 40];

fn angle(frame: usize) -> f32 {
    (frame as f32 / 100.0) - 0.45
}

/// Rows of `(episode, frame in it, frame in all)`.
fn write_table(path: &Path, rows: &[(usize, usize, usize)]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = "message schema {
        optional group action.continuous (LIST) { repeated group list { optional float element; } }
        optional float timestamp; optional int64 episode_index; optional int64 index; }";
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = std::fs::File::create(path).unwrap();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let actions: Vec<f32> = rows.iter().flat_map(|(.., all)| [0.3, 0.0, angle(*all)]).collect();
    let levels = vec![3i16; actions.len()];
    let begins: Vec<i16> = (0..actions.len()).map(|i| i16::from(i % 3 > 0)).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<FloatType>().write_batch(&actions, Some(&levels), Some(&begins)).unwrap();
    column.close().unwrap();
    let one = vec![1i16; rows.len()];
    let times: Vec<f32> = rows.iter().map(|(_, frame, _)| *frame as f32 / 20.0).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<FloatType>().write_batch(&times, Some(&one), None).unwrap();
    column.close().unwrap();
    for numbers in [|row: &(usize, usize, usize)| row.0, |row: &(usize, usize, usize)| row.2] {
        let numbers: Vec<i64> = rows.iter().map(|row| numbers(row) as i64).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&numbers, Some(&one), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

fn write_info(folder: &Path, version: &str, data: &str, video: &str) {
    let text = format!(
        r#"{{"codebase_version": "{version}", "fps": 20, "chunks_size": 1000, "total_episodes": 3, "data_path": "{data}",
        "video_path": "{video}", "features": {{
        "observation.images.map": {{"dtype": "video", "shape": [3, 96, 160]}},
        "{CAMERA}": {{"dtype": "video", "shape": [3, 96, 160], "names": ["channel", "height", "width"]}},
        "action.continuous": {{"dtype": "float32", "shape": [3], "names": {{"axes": ["gas", "brake", "steering"]}}}},
        "timestamp": {{"dtype": "float32", "shape": [1], "names": null}}}}}}"#
    );
    write_text(folder.join("meta/info.json"), &text);
}

/// All rows, episode by episode.
fn rows() -> Vec<(usize, usize, usize)> {
    let mut rows = Vec::new();
    for (episode, count) in EPISODES.into_iter().enumerate() {
        (0..count).for_each(|frame| rows.push((episode, frame, rows.len())));
    }
    rows
}

/// An episode a file, as in version 2.1. The pictures of each count from 0.
fn write_v2(folder: &Path) {
    let data = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet";
    write_info(folder, "v2.1", data, "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4");
    let mut lines = String::new();
    for (episode, count) in EPISODES.into_iter().enumerate() {
        lines += &format!("{{\"episode_index\": {episode}, \"tasks\": [\"drive\"], \"length\": {count}}}\n");
        let of_episode: Vec<_> = rows().into_iter().filter(|row| row.0 == episode).collect();
        write_table(&folder.join(format!("data/chunk-000/episode_{episode:06}.parquet")), &of_episode);
        let videos = folder.join(format!("videos/chunk-000/{CAMERA}"));
        std::fs::create_dir_all(&videos).unwrap();
        write_clip(&videos, &format!("episode_{episode:06}.mp4"), count, H264);
    }
    write_text(folder.join("meta/episodes.jsonl"), &lines);
}

/// All episodes in one file, as in version 3.0. The pictures count through.
fn write_v3(folder: &Path) {
    let data = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet";
    write_info(folder, "v3.0", data, "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4");
    write_table(&folder.join("data/chunk-000/file-000.parquet"), &rows());
    let videos = folder.join(format!("videos/{CAMERA}/chunk-000"));
    std::fs::create_dir_all(&videos).unwrap();
    write_clip(&videos, "file-000.mp4", EPISODES.iter().sum(), H264);
    let columns = ["episode_index", "length", "data/chunk_index", "data/file_index"].map(str::to_owned);
    let of_video = ["chunk_index", "file_index"].map(|name| format!("videos/{CAMERA}/{name}"));
    let names: Vec<String> = columns.into_iter().chain(of_video).collect();
    let fields: String = names.iter().map(|name| format!("optional int64 {name};")).collect();
    let schema = format!("message schema {{ {fields} optional double videos/{CAMERA}/from_timestamp; }}");
    let path = folder.join("meta/episodes/chunk-000/file-000.parquet");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(parse_message_type(&schema).unwrap()), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let levels = [1i16; EPISODES.len()];
    for at in 0..names.len() {
        let values: Vec<i64> = (0..EPISODES.len()).map(|i| [i, EPISODES[i], 0, 0, 0, 0][at] as i64).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
    }
    let begins: Vec<f64> = (0..EPISODES.len()).map(|i| EPISODES[..i].iter().sum::<usize>() as f64 / 20.0).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&begins, Some(&levels), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn an_episode_is_a_drive_with_every_frame_time_and_angle() {
    if !ffmpeg_is_there() {
        return;
    }
    for (write, counts_through) in [(write_v2 as fn(&Path), false), (write_v3, true)] {
        let folder = tempdir().unwrap();
        write(folder.path());
        let path = folder.path().display();
        for (episode, count) in EPISODES.into_iter().enumerate() {
            let mut source = deltasteer_data::open(&format!("episode={episode},sign=right,source={path}")).unwrap();
            let SteeringUnit::Normalised { full_scale_rad } = source.info().steering_unit else {
                panic!("a command: {:?}", source.info().notes)
            };
            let before: usize = EPISODES[..episode].iter().sum();
            for start in [0, count - 3, 5] {
                source.seek(start).unwrap();
                for index in start..count {
                    let frame = source.next_frame().unwrap().unwrap();
                    let number = if counts_through { before + index } else { index };
                    assert_eq!((frame.index, number_in(&frame.image)), (index, number), "episode {episode}");
                    assert!((frame.time_s - index as f64 / 20.0).abs() < 1e-6);
                    let expected = -angle(before + index) * full_scale_rad;
                    assert!((frame.steering_true_rad.unwrap() - expected).abs() < 1e-6, "{index}");
                }
                assert!(source.next_frame().unwrap().is_none());
            }
            assert_eq!((source.info().format, source.skipped().count), ("LeRobot data set", 0));
        }
        let message = common::error(folder.path());
        assert!(message.contains("0 (30 frames), 1 (25 frames), 2 (40 frames)"), "{message}");
        let message = deltasteer_data::open(&format!("episode=3,source={path}")).err().unwrap().to_string();
        assert!(message.contains("\"3\"") && message.contains("2 (40 frames)"), "{message}");
    }
}

#[test]
fn a_damaged_data_set_is_an_error_or_plays() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = tempdir().unwrap();
    write_v3(folder.path());
    let spec = format!("episode=1,source={}", folder.path().display());
    for name in ["data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet", "meta/info.json"] {
        let path = folder.path().join(name);
        let sound = std::fs::read(&path).unwrap();
        for at in (0..sound.len()).step_by(sound.len().div_ceil(60)) {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x55;
            let end = (at + 3).min(damaged.len());
            damaged[at..end].reverse();
            std::fs::write(&path, &damaged).unwrap();
            match deltasteer_data::open(&spec) {
                Ok(mut source) => assert!(source.next_frame().is_ok()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        std::fs::write(&path, &sound[..sound.len() / 2]).unwrap();
        let message = deltasteer_data::open(&spec).err().unwrap().to_string();
        assert!(message.contains(name), "{message}");
        std::fs::write(&path, sound).unwrap();
    }
    let video = folder.path().join(format!("videos/{CAMERA}/chunk-000/file-000.mp4"));
    std::fs::remove_file(&video).unwrap();
    let message = deltasteer_data::open(&spec).err().unwrap().to_string();
    assert!(message.contains("file-000.mp4") && message.contains("no such file"), "{message}");
}

#[cfg(unix)]
#[test]
fn links_out_of_a_data_set_are_read_when_asked_for() {
    use std::os::unix::fs::symlink;
    if !ffmpeg_is_there() {
        return;
    }
    let outer = tempdir().unwrap();
    let folder = outer.path().join("set");
    write_v2(&folder);
    let names = [
        format!("videos/chunk-000/{CAMERA}/episode_000001.mp4"),
        "data/chunk-000/episode_000001.parquet".to_owned(),
        "meta/episodes.jsonl".to_owned(),
        "meta/info.json".to_owned(),
    ];
    for (i, name) in names.iter().enumerate() {
        let (path, inside, outside) =
            (folder.join(name), folder.join(format!("blob-{i}")), outer.path().join(i.to_string()));
        std::fs::rename(&path, &inside).unwrap();
        symlink(&inside, &path).unwrap();
        let spec = format!("episode=1,source={}", folder.display());
        assert_eq!(deltasteer_data::open(&spec).unwrap().info().frame_count, Some(EPISODES[1]), "{name}");
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&inside, &outside).unwrap();
        symlink(&outside, &path).unwrap();
        let message = deltasteer_data::open(&spec).err().unwrap().to_string();
        assert!(message.contains(name) && message.contains("--follow-links"), "{message}");
        let source = deltasteer_data::open(&format!("links=follow,{spec}")).unwrap();
        assert_eq!(source.info().frame_count, Some(EPISODES[1]), "{name}");
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&outside, &path).unwrap();
    }
}
