//! One setting behind every figure, and a jump that gives what the full run gives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deltasteer::front_end::FrontEnd;
use deltasteer::pipeline::{Event, Pipeline, Settings};
use deltasteer::window::command::Command;
use deltasteer::window::view::{LaneView, View};
use deltasteer::window::whatif::Lane;
use deltasteer::window::whatif::lane::{LaneRun, Pacing, Progress, Setting};
use deltasteer::window::whatif::store::{FeatureStore, LIMIT_BYTES};
use deltasteer_perception::CnnSchedule;
use deltasteer_temporal::{DeltaRnn, Thresholds, Totals};
use half::f16;

use crate::bench::Bench;

/// Every angle and the work of a plain run over the drive, with the features in the 16 bits that the window keeps.
fn full_run(bench: &Bench, thresholds: Thresholds) -> (Vec<f32>, Totals) {
    run_over(bench, thresholds, |value| f16::from_f32(value).to_f32())
}

fn run_over(bench: &Bench, thresholds: Thresholds, rounded: fn(f32) -> f32) -> (Vec<f32>, Totals) {
    let model = deltasteer::model::Model::load(&bench.folder.path().join("model")).unwrap();
    let mut rnn = DeltaRnn::new(model.rnn(), &[thresholds]).unwrap();
    let mut source = deltasteer_data::open(&bench.view().drive.as_ref().unwrap().name).unwrap();
    let schedule = model.schedule(None).unwrap();
    let mut front_end = FrontEnd::new(&model, source.info(), schedule, deltasteer_perception::Device::Cpu).unwrap();
    let mut angles = Vec::new();
    while let Some(frame) = source.next_frame().unwrap() {
        let features = front_end.see(frame.image.view(), frame.time_s).unwrap();
        rnn.step(features.mapv(rounded).view()).unwrap();
        angles.push(rnn.output()[0]);
    }
    (angles, rnn.totals())
}

/// The angles of a plain run, with the features in 32 bits: what `replay` and exports give.
pub fn full_run_32(bench: &Bench, thresholds: Thresholds) -> Vec<f32> {
    run_over(bench, thresholds, |value| value).0
}

/// All seen frames have been answered with `thresholds`; a slow machine answers the last ones first.
fn answered(view: &View, thresholds: Thresholds) -> bool {
    view.main.track.thresholds == thresholds && !view.main.partial
}

/// Every figure of `lane` comes from `thresholds`, over all `frames` frames.
fn same_everywhere(lane: &LaneView, thresholds: Thresholds, frames: usize, (angles, totals): &(Vec<f32>, Totals)) {
    assert_eq!((lane.track.thresholds, lane.thresholds), (thresholds, thresholds));
    let points = lane.track.points();
    assert_eq!(points.iter().map(|point| point.index).collect::<Vec<_>>(), (0..frames).collect::<Vec<_>>());
    for (point, angle) in points.iter().zip(angles) {
        assert!(point.exact && (point.steering_rad - angle).abs() < 1e-6, "{point:?}, expected {angle}");
        let sent = point.count.columns_x + point.count.columns_h;
        assert_eq!(lane.track.marks(point).len(), sent as usize, "the raster shows what was counted");
    }
    assert_eq!(lane.track.figures().work, *totals, "curve, raster and savings");
}

#[test]
fn dragging_a_slider_answers_for_the_whole_drive() {
    let mut bench = Bench::played();
    let frames = bench.view().frame_count().unwrap();
    let before = bench.view().main.thresholds;
    same_everywhere(&bench.view().main, before, frames, &full_run(&bench, before));
    let work_before = bench.view().main.track.figures().work;
    bench.drag("theta_x", [0.1, 0.5], [0.5, 0.5]);
    let after = bench.view().main.thresholds;
    assert!(after.theta_x > before.theta_x + 0.5, "{after:?}");
    bench.until("the new answers", |view| answered(view, after));
    same_everywhere(&bench.view().main, after, frames, &full_run(&bench, after));
    let figures = bench.view().main.track.figures();
    assert!(figures.work.macs < work_before.macs && figures.rmse_rad().is_some());
    bench.press(egui::Key::R, egui::Modifiers::NONE);
    bench.until("the model's own", |view| answered(view, before));
    same_everywhere(&bench.view().main, before, frames, &full_run(&bench, before));
}

