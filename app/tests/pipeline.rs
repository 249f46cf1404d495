//! The pipeline's promises: commands take effect at one known frame, nothing is lost, every fault reaches the caller.
#![allow(clippy::unwrap_used)] // a test that cannot get its data has failed

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use deltasteer::model::Model;
use deltasteer::pipeline::{Command, Event, FrameRange, FrameResult, Pace, Pipeline, Settings, WARM_UP_FRAMES};
use deltasteer_data::{DataError, Frame, SkipReport, Source, SourceInfo};
use deltasteer_temporal::Thresholds;

fn model(folder: &Path) -> Arc<Model> {
    Arc::new(Model::load(Path::new(&model_in(folder))).unwrap())
}

/// Frames up to the next end; anything that should not come is a failure.
fn until_end(pipeline: &Pipeline) -> Vec<Arc<FrameResult>> {
    let mut frames = Vec::new();
    loop {
        match pipeline.next_event().expect("the pipeline runs") {
            Event::Frame(frame) => frames.push(frame),
            Event::Ended(_) => return frames,
            Event::Failed(failure) => panic!("{failure}"),
            Event::Refused { command, reason } => panic!("{command}: {reason}"),
            Event::Opened(_) | Event::ModelReady(_) | Event::Waiting(_) => {}
        }
    }
}

fn next_frame(pipeline: &Pipeline) -> Arc<FrameResult> {
    loop {
        match pipeline.next_event().expect("the pipeline runs") {
            Event::Frame(frame) => return frame,
            Event::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }
}

fn next_refusal(pipeline: &Pipeline) -> String {
    loop {
        if let Event::Refused { command, reason } = pipeline.next_event().expect("the pipeline runs") {
            return format!("{command}: {reason}");
        }
    }
}

fn start(folder: &Path, source: &str, settings: Settings) -> Pipeline {
    Pipeline::start(deltasteer_data::open(source).unwrap(), model(folder), settings).unwrap()
}

#[test]
fn a_recorded_drive_loses_no_frame_and_repeats_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let pipeline = start(folder.path(), "road:3,seconds=3", Settings { playing: true, ..Settings::default() });
        until_end(&pipeline)
    };
    let (first, second) = (run(), run());
    assert_eq!(first.iter().map(|frame| frame.index).collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
    for (a, b) in first.iter().zip(&second) {
        assert_eq!((a.steering_rad, a.count), (b.steering_rad, b.count));
    }
    let last = first.last().unwrap();
    assert_eq!(last.totals.steps, 60);
    assert_eq!(last.totals.macs, first.iter().map(|frame| frame.count.macs).sum::<u64>(), "the first frame counts");
}

#[test]
fn paused_it_shows_one_frame_and_steps_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings::default());
    assert_eq!(next_frame(&pipeline).index, 0);
    assert!(pipeline.send(Command::Step(3)));
    assert_eq!([1, 2, 3], [0; 3].map(|_| next_frame(&pipeline).index));
    assert!(pipeline.send(Command::Step(-2)));
    assert_eq!(next_frame(&pipeline).index, 1);
    assert!(pipeline.send(Command::Seek(90)));
    assert_eq!(next_frame(&pipeline).index, 90);
    assert!(pipeline.send(Command::Seek(10_000)), "past the end is the last frame");
    assert_eq!(next_frame(&pipeline).index, 99);
    assert!(pipeline.poll_event().is_none(), "paused, nothing else comes");
}

#[test]
fn a_step_asked_for_while_a_frame_is_on_its_way_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings::default());
    assert_eq!(next_frame(&pipeline).index, 0);
    // At once: the jumps' frames have not come yet.
    assert!(pipeline.send(Command::Seek(50)) && pipeline.send(Command::Step(2)));
    assert_eq!([50, 51, 52], [0; 3].map(|_| next_frame(&pipeline).index));
    assert!(pipeline.send(Command::SwitchModel("/no/such/model".into())) && pipeline.send(Command::Step(1)));
    assert_eq!([52, 53], [0; 2].map(|_| next_frame(&pipeline).index));
    assert!(pipeline.send(Command::Seek(70)) && pipeline.send(Command::Step(-3)));
    let last = std::iter::repeat_with(|| next_frame(&pipeline).index).take(2).find(|index| *index < 70);
    assert_eq!(last, Some(67));
}

#[test]
fn a_jump_warms_the_rnn_up_over_the_frames_before() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings::default());
    next_frame(&pipeline);
    pipeline.send(Command::Seek(80));
    let jumped = next_frame(&pipeline);
    assert_eq!(jumped.totals.steps, WARM_UP_FRAMES as u64 + 1);
    // The same as a drive that starts cold that many frames earlier.
    let range = FrameRange { first: 80 - WARM_UP_FRAMES, end: 81 };
    let settings = Settings { range: Some(range), playing: true, ..Settings::default() };
    let played = until_end(&start(folder.path(), "road:3,seconds=5", settings));
    assert_eq!(played.last().unwrap().steering_rad, jumped.steering_rad);
}

#[test]
fn thresholds_take_effect_at_once_even_while_paused() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings { shadow_dense: true, ..Settings::default() });
    next_frame(&pipeline);
    pipeline.send(Command::Seek(60));
    let before = next_frame(&pipeline);
    assert_ne!(Some(before.steering_rad), before.steering_dense_rad);
    pipeline.send(Command::SetThresholds(Thresholds::ZERO));
    let after = next_frame(&pipeline);
    assert_eq!((after.index, after.thresholds), (60, Thresholds::ZERO));
    let difference = (after.steering_rad - after.steering_dense_rad.unwrap()).abs();
    assert!(difference < 1e-5, "{difference}");
    assert!(after.totals.macs > before.totals.macs);
}

