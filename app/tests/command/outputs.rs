//! Outputs that are no plain files, signals, full disks, readers that leave: nothing is destroyed, nothing is called written that is not.

use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::*;

/// How long a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a model in it, and its path.
fn folder_and_model() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    (folder, model)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs the command in a shell, after `before`.
fn in_shell(before: &str, words: &[&str], after: &str) -> std::process::Output {
    let script = format!("{before} \"$0\" \"$@\" {after}");
    Command::new("sh").arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_deltasteer")).args(words).output().unwrap()
}

fn spawn(words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deltasteer"));
    command.args(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn kill(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Waits for an unfinished output in the folder that its run holds locked: between its making and its locking, on a busy machine,
/// another run may still take it for a left-over.
fn unfinished(folder: &Path, child: &mut Child) -> PathBuf {
    let begun = Instant::now();
    let held = |path: &Path| {
        std::fs::File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
    };
    loop {
        let unfinished = names(folder).into_iter().filter(|name| name.starts_with(".deltasteer-"));
        if let Some(path) = unfinished.map(|name| folder.join(name)).find(|path| held(path)) {
            return path;
        }
        assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE, "no output was begun");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn pipes_devices_and_links_stay_what_they_are() {
    let (folder, model) = folder_and_model();
    let at = |name: &str| folder.path().join(name);
    let pipe = at("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink("real.mcap", at("link.mcap")).unwrap();
    for kind in ["--csv", "--mcap", "--parquet", "--report"] {
        let copy = std::fs::File::create(at("copy")).unwrap();
        let mut reader = Command::new("cat").arg(&pipe).stdout(copy).spawn().unwrap();
        let out = stdout_of(&["replay", "road:3,seconds=1", "--model", &model, kind, &text(&pipe)]);
        assert!(out.contains("written"), "{out}");
        assert!(reader.wait().unwrap().success());
        let file = at(&format!("plain{kind}"));
        stdout_of(&["replay", "road:3,seconds=1", "--model", &model, kind, &text(&file)]);
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert_eq!(size(&at("copy")), size(&file), "{kind}");
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo(), "{kind}");
    }
    stdout_of(&[
        "replay",
        "road:3,seconds=1",
        "--model",
        &model,
        "--csv",
        "/dev/null",
        "--mcap",
        &text(&at("link.mcap")),
    ]);
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert!(at("link.mcap").is_symlink() && at("real.mcap").is_file());
}

#[test]
fn an_output_is_none_of_the_drives_own_files_and_named_once() {
    let (folder, model) = folder_and_model();
    let drive = folder.path().join("drive");
    write_drive(&drive, &ANGLES);
    let labels = drive.join("CH2_final_evaluation.csv");
    let before = std::fs::read(&labels).unwrap();
    let replay = |more: &[&str]| error_of(&[&["replay", &text(&drive), "--model", &model], more].concat());
    assert!(replay(&["--csv", &text(&labels)]).contains("CH2_final_evaluation.csv"));
    assert!(replay(&["--mcap", &text(&picture_path(&drive, 0))]).contains("which is read"));
    let (one, two) = (text(&folder.path().join("out")), text(&folder.path().join("drive/../out")));
    assert!(replay(&["--csv", &one, "--report", &two]).contains("named twice"));
    assert_eq!(std::fs::read(&labels).unwrap(), before);
    // A result of an earlier run may be replaced, wherever it is.
    let own = text(&drive.join("angles.csv"));
    (0..2).for_each(|_| drop(stdout_of(&["replay", &text(&drive), "--model", &model, "--csv", &own])));
}

#[test]
fn a_full_disk_costs_the_output_that_is_on_it_alone() {
    let (folder, model) = folder_and_model();
    let outputs = folder.path().join("outputs");
    std::fs::create_dir(&outputs).unwrap();
    let (csv, mcap, video) = (outputs.join("d.csv"), outputs.join("d.mcap"), outputs.join("d.mp4"));
    let (csv, mcap, video) = (text(&csv), text(&mcap), text(&video));
    let mut words = vec!["replay", "road:3,seconds=3", "--model", &model, "--csv", &csv, "--mcap", &mcap];
    if cfg!(feature = "opencv") {
        words.extend(["--video", &video]);
    }
    // A limit on the size of files fails as a full disk does, and without leave from the system.
    let output = in_shell("ulimit -f 32; trap '' XFSZ; exec", &words, "");
    let (out, err) = texts(&output);
    assert!(!output.status.success() && !err.contains("panicked"), "{out}\n{err}");
    assert!(out.contains("d.csv (60 frames)") && !out.contains("d.mcap (") && !out.contains("d.mp4 ("), "{out}");
    assert!(err.contains("d.mcap is not written"), "{err}");
    assert_eq!(err.contains("d.mp4 is not written"), cfg!(feature = "opencv"), "{err}");
    assert_eq!(names(&outputs), ["d.csv"]);
    assert!(error_of_full(&["replay", "road:3,seconds=1", "--model", &model]).contains("/dev/full is not written"));
}

/// What a replay into `/dev/full` says.
fn error_of_full(words: &[&str]) -> String {
    let (_, err) = texts(&deltasteer(&[words, &["--csv", "/dev/full"]].concat()));
    err
}

#[test]
fn standard_output_that_is_full_or_closed_is_no_panic() {
    let (folder, model) = folder_and_model();
    let sweep = text(&folder.path().join("sweep.csv"));
    let commands: [&[&str]; 6] = [
        &["--help"],
        &["info", "road:1,seconds=1"],
        &["info", &model],
        &["replay", "road:1,seconds=1", "--model", &model],
        &["eval", "road:1,seconds=1", "road:2,seconds=1", "--model", &model, "--json"],
        &["sweep", "road:1,seconds=1", "--model", &model, "--out", &sweep],
    ];
    for words in commands {
        let output = in_shell("", words, ">/dev/full");
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {err}");
        assert!(err.contains("standard output") && !err.contains("panicked"), "{words:?}: {err}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_deltasteer"));
        let mut child = child.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), texts(&output).1.as_str()), (Some(141), ""), "{words:?}");
    }
}

