//! The worst places: their list, their keys, and the stretches where errors mean little.

use deltasteer::window::command::{Command, Lane};
use deltasteer::window::hotspots::Filter;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::bench::Bench;

#[test]
fn the_list_and_the_keys_lead_to_the_largest_errors() {
    let mut bench = Bench::played();
    bench.click("Worst places");
    let places: Vec<usize> = bench.view().hotspots.iter().map(|place| place.index).collect();
    let error = |index: usize| bench.view().main.answer(index).unwrap().error_rad().unwrap().abs();
    let largest = (0..240).map(error).fold(0.0, f32::max);
    assert_eq!(error(places[0]), largest);
    let row = bench.harness.get_by_label_contains("#1  ").rect().center();
    bench.harness.drag_at(row);
    bench.harness.drop_at(row);
    bench.harness.step();
    bench.until("the worst place", |view| view.index() == places[0]);
    bench.press(Key::Escape, Modifiers::NONE);
    assert!(bench.harness.query_by_label_contains("#1  ").is_none());
    bench.press(Key::Home, Modifiers::NONE);
    bench.until("the start", |view| view.index() == 0);
    let mut in_order = places.clone();
    in_order.sort_unstable();
    for place in in_order.iter().filter(|&&place| place > 0) {
        bench.press(Key::N, Modifiers::NONE);
        bench.until("the next place", |view| view.index() == *place);
    }
    bench.press(Key::N, Modifiers::SHIFT);
    bench.until("the place before", |view| view.index() == in_order[in_order.len() - 2]);
    let filter = Filter { least_error_deg: largest.to_degrees() - 1e-3, ..Filter::default() };
    bench.ask(Command::FilterHotspots(filter));
    assert_eq!(bench.view().hotspots.iter().map(|place| place.index).collect::<Vec<_>>(), places[..1]);
}

#[test]
fn training_data_is_known_by_the_commands_that_made_the_model() {
    let mut bench = Bench::played();
    assert!(bench.view().trained.is_empty());
    let other = bench.folder.path().join("trained");
    crate::model::write_with(
        &other,
        6,
        "deltasteer train rnn --train road:3,seconds=12:0-9 --val road:3,seconds=12:10-11",
    );
    bench.ask(Command::OpenModel(Lane::Main, other));
    bench.until("the other model", |view| view.trained.len() == 2);
    let times = |bench: &Bench| bench.view().hotspots.iter().map(|place| place.time_s).collect::<Vec<_>>();
    assert!(times(&bench).iter().any(|&time_s| time_s < 9.0));
    bench.ask(Command::FilterHotspots(Filter { unseen_only: true, ..Filter::default() }));
    let unseen = times(&bench);
    assert!(
        !unseen.is_empty()
            && unseen.iter().all(|time_s| !(0.0..9.0).contains(time_s) && !(10.0..11.0).contains(time_s))
    );
}
