//! Measures how many frames a second the built-in road renders on one core.
//!
//! Where the system tells it (Linux), the time is that which this process spent on the processor, so that other programs
//! do not count.
//!
//! `cargo run --release -p deltasteer-data --example road_rate [SPEC...]`

use deltasteer_data::{DataError, open};
use std::time::Instant;

fn main() -> Result<(), DataError> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let standard = ["road:1", "road:2", "road:3", "road:4", "road:5", "road:6"].map(String::from).to_vec();
    for spec in if given.is_empty() { standard } else { given } {
        let opening = Instant::now();
        let mut source = open(&spec)?;
        let open_ms = opening.elapsed().as_secs_f64() * 1e3;
        // Every 7th frame of the drive: as much work a frame as in sequence, and no frame gets a warm start.
        let count = source.info().frame_count.unwrap_or(0);
        let (started, busy_before) = (Instant::now(), busy_s());
        let mut rendered = 0;
        for index in (0..count).step_by(7) {
            source.seek(index)?;
            rendered += usize::from(source.next_frame()?.is_some());
        }
        let wall_s = started.elapsed().as_secs_f64();
        let seconds = busy_s().zip(busy_before).map_or(wall_s, |(now, before)| now - before);
        let info = source.info();
        println!(
            "{spec} {}x{}: {:.0} frames/s ({:.2} ms a frame, {rendered} frames, {wall_s:.2} s by the clock; opened in {open_ms:.0} ms) - {}",
            info.width,
            info.height,
            f64::from(rendered as u32) / seconds,
            seconds * 1e3 / f64::from(rendered as u32),
            info.notes.join("; "),
        );
    }
    Ok(())
}

/// Seconds that this process has spent on the processor.
fn busy_s() -> Option<f64> {
    let nanoseconds: f64 = std::fs::read_to_string("/proc/self/schedstat").ok()?.split(' ').next()?.parse().ok()?;
    Some(nanoseconds * 1e-9)
}