#[test]
fn signals_end_a_run_and_leave_nothing_half_done() {
    let (folder, model) = folder_and_model();
    for signal in ["-INT", "-TERM", "-HUP"] {
        let outputs = folder.path().join(&signal[1..]);
        std::fs::create_dir(&outputs).unwrap();
        let csv = text(&outputs.join("out.csv"));
        let mut child = spawn(&["replay", "road:3,seconds=3000", "--model", &model, "--csv", &csv]);
        unfinished(&outputs, &mut child);
        kill(&child, signal);
        let output = child.wait_with_output().unwrap();
        let err = texts(&output).1;
        assert_eq!(output.status.code(), Some(1), "{signal}: {err}");
        assert!(err.contains("interrupted"), "{signal}: {err}");
        assert_eq!(names(&outputs), Vec::<String>::new(), "{signal}");
    }
    // Nobody reads the pipe: a signal ends the waiting.
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = spawn(&["replay", "road:3,seconds=3", "--model", &model, "--csv", &text(&pipe)]);
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        u64::from_str_radix(mask.trim(), 16).unwrap() >> 14 & 1 == 1
    };
    let begun = Instant::now();
    while cfg!(target_os = "linux") && !caught() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    kill(&child, "-TERM");
    assert!(texts(&child.wait_with_output().unwrap()).1.contains("no reader"));
}

#[test]
fn what_the_parent_ignores_stays_ignored() {
    let (folder, model) = folder_and_model();
    let csv = text(&folder.path().join("out.csv"));
    let words = ["replay", "road:3,seconds=20", "--model", &model, "--csv", &csv];
    let mut child = Command::new("sh");
    child.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_deltasteer")]).args(words);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    unfinished(folder.path(), &mut child);
    kill(&child, "-HUP");
    assert!(child.wait().unwrap().success(), "nohup was overruled");
    assert!(Path::new(&csv).exists());
}

