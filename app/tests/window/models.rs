//! Choosing models: by their cards, for a drive, and for comparing.

use std::path::{Path, PathBuf};

use deltasteer::window::command::{Command, Lane};
use deltasteer::window::whatif::store::LIMIT_BYTES;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::bench::Bench;

const SIZE: [f32; 2] = [1280.0, 720.0];

pub fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name)
}

#[test]
fn the_chooser_lists_cards_and_a_model_with_other_features_sees_the_drive_again() {
    let mut bench = Bench::played();
    let indices = |bench: &Bench, lane: Lane| {
        bench
            .view()
            .lane(lane)
            .map_or(Vec::new(), |view| view.track.points().iter().map(|p| p.index).collect::<Vec<_>>())
    };
    let all: Vec<usize> = (0..240).collect();
    assert_eq!(indices(&bench, Lane::Main), all);
    bench.press(Key::G, Modifiers::NONE);
    bench.harness.step();
    bench.harness.step();
    bench.harness.get_by_label("Use built-in:ch2");
    bench.harness.get_by_label("Compare with model");
    bench.click("Compare with built-in:road");
    assert!(bench.harness.query_by_label("Use built-in:ch2").is_none(), "a choice closes the list");
    // The second model's features are others: it sees the same frames again, in the background.
    bench.until("the second model's answers", |view| {
        view.again.is_none() && view.second.as_ref().is_some_and(|second| second.track.points().len() == 240)
    });
    let second = bench.view().second.as_ref().unwrap();
    assert_eq!(second.model.as_ref().unwrap().name, "built-in:road");
    assert!(second.track.points().iter().all(|point| point.exact));
    for index in [100, 17] {
        bench.ask(Command::Seek(index));
        bench.until("the frame", |view| view.index() == index);
        assert!(bench.view().answer(Lane::Main).is_some() && bench.view().answer(Lane::Second).is_some());
    }
    // And as the main model.
    bench.ask(Command::OpenModel(Lane::Main, shipped("road")));
    bench.until("the drive seen again", |view| {
        view.main.model.as_ref().is_some_and(|model| model.name == "road") && view.main.track.points().len() == 240
    });
    bench.until("its dense twin", |view| view.dense.track.points().len() == 240);
    assert!(bench.view().main.track.points().iter().all(|point| point.exact));
    assert!(bench.view().second.is_none(), "what was compared with the old model is gone");
}

#[test]
fn a_drive_gets_the_model_that_fits_and_a_misfit_is_told() {
    let mut bench = Bench::with_model("road:3,seconds=2", SIZE, LIMIT_BYTES, Some(shipped("ch2")));
    bench.until("the warning", |view| view.notices.iter().any(|n| n.text.contains("was trained on cameras' pictures")));
    bench.until("the first frame", |view| view.shown.is_some());
    bench.ask(Command::OpenSource("road:4,seconds=2".to_owned()));
    assert!(bench.said().contains("fits road:4"), "{}", bench.said());
    bench.until("the model that fits", |view| {
        view.main.model.as_ref().is_some_and(|model| model.name.ends_with("road"))
    });
    let own = bench.view().main.model.as_ref().unwrap().thresholds;
    assert_eq!(bench.view().main.thresholds, own);
}
