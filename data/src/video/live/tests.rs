//! Feeds that follow a script: drops, stalls and reconnection.

use super::*;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a scripted feed does next.
#[derive(Clone)]
enum Act {
    Frames(usize, Duration),
    Fail(&'static str),
    Refuse(&'static str),
}

/// A feed that follows a script and then stays silent.
struct Scripted {
    script: VecDeque<Act>,
    sent: u8,
}

impl Feed for Scripted {
    fn connect(&mut self, _stop: &Arc<AtomicBool>) -> Result<(), String> {
        if let Some(Act::Refuse(reason)) = self.script.front() {
            let reason = (*reason).to_owned();
            self.script.pop_front();
            return Err(reason);
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Array3<u8>>, String> {
        loop {
            match self.script.pop_front() {
                None => thread::sleep(Duration::from_secs(1)),
                Some(Act::Fail(reason)) => return Err(reason.to_owned()),
                Some(Act::Refuse(_)) => {}
                Some(Act::Frames(0, _)) => {}
                Some(Act::Frames(n, every)) => {
                    self.script.push_front(Act::Frames(n - 1, every));
                    thread::sleep(every);
                    self.sent += 1;
                    return Ok(Some(Array3::from_elem((1, 1, 3), self.sent)));
                }
            }
        }
    }

    fn rate_hz(&self) -> Option<f64> {
        Some(50.0)
    }
}

fn start(script: &[Act]) -> Result<LiveSource, DataError> {
    LiveSource::start("scripted", "stream", Scripted { script: script.iter().cloned().collect(), sent: 0 })
}

const MS: Duration = Duration::from_millis(1);

/// A feed whose frames come exactly when the test sends them, however busy the machine is.
struct Gated(Receiver<u8>);

impl Feed for Gated {
    fn connect(&mut self, _stop: &Arc<AtomicBool>) -> Result<(), String> {
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Array3<u8>>, String> {
        let level = self.0.recv().map_err(|_| "the test is over".to_owned())?;
        Ok(Some(Array3::from_elem((1, 1, 3), level)))
    }

    fn rate_hz(&self) -> Option<f64> {
        None
    }
}

/// A gated source whose first frame, 0, has been sent.
fn gated() -> (Sender<u8>, LiveSource) {
    let (sender, receiver) = channel();
    sender.send(0).unwrap();
    (sender, LiveSource::start("gated", "stream", Gated(receiver)).unwrap())
}

/// The next frame, however long the machine takes for it.
fn next(source: &mut LiveSource) -> Frame {
    (0..40).find_map(|_| source.next_frame().ok().flatten()).unwrap()
}

#[test]
fn a_quick_reader_gets_every_frame_in_order() {
    let (sender, mut source) = gated();
    assert!(source.info().live && source.info().frame_count.is_none() && source.info().rate_hz == ASSUMED_HZ);
    for expected in 0..100 {
        let frame = next(&mut source);
        assert_eq!((frame.index, frame.image[[0, 0, 0]] as usize), (expected, expected));
        sender.send(expected as u8 + 1).unwrap();
    }
    assert_eq!(source.health().unwrap().dropped, 0);
}

#[test]
fn a_slow_reader_gets_the_newest_and_the_drops_are_counted() {
    let (sender, mut source) = gated();
    (1..40).for_each(|level| sender.send(level).unwrap());
    assert_eq!(source.shared.wait(60_000 * MS, |state| state.count == 40).count, 40);
    let frame = next(&mut source);
    assert_eq!((frame.index, frame.image[[0, 0, 0]]), (39, 39));
    assert_eq!(source.health().unwrap().dropped, 39);
    sender.send(40).unwrap();
    assert_eq!(next(&mut source).index, 40);
}

#[test]
fn a_stalled_feed_is_waited_for_and_marked_stale() {
    let (sender, mut source) = gated();
    assert_eq!(next(&mut source).index, 0);
    let silent_from = Instant::now();
    let error = source.next_frame().unwrap_err();
    assert!(matches!(error, DataError::Waiting { .. }) && silent_from.elapsed() >= WAIT, "{error}");
    while silent_from.elapsed() <= STALE {
        thread::sleep(50 * MS);
    }
    let health = source.health().unwrap();
    assert!(health.stale && health.delay_s > 1.0 && health.message.starts_with("no frame for"), "{health:?}");
    // Fresh again with the next frame; on a very busy machine a second may pass before that is seen, hence the tries.
    let fresh = (1..20).any(|index| {
        sender.send(index as u8).unwrap();
        next(&mut source).index == index && !source.health().unwrap().stale
    });
    assert!(fresh);
}

#[test]
fn a_feed_that_ends_is_connected_again_with_growing_pauses() {
    let script = [
        Act::Frames(1, MS),
        Act::Fail("the feed ended"),
        Act::Refuse("nobody answers"),
        Act::Refuse("nobody answers"),
        Act::Frames(1, MS),
    ];
    let mut source = start(&script).unwrap();
    assert_eq!(source.next_frame().unwrap().unwrap().index, 0);
    let begun = Instant::now();
    let mut messages = Vec::new();
    let frame = loop {
        match source.next_frame() {
            Ok(frame) => break frame.unwrap(),
            Err(_) => messages.push(source.health().unwrap().message),
        }
    };
    assert_eq!(frame.index, 1);
    // 0.25 + 0.5 + 1 s
    assert!(begun.elapsed() > 1700 * MS, "{:?}", begun.elapsed());
    assert!(messages.iter().any(|m| m.contains("nobody answers; connecting again in 1.00 s")), "{messages:?}");
    assert_eq!(source.health().unwrap().message, "");
    assert_eq!(source.shared.lock().connects, 2);
}

#[test]
fn a_feed_that_is_not_there_is_an_error_at_once() {
    let message = start(&[Act::Refuse("nobody answers")]).err().unwrap().to_string();
    assert!(message.contains("scripted") && message.contains("nobody answers"), "{message}");
    assert!(start(&[Act::Frames(1, MS)]).unwrap().seek(0).is_err());
}