#[test]
fn what_cannot_be_done_is_refused_and_the_drive_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings::default());
    next_frame(&pipeline);
    for (command, named) in [
        (Command::OpenSource("/no/such/drive".into()), "/no/such/drive"),
        (Command::SwitchModel("/no/such/model".into()), "/no/such/model"),
        (Command::SetThresholds(Thresholds { theta_x: -1.0, theta_h: 0.0 }), "theta_x"),
        (Command::Speed(Pace::Times(0.0)), "speed"),
        (Command::Loop(Some(FrameRange { first: 5, end: 5 })), "5..5"),
    ] {
        pipeline.send(command);
        let refusal = next_refusal(&pipeline);
        assert!(refusal.contains(named), "{refusal}");
    }
    pipeline.send(Command::Seek(7));
    let frame = loop {
        let frame = next_frame(&pipeline);
        if frame.index == 7 {
            break frame;
        }
    };
    assert_eq!(frame.thresholds, Thresholds { theta_x: 0.3, theta_h: 0.1 });
}

#[test]
fn another_source_starts_at_its_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=2", Settings { playing: true, ..Settings::default() });
    until_end(&pipeline);
    pipeline.send(Command::OpenSource("road:4,seconds=1".into()));
    let first = next_frame(&pipeline);
    assert_eq!((first.index, first.totals.steps), (0, 1));
    pipeline.send(Command::Play);
    assert_eq!(until_end(&pipeline).len(), 19);
}

#[test]
fn a_loop_starts_again_and_real_time_takes_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let pace = Some(Pace::Times(2.0));
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings { pace, ..Settings::default() });
    next_frame(&pipeline);
    pipeline.send(Command::Loop(Some(FrameRange { first: 0, end: 10 })));
    let begun = std::time::Instant::now();
    pipeline.send(Command::Play);
    let indexes: Vec<usize> = (0..25).map(|_| next_frame(&pipeline).index).collect();
    assert_eq!(indexes[..12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]);
    assert_eq!(indexes[24], 5);
    // 24 frames of 50 ms at twice the speed, less the one shown at once after each jump back.
    assert!(begun.elapsed().as_secs_f64() > 0.4, "{:?}", begun.elapsed());
}

/// A source that fails in the way that it is told.
struct Broken {
    info: SourceInfo,
    panics: bool,
    stalls: usize,
    left: usize,
    skipped: SkipReport,
}

impl Broken {
    fn new(left: usize, panics: bool) -> Box<Self> {
        let info = deltasteer_data::open("road:1,seconds=2").unwrap().info().clone();
        Box::new(Self { info, panics, stalls: 0, left, skipped: SkipReport::default() })
    }
}

impl Source for Broken {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DataError> {
        if self.stalls > 0 && self.left == 1 {
            self.stalls -= 1;
            let (name, reason) = ("camera".into(), "it is connected again".into());
            return Err(DataError::Waiting { name, reason });
        }
        if self.left == 0 {
            assert!(!self.panics, "the camera fell off");
            let (name, reason) = ("camera".into(), "it has vanished".into());
            return Err(DataError::Seek { name, index: 3, reason });
        }
        self.left -= 1;
        let image = ndarray::Array3::zeros((160, 320, 3));
        Ok(Some(Frame { index: 0, time_s: 0.0, image, steering_true_rad: None }))
    }

    fn seek(&mut self, _index: usize) -> Result<(), DataError> {
        Ok(())
    }

    fn skipped(&self) -> &SkipReport {
        &self.skipped
    }
}

#[test]
fn errors_and_panics_of_a_stage_reach_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    for (panics, words) in [(false, "it has vanished"), (true, "the camera fell off")] {
        let settings = Settings { playing: true, ..Settings::default() };
        let pipeline = Pipeline::start(Broken::new(3, panics), model(folder.path()), settings).unwrap();
        let mut frames = 0;
        let failure = loop {
            match pipeline.next_event().expect("the failure comes before the end") {
                Event::Frame(_) => frames += 1,
                Event::Failed(failure) => break failure,
                _ => {}
            }
        };
        assert_eq!((frames <= 3, failure.stage), (true, "decode"));
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[test]
fn a_feed_that_stalls_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = Broken::new(3, false);
    source.stalls = 2;
    let settings = Settings { playing: true, ..Settings::default() };
    let pipeline = Pipeline::start(source, model(folder.path()), settings).unwrap();
    let mut waits = 0;
    let failure = loop {
        match pipeline.next_event().expect("the failure comes before the end") {
            Event::Waiting(words) => {
                waits += 1;
                assert!(words.contains("connected again"), "{words}");
            }
            Event::Failed(failure) => break failure,
            _ => {}
        }
    };
    // The source fails in this way only once the frame behind the stalls was read.
    assert!(failure.message.contains("it has vanished"), "{failure}");
    assert_eq!(waits, 2);
}

#[test]
fn dropping_a_pipeline_ends_its_threads() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody reads its events: every queue fills up.
    let pipeline = start(folder.path(), "road:3,seconds=60", Settings { playing: true, ..Settings::default() });
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(pipeline);
}
