//! A window under test: real pipelines, no display, driven by the labels that a screen reader would read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltasteer::pipeline::Pace;
use deltasteer::window::command::Command;
use deltasteer::window::shell::Window;
use deltasteer::window::view::View;
use deltasteer::window::whatif::store::LIMIT_BYTES;
use deltasteer::window::whatif::{Wake, WhatIf};
use deltasteer::window::{Place, Start};
use egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

use crate::model;

/// A window, paused at its first frame.
pub struct Bench {
    pub harness: Harness<'static, Window>,
    pub folder: tempfile::TempDir,
}

impl Bench {
    /// On a source that may be a wrong one.
    pub fn on(source: &str, size: [f32; 2]) -> Self {
        Self::keeping(source, size, LIMIT_BYTES)
    }

    /// With room for so many bytes of features.
    pub fn keeping(source: &str, size: [f32; 2], limit_bytes: usize) -> Self {
        Self::with_model(source, size, limit_bytes, None)
    }

    /// With a model of the test's own choice.
    pub fn with_model(source: &str, size: [f32; 2], limit_bytes: usize, model: Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = model.unwrap_or_else(|| {
            let model = folder.path().join("model");
            model::write(&model);
            model
        });
        let start = Start {
            source: source.to_owned(),
            model,
            theta_x: None,
            theta_h: None,
            pace: Pace::Unpaced,
            playing: false,
            place: Place::Frame(0),
        };
        let wake: Wake = Arc::new(|| {});
        let engine = WhatIf::start(wake.clone(), limit_bytes).unwrap();
        let mut window = Window::new(engine, start, None, wake);
        window.set_export_folder(folder.path().to_owned());
        let harness = Harness::builder()
            .with_size(vec2(size[0], size[1]))
            .with_accessibility_check(false)
            .build_ui_state(|ui, window: &mut Window| window.ui(ui), window);
        Self { harness, folder }
    }

    /// On twelve seconds of the built-in road, its first frame shown.
    pub fn ready() -> Self {
        let mut bench = Self::on("road:3,seconds=12", [1280.0, 720.0]);
        bench.until("the first frame", |view| view.shown.is_some());
        bench
    }

    /// The same, played to its end.
    pub fn played() -> Self {
        let mut bench = Self::ready();
        bench.click("Play");
        bench.until("the end", |view| view.ended.is_some());
        bench
    }

    pub fn window(&self) -> &Window {
        self.harness.state()
    }

    pub fn view(&self) -> &View {
        self.window().view()
    }

    pub fn index(&self) -> usize {
        self.view().index()
    }

    /// Redraws until `done`. The limit is there for a program that hangs: no machine is too slow for it.
    pub fn until(&mut self, what: &str, done: impl Fn(&View) -> bool) {
        self.until_window(what, |bench| done(bench.view()));
        self.harness.step();
    }

    /// Redraws until a widget with this label is there.
    pub fn until_label(&mut self, label: &str) {
        self.until_window(label, |bench| bench.harness.query_by_label_contains(label).is_some());
    }

    fn until_window(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !done(self) {
            assert!(started.elapsed() < Duration::from_secs(300), "{what} did not come; said: {}", self.said());
            self.harness.step();
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        // A dialog that opens has its size after the second redraw.
        (0..3).for_each(|_| self.harness.step());
    }

    /// Presses at `from` (shares of the widget's width and height), moves to `to` and lets go.
    pub fn drag(&mut self, label: &str, from: [f32; 2], to: [f32; 2]) {
        let rect = self.harness.get_by_label(label).rect();
        let at = |share: [f32; 2]| rect.min + vec2(share[0], share[1]) * rect.size();
        self.harness.drag_at(at(from));
        self.harness.step();
        self.harness.hover_at(at(to));
        self.harness.step();
        self.harness.drop_at(at(to));
        self.harness.step();
    }

    pub fn press(&mut self, key: Key, modifiers: Modifiers) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.step();
    }

    pub fn ask(&mut self, command: Command) {
        let ctx = self.harness.ctx.clone();
        self.harness.state_mut().perform(&ctx, command);
        self.harness.step();
    }

    pub fn said(&self) -> String {
        self.view().notices.iter().map(|notice| notice.text.clone()).collect::<Vec<_>>().join("\n")
    }
}
