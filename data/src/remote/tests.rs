//! Recorded files on a server that supports ranges, lacks them, breaks off, or changes the file.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use super::file::{Found, find};
use super::*;

#[path = "../../tests/common/server.rs"]
pub(crate) mod server;
use server::{Reply, Server};

/// Bytes that tell their place.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 251 + i) as u8).collect()
}

fn file(url: &str) -> Arc<RemoteFile> {
    match find(url) {
        Ok(Found::File(file)) => Arc::new(file),
        Ok(_) => panic!("{url}: no file with ranges"),
        Err(failure) => panic!("{url}: {failure:?}"),
    }
}

/// The message of an address that must not open.
fn error_of(url: &str) -> String {
    let message = crate::open(url).err().expect("an error was expected").to_string();
    assert!(message.contains(url), "{message}");
    message
}

#[test]
fn addresses_of_recorded_files_are_known_by_their_path() {
    for (url, kind) in [
        ("http://host/a/b.mp4", Some(Kind::Video)),
        ("https://host/b.MKV?token=a.html#t=1", Some(Kind::Video)),
        ("http://host:80/drive.mcap", Some(Kind::Mcap)),
        ("http://host/drive.bag", Some(Kind::LocalOnly)),
        ("http://host/live.m3u8", None),
        ("http://camera.ts", None),
        ("http://camera.ts/", None),
        ("http://host/video", None),
        ("http://host/video?file=a.mp4", None),
        ("rtsp://host/a.mp4", None),
        ("a.mp4", None),
    ] {
        assert_eq!(kind_of(url), kind, "{url}");
    }
    assert_eq!(urls_of("http://h/a.b/c.mp4?t=1"), ["http://h/a.b/c.mp4?t=1", "http://h/a.b/c.csv?t=1"]);
    assert_eq!(urls_of("http://h/c.mcap"), ["http://h/c.mcap"]);
}

#[test]
fn a_file_is_read_at_any_place_with_few_requests() {
    let whole = bytes(3_000_000);
    let server = Server::of_files(vec![("/a.mcap", whole.clone())]);
    let file = file(&server.url("/a.mcap"));
    assert_eq!((file.length(), file.version()), (3_000_000, "\"1\""));
    let mut reader = file.reader();
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert!(read == whole);
    let requests = server.requests();
    assert!(requests <= 6, "{requests} requests");
    for (to, place) in
        [(SeekFrom::Start(2_500_000), 2_500_000), (SeekFrom::End(-10), 2_999_990), (SeekFrom::Current(-500), 2_999_500)]
    {
        reader.seek(to).unwrap();
        let mut few = [0; 10];
        reader.read_exact(&mut few).unwrap();
        assert_eq!(few, whole[place..place + 10]);
    }
    assert_eq!(server.requests(), requests, "the cache holds all of it");
    assert!(reader.seek(SeekFrom::End(-4_000_000)).is_err());
    reader.seek(SeekFrom::Start(4_000_000)).unwrap();
    assert_eq!(reader.read(&mut [0; 4]).unwrap(), 0);
}

#[test]
fn a_connection_that_drops_is_taken_up_where_it_broke() {
    let whole = bytes(700_000);
    let served = whole.clone();
    let server = Server::start(move |request| {
        let reply = Reply::part(request, &served, "1");
        match request.number {
            0 => reply,
            number if number % 3 == 0 => Reply::status(503),
            number if number % 3 == 1 => reply.cut_after(100_000),
            _ => reply,
        }
    });
    let file = file(&server.url("/a.mcap"));
    let mut read = Vec::new();
    file.reader().read_to_end(&mut read).unwrap();
    assert!(read == whole && file.failure().is_none());
}

