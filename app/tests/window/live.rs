//! A live feed that stops: served here as a camera's MJPEG stream. Needs the feature `opencv`.
#![cfg(feature = "opencv")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use deltasteer::window::command::{Command, Lane};
use egui_kittest::kittest::{NodeT, Queryable};

use crate::bench::Bench;

/// What the camera does from now on.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Send,
    /// The connection stays open, and nothing comes.
    Stop,
    /// The connection is closed.
    Close,
}

/// A camera at an address, with so many milliseconds between its frames, and its clients so far; dropping the sender ends it.
fn camera(every_ms: u64) -> (String, Sender<Act>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/camera.mjpg", listener.local_addr().unwrap());
    let (sender, acts) = channel();
    let clients = Arc::new(AtomicUsize::new(0));
    let count = clients.clone();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            count.fetch_add(1, Ordering::Relaxed);
            if serve(stream, &acts, every_ms).is_none() {
                return;
            }
        }
    });
    (url, sender, clients)
}

/// Serves one client; `None` once the test is over.
fn serve(mut stream: TcpStream, acts: &Receiver<Act>, every_ms: u64) -> Option<()> {
    use std::sync::mpsc::TryRecvError;
    let head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
    stream.write_all(head.as_bytes()).ok();
    let mut act = Act::Send;
    for index in 0_u32.. {
        match acts.try_recv() {
            Ok(next) => act = next,
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        if act == Act::Close {
            drop(stream);
            // The next client is served once the test says so.
            return acts.recv().ok().map(|_| ());
        }
        if act == Act::Send {
            let picture = image::RgbImage::from_fn(160, 120, |x, y| {
                image::Rgb([(x + 3 * index) as u8, y as u8, if x > 80 { 200 } else { 20 }])
            });
            let mut jpeg = std::io::Cursor::new(Vec::new());
            picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
            let jpeg = jpeg.into_inner();
            let part = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
            if [part.as_bytes(), &jpeg, b"\r\n"].iter().try_for_each(|bytes| stream.write_all(bytes)).is_err() {
                return Some(());
            }
        }
        std::thread::sleep(Duration::from_millis(every_ms));
    }
    Some(())
}

#[test]
fn a_camera_that_stops_without_closing_is_stale_within_two_seconds_and_comes_back() {
    let (url, acts, _) = camera(40);
    let mut bench = Bench::on(&url, [1280.0, 720.0]);
    bench.until("the first frame", |view| view.shown.is_some());
    bench.click("Play");
    bench.until("frames in time", |view| view.main.track.points().len() > 25 && view.stale_s().is_none());
    assert!(bench.view().live.delay_s.is_some_and(|delay_s| (0.0..60.0).contains(&delay_s)));
    for label in ["Forward one frame", "Back one second", "Loop", "Speed", "Worst places", "Start here"] {
        assert!(bench.harness.get_by_label(label).accesskit_node().is_disabled(), "{label} means nothing live");
    }
    acts.send(Act::Stop).unwrap();
    // What is still under way may come; then no redraw two seconds later may show the picture as a fresh one. Counted from
    // the redraw that brought the last frame, so that a slow machine is no fault of the program.
    let mut last_frame = (0, Instant::now());
    while bench.view().stale_s().is_none() {
        let frames = bench.view().main.track.points().len();
        if frames != last_frame.0 {
            last_frame = (frames, Instant::now());
        }
        let begun = last_frame.1.elapsed();
        bench.harness.step();
        let fresh = bench.view().stale_s().is_none() && bench.view().main.track.points().len() == frames;
        assert!(!fresh || begun < Duration::from_secs(2), "no stale mark {begun:?} after the last frame");
        std::thread::sleep(Duration::from_millis(5));
    }
    bench.until_label("Camera frame, stale");
    bench.until_label("Health: ▲ No new frame");
    let before = bench.view().main.track.points().len();
    std::thread::sleep(Duration::from_millis(500));
    acts.send(Act::Send).unwrap();
    bench.until("new frames", |view| view.main.track.points().len() > before + 10 && view.stale_s().is_none());
    let runs = bench.view().main.track.unbroken().count();
    assert!(runs >= 2, "the outage is a gap in the curve");
    // Closed: it is connected again, and the window says so meanwhile.
    acts.send(Act::Close).unwrap();
    bench.until("words about the connection", |view| view.live.words.contains("connecting again"));
    let before = bench.view().main.track.points().len();
    acts.send(Act::Send).unwrap();
    bench.until("frames of the next connection", |view| {
        view.main.track.points().len() > before && view.live.words.is_empty()
    });
}

#[test]
fn a_camera_that_is_not_there_yet_is_tried_again() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/camera.mjpg", taken.local_addr().unwrap());
    drop(taken);
    let mut bench = Bench::on(&url, [1280.0, 720.0]);
    bench.until("words", |view| view.opening.as_ref().is_some_and(|words| words.contains("trying again")));
    assert!(!bench.view().stopped);
    bench.ask(Command::OpenSource("road:2,seconds=2".to_owned()));
    bench.until("a frame", |view| view.answer(Lane::Main).is_some());
}

