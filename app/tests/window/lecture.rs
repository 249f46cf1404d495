//! The lecture and the tour: what somebody sees who has never heard of delta networks.

use deltasteer::pipeline::Pace;
use deltasteer::window::command::{Command, Lane};
use deltasteer::window::{CAPTION_S, CAPTIONS, Presentation, layout};
use egui::{Key, Modifiers, Rect};
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
    assert!(bench.view().tour.is_none() && bench.window().settings().tour_seen);
    // Not a second time, unless it is asked for.
    bench.harness.state_mut().present(Presentation { lecture: false, tour: true });
    bench.harness.step();
    assert!(bench.view().tour.is_none());
    bench.ask(Command::ShowCaption(Some(2)));
    bench.press(Key::Escape, Modifiers::NONE);
    assert!(bench.view().tour.is_none());
}

#[test]
fn the_tour_goes_on_while_the_drive_plays_and_hides_nothing_that_matters() {
    assert!(CAPTION_S * (CAPTIONS - 1) as f64 <= 48.0, "the last caption can be read within a minute");
    for size in [[640.0, 400.0], [800.0, 600.0], [1280.0, 720.0], [1920.0, 1080.0]] {
        let mut bench = Bench::on("road:3,seconds=60", size);
        bench.until("the first frame", |view| view.shown.is_some());
        bench.harness.state_mut().present(Presentation { lecture: false, tour: true });
        (0..100).for_each(|_| bench.harness.step());
        assert_eq!(bench.view().tour.map(|tour| tour.caption), Some(0), "a paused drive's tour waits");
        bench.ask(Command::SetPace(Pace::Times(1.0)));
        bench.ask(Command::TogglePlay);
        bench.until("frame 3", |view| view.index() >= 3);
        let mut seen = Vec::new();
        while seen.last() != Some(&(CAPTIONS - 1)) {
            bench.harness.step();
            let (ctx, tour) = (&bench.harness.ctx, bench.view().tour.unwrap());
            assert!(bench.view().playing && tour.shown_s < CAPTION_S + 1.0, "{tour:?}");
            if seen.last() != Some(&tour.caption) {
                seen.push(tour.caption);
            }
            if tour.shown_s < 1.0 || tour.shown_s > 2.0 {
                continue; // the card has its size after some redraws
            }
            let card = ctx.memory(|memory| memory.area_rect(egui::Id::unique("tour"))).unwrap();
            let parts = layout::parts(ctx);
            let middle = Rect::from_center_size(parts.picture.center(), 0.5 * parts.picture.size());
            let own = [Some(parts.picture), parts.angles, parts.network, parts.savings, parts.thresholds][tour.caption];
            for kept in [parts.headline, Some(middle), own.filter(|_| size[0] > 760.0)].into_iter().flatten() {
                assert!(!card.shrink(1.0).intersects(kept), "{size:?}, {tour:?}: {card:?} hides {kept:?}");
            }
            assert!(ctx.content_rect().contains_rect(card), "{size:?}, {tour:?}: {card:?}");
        }
        assert_eq!(seen, (0..CAPTIONS).collect::<Vec<_>>());
        assert!(bench.window().settings().tour_seen);
    }
}

#[test]
fn a_key_holds_the_tour_until_the_next_caption_is_asked_for() {
    let mut bench = Bench::on("road:3,seconds=60", [1280.0, 720.0]);
    bench.until("the first frame", |view| view.shown.is_some());
    bench.ask(Command::SetPace(Pace::Times(1.0)));
    bench.ask(Command::TogglePlay);
    bench.ask(Command::ShowCaption(Some(1)));
    bench.press(Key::T, Modifiers::NONE);
    (0..200).for_each(|_| bench.harness.step());
    assert!(bench.view().playing && bench.view().tour.is_some_and(|tour| tour.held && tour.caption == 1));
    bench.harness.get_by_label("waits for Next");
    bench.click("Back");
    assert!(bench.view().tour.is_some_and(|tour| !tour.held && tour.caption == 0));
    bench.press(Key::Escape, Modifiers::NONE);
    assert!(bench.view().tour.is_none());
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
