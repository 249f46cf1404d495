//! MCAP files on a server: read like a file of this machine, and never shorter because the network failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::mcap::WriteOptions;

use super::recordings_tests::{FRAMES, STEERING, check_all, write_mcap_filled};
use crate::open;
use crate::remote::tests::server::{Reply, Server};

/// Several times what the cache keeps in tests.
fn big_mcap() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drive.mcap");
    write_mcap_filled(&path, WriteOptions::new().compression(None), 0..FRAMES, 300_000);
    std::fs::read(path).unwrap()
}

#[test]
fn an_mcap_file_on_a_server_is_a_recorded_drive() {
    let server = Server::of_files(vec![("/drive.mcap", big_mcap())]);
    let mut source = open(&format!("{STEERING}{}", server.url("/drive.mcap"))).unwrap();
    let info = source.info();
    assert!(!info.live && info.frame_count == Some(FRAMES as usize) && info.format == "MCAP", "{info:?}");
    for _ in 0..2 {
        check_all(&mut *source);
        assert!(source.next_frame().unwrap().is_none());
        source.seek(0).unwrap();
    }
    source.seek(30).unwrap();
    assert_eq!(source.next_frame().unwrap().unwrap().index, 30);
    assert_eq!(source.skipped().count, 0);
}

#[test]
fn a_network_that_fails_midway_is_an_error_and_no_end() {
    let (bytes, broken) = (big_mcap(), Arc::new(AtomicBool::new(false)));
    let fails = Arc::clone(&broken);
    let server = Server::start(move |request| match fails.load(Ordering::SeqCst) {
        true => Reply::status(503),
        false => Reply::part(request, &bytes, "1"),
    });
    let url = server.url("/drive.mcap");
    let mut source = open(&format!("{STEERING}{url}")).unwrap();
    for index in 0..3 {
        assert_eq!(source.next_frame().unwrap().unwrap().index, index);
    }
    broken.store(true, Ordering::SeqCst);
    let mut last = 2;
    let message = loop {
        match source.next_frame() {
            Ok(Some(frame)) => last = frame.index,
            Ok(None) => panic!("the drive ended after frame {last}"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(message.contains(&url) && message.contains("503"), "{message}");
    assert_eq!(source.skipped().count, 0, "{:?}", source.skipped());
    assert!(source.next_frame().is_err());
}

#[test]
fn an_mcap_file_that_cannot_be_read_when_it_is_opened_is_an_error() {
    let bytes = big_mcap();
    let half = bytes.len() as u64 / 2;
    let server = Server::start(move |request| {
        let reply = Reply::part(request, &bytes, "1");
        let range = request.range.clone().unwrap_or(0..1);
        if range.contains(&half) { reply.cut_after(0) } else { reply }
    });
    let message = open(&format!("{STEERING}{}", server.url("/drive.mcap"))).err().unwrap().to_string();
    assert!(message.contains("/drive.mcap") && message.contains("cut"), "{message}");
}