#[test]
fn both_models_of_a_comparison_see_the_same_frames_of_one_connection() {
    let (url, _acts, clients) = camera(40);
    let mut bench = Bench::on(&url, [1280.0, 720.0]);
    bench.until("the first frame", |view| view.shown.is_some());
    bench.click("Play");
    bench.until("frames", |view| view.main.track.points().len() > 5);
    let before = clients.load(Ordering::Relaxed);
    // Its CNN gives other features than the main model's.
    bench.ask(Command::OpenModel(Lane::Second, crate::models::shipped("road")));
    bench.until("answers of both for the frame shown", |view| {
        let second = view.second.as_ref().map_or(0, |second| second.track.points().len());
        second > 45 && view.answer(Lane::Main).is_some() && view.answer(Lane::Second).is_some()
    });
    let index = |lane: Lane| bench.view().answer(lane).map(|point| (point.index, point.time_s));
    assert_eq!(index(Lane::Main), index(Lane::Second));
    assert_eq!(clients.load(Ordering::Relaxed), before, "the feed is opened once");
}

/// First and last time of an MCAP file's pictures in seconds, and their number.
fn mcap_times(path: &std::path::Path) -> (f64, f64, usize) {
    let bytes = std::fs::read(path).unwrap();
    let times: Vec<f64> = mcap::MessageStream::new(&bytes)
        .unwrap()
        .map(Result::unwrap)
        .filter(|message| message.channel.topic == "/camera")
        .map(|message| message.log_time as f64 * 1e-9)
        .collect();
    (times[0], *times.last().unwrap(), times.len())
}

#[test]
fn a_recording_has_right_times_and_the_past_can_be_saved() {
    // Ten frames a second: whatever rate the feed is taken for, the video lasts as long as the drive did.
    let (url, _acts, _) = camera(100);
    let mut bench = Bench::on(&url, [1280.0, 720.0]);
    bench.until("the first frame", |view| view.shown.is_some());
    bench.click("Play");
    // The minute before the button has begun.
    bench.until("a past", |view| view.recorder.kept_s > 0.0);
    bench.click("Record");
    bench.until("frames on record", |view| view.recorder.recording.is_some_and(|(frames, _)| frames > 30));
    bench.click("Stop recording");
    bench.until("the files", |view| view.notices.iter().any(|notice| notice.text.starts_with("Saved")));
    let folder = bench.folder.path().to_owned();
    let file = |ending: &str| {
        let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.to_string_lossy().ends_with(ending)).unwrap_or_else(|| panic!("no {ending}"))
    };
    let (first, last, frames) = mcap_times(&file("-recording-1.mcap"));
    let video = deltasteer_data::open(file("-recording-1.mp4").to_str().unwrap()).unwrap().info().clone();
    let length_s = video.frame_count.unwrap() as f64 / video.rate_hz;
    assert!(frames > 30 && (length_s - (last - first)).abs() < 0.2, "{length_s} s of video, {} s", last - first);
    // However slow the machine is: the past that is saved has a frame that is not on record.
    let before = bench.view().main.track.points().len();
    bench.until("a frame after the recording", |view| view.main.track.points().len() > before);
    bench.harness.get_by_label_contains("Save last").click();
    bench.until("more files", |view| view.notices.iter().any(|notice| notice.text.contains("-last-1.mcap")));
    let (earlier, later, kept) = mcap_times(&file("-last-1.mcap"));
    assert!(earlier < first && later > last && kept > frames, "{earlier}..{later}, recorded {first}..{last}");
    let video = deltasteer_data::open(file("-last-1.mp4").to_str().unwrap()).unwrap().info().clone();
    assert!((video.frame_count.unwrap() as f64 / video.rate_hz - (later - earlier)).abs() < 0.2);
}
