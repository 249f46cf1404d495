//! Drives on a server, through the command.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::common::*;

#[path = "../../../data/tests/common/server.rs"]
mod server;
use server::{Reply, Server};

/// A recorded drive of two seconds as an MCAP file.
fn recording(folder: &std::path::Path, model: &str) -> String {
    let file = text(&folder.join("drive.mcap"));
    stdout_of(&["replay", "road:5,seconds=2", "--model", model, "--mcap", &file]);
    file
}

#[test]
fn a_recording_on_a_server_gives_what_its_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let file = recording(folder.path(), &model);
    let server = Server::of_files(vec![("/drive.mcap", std::fs::read(&file).unwrap())]);
    let url = server.url("/drive.mcap");
    let (local, remote) = (eval_of(&[&file, "--model", &model]), eval_of(&[&url, "--model", &model]));
    for field in ["frames", "mae_rad", "rmse_rad", "zero_rmse_rad", "by_angle", "network"] {
        assert_eq!(local[field], remote[field], "{field}");
    }
    assert_eq!(remote["source"], url);
    assert!(stdout_of(&["info", &url]).contains("MCAP"));
    let out = stdout_of(&["replay", &url, "--model", &model]);
    assert!(out.contains("frames       40"), "{out}");
    let message = error_of(&["eval", &server.url("/other.mcap"), "--model", &model]);
    assert!(message.contains("/other.mcap") && message.contains("404"), "{message}");
}

#[test]
fn kept_results_notice_that_the_file_on_the_server_changed() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let bytes = std::fs::read(recording(folder.path(), &model)).unwrap();
    let version = Arc::new(AtomicUsize::new(1));
    let served = Arc::clone(&version);
    let server = Server::start(move |request| Reply::part(request, &bytes, &served.load(Ordering::SeqCst).to_string()));
    let (url, results) = (server.url("/drive.mcap"), folder.path().join("results"));
    let eval = || {
        let output = deltasteer(&["eval", &url, "--model", &model, "--json", "--results", &text(&results)]);
        let (out, err) = texts(&output);
        let object: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
        (object["drives"][0]["frames"].as_u64().unwrap(), err)
    };
    assert_eq!(eval().0, 40);
    // A changed result shows whether the drive was run again.
    let file = std::fs::read_dir(&results).unwrap().next().unwrap().unwrap().path();
    assert!(file.to_string_lossy().contains("drive.mcap"), "{file:?}");
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    kept["frames"] = 12345.into();
    std::fs::write(&file, kept.to_string()).unwrap();
    assert_eq!(eval().0, 12345);
    version.store(2, Ordering::SeqCst);
    let (frames, err) = eval();
    assert!(frames == 40 && err.contains("changed"), "{frames}: {err}");
}
