//! Each picture of a video stands at its own time, whole and upright, in every container. ffmpeg makes the clips; each picture
//! carries its number.

#![cfg(feature = "opencv")]
#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::path::Path;

use common::clips::{H264, HEVC, MJPEG, ffmpeg, ffmpeg_is_there, run, write_clip};
use common::{frames, noted, number_in, numbered_sized, numbers, open, write_text};
use deltasteer_data::Source;
use tempfile::tempdir;

const VP9: &[&str] = &["-c:v", "libvpx-vp9", "-b:v", "1M", "-g", "20", "-deadline", "realtime"];
const VP8: &[&str] = &["-c:v", "libvpx", "-b:v", "1M", "-g", "20", "-auto-alt-ref", "1", "-lag-in-frames", "10"];
const MPEG4: &[&str] = &["-c:v", "mpeg4", "-q:v", "2", "-g", "20"];
/// One coding for each container.
const CONTAINERS: [(&str, &[&str]); 8] = [
    ("mp4", H264),
    ("mov", HEVC),
    ("mkv", H264),
    ("webm", VP9),
    ("webm", VP8),
    ("ts", H264),
    ("avi", MJPEG),
    ("avi", MPEG4),
];

/// Number and time of each frame.
fn seen(source: &mut dyn Source) -> Vec<(usize, f64)> {
    frames(source).iter().map(|frame| (number_in(&frame.image), frame.time_s)).collect()
}

/// Asserts that each picture stands within 2 ms of its time, and that jumps find the same.
fn assert_times(path: &Path, due_s: &[f64]) {
    let mut source = open(path);
    let name = path.display();
    let found = seen(&mut *source);
    assert_eq!(found.len(), due_s.len(), "{name}: {:?} {:?}", source.info().notes, source.skipped());
    for (number, time_s) in &found {
        assert!((time_s - (due_s[*number] - due_s[found[0].0])).abs() < 2e-3, "{name}: {number} stands at {time_s}");
    }
    for index in [due_s.len() - 2, 1, due_s.len() / 2] {
        source.seek(index).unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.index, number_in(&frame.image)), (index, found[index].0), "{name}");
    }
}

/// A clip whose frame `N` is shown at `times` seconds, an expression of ffmpeg.
fn write_timed(folder: &Path, name: &str, count: usize, times: &str, coding: &[&str]) -> std::path::PathBuf {
    let filter = format!("settb=1/1000,setpts='round(1000*({times}))'");
    // AVI has no times: frames that were not recorded leave places of the rate empty.
    let base = if name.ends_with("avi") { "1:20" } else { "1:1000" };
    let timed = ["-vf", &filter, "-fps_mode", "passthrough", "-enc_time_base", base];
    write_clip(folder, name, count, &[&timed[..], coding].concat())
}

#[test]
fn rates_that_vary_and_pauses_are_those_of_the_container() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    type Due = fn(usize) -> f64;
    let times: [(&str, Due); 3] = [
        ("if(lt(N,30),N/25,1.2+(N-30)/10)", |i| if i < 30 { i as f64 / 25.0 } else { 1.2 + (i - 30) as f64 / 10.0 }),
        ("N/20+if(lt(N,30),0,2)", |i| i as f64 / 20.0 + if i < 30 { 0.0 } else { 2.0 }),
        ("12.5+N/20", |i| i as f64 / 20.0),
    ];
    for (container, coding) in CONTAINERS {
        for (k, (expression, due_s)) in times.iter().enumerate().filter(|(k, _)| container != "avi" || *k == 1) {
            let path = write_timed(dir.path(), &format!("{k}{}.{container}", coding[1]), 60, expression, coding);
            let due_s: Vec<f64> = (0..60).map(due_s).collect();
            assert_times(&path, &due_s);
            let source = open(&path);
            let info = source.info();
            assert_eq!(noted(&*source, "the rate varies"), k == 0, "{:?}", info.notes);
            let pauses: Vec<usize> = info.gaps.iter().map(|gap| gap.after_index).collect();
            assert_eq!(pauses, if k == 1 { vec![29] } else { vec![] }, "{}", path.display());
        }
    }
}

