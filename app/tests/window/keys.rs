//! Keys: each press counts, a text field takes all of them, Escape closes menus.

use deltasteer::window::command::Command;
use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::bench::Bench;

fn key(key: Key) -> Event {
    Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::NONE }
}

#[test]
fn presses_between_two_redraws_are_all_counted() {
    let mut bench = Bench::ready();
    (0..5).for_each(|_| bench.harness.event(key(Key::ArrowRight)));
    bench.harness.step();
    bench.until("frame 5", |view| view.index() == 5);
    (0..3).for_each(|_| bench.harness.event(key(Key::ArrowLeft)));
    bench.harness.step();
    bench.until("frame 2", |view| view.index() == 2);
}

#[test]
fn a_path_typed_after_the_second_ctrl_o_fires_no_shortcut() {
    let mut bench = Bench::ready();
    let dark = bench.window().settings().dark;
    bench.press(Key::O, Modifiers::COMMAND);
    bench.harness.step();
    bench.harness.event(Event::Text("/data".to_owned()));
    bench.harness.step();
    bench.press(Key::Escape, Modifiers::NONE);
    bench.press(Key::O, Modifiers::COMMAND);
    bench.harness.step();
    // Theme, export, models, list of places: as shortcuts they would all show.
    for (letter, text) in [(Key::T, "t"), (Key::E, "e"), (Key::G, "g"), (Key::W, "w"), (Key::X, "x")] {
        bench.harness.event(key(letter));
        bench.harness.event(Event::Text(text.to_owned()));
        bench.harness.step();
    }
    bench.harness.step();
    assert_eq!(bench.window().settings().dark, dark);
    for label in ["Into folder", "Another model folder …", "not in training data"] {
        assert!(bench.harness.query_by_label(label).is_none(), "{label}");
    }
    let field = bench.harness.get_by_label_contains("A folder, a file, road:7");
    assert!(format!("{field:?}").contains("/datategwx") || field.value().is_some_and(|value| value.contains("tegwx")));
}

#[test]
fn escape_closes_a_menu_and_nothing_else() {
    let mut bench = Bench::ready();
    bench.press(Key::H, Modifiers::NONE);
    bench.harness.step();
    bench.harness.get_by_label_contains("Drive: road").click();
    (0..3).for_each(|_| bench.harness.step());
    bench.harness.get_by_label("Open folder …");
    bench.press(Key::Escape, Modifiers::NONE);
    (0..2).for_each(|_| bench.harness.step());
    assert!(bench.harness.query_by_label("Open folder …").is_none());
    bench.harness.get_by_label("Frames a second");
}

#[test]
fn scrolling_zooms_the_charts_and_changes_no_saved_setting() {
    let mut bench = Bench::played();
    let saved = bench.window().settings().clone();
    for label in ["angles chart", "error chart", "MACs chart"] {
        bench.ask(Command::LookAt(None));
        let before = bench.view().chart_time();
        let at = bench.harness.get_by_label(label).rect().center();
        bench.harness.hover_at(at);
        bench.harness.step();
        bench.harness.event(Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, 60.0),
            modifiers: Modifiers::NONE,
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
        });
        (0..20).for_each(|_| bench.harness.step());
        let after = bench.view().chart_time();
        assert!(after[1] - after[0] < 0.95 * (before[1] - before[0]), "{label}: {before:?} {after:?}");
    }
    bench.drag("MACs chart", [0.5, 0.5], [0.3, 0.5]);
    assert!(bench.view().looking_at.is_some(), "all charts share one stretch of time");
    assert_eq!(bench.window().settings(), &saved);
}

#[test]
fn messages_leave_the_headline_free_and_fade() {
    for size in [[800.0, 600.0], [1280.0, 720.0]] {
        let mut bench = Bench::on("road:3,seconds=2", size);
        bench.until("the first frame", |view| view.shown.is_some());
        bench.ask(Command::Say("/a/very/long/path/to/somewhere/that/is/not/there: no such file or folder".to_owned()));
        (0..3).for_each(|_| bench.harness.step());
        let dismiss = bench.harness.get_by_label("Dismiss").rect();
        let headline = bench.harness.get_by_label("fewer RNN operations").rect();
        let chart = bench.harness.get_by_label("angles chart").rect();
        assert!(dismiss.right() < headline.left() && dismiss.bottom() < chart.top(), "{dismiss:?} {headline:?}");
    }
}