#[test]
fn an_answer_that_takes_long_comes_for_the_last_frames_first_and_says_so() {
    let bench = Bench::ready();
    let model = Arc::new(deltasteer::model::Model::load(&bench.folder.path().join("model")).unwrap());
    let source = deltasteer_data::open(&bench.view().drive.as_ref().unwrap().name).unwrap();
    let settings = Settings { features_only: true, playing: true, ..Settings::default() };
    let pipeline = Pipeline::start(source, model.clone(), settings).unwrap();
    let mut store = FeatureStore::new(model.rnn().config.input_size, LIMIT_BYTES);
    while let Some(event) = pipeline.next_event() {
        match event {
            Event::Seen(frame) => drop(store.add(&frame, &frame.features, true)),
            Event::Ended(_) => break,
            _ => {}
        }
    }
    let at = |theta_x| Thresholds { theta_x, theta_h: 0.1 };
    let setting = |theta_x| Setting { model: model.clone(), thresholds: Some(at(theta_x)) };
    // As slow as can be: every slice ends after a few frames, and there is no time for all of them.
    let (pacing, until) = (Pacing { soon: Duration::ZERO, ..Pacing::of(20.0, false) }, Instant::now());
    let mut lane = LaneRun::new(setting(9.0), pacing, false).unwrap();
    let next = |lane: &mut LaneRun| {
        std::iter::repeat_with(|| lane.work(&store, until).unwrap()).find(|progress| *progress != Progress::Going)
    };
    for theta_x in [0.2, 0.3] {
        lane.want(setting(theta_x));
        assert_eq!(next(&mut lane), Some(Progress::Part), "the newest wish comes first");
        assert!(lane.partial() && lane.busy() && lane.setting().thresholds == Some(at(theta_x)));
        let points = lane.track().points();
        assert!(points.iter().map(|point| point.index).eq(220..240) && !points.iter().any(|point| point.exact));
    }
    assert_eq!(next(&mut lane), Some(Progress::Whole));
    assert!(!lane.partial() && !lane.busy());
    let (angles, totals) = full_run(&bench, at(0.3));
    let points = lane.track().points();
    assert_eq!(lane.track().figures().work, totals);
    assert!(points.iter().zip(&angles).all(|(point, angle)| point.exact && (point.steering_rad - angle).abs() < 1e-6));
}

#[test]
fn the_dense_rnn_is_there_at_once_and_agrees_with_thresholds_of_zero() {
    let mut bench = Bench::played();
    bench.ask(Command::SetThresholds(Lane::Main, Thresholds::ZERO));
    bench.until("the new answers", |view| answered(view, Thresholds::ZERO));
    let view = bench.view();
    assert_eq!(view.dense.track.points().len(), view.main.track.points().len());
    for (dense, delta) in view.dense.track.points().iter().zip(view.main.track.points()) {
        assert!((dense.steering_rad - delta.steering_rad).abs() < 1e-5);
    }
    let rmse = |lane: &LaneView| lane.track.figures().rmse_rad().unwrap();
    assert!((rmse(&view.dense) - rmse(&view.main)).abs() < 1e-5);
}

#[test]
fn thresholds_change_while_frames_flow_and_none_is_lost() {
    let mut bench = Bench::ready();
    bench.click("Play");
    let mut wished = Thresholds::ZERO;
    while bench.view().ended.is_none() {
        wished = Thresholds { theta_x: wished.theta_x + 0.01, theta_h: 0.1 };
        bench.ask(Command::SetThresholds(Lane::Main, wished));
    }
    bench.until("the last wish", |view| answered(view, wished));
    let frames = bench.view().frame_count().unwrap();
    same_everywhere(&bench.view().main, wished, frames, &full_run(&bench, wished));
}