#[test]
fn what_a_killed_run_leaves_is_removed_by_the_next() {
    let (folder, model) = folder_and_model();
    let outputs = folder.path().join("outputs");
    std::fs::create_dir(&outputs).unwrap();
    let csv = text(&outputs.join("out.csv"));
    let mut child = spawn(&["replay", "road:3,seconds=3000", "--model", &model, "--csv", &csv]);
    let left = unfinished(&outputs, &mut child);
    // Another run beside it leaves the living one's file alone.
    let other = text(&outputs.join("other.csv"));
    stdout_of(&["replay", "road:3,seconds=1", "--model", &model, "--csv", &other]);
    assert!(left.exists());
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let output = deltasteer(&["replay", "road:3,seconds=1", "--model", &model, "--csv", &csv]);
    let (_, err) = texts(&output);
    assert!(err.contains(&text(&left)), "{err}");
    assert_eq!(names(&outputs), ["other.csv", "out.csv"]);
}

#[test]
fn names_cannot_steer_the_terminal() {
    let (folder, model) = folder_and_model();
    let drive = folder.path().join("a\x1b[2Jb\rc");
    write_drive(&drive, &ANGLES);
    std::fs::write(picture_path(&drive, 5), b"").unwrap();
    let (drive, missing) = (text(&drive), text(&folder.path().join("\x1b]0;x\x07")));
    let commands: [&[&str]; 5] = [
        &["info", &drive],
        &["replay", &drive, "--model", &model],
        &["eval", &drive, "road:1,seconds=1", "--model", &model],
        &["eval", &missing, "--model", &model],
        &["replay", &missing],
    ];
    for words in commands {
        let (out, err) = texts(&deltasteer(words));
        let bad = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
        assert!(!bad(&out) && !bad(&err), "{words:?}: {out:?} {err:?}");
        assert!((out + &err).contains("\\u{1b}"), "{words:?}");
    }
}

#[cfg(feature = "opencv")]
#[test]
fn frames_of_another_size_are_scaled_to_the_videos() {
    let (folder, model) = folder_and_model();
    let drive = folder.path().join("drive");
    write_drive(&drive, &ANGLES);
    let other = image::RgbImage::from_pixel(200, 90, image::Rgb([200, 30, 30]));
    other.save(picture_path(&drive, 7)).unwrap();
    let (video, csv) = (text(&folder.path().join("d.mp4")), text(&folder.path().join("d.csv")));
    let out = stdout_of(&["replay", &text(&drive), "--model", &model, "--video", &video, "--csv", &csv]);
    assert!(out.contains("d.mp4 (12 frames)") && out.contains("d.csv (12 frames)"), "{out}");
    let mut written = deltasteer_data::open(&video).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = written.next_frame().unwrap() {
        frames.push(frame.image);
    }
    assert_eq!(frames.len(), 12);
    assert!(frames.iter().all(|frame| frame.dim() == (120, 160, 3)));
    let red = |frame: &ndarray::Array3<u8>| frame[[100, 10, 0]] > 150;
    assert!(red(&frames[7]) && !red(&frames[6]), "the frame of another size is not in the video");
}

#[test]
fn what_is_wrong_with_a_recording_is_said_by_replay_and_eval() {
    let (folder, model) = folder_and_model();
    let drive = folder.path().join("drive");
    write_drive(&drive, &ANGLES);
    let labels = drive.join("CH2_final_evaluation.csv");
    let spoilt = std::fs::read_to_string(&labels).unwrap().replace(",0.12,", ",left,");
    std::fs::write(&labels, spoilt).unwrap();
    let drive = text(&drive);
    let info = stdout_of(&["info", &drive]);
    let note = info.lines().find_map(|line| line.strip_prefix("note ")).expect("a note").trim();
    assert!(stdout_of(&["replay", &drive, "--model", &model]).contains(note));
    assert!(stdout_of(&["eval", &drive, "--model", &model]).contains(note));
    assert!(stdout_of(&["eval", &drive, "road:1,seconds=1", "--model", &model]).contains(note));
    let json: serde_json::Value =
        serde_json::from_str(&stdout_of(&["eval", &drive, "--model", &model, "--json"])).unwrap();
    assert_eq!(json["drives"][0]["notes"][0], note);
}
