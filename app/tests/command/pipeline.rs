//! The pipeline's promises: commands take effect at one known frame, nothing is lost, every fault reaches the caller.

use std::path::Path;
use std::sync::Arc;

use crate::common::*;
use deltasteer::model::Model;
use deltasteer::pipeline::{Before, Command, Event, FrameRange, FrameResult, Pace, Pipeline, SeenFrame, Settings};
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
            Event::Seen(_) | Event::Opened(_) | Event::ModelReady(_) | Event::Waiting(_) => {}
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

/// Any number of CNN workers gives the same frames, in order, to the last bit; on frames that the CNN does not run on its last
/// features stand and its work is saved.
#[test]
fn frames_side_by_side_and_frames_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    for (rule, looked) in [("every:1", 60), ("every:7", 9)] {
        let run = |workers| {
            let schedule = Some(rule.parse().unwrap());
            let settings = Settings { playing: true, workers: Some(workers), schedule, ..Settings::default() };
            until_end(&start(folder.path(), "road:3,seconds=3", settings))
        };
        let (one, many) = (run(1), run(5));
        assert_eq!(one.len(), 60);
        for (index, (one, many)) in one.iter().zip(&many).enumerate() {
            assert_eq!((one.index, many.index, many.looked), (index, index, one.looked));
            assert_eq!(one.steering_rad.to_bits(), many.steering_rad.to_bits(), "frame {index}");
            assert_eq!((&one.features, one.cnn_work, one.count), (&many.features, many.cnn_work, many.count));
        }
        assert_eq!(one.iter().filter(|frame| frame.looked).count(), looked);
        for pair in one.windows(2).filter(|pair| !pair[1].looked) {
            assert_eq!((&pair[0].features, pair[1].cnn_work.macs), (&pair[1].features, 0));
            assert_eq!(pair[0].cnn_work.macs_dense, pair[1].cnn_work.macs_dense);
        }
    }
    let settings = Settings { schedule: Some("adaptive:0.5:8".parse().unwrap()), ..Settings::default() };
    let source = deltasteer_data::open("road:3,seconds=1").unwrap();
    let error = Pipeline::start(source, model(folder.path()), settings).err().unwrap().to_string();
    assert!(error.contains("ego-motion") && error.contains("adaptive:0.5:8"), "{error}");
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

fn seek(index: usize) -> Command {
    Command::Seek { index, from: index }
}

#[test]
fn paused_it_shows_one_frame_and_steps_and_jumps() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings::default());
    assert_eq!(next_frame(&pipeline).index, 0);
    assert!(pipeline.send(Command::Step(3)));
    assert_eq!([1, 2, 3], [0; 3].map(|_| next_frame(&pipeline).index));
    assert!(pipeline.send(seek(1)));
    assert_eq!(next_frame(&pipeline).index, 1);
    assert!(pipeline.send(seek(10_000)), "past the end is the last frame");
    assert_eq!(next_frame(&pipeline).index, 99);
    assert!(pipeline.poll_event().is_none(), "paused, nothing else comes");
}

#[test]
fn a_step_asked_for_while_a_frame_is_on_its_way_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings::default());
    assert_eq!(next_frame(&pipeline).index, 0);
    // At once: the jump's frame has not come yet.
    assert!(pipeline.send(seek(50)) && pipeline.send(Command::Step(2)));
    assert_eq!([50, 51, 52], [0; 3].map(|_| next_frame(&pipeline).index));
}

#[test]
fn a_jump_runs_unseen_over_the_frames_that_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings::default());
    next_frame(&pipeline);
    pipeline.send(Command::Seek { index: 80, from: 40 });
    let jumped = next_frame(&pipeline);
    assert_eq!((jumped.index, jumped.totals.steps), (80, 41));
    // The same as a drive that starts cold there.
    let settings = Settings { range: Some(FrameRange { first: 40, end: 81 }), playing: true, ..Settings::default() };
    let played = until_end(&start(folder.path(), "road:3,seconds=5", settings));
    assert_eq!(played.last().unwrap().steering_rad, jumped.steering_rad);
}

#[test]
fn without_an_rnn_it_hands_out_features_and_what_was_read_before_each() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { features_only: true, ..Settings::default() };
    let pipeline = start(folder.path(), "road:3,seconds=5", settings);
    let next_seen = || -> Arc<SeenFrame> {
        loop {
            if let Event::Seen(frame) = pipeline.next_event().expect("the pipeline runs") {
                return frame;
            }
        }
    };
    let first = next_seen();
    assert_eq!((first.index, first.before, first.features.len()), (0, Before::Start, SIZE));
    pipeline.send(Command::Step(1));
    assert_eq!(next_seen().before, Before::Frame(0));
    pipeline.send(Command::Seek { index: 60, from: 59 });
    assert_eq!(
        [0; 2].map(|_| next_seen()).map(|frame| (frame.index, frame.before, frame.warm_up)),
        [(59, Before::Jump, true), (60, Before::Frame(59), false)]
    );
}

#[test]
fn what_cannot_be_done_is_refused_and_the_drive_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings::default());
    next_frame(&pipeline);
    for (command, named) in
        [(Command::Speed(Pace::Times(0.0)), "speed"), (Command::Speed(Pace::Times(f32::NAN)), "speed")]
    {
        pipeline.send(command);
        let refusal = next_refusal(&pipeline);
        assert!(refusal.contains(named), "{refusal}");
    }
    pipeline.send(seek(7));
    let frame = next_frame(&pipeline);
    assert_eq!(frame.index, 7);
    assert_eq!(frame.thresholds, Thresholds { theta_x: 0.3, theta_h: 0.1 });
}

#[test]
fn it_ends_where_it_is_told_to_and_real_time_takes_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let pace = Some(Pace::Times(2.0));
    let pipeline = start(folder.path(), "road:3,seconds=5", Settings { pace, ..Settings::default() });
    next_frame(&pipeline);
    pipeline.send(Command::PlayUntil(Some(12)));
    let begun = std::time::Instant::now();
    pipeline.send(Command::Play);
    assert_eq!(until_end(&pipeline).iter().map(|frame| frame.index).collect::<Vec<_>>(), (1..12).collect::<Vec<_>>());
    // 11 frames of 50 ms at twice the speed, the first of them at once.
    assert!(begun.elapsed().as_secs_f64() > 0.2, "{:?}", begun.elapsed());
    pipeline.send(Command::PlayUntil(Some(20)));
    pipeline.send(Command::Play);
    assert_eq!(until_end(&pipeline).iter().map(|frame| frame.index).collect::<Vec<_>>(), (12..20).collect::<Vec<_>>());
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
    let wake: deltasteer::pipeline::Wake = Arc::new(|| {});
    // Nobody reads its events: every queue fills up.
    let settings = Settings { playing: true, wake: Some(wake.clone()), ..Settings::default() };
    let pipeline = start(folder.path(), "road:3,seconds=60", settings);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(Arc::strong_count(&wake) > 1, "the threads hold it");
    drop(pipeline);
    assert_eq!(Arc::strong_count(&wake), 1, "a thread is still there");
}
