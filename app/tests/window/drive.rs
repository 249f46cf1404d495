//! Playing, seeking, overlays, export, bad input.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use deltasteer::window::Overlay;
use deltasteer::window::command::{Command, Lane};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::bench::Bench;

#[test]
fn play_pause_and_step_by_label() {
    // Long enough that a slow redraw does not find the drive at its end.
    let mut bench = Bench::on("road:3,seconds=120", [1280.0, 720.0]);
    bench.until("frame 0", |view| view.shown.is_some());
    bench.click("Forward one frame");
    bench.until("frame 1", |view| view.index() == 1);
    bench.click("Forward one second");
    bench.until("frame 21", |view| view.index() == 21);
    bench.click("Back one frame");
    bench.until("frame 20", |view| view.index() == 20);
    bench.click("Back one second");
    bench.until("frame 0", |view| view.index() == 0);
    bench.click("Play");
    bench.until("ten frames", |view| view.index() > 10);
    bench.click("Pause");
    assert!(!bench.view().playing);
    // Frames that were under way still come; then the picture stands, far from the drive's end.
    let mut stands_since = (bench.index(), Instant::now());
    while stands_since.1.elapsed() < Duration::from_millis(700) {
        bench.harness.step();
        if bench.index() != stands_since.0 {
            stands_since = (bench.index(), Instant::now());
        }
    }
    assert!(bench.view().ended.is_none() && bench.index() + 1 < bench.view().frame_count().unwrap());
}

#[test]
fn keys_do_what_the_help_says() {
    let mut bench = Bench::ready();
    bench.press(Key::ArrowRight, Modifiers::NONE);
    bench.until("frame 1", |view| view.index() == 1);
    bench.press(Key::ArrowRight, Modifiers::SHIFT);
    bench.until("frame 21", |view| view.index() == 21);
    bench.press(Key::End, Modifiers::NONE);
    let last = bench.view().frame_count().unwrap() - 1;
    bench.until("the last frame", |view| view.index() == last);
    bench.press(Key::Home, Modifiers::NONE);
    bench.until("the first frame", |view| view.index() == 0);
    let dark = bench.window().settings().dark;
    bench.press(Key::T, Modifiers::NONE);
    assert_ne!(bench.window().settings().dark, dark);
    bench.press(Key::Questionmark, Modifiers::SHIFT);
    bench.harness.get_by_label("one second back");
    bench.press(Key::Escape, Modifiers::NONE);
    bench.harness.step();
    assert!(bench.harness.query_by_label("one second back").is_none());
}

#[test]
fn dragging_the_timeline_jumps() {
    let mut bench = Bench::ready();
    bench.drag("Timeline", [0.01, 0.5], [0.5, 0.5]);
    let count = bench.view().frame_count().unwrap();
    bench.until("the middle", |view| view.index().abs_diff(count / 2) <= 2);
    assert!(bench.view().main.answer(bench.index()).unwrap().exact, "120 frames back is near enough to run over");
}

#[test]
fn a_threshold_typed_as_text_is_refused_in_words() {
    let mut bench = Bench::ready();
    let before = bench.view().main.thresholds;
    bench.click("theta_x value");
    bench.harness.get_by_label("theta_x value").type_text("much");
    bench.harness.step();
    bench.press(Key::Enter, Modifiers::NONE);
    bench.until("a message", |view| view.notices.iter().any(|n| n.bad && n.text.contains("theta_x")));
    assert_eq!(bench.view().main.thresholds, before);
}

#[test]
fn overlays_switch_by_label() {
    let mut bench = Bench::ready();
    for overlay in [Overlay::PredictedPath, Overlay::TruePath, Overlay::Wheels, Overlay::Crop] {
        let before = bench.window().settings().shows(overlay);
        bench.click(overlay.label());
        assert_ne!(bench.window().settings().shows(overlay), before, "{}", overlay.label());
    }
    bench.click(Overlay::Saliency.label());
    bench.until("a saliency map", |view| view.saliency.is_some());
    let map = bench.view().saliency.clone().unwrap();
    assert_eq!(map.values.len(), map.columns * map.rows);
    assert!(map.values.iter().all(|value| (0.0..=1.0).contains(value)));
    assert!(map.largest_rad > 0.0, "covering something moves the angle");
    bench.click(Overlay::Saliency.label());
    assert!(bench.view().saliency.is_none());
}