#[test]
fn another_model_with_the_same_features_answers_for_the_frames_seen() {
    let mut bench = Bench::played();
    let other = bench.folder.path().join("other");
    crate::model::write_with(&other, 77, "");
    let before: Vec<f32> = bench.view().main.track.points().iter().map(|point| point.steering_rad).collect();
    bench.ask(Command::OpenModel(Lane::Main, other.clone()));
    bench.until("the other model", |view| {
        view.main.model.as_ref().is_some_and(|model| model.name == "other") && !view.main.partial
    });
    bench.until("its dense twin", |view| view.dense.model.as_ref().is_some_and(|model| model.name == "other"));
    let points = bench.view().main.track.points();
    assert_eq!(points.len(), before.len());
    assert!(points.iter().zip(&before).any(|(point, before)| (point.steering_rad - before).abs() > 1e-3));
}

#[test]
fn a_jump_gives_what_the_full_run_gives() {
    let mut bench = Bench::played();
    let own = bench.view().main.thresholds;
    let (angles, _) = full_run(&bench, own);
    for index in [7, 200, 100, 101, 239, 0] {
        bench.ask(Command::Seek(index));
        bench.until("the frame", |view| view.index() == index && view.jumping_to.is_none());
        let point = bench.view().answer(Lane::Main).unwrap();
        assert!(point.exact && (point.steering_rad - angles[index]).abs() < 1e-6, "{point:?}");
    }
}

#[test]
fn a_far_jump_is_warmed_up_says_so_and_is_put_right_once_the_gap_is_closed() {
    let mut bench = Bench::on("road:3,seconds=30", [1280.0, 720.0]);
    bench.until("the first frame", |view| view.shown.is_some());
    let own = bench.view().main.thresholds;
    let (angles, totals) = full_run(&bench, own);
    bench.ask(Command::Seek(500));
    bench.until("frame 500", |view| view.index() == 500 && view.answer(Lane::Main).is_some());
    assert!(!bench.view().answer(Lane::Main).unwrap().exact);
    // From the state after an exact frame on: near enough to run over the frames between.
    bench.ask(Command::Seek(150));
    bench.until("frame 150", |view| view.index() == 150 && view.answer(Lane::Main).is_some());
    let point = bench.view().answer(Lane::Main).unwrap();
    assert!(point.exact && (point.steering_rad - angles[150]).abs() < 1e-6, "{point:?}");
    bench.click("Play");
    bench.until("the end", |view| view.ended.is_some());
    bench.until("exact answers", |view| view.main.track.get(500).is_some_and(|point| point.exact));
    same_everywhere(&bench.view().main, own, 600, &(angles, totals));
}

#[test]
fn a_jump_gives_what_the_full_run_gives_where_the_cnn_rests_on_frames() {
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("model");
    crate::model::write_scheduled(&written, 6, "", CnnSchedule::Every(3));
    let mut bench = Bench::with_model("road:3,seconds=12", [1280.0, 720.0], LIMIT_BYTES, Some(written.clone()));
    bench.until("the first frame", |view| view.shown.is_some());
    std::os::unix::fs::symlink(&written, bench.folder.path().join("model")).unwrap();
    let full = full_run(&bench, bench.view().main.thresholds);
    bench.ask(Command::StepFrames(100));
    bench.until("frame 100", |view| view.index() == 100);
    // The CNN does not run on frame 50, and the frames behind 100 are new.
    for index in [50, 131, 77] {
        bench.ask(Command::Seek(index));
        bench.until("the frame", |view| view.index() == index && view.answer(Lane::Main).is_some());
        let point = bench.view().answer(Lane::Main).unwrap();
        assert!(point.exact && (point.steering_rad - full.0[index]).abs() < 1e-6, "{point:?}");
    }
    bench.click("Play");
    bench.until("the end", |view| view.ended.is_some());
    bench.until("all frames", |view| view.main.track.points().len() == 240);
    same_everywhere(&bench.view().main, bench.view().main.thresholds, 240, &full);
    let looked = bench.view().main.track.points().iter().filter(|point| point.cnn.looked).count();
    assert_eq!(looked, 80, "every third frame, jumps or not");
}