#[test]
fn a_browser_s_recording_that_claims_1000_frames_a_second_plays_at_its_own_rate() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let path = write_timed(dir.path(), "live.webm", 60, "0.05*N+0.01*mod(N,3)", &[VP8, &["-live", "1"]].concat());
    // Such recordings state no duration of a frame: the element becomes a void one of the same length.
    let mut bytes = std::fs::read(&path).unwrap();
    if let Some(at) = bytes.windows(3).position(|id| id == [0x23, 0xe3, 0x83]) {
        let length = bytes[at + 3] & 0x7f;
        bytes[at..at + 2].copy_from_slice(&[0xec, 0x80 | (length + 2)]);
    }
    std::fs::write(&path, bytes).unwrap();
    assert_times(&path, &(0..60).map(|i| 0.05 * i as f64 + 0.01 * (i % 3) as f64).collect::<Vec<_>>());
    let rate_hz = open(&path).info().rate_hz;
    assert!((15.0..21.0).contains(&rate_hz), "{rate_hz}");
}

#[test]
fn labels_count_from_the_first_frame_of_a_clip_that_was_cut() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let whole = write_clip(dir.path(), "whole.mp4", 60, &[H264, &["-g", "10", "-bf", "0"]].concat());
    let text: String = (0..80).map(|i| format!("{:.2},{:.4}\n", i as f64 / 20.0, 0.01 * i as f64)).collect();
    for (name, from) in [("cut.mp4", "1.23"), ("cut.mkv", "1.0"), ("cut.ts", "1.0")] {
        let path = dir.path().join(name);
        run(ffmpeg(&["-ss", from, "-i"]).arg(&whole).args(["-c", "copy"]).arg(&path));
        write_text(path.with_extension("csv"), &format!("time_s,steering_rad\n{text}"));
        let all = frames(&mut *open(&path));
        let first = number_in(&all[0].image);
        assert!((20..=25).contains(&first), "{name} begins with frame {first}");
        for (i, frame) in all.iter().enumerate() {
            assert_eq!(number_in(&frame.image), first + i, "{name}");
            assert!((frame.steering_true_rad.unwrap() - 0.01 * i as f32).abs() < 1e-4, "{name}");
        }
    }
}

#[test]
fn damage_in_the_middle_costs_what_depends_on_it_and_nothing_moves() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let intra = ["-g", "1", "-bf", "0"];
    let cases: [(&str, &[&str], bool); 11] = [
        ("intra.mp4", &[H264, &intra].concat(), true),
        ("intra.mkv", &[H264, &intra].concat(), true),
        ("b.mp4", H264, false),
        ("b.ts", H264, false),
        ("hevc.mp4", HEVC, false),
        ("jpeg.avi", MJPEG, true),
        ("jpeg.mkv", MJPEG, true),
        ("jpeg.mov", MJPEG, true),
        ("4.avi", MPEG4, false),
        ("9.webm", VP9, false),
        ("8.webm", VP8, false),
    ];
    for (name, coding, intra) in cases {
        let path = write_clip(dir.path(), name, 120, coding);
        let mut bytes = std::fs::read(&path).unwrap();
        let probed = ffmpeg_probe(&path);

        for (position, size) in &probed[50..53] {
            bytes[position + 4..position + size].fill(0);
        }
        std::fs::write(&path, bytes).unwrap();
        let mut source = open(&path);
        let found = seen(&mut *source);
        for (number, time_s) in &found {
            assert!((time_s - *number as f64 / 20.0).abs() < 2e-3, "{name}: {number} stands at {time_s} s");
        }
        let lost: Vec<usize> = (0..120).filter(|index| !found.iter().any(|(number, _)| number == index)).collect();
        println!("{name}: {lost:?} are lost, {:?}", source.skipped().examples.first());
        assert!(if intra { lost == [50, 51, 52] } else { lost.iter().all(|index| (40..62).contains(index)) }, "{name}");
        assert!(found.len() + lost.len() == 120 && found.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}");
        let skipped = source.skipped().count;
        // Damage to a container may hide that there was a packet at all: what is left is a gap in the times.
        let hides = name.ends_with("ts") || name.ends_with("webm");
        assert!(if hides { skipped <= lost.len() } else { skipped == lost.len() }, "{name}: {skipped}");
        // A second pass gives the same and counts nothing twice.
        source.seek(0).unwrap();
        assert_eq!(seen(&mut *source), found, "{name}");
        assert_eq!(source.skipped().count, skipped, "{name}");
    }
}

