//! Outputs of every kind: files, links, pipes, devices.

use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::Command;

use super::*;

fn message(result: anyhow::Result<()>) -> String {
    format!("{:#}", result.unwrap_err())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_unfinished_file_leaves_nothing_and_keeps_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    write_whole(&path, b"old").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let mut file = OutputFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    drop(file);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["out.csv"]);
    write_whole(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_link_is_followed_also_to_a_file_that_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("sub")).unwrap();
    std::fs::write(at("real.csv"), b"").unwrap();
    symlink("real.csv", at("link")).unwrap();
    symlink("sub/new.csv", at("dangling")).unwrap();
    symlink("link", at("second")).unwrap();
    symlink("loop", at("loop")).unwrap();
    for (name, real) in [("link", "real.csv"), ("dangling", "sub/new.csv"), ("second", "real.csv")] {
        write_whole(&at(name), name.as_bytes()).unwrap();
        assert!(std::fs::symlink_metadata(at(name)).unwrap().is_symlink(), "{name}");
        assert_eq!(std::fs::read(at(real)).unwrap(), name.as_bytes());
    }
    assert!(message(write_whole(&at("loop"), b"")).contains("loop"));
}

#[test]
fn pipes_and_devices_are_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut all = String::new();
            File::open(pipe).unwrap().read_to_string(&mut all).unwrap();
            all
        }
    });
    let mut file = OutputFile::create(&pipe).unwrap();
    assert!(!file.seekable() && file.seek(SeekFrom::Start(0)).is_err());
    file.write_all(b"through").unwrap();
    file.finish().unwrap();
    assert_eq!(reader.join().unwrap(), "through");
    assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());

    write_whole(Path::new("/dev/null"), b"gone").unwrap();
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let full = message(write_whole(Path::new("/dev/full"), b"too much"));
    assert!(full.contains("/dev/full") && full.contains("No space left"), "{full}");
}

#[test]
fn what_must_not_be_replaced_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let drive = at("drive");
    std::fs::create_dir(&drive).unwrap();
    std::fs::write(drive.join("labels.csv"), "time,angle\n").unwrap();
    std::fs::write(drive.join("mine.csv"), "frame,time_s,steering_true_rad,steering_rad\n").unwrap();
    symlink(&drive, at("other")).unwrap();
    symlink("out.csv", at("link.csv")).unwrap();
    let check = |outputs: &[PathBuf]| {
        super::check(&outputs.iter().map(PathBuf::as_path).collect::<Vec<_>>(), std::slice::from_ref(&drive))
    };
    for (outputs, named) in [
        (vec![at("none/out.csv")], "none/out.csv"),
        (vec![at("")], "is a folder"),
        (vec![at("out.csv/")], "is a folder"),
        (vec![at("out.csv"), drive.join("../out.csv")], "named twice"),
        (vec![at("out.csv"), at("link.csv")], "named twice"),
        (vec![drive.join("new"), at("other/new")], "named twice"),
        (vec![at("other/labels.csv")], "is a file of"),
    ] {
        let message = message(check(&outputs));
        assert!(message.contains(named), "{named}: {message}");
    }
    check(&[drive.join("mine.csv"), drive.join("new.csv"), "/dev/null".into(), "/dev/null".into()]).unwrap();
    assert_eq!(names(folder.path()), ["drive", "link.csv", "other"]);
    assert!(message(super::check(&[&drive.join("labels.csv")], &[drive.join("labels.csv")])).contains("is a file of"));
}

#[test]
fn what_a_killed_run_has_left_is_removed_and_a_living_runs_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".deltasteer-dead.partial.mp4"), b"half").unwrap();
    let living = File::create(folder.path().join(".deltasteer-live.partial")).unwrap();
    living.lock().unwrap();
    write_whole(&folder.path().join("out.csv"), b"whole").unwrap();
    assert_eq!(names(folder.path()), [".deltasteer-live.partial", "out.csv"]);
}