#[test]
fn a_jump_behind_the_frames_kept_starts_from_a_saved_state() {
    // Room for 100 frames of 48 features.
    let mut bench = Bench::keeping("road:3,seconds=30", [1280.0, 720.0], 2 * 48 * 100);
    bench.until("the first frame", |view| view.shown.is_some());
    let (angles, _) = full_run(&bench, bench.view().main.thresholds);
    bench.ask(Command::StepFrames(50));
    bench.until("frame 50", |view| view.index() == 50);
    bench.ask(Command::Seek(400));
    bench.until("frame 400", |view| view.index() == 400);
    bench.ask(Command::StepFrames(100));
    bench.until("frame 500", |view| view.index() == 500);
    let (kept, limit) = bench.view().kept_bytes;
    assert!(kept <= limit && limit == 9600, "{kept} of {limit}");
    // The features up to frame 50 have gone; the state after frame 39 is there.
    bench.ask(Command::Seek(60));
    bench.until("frame 60", |view| view.index() == 60);
    let point = bench.view().answer(Lane::Main).unwrap();
    assert!(point.exact && (point.steering_rad - angles[60]).abs() < 1e-6, "{point:?}");
    // New answers reach back no further than the frames kept, and say that they are not the full run's.
    let wished = Thresholds { theta_x: 0.41, theta_h: 0.1 };
    bench.ask(Command::SetThresholds(Lane::Main, wished));
    bench.until("the new answers", |view| answered(view, wished));
    let points = bench.view().main.track.points();
    assert!(!points.is_empty() && points.iter().all(|point| point.index > 400 && !point.exact));
}

#[test]
fn the_trade_off_curve_speaks_of_the_same_frames_and_its_dot_sets_both_thresholds() {
    let mut bench = Bench::played();
    let last = bench.view().frame_count().unwrap() - 1;
    bench.until("the whole curve", |view| view.trade_off.as_ref().is_some_and(|curve| curve.through == last));
    let (view, curve) = (bench.view(), bench.view().trade_off.clone().unwrap());
    let own = view.main.thresholds;
    let rung = curve.rungs.iter().find(|rung| rung.thresholds == own).unwrap();
    let figures = view.main.track.figures();
    assert_eq!((rung.savings, Some(rung.rmse_rad)), (figures.work.savings(), figures.rmse_rad()));
    assert_eq!(Some(curve.dense_rmse_rad), view.dense.track.figures().rmse_rad());
    assert_eq!(curve.frames, figures.work.steps);
    assert!(curve.rungs.is_sorted_by(|a, b| a.thresholds.theta_x < b.thresholds.theta_x));
    bench.drag("Trade-off curve", [0.5, 0.5], [0.99, 0.5]);
    let dragged = bench.view().main.thresholds;
    assert!(dragged.theta_x > own.theta_x && dragged.theta_h > own.theta_h, "{dragged:?}");
    assert!((dragged.theta_x / dragged.theta_h - own.theta_x / own.theta_h).abs() < 1e-3, "along the curve");
    bench.until("the new answers", |view| answered(view, dragged));
    let rung_savings = bench.view().trade_off.as_ref().unwrap().rungs.iter().map(|rung| rung.savings);
    let savings = bench.view().main.track.figures().work.savings();
    assert!(rung_savings.clone().any(|rung| rung <= savings) && rung_savings.clone().any(|rung| rung >= savings));
}
