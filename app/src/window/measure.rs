//! How the window fares on a display: frames, redraws and processor time while it plays, while a slider is dragged, paused.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::command::{Command, Lane};
use super::run::open_window;
use super::shell::{Presentation, Window};
use super::whatif::Start;

/// Pause between two moves of a mouse.
const MOUSE: Duration = Duration::from_millis(16);
/// Moves from one end of the slider to the other.
const MOVES: usize = 120;
/// What is still under way when a phase begins is not counted.
const SETTLE: Duration = Duration::from_secs(3);

/// One phase, measured.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// Its length.
    pub seconds: f64,
    /// Frames that the drive's pace makes due; 0 while paused.
    pub due: f64,
    /// Frames that were answered.
    pub answered: usize,
    /// Frames that were painted.
    pub painted: usize,
    /// Redraws.
    pub redraws: usize,
    /// Processor time of all threads over wall time: 1 is one core. Known on Linux.
    pub cores: Option<f64>,
}

/// What happens in the phases, in their order.
const PHASES: [&str; 3] = ["playing", "slider dragged", "paused"];

/// Opens the window on a drive, plays it, drags theta_x all the time, pauses; `seconds` each.
///
/// # Errors
/// As [`super::run_view`]; a source or model that does not open, in the window's words.
pub fn measure(start: Start, seconds: f64) -> anyhow::Result<Vec<Phase>> {
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let done = outcome.clone();
    open_window(start, Presentation::default(), move |window, ctx| {
        mouse(ctx.clone());
        let length = Duration::from_secs_f64(seconds);
        Box::new(Measured { window, length, done, phase: 0, begun: None, counts: Counts::default(), moves: 0 })
    })?;
    let Outcome { phases, refused } = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(words) = refused {
        anyhow::bail!("{words}");
    }
    anyhow::ensure!(phases.len() == PHASES.len(), "the window was closed before it was measured");
    Ok(phases)
}

/// Moves that ask for redraws as a mouse does, for as long as the drag lasts.
fn mouse(ctx: egui::Context) {
    let moving = move || {
        while !ctx.data(|data| data.get_temp(egui::Id::unique("drag is over")).unwrap_or(false)) {
            if ctx.data(|data| data.get_temp(egui::Id::unique("dragging")).unwrap_or(false)) {
                ctx.request_repaint();
            }
            std::thread::sleep(MOUSE);
        }
    };
    let _ = std::thread::Builder::new().name("mouse".to_owned()).spawn(moving);
}

/// What was measured, or why nothing was.
#[derive(Default)]
struct Outcome {
    phases: Vec<Phase>,
    refused: Option<String>,
}

#[derive(Default)]
struct Counts {
    answered_before: usize,
    painted: BTreeSet<usize>,
    redraws: usize,
    cpu_s: Option<f64>,
}

struct Measured {
    window: Window,
    length: Duration,
    done: Arc<Mutex<Outcome>>,
    phase: usize,
    /// When the counting of this phase begins.
    begun: Option<Instant>,
    counts: Counts,
    moves: usize,
}

impl eframe::App for Measured {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        if PHASES.get(self.phase) == Some(&"slider dragged") {
            self.drag(&ctx);
        }
        eframe::App::ui(&mut self.window, ui, frame);
        let view = self.window.view();
        if view.shown.is_none() {
            if let Some(fault) = view.notices.iter().find(|notice| notice.bad) {
                let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
                done.refused.get_or_insert_with(|| fault.text.clone());
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
            return;
        }
        let begun = *self.begun.get_or_insert_with(|| Instant::now() + SETTLE);
        match Instant::now().checked_duration_since(begun) {
            None => {
                let answered_before = view.main.track.points().len();
                self.counts = Counts { answered_before, cpu_s: cpu_s(), ..Counts::default() };
                ctx.request_repaint_after(begun.saturating_duration_since(Instant::now()));
            }
            Some(passed) => {
                self.counts.redraws += 1;
                self.counts.painted.insert(view.index());
                if passed < self.length {
                    ctx.request_repaint_after(self.length - passed);
                } else {
                    self.end_phase(&ctx, passed.as_secs_f64());
                }
            }
        }
    }
}

impl Measured {
    /// theta_x to and fro, a new value for each redraw, as the slider asks for it.
    fn drag(&mut self, ctx: &egui::Context) {
        let Some(thresholds) = self.window.view().main.model.as_ref().map(|model| model.thresholds) else { return };
        self.moves += 1;
        let share = (self.moves % (2 * MOVES)) as f32 / MOVES as f32;
        let theta_x = 2.0 * thresholds.theta_x.max(0.1) * if share > 1.0 { 2.0 - share } else { share };
        let dragged = deltasteer_temporal::Thresholds { theta_x, ..thresholds };
        self.window.perform(ctx, Command::SetThresholds(Lane::Main, dragged));
    }

    fn end_phase(&mut self, ctx: &egui::Context, seconds: f64) {
        let view = self.window.view();
        let (rate_hz, playing) = (view.drive.as_ref().map_or(0.0, |drive| drive.rate_hz), view.playing);
        let phase = Phase {
            name: PHASES[self.phase],
            seconds,
            due: if playing { seconds * rate_hz } else { 0.0 },
            answered: view.main.track.points().len().saturating_sub(self.counts.answered_before),
            painted: self.counts.painted.len(),
            redraws: self.counts.redraws,
            cores: cpu_s().zip(self.counts.cpu_s).map(|(now, before)| (now - before) / seconds),
        };
        self.done.lock().unwrap_or_else(PoisonError::into_inner).phases.push(phase);
        self.phase += 1;
        self.begun = None;
        let name = PHASES.get(self.phase).copied();
        let flag = |name: &'static str, value: bool| {
            ctx.data_mut(|data| data.insert_temp(egui::Id::unique(name), value));
        };
        flag("dragging", name == Some("slider dragged"));
        match name {
            Some("paused") => {
                flag("drag is over", true);
                self.window.perform(ctx, Command::TogglePlay);
            }
            Some(_) => {}
            None => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
        ctx.request_repaint();
    }
}

/// Processor time of all threads of this program in seconds.
fn cpu_s() -> Option<f64> {
    /// What Linux counts processor time in, on every machine.
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in brackets, may hold blanks.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}
