//! The lecture and the tour: what somebody sees who has never heard of delta networks.

use deltasteer::window::Presentation;
use deltasteer::window::command::{Command, Lane};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::bench::Bench;

#[test]
fn the_lecture_draws_the_columns_that_were_read_and_repeats_the_drive() {
    for size in [[800.0, 600.0], [1280.0, 720.0]] {
        let mut bench = Bench::on("road:3,seconds=2", size);
        bench.until("the first frame", |view| view.answer(Lane::Main).is_some());
        bench.press(Key::F5, Modifiers::NONE);
        bench.click("Forward one frame");
        bench.until("frame 1", |view| view.index() == 1 && view.answer(Lane::Main).is_some());
        bench.harness.step();
        let count = bench.view().answer(Lane::Main).unwrap().count;
        let label = format!("Network: {} of 72 columns read", count.columns_x + count.columns_h);
        let network = bench.harness.get_by_label(&label).rect();
        assert!(network.height() > 80.0 && network.bottom() < size[1], "{network:?}");
        // The one slider moves both thresholds along the model's own.
        let own = bench.view().main.thresholds;
        bench.drag("Change needed", [0.33, 0.5], [0.9, 0.5]);
        let chosen = bench.view().main.thresholds;
        let (x, h) = (chosen.theta_x / own.theta_x, chosen.theta_h / own.theta_h);
        assert!(x > 2.0 && (x - h).abs() < 1e-3, "{chosen:?}");
        let saved = bench.window().settings().looping;
        bench.click("Play");
        bench.until("the end", |view| view.index() > 30);
        bench.until("the start again", |view| view.index() < 10);
        assert!(bench.view().playing && bench.window().settings().looping == saved);
        bench.ask(Command::DismissNotices);
        bench.press(Key::Escape, Modifiers::NONE);
        assert!(!bench.view().lecture, "{}", bench.said());
    }
}

#[test]
fn the_first_start_is_a_tour_of_five_captions() {
    let mut bench = Bench::ready();
    bench.harness.state_mut().present(Presentation { lecture: false, tour: true });
    for caption in 1..=5 {
        (0..3).for_each(|_| bench.harness.step());
        bench.harness.get_by_label(&format!("{caption} of 5"));
        bench.click(if caption == 5 { "Done" } else { "Next" });
    }
    assert!(bench.view().caption.is_none() && bench.window().settings().tour_seen);
    // Not a second time, unless it is asked for.
    bench.harness.state_mut().present(Presentation { lecture: false, tour: true });
    bench.harness.step();
    assert!(bench.view().caption.is_none());
    bench.ask(Command::ShowCaption(Some(2)));
    bench.press(Key::Escape, Modifiers::NONE);
    assert!(bench.view().caption.is_none());
}

#[test]
fn technical_words_explain_themselves() {
    let mut bench = Bench::ready();
    for (label, meaning) in [
        ("fewer RNN operations", "Multiply-accumulate"),
        ("θx inputs", "how far a value must move"),
        ("driver", "the person"),
    ] {
        let at = bench.harness.get_all_by_label(label).next().unwrap().rect().center();
        bench.harness.hover_at(at);
        bench.until_label(meaning);
        bench.harness.hover_at(egui::pos2(1.0, 1.0));
        (0..3).for_each(|_| bench.harness.step());
    }
}