#[test]
fn two_settings_run_side_by_side() {
    let mut bench = Bench::ready();
    bench.click("Compare");
    bench.click("Forward one second");
    bench.until("both at frame 20", |view| {
        view.index() == 20 && view.second.as_ref().is_some_and(|second| second.answer(20).is_some())
    });
    let (main, second) = (&bench.view().main, bench.view().second.as_ref().unwrap());
    assert!(second.track.thresholds.theta_x > main.track.thresholds.theta_x);
    assert!(second.track.figures().work.macs < main.track.figures().work.macs);
    assert_eq!(second.track.figures().work.steps, main.track.figures().work.steps);
    bench.click("Compare");
    assert!(bench.view().second.is_none());
}

#[test]
fn a_wrong_folder_is_refused_in_words_and_the_drive_goes_on() {
    let mut bench = Bench::ready();
    bench.ask(Command::OpenSource("/no/such/drive".to_owned()));
    bench.until("the refusal", |view| view.notices.iter().any(|n| n.bad && n.text.contains("/no/such/drive")));
    bench.click("Forward one frame");
    bench.until("frame 1", |view| view.index() == 1);
    bench.ask(Command::OpenModel(Lane::Main, PathBuf::from("/no/such/model")));
    bench.until("the refusal", |view| view.notices.iter().any(|n| n.bad && n.text.contains("/no/such/model")));
    bench.click("Forward one frame");
    bench.until("frame 2", |view| view.index() == 2);
    bench.click("Dismiss");
    assert!(bench.view().notices.is_empty());
}

#[test]
fn a_window_that_started_on_nothing_opens_a_drive_later() {
    let mut bench = Bench::on("/no/such/drive", [1280.0, 720.0]);
    bench.until("the refusal", |view| view.stopped);
    assert!(bench.said().contains("/no/such/drive"));
    bench.ask(Command::OpenSource("road:2,seconds=2".to_owned()));
    bench.until("a frame", |view| view.shown.is_some());
    assert!(!bench.view().stopped);
}

#[test]
fn a_stamp_keeps_headline_and_picture() {
    let mut bench = Bench::on("road:3,seconds=2", [300.0, 200.0]);
    bench.until("the first frame", |view| view.main.track.figures().work.macs > 0);
    bench.ask(Command::Say("no such folder".to_owned()));
    (0..3).for_each(|_| bench.harness.step());
    let headline = bench.harness.get_by_label_contains("fewer RNN operations").rect();
    let picture = bench.harness.get_by_label("Camera frame").rect();
    let message = bench.harness.get_by_label_contains("no such folder").rect();
    assert!(picture.height() > 80.0 && picture.contains_rect(headline), "{picture:?} {headline:?}");
    assert!(!message.intersects(headline), "{message:?} {headline:?}");
}

#[test]
fn a_stamp_and_a_wall_both_play() {
    for size in [[300.0, 200.0], [3840.0, 2160.0]] {
        let mut bench = Bench::on("road:3,seconds=2", size);
        bench.until("the first frame", |view| view.shown.is_some());
        bench.click("Play");
        bench.until("the end", |view| view.ended.is_some());
        let timeline = bench.harness.get_by_label("Timeline").rect();
        assert!(timeline.right() <= size[0] && timeline.bottom() <= size[1], "{timeline:?} in {size:?}");
    }
}

#[test]
fn the_raster_has_room_for_inputs_and_hidden_state() {
    for (size, compare) in [([800.0, 600.0], false), ([1280.0, 720.0], false), ([1280.0, 720.0], true)] {
        let mut bench = Bench::on("road:3,seconds=2", size);
        bench.until("the first frame", |view| view.shown.is_some());
        if compare {
            bench.ask(Command::ToggleCompare);
        }
        (0..3).for_each(|_| bench.harness.step());
        let raster = bench.harness.get_by_label("Neuron raster").rect();
        assert!(raster.height() >= 36.0 && raster.right() <= size[0], "{raster:?} in {size:?}");
        let timeline = bench.harness.get_by_label("Timeline").rect();
        assert!(raster.bottom() < timeline.top(), "{raster:?} {timeline:?}");
    }
}
