//! `replay` of a live feed, ended by Ctrl-C as its user would. Needs the feature `opencv` and the program `ffmpeg`.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::*;

/// How long a busy machine may take to get going.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// ffmpeg serving its moving test picture to one client.
fn serve(url: &str) -> Process {
    let arguments = ["-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-c:v", "mjpeg", "-f", "mpjpeg"];
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error"]).args(arguments).args(["-listen", "1", url]);
    Process(ffmpeg.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// Bytes of the unfinished output, which lies in the folder under a name of its own.
fn unfinished_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(|data| data.is_file()).map(|data| data.len()).sum()
}

#[test]
fn ctrl_c_ends_a_feed_with_its_summary_and_its_files() {
    if Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED: there is no ffmpeg here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let outputs = folder.path().join("outputs");
    std::fs::create_dir(&outputs).unwrap();
    let csv = outputs.join("out.csv");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/");
    let _server = serve(&url);
    let begun = Instant::now();
    let replay = loop {
        let arguments = ["replay", &url, "--model", &model, "--csv", &text(&csv)];
        let mut replay = Process(
            Command::new(env!("CARGO_BIN_EXE_deltasteer"))
                .args(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        // A server that still starts refuses the connection, and replay says so and ends.
        while replay.0.try_wait().unwrap().is_none() && unfinished_bytes(&outputs) == 0 {
            assert!(begun.elapsed() < PATIENCE, "no frame came");
            std::thread::sleep(Duration::from_millis(50));
        }
        if unfinished_bytes(&outputs) > 0 {
            break replay;
        }
        assert!(begun.elapsed() < PATIENCE, "the feed could not be opened");
    };
    assert!(!csv.exists(), "a file has its name only when it is complete");
    let process = replay.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
    let mut replay = replay;
    let status = replay.0.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(replay.0.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert!(status.success(), "{said}");
    let rows = std::fs::read_to_string(&csv).unwrap().lines().count() - 1;
    assert!(rows > 10 && said.contains(&format!("({rows} frames)")) && said.contains("RNN work"), "{rows}: {said}");
}
