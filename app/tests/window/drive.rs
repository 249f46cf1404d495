//! Playing, seeking, thresholds, overlays, export, bad input.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltasteer::pipeline::{FrameRange, Pace};
use deltasteer::window::command::Command;
use deltasteer::window::engine::Pipelines;
use deltasteer::window::shell::Window;
use deltasteer::window::{Overlay, Place, Start};
use egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

use crate::model;

/// A window on the built-in road, 12 s long, paused at its first frame.
struct Bench {
    harness: Harness<'static, Window>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::on("road:3,seconds=12", [1280.0, 720.0])
    }

    fn on(source: &str, size: [f32; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        model::write(&model);
        let start = Start {
            source: source.to_owned(),
            model,
            theta_x: None,
            theta_h: None,
            dense: true,
            pace: Pace::Unpaced,
            playing: false,
            place: Place::Frame(0),
        };
        let wake: deltasteer::window::engine::Wake = Arc::new(|| {});
        let engine = Pipelines::new(wake.clone()).unwrap();
        let mut window = Window::new(Box::new(engine), start, None, wake);
        window.set_export_folder(folder.path().to_owned());
        let harness = Harness::builder()
            .with_size(vec2(size[0], size[1]))
            .with_accessibility_check(false)
            .build_ui_state(|ui, window: &mut Window| window.ui(ui), window);
        Self { harness, folder }
    }

    fn ready() -> Self {
        let mut bench = Self::new();
        bench.until("the first frame", |window| window.view().main.frame.is_some());
        bench
    }

    fn window(&self) -> &Window {
        self.harness.state()
    }

    fn index(&self) -> usize {
        self.window().view().index()
    }

    /// Redraws until `done`, for a minute at most.
    fn until(&mut self, what: &str, done: impl Fn(&Window) -> bool) {
        let started = Instant::now();
        while !done(self.window()) {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "waited a minute for {what}; messages: {:?}",
                self.window().view().notices
            );
            self.harness.step();
            std::thread::sleep(Duration::from_millis(5));
        }
        self.harness.step();
    }

    fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.step();
        self.harness.step();
    }

    fn press(&mut self, key: Key, modifiers: Modifiers) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.step();
    }

    fn ask(&mut self, command: Command) {
        let ctx = self.harness.ctx.clone();
        self.harness.state_mut().perform(&ctx, command);
        self.harness.step();
    }

    fn said(&self) -> String {
        self.window().view().notices.iter().map(|notice| notice.text.clone()).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn play_pause_and_step_by_label() {
    let mut bench = Bench::ready();
    assert_eq!(bench.index(), 0);
    bench.click("Forward one frame");
    bench.until("frame 1", |window| window.view().index() == 1);
    bench.click("Forward one second");
    bench.until("frame 21", |window| window.view().index() == 21);
    bench.click("Back one frame");
    bench.until("frame 20", |window| window.view().index() == 20);
    bench.click("Back one second");
    bench.until("frame 0", |window| window.view().index() == 0);
    bench.click("Play");
    bench.until("ten frames", |window| window.view().index() > 10);
    bench.click("Pause");
    assert!(!bench.window().view().playing);
    let deadline = Instant::now() + Duration::from_millis(600);
    while Instant::now() < deadline {
        bench.harness.step();
    }
    let rested = bench.index();
    std::thread::sleep(Duration::from_millis(300));
    bench.harness.step();
    assert_eq!(bench.index(), rested, "a paused window shows the same frame");
}

#[test]
fn keys_do_what_the_help_says() {
    let mut bench = Bench::ready();
    bench.press(Key::ArrowRight, Modifiers::NONE);
    bench.until("frame 1", |window| window.view().index() == 1);
    bench.press(Key::ArrowRight, Modifiers::SHIFT);
    bench.until("frame 21", |window| window.view().index() == 21);
    bench.press(Key::End, Modifiers::NONE);
    let last = bench.window().view().frame_count().unwrap() - 1;
    bench.until("the last frame", |window| window.view().index() == last);
    bench.press(Key::Home, Modifiers::NONE);
    bench.until("the first frame", |window| window.view().index() == 0);
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
fn dragging_the_timeline_jumps_and_warms_up() {
    let mut bench = Bench::ready();
    let rect = bench.harness.get_by_label("Timeline").rect();
    let from = rect.left_center() + vec2(5.0, 0.0);
    let to = rect.center();
    bench.harness.drag_at(from);
    bench.harness.step();
    bench.harness.hover_at(to);
    bench.harness.step();
    bench.harness.drop_at(to);
    bench.harness.step();
    let count = bench.window().view().frame_count().unwrap();
    bench.until("the middle", |window| window.view().index().abs_diff(count / 2) <= 2);
    let steps = bench.window().view().main.frame.as_ref().unwrap().totals.steps;
    assert!(steps > 20, "the RNN was warmed up over the frames before: {steps} steps");
}

#[test]
fn raising_theta_saves_more_on_the_next_frame() {
    let mut bench = Bench::ready();
    bench.ask(Command::Seek(60));
    bench.until("frame 60", |window| window.view().index() == 60 && window.view().jumping_to.is_none());
    let macs = |bench: &Bench| {
        let frame = bench.window().view().main.frame.clone().unwrap();
        (frame.thresholds.theta_x, frame.totals.macs)
    };
    let (before, macs_before) = macs(&bench);
    let slider = bench.harness.get_by_label("theta_x");
    let rect = slider.rect();
    let right = rect.left_center() + vec2(0.5 * rect.width(), 0.0);
    bench.harness.drag_at(right);
    bench.harness.step();
    bench.harness.drop_at(right);
    bench.harness.step();
    bench.until("the new threshold", |window| {
        window.view().main.frame.as_ref().is_some_and(|frame| frame.thresholds.theta_x > before + 0.5)
    });
    let (after, macs_after) = macs(&bench);
    assert!(macs_after < macs_before, "theta_x {before} -> {after}: {macs_before} -> {macs_after} MACs");
    bench.press(Key::R, Modifiers::NONE);
    bench.until("the model's own threshold", |window| {
        window.view().main.frame.as_ref().is_some_and(|frame| frame.thresholds.theta_x == before)
    });
}

#[test]
fn a_threshold_typed_as_text_is_refused_in_words() {
    let mut bench = Bench::ready();
    let before = bench.window().view().main.thresholds;
    bench.click("theta_x value");
    bench.harness.get_by_label("theta_x value").type_text("much");
    bench.harness.step();
    bench.press(Key::Enter, Modifiers::NONE);
    bench.until("a message", |window| window.view().notices.iter().any(|n| n.bad && n.text.contains("theta_x")));
    assert_eq!(bench.window().view().main.thresholds, before);
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
    bench.until("a saliency map", |window| window.view().saliency.is_some());
    let map = bench.window().view().saliency.clone().unwrap();
    assert_eq!(map.values.len(), map.columns * map.rows);
    assert!(map.values.iter().all(|value| (0.0..=1.0).contains(value)));
    assert!(map.largest_rad > 0.0, "covering something moves the angle");
    bench.click(Overlay::Saliency.label());
    assert!(bench.window().view().saliency.is_none());
}

#[test]
fn a_chosen_range_is_exported_whole() {
    let mut bench = Bench::ready();
    bench.press(Key::E, Modifiers::NONE);
    assert!(bench.said().contains("Choose a range first"), "{}", bench.said());
    bench.ask(Command::SetRange(Some(FrameRange { first: 30, end: 36 })));
    bench.harness.step();
    bench.click("Export range");
    bench.until("the export", |window| window.view().notices.iter().any(|n| n.text.starts_with("Exported")));
    let folder = bench.folder.path().join("road-3-seconds-12-frames-30-35");
    let table = std::fs::read_to_string(folder.join("angles.csv")).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 7, "{table}");
    for (row, frame) in rows[1..].iter().zip(30..) {
        assert!(row.starts_with(&format!("{frame},")), "{row}");
        let picture = image::open(folder.join(format!("frames/{frame:06}.png"))).unwrap();
        let drive = bench.window().view().drive.clone().unwrap();
        assert_eq!((picture.width() as usize, picture.height() as usize), (drive.width, drive.height));
    }
}

#[test]
fn two_settings_run_side_by_side() {
    let mut bench = Bench::ready();
    bench.click("Compare");
    bench.until("the second setting", |window| {
        window.view().second.as_ref().is_some_and(|second| second.frame.is_some())
    });
    bench.click("Forward one second");
    bench.until("both at frame 20", |window| {
        let second = window.view().second.as_ref().and_then(|second| second.frame.as_ref());
        window.view().index() == 20 && second.is_some_and(|frame| frame.index == 20)
    });
    let view = bench.window().view();
    let (main, second) = (view.main.frame.as_ref().unwrap(), view.second.as_ref().unwrap().frame.as_ref().unwrap());
    assert!(second.thresholds.theta_x > main.thresholds.theta_x);
    assert!(second.totals.macs < main.totals.macs);
    bench.click("Compare");
    assert!(bench.window().view().second.is_none());
}

#[test]
fn a_wrong_folder_is_refused_in_words_and_the_drive_goes_on() {
    let mut bench = Bench::ready();
    bench.ask(Command::OpenSource("/no/such/drive".to_owned()));
    bench.until("the refusal", |window| {
        window.view().notices.iter().any(|n| n.bad && n.text.contains("/no/such/drive"))
    });
    bench.click("Forward one frame");
    bench.until("frame 1", |window| window.view().index() == 1);
    bench.ask(Command::OpenModel(deltasteer::window::command::Lane::Main, PathBuf::from("/no/such/model")));
    bench.until("the refusal", |window| {
        window.view().notices.iter().any(|n| n.bad && n.text.contains("/no/such/model"))
    });
    bench.click("Forward one frame");
    bench.until("frame 2", |window| window.view().index() == 2);
    bench.click("Dismiss");
    assert!(bench.window().view().notices.is_empty());
}

#[test]
fn a_window_that_started_on_nothing_opens_a_drive_later() {
    let mut bench = Bench::on("/no/such/drive", [1280.0, 720.0]);
    bench.until("the refusal", |window| window.view().stopped);
    assert!(bench.said().contains("/no/such/drive"));
    bench.ask(Command::OpenSource("road:2,seconds=2".to_owned()));
    bench.until("a frame", |window| window.view().main.frame.is_some());
    assert!(!bench.window().view().stopped);
}

#[test]
fn a_stamp_and_a_wall_both_play() {
    for size in [[300.0, 200.0], [3840.0, 2160.0]] {
        let mut bench = Bench::on("road:3,seconds=2", size);
        bench.until("the first frame", |window| window.view().main.frame.is_some());
        bench.click("Play");
        bench.until("the end", |window| window.view().ended.is_some());
        let timeline = bench.harness.get_by_label("Timeline").rect();
        assert!(timeline.right() <= size[0] && timeline.bottom() <= size[1], "{timeline:?} in {size:?}");
    }
}