#[test]
fn a_connection_that_stays_broken_is_an_error_and_no_end() {
    let whole = bytes(700_000);
    let server = Server::start(move |request| {
        let reply = Reply::part(request, &whole, "1");
        if request.range.as_ref().is_some_and(|range| range.start > 500_000) { reply.cut_after(0) } else { reply }
    });
    let file = file(&server.url("/a.mcap"));
    let mut reader = file.reader();
    reader.seek(SeekFrom::Start(10)).unwrap();
    reader.read_exact(&mut [0; 100]).unwrap();
    let message = reader.read_to_end(&mut Vec::new()).unwrap_err().to_string();
    assert!(message.contains("cut") && message.contains("6 times"), "{message}");
    // It is kept, so that nobody asks again and waits.
    let requests = server.requests();
    assert_eq!(file.failure().as_deref(), Some(message.as_str()));
    let mut reader = file.reader();
    reader.seek(SeekFrom::Start(600_000)).unwrap();
    assert!(reader.read(&mut [0; 4]).is_err());
    assert_eq!(server.requests(), requests);
}

#[test]
fn a_file_that_changes_is_an_error() {
    for (length, etag, told) in [
        (700_000, "2", "its version is \"2\", before \"1\""),
        (700_001, "1", "700001 bytes"),
        (200_000, "1", "changed"),
    ] {
        let (before, after) = (bytes(700_000), bytes(length));
        let server = Server::start(move |request| match request.number {
            0 | 1 => Reply::part(request, &before, "1"),
            _ => Reply::part(request, &after, etag),
        });
        let file = file(&server.url("/a.mcap"));
        let mut reader = file.reader();
        reader.read_exact(&mut [0; 10]).unwrap();
        let message = reader.read_to_end(&mut Vec::new()).unwrap_err().to_string();
        assert!(message.contains("changed while it was read") && message.contains(told), "{message}");
    }
}

#[test]
fn servers_that_refuse_are_told_apart() {
    for (status, told) in [(404, "404"), (403, "403"), (401, "401"), (500, "500"), (416, "empty")] {
        let server = Server::start(move |_| Reply::status(status));
        let message = error_of(&server.url("/a.mcap"));
        assert!(message.contains(told) && message.contains("range requests"), "{message}");
    }
    let server = Server::start(|_| Reply::whole(&bytes(1000)));
    let message = error_of(&server.url("/a.mcap"));
    assert!(message.contains("does not answer range requests") && message.contains("download it"), "{message}");
    let server = Server::start(|_| Reply { headers: vec![("Location", "/a.mcap".to_owned())], ..Reply::status(302) });
    assert!(error_of(&server.url("/a.mcap")).contains("redirects"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(error_of(&format!("http://{closed}/a.mcap")).contains("refused"));
    for name in ["a.bag", "a.h5", "a.db3"] {
        let message = error_of(&format!("http://{closed}/{name}"));
        assert!(message.contains("not read over the network") && message.contains("download it"), "{message}");
    }
}

#[test]
fn a_login_is_sent_and_a_redirect_followed() {
    let whole = bytes(1000);
    let server = Server::start(move |request| match (request.path.as_str(), &request.login) {
        ("/moved.mcap", _) => Reply { headers: vec![("Location", "/a.mcap".to_owned())], ..Reply::status(302) },
        ("/a.mcap", _) | (_, Some(_)) => Reply::part(request, &whole, "1"),
        _ => Reply::status(401),
    });
    assert_eq!(file(&server.url("/moved.mcap")).length(), 1000);
    assert!(find(&server.url("/secret.mcap")).is_err());
    assert_eq!(file(&format!("http://me:word@{}/secret.mcap", server.address())).length(), 1000);
}

#[test]
fn texts_are_there_or_told_to_be_missing() {
    let server = Server::of_files(vec![("/a.csv", b"time_s,x\r\n1,2\r\n".to_vec())]);
    assert_eq!(text(&server.url("/a.csv?x=1")).unwrap().unwrap(), "time_s,x\n1,2\n");
    assert!(text(&server.url("/b.csv")).unwrap().unwrap_err().contains("404"));
    assert_eq!(remote_state(&server.url("/b.csv")).unwrap(), None);
    let state = RemoteState { length: 15, version: "\"1\"".to_owned() };
    assert_eq!(remote_state(&server.url("/a.csv")).unwrap(), Some(state));
}