/// Position and size of each packet of a video.
fn ffmpeg_probe(path: &Path) -> Vec<(usize, usize)> {
    let arguments =
        ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pos,size", "-of", "compact=p=0:nk=0"];
    let output = std::process::Command::new("ffprobe").args(arguments).arg(path).output().unwrap().stdout;
    let field = |line: &str, key: &str| {
        line.split('|').find_map(|field| field.strip_prefix(key)).and_then(|value| value.trim().parse::<usize>().ok())
    };
    let text = String::from_utf8(output).unwrap();
    text.lines().filter_map(|line| Some((field(line, "pos=")?, field(line, "size=")?))).collect()
}

#[test]
fn a_picture_size_that_changes_is_followed() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    for (suffix, coding) in [("mjpeg", MJPEG), ("ts", H264)] {
        let small = write_clip(dir.path(), &format!("small.{suffix}"), 30, coding);
        let pictures = tempdir().unwrap();
        for i in 0..30 {
            let picture = numbered_sized(30 + i, 320, 240);
            common::write_image(pictures.path().join(format!("{i:05}.png")), &picture);
        }
        let large = dir.path().join(format!("large.{suffix}"));
        run(ffmpeg(&["-framerate", "20", "-i"]).arg(pictures.path().join("%05d.png")).args(coding).arg(&large));
        let both = dir.path().join(format!("both.{suffix}"));
        std::fs::write(&both, [std::fs::read(&small).unwrap(), std::fs::read(&large).unwrap()].concat()).unwrap();
        let mut source = open(&both);
        let all = frames(&mut *source);
        let numbers: Vec<_> = all.iter().map(|frame| number_in(&frame.image)).collect();
        // Where two transport streams meet, the container cannot tell whether the last picture of the first is whole.
        assert_eq!(numbers, (0..60).filter(|number| suffix != "ts" || *number != 28).collect::<Vec<_>>());
        for (frame, number) in all.iter().zip(numbers) {
            assert_eq!(frame.image.dim(), if number < 30 { (96, 160, 3) } else { (240, 320, 3) });
        }
        assert!(noted(&*source, "the size changes: frame 30 is 320x240"), "{:?}", source.info().notes);
        assert!(all.windows(2).all(|pair| pair[1].time_s > pair[0].time_s), "{suffix}");
    }
}

#[test]
fn phone_videos_stand_upright() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    for container in ["mp4", "mov"] {
        for (degrees, turn) in [(0, "null"), (90, "transpose=1"), (180, "hflip,vflip"), (270, "transpose=2")] {
            // The camera lay on its side: the stored picture is turned, and the file says how to turn it back.
            let coding = [&["-vf", turn][..], H264].concat();
            let stored = write_clip(dir.path(), &format!("stored.{container}"), 10, &coding);
            let path = dir.path().join(format!("phone{degrees}.{container}"));
            let rotate = format!("rotate={degrees}");
            run(ffmpeg(&["-i"]).arg(&stored).args(["-c", "copy", "-metadata:s:v", &rotate]).arg(&path));
            let mut source = open(&path);
            assert_eq!((source.info().width, source.info().height), (160, 96), "{degrees}");
            assert_eq!(numbers(&mut *source), (0..10).collect::<Vec<_>>(), "{}", path.display());
            assert_eq!(noted(&*source, "turned"), degrees != 0, "{:?}", source.info().notes);
        }
    }
}

#[test]
fn videos_of_every_suffix_open() {
    if !ffmpeg_is_there() {
        return;
    }
    let dir = tempdir().unwrap();
    let mp4 = write_clip(dir.path(), "a.mp4", 10, H264);
    let ts = write_clip(dir.path(), "a.ts", 10, H264);
    for (of, suffixes) in [(&mp4, &["m4v", "mov", "3gp", "insv", "MP4"][..]), (&ts, &["mts", "m2ts", "MTS"][..])] {
        for suffix in suffixes {
            let path = dir.path().join(format!("b.{suffix}"));
            std::fs::copy(of, &path).unwrap();
            assert_eq!(numbers(&mut *open(&path)), (0..10).collect::<Vec<_>>(), "{suffix}");
        }
    }
    let mpg = write_clip(dir.path(), "a.mpg", 10, &["-c:v", "mpeg2video", "-q:v", "2", "-r", "25"]);
    assert_eq!(numbers(&mut *open(&mpg)).len(), 12, "ten frames at 20 Hz are twelve at 25 Hz");
    std::fs::write(dir.path().join("a.xyz"), b"?").unwrap();
    let message = common::error(&dir.path().join("a.xyz"));
    assert!(message.contains("mp4") && message.contains("m2ts"), "{message}");
}
