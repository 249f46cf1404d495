//! Streams that are refused, forbidden, missing, no video, endless or damaged: each is told apart, in bounded memory. The servers
//! are threads of the test.

#![cfg(feature = "opencv")]
#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::numbered;
use deltasteer_data::rgb_bytes;

/// Serves one thing to every client that connects, and gives the address.
fn serve(answer: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/video", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, answer) = (client.unwrap(), answer.clone());
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                let _ = client.read(&mut request);
                answer(client);
            });
        }
    });
    url
}

/// Serves a fixed answer.
fn serve_text(text: &'static str) -> String {
    serve(move |mut client| {
        let _ = client.write_all(text.as_bytes());
    })
}

fn error(url: &str) -> String {
    let begun = Instant::now();
    let message = deltasteer_data::open(url).err().expect("an error was expected").to_string();
    assert!(begun.elapsed() < Duration::from_secs(30), "{message} took {:?}", begun.elapsed());
    assert!(message.contains(url) && !message.contains("again"), "nothing is connected again: {message}");
    message
}

const MULTIPART: &str = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=next\r\n\r\n";

/// A part of an MJPEG stream.
fn part(number: usize) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let image = numbered(number);
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95);
    image::ImageEncoder::write_image(encoder, rgb_bytes(&image), 128, 16, image::ExtendedColorType::Rgb8).unwrap();
    let head = format!("--next\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
    [head.as_bytes(), &jpeg, b"\r\n"].concat()
}

#[test]
fn what_a_server_answers_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, expected) in [
        (format!("http://{free}/"), "refused"),
        (serve_text("HTTP/1.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), "401"),
        (serve_text("HTTP/1.0 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "403"),
        (serve_text("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "404"),
        (serve_text("HTTP/1.0 500 Oops\r\nContent-Length: 0\r\n\r\n"), "5xx"),
        (serve_text("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Sign in</html>"), "no video"),
        ("http://no-such-machine.invalid/".to_owned(), "no such machine"),
    ] {
        let message = error(&url);
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let message = error(&serve(|client| {
        std::thread::sleep(Duration::from_secs(60));
        drop(client);
    }));
    assert!(message.contains("no answer in time"), "{message}");
}

/// Bytes that this process holds at most.
fn peak_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
}

#[test]
fn an_endless_frame_does_not_fill_the_memory() {
    let before = peak_bytes();
    for head in [
        "--next\r\nContent-Type: image/jpeg\r\n\r\n",
        "--next\r\nContent-Type: image/jpeg\r\nContent-Length: 2000000000\r\n\r\n",
    ] {
        let url = serve(move |mut client| {
            let _ = client.write_all(MULTIPART.as_bytes());
            let _ = client.write_all(head.as_bytes());
            while client.write_all(&[0x55; 65536]).is_ok() {}
        });
        let message = error(&url);
        assert!(message.contains("more than 64 MiB") || message.contains("no video"), "{message}");
    }
    if let Some((before, after)) = before.zip(peak_bytes()) {
        println!("peak {} MiB before, {} MiB after", before >> 20, after >> 20);
        assert!(after - before < 512 << 20, "{} MiB", (after - before) >> 20);
    }
}

#[test]
fn damaged_frames_of_a_stream_are_counted_and_others_are_shown() {
    let url = serve(|mut client| {
        let _ = client.write_all(MULTIPART.as_bytes());
        for number in 0.. {
            let mut bytes = part(number);
            if number % 5 == 4 {
                // The head stays, the picture becomes zeros.
                let start = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                bytes[start..].fill(0);
            }
            if client.write_all(&bytes).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut source = deltasteer_data::open(&url).unwrap();
    let begun = Instant::now();
    let mut shown = 0;
    while shown < 30 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", source.health());
        if let Ok(frame) = source.next_frame() {
            let number = common::number_in(&frame.unwrap().image);
            assert_ne!(number % 5, 4, "a damaged frame was shown");
            shown += 1;
        }
    }
    assert!(source.skipped().count >= 4, "{:?}", source.skipped());
}

#[test]
fn a_stream_that_is_not_read_any_more_ends_at_once() {
    let url = serve(|mut client| {
        let _ = client.write_all(MULTIPART.as_bytes());
        let _ = client.write_all(&[part(1), part(2), part(3)].concat());
        // Whether the client has gone shows when a write fails.
        let gone = Instant::now();
        std::thread::sleep(Duration::from_millis(500));
        while client.write_all(b" ").is_ok() && gone.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let mut source = deltasteer_data::open(&url).unwrap();
    assert!(source.next_frame().unwrap().is_some());
    drop(source);
    let begun = Instant::now();
    let threads = || {
        let names = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok()).collect::<Vec<_>>()
    };
    // Other tests of this file run their own; this one's is gone when no more are left than before it.
    while threads().iter().filter(|name| name.starts_with("live-feed")).count() > 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", threads());
        std::thread::sleep(Duration::from_millis(50));
    }
}
