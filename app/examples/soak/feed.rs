//! A bad camera: serves motion JPEG over HTTP to one client at a time, and misbehaves in turns.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::picture::jpeg;

/// Frames a second.
pub const RATE_HZ: f64 = 25.0;

/// What the feed does for some seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Frames of the usual size.
    Steady,
    /// Frames of another size.
    OtherSize,
    /// Nothing at all; the connection stays.
    Stall,
    /// Frames, each followed by a damaged one or by bytes that are none.
    Garbage,
    /// The connection is closed, and another one refused for a while.
    Gone,
}

/// What it does in turns, and for how many seconds.
const ACTS: [(Act, f64); 8] = [
    (Act::Steady, 20.0),
    (Act::Stall, 4.0),
    (Act::Steady, 6.0),
    (Act::Garbage, 6.0),
    (Act::Steady, 6.0),
    (Act::OtherSize, 10.0),
    (Act::Gone, 5.0),
    (Act::OtherSize, 3.0),
];

/// The frames that were sent whole: for each number what the feed was doing.
pub type Sent = Arc<Mutex<Vec<Act>>>;

/// Serves until `stop`; the address, and what has been sent.
pub fn serve(stop: Arc<AtomicBool>) -> anyhow::Result<(SocketAddr, Sent, std::thread::JoinHandle<anyhow::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, sent) = (listener.local_addr()?, Sent::default());
    let begun = Instant::now();
    let shared = sent.clone();
    let server = std::thread::Builder::new().name("feed".into()).spawn(move || -> anyhow::Result<()> {
        let mut listener = Some(listener);
        while !stop.load(Ordering::Relaxed) {
            if act_at(begun.elapsed()).0 == Act::Gone {
                // A port that nobody listens on refuses connections.
                listener = None;
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            let open = match listener.take() {
                Some(open) => open,
                None => TcpListener::bind(address)?,
            };
            open.set_nonblocking(true)?;
            if let Ok((client, _)) = open.accept() {
                // A client that has gone is no fault of the feed.
                let _ = talk(client, begun, &stop, &shared);
            } else {
                std::thread::sleep(Duration::from_millis(20));
            }
            listener = Some(open);
        }
        Ok(())
    })?;
    Ok((address, sent, server))
}

/// The act at a time, and how long it still lasts.
fn act_at(time: Duration) -> (Act, Duration) {
    let turn: f64 = ACTS.iter().map(|act| act.1).sum();
    let mut left = time.as_secs_f64() % turn;
    for (act, seconds) in ACTS {
        if left < seconds {
            return (act, Duration::from_secs_f64(seconds - left));
        }
        left -= seconds;
    }
    (ACTS[0].0, Duration::ZERO)
}

/// Sends frames to one client until the connection is to end.
fn talk(mut client: TcpStream, begun: Instant, stop: &AtomicBool, sent: &Sent) -> anyhow::Result<()> {
    client.set_nonblocking(false)?;
    client.set_nodelay(true)?;
    client.set_write_timeout(Some(Duration::from_secs(10)))?;
    let _ = client.read(&mut [0; 4096])?;
    client.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=frame\r\n\r\n")?;
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let (act, rest) = act_at(begun.elapsed());
        match act {
            Act::Gone => return Ok(()),
            Act::Stall => {
                std::thread::sleep(rest.min(Duration::from_millis(100)));
                due = Instant::now();
                continue;
            }
            Act::Steady | Act::Garbage | Act::OtherSize => {}
        }
        let number = sent.lock().unwrap_or_else(PoisonError::into_inner).len() as u32;
        let size = if act == Act::OtherSize { (240, 180) } else { (320, 240) };
        let picture = jpeg(number, size.0, size.1)?;
        part(&mut client, &picture)?;
        sent.lock().unwrap_or_else(PoisonError::into_inner).push(act);
        if act == Act::Garbage {
            match number % 3 {
                0 => part(&mut client, &picture[..picture.len() / 2])?,
                1 => part(&mut client, b"this is no picture")?,
                _ => client.write_all(&noise(number))?,
            }
        }
        due += Duration::from_secs_f64(1.0 / RATE_HZ);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn part(client: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    write!(client, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", bytes.len())?;
    client.write_all(bytes)?;
    client.write_all(b"\r\n")
}

/// Bytes that mean nothing (a multiplicative congruential generator).
fn noise(seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..5000).map(next).collect()
}
