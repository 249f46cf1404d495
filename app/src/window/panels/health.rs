//! How the program fares: one line at the bottom, the details in a window of their own.

use egui::{RichText, Ui};

use super::Panel;
use crate::text;
use crate::window::command::Command;
use crate::window::theme::Palette;
use crate::window::view::View;

/// What is wrong, in plain words, what is wrong right now first; empty if nothing is.
pub fn troubles(view: &View) -> Vec<String> {
    let mut troubles = Vec::new();
    if view.stopped {
        troubles.push("Stopped: open a drive or a model to go on.".to_owned());
    }
    let Some(frame) = &view.shown else { return troubles };
    if let Some(silent_s) = view.stale_s() {
        let words = if view.live.words.is_empty() { String::new() } else { format!(" {}.", view.live.words) };
        troubles.push(format!("No new frame for {silent_s:.0} s: picture and angle are old.{words}"));
    }
    if frame.skipped > 0 {
        troubles.push(format!("{} frames could not be read and were skipped.", frame.skipped));
    }
    if frame.dropped > 0 {
        troubles.push(format!("{} live frames were dropped because newer ones had come.", frame.dropped));
    }
    if view.refused > 0 {
        troubles.push(format!("{} frames had features that are not finite; the RNN refused them.", view.refused));
    }
    if let Some(needed) = slow(view) {
        troubles.push(needed);
    }
    troubles
}

/// Frames come slower than the chosen pace asks for.
fn slow(view: &View) -> Option<String> {
    let crate::pipeline::Pace::Times(factor) = view.pace else { return None };
    // A feed's own rate is not to be trusted; what is lost there is counted as dropped.
    if view.is_live() {
        return None;
    }
    let wanted = factor * view.drive.as_ref()?.rate_hz as f32;
    let slow = view.playing && view.frames_per_second > 0.0 && view.frames_per_second < 0.85 * wanted;
    slow.then(|| {
        format!("{:.0} of {wanted:.0} frames a second: this machine is too slow for that pace.", view.frames_per_second)
    })
}

/// The line at the bottom.
pub fn strip(ui: &mut Ui, panel: &mut Panel) {
    let colours = Palette::current(ui);
    ui.horizontal(|ui| {
        let troubles = troubles(panel.view);
        let (words, colour) = match troubles.as_slice() {
            [] => ("● Healthy".to_owned(), colours.truth),
            [only] => (format!("▲ {only}"), colours.warning),
            [first, rest @ ..] => (format!("▲ {first} (and {} more)", rest.len()), colours.warning),
        };
        let label = format!("Health: {words}");
        let button = egui::Button::new(RichText::new(words).small().color(colour)).frame(false);
        let button = ui.add(button).on_hover_text("Details. Key H");
        button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
        if button.clicked() {
            panel.ask(Command::ToggleHealth);
        }
        ui.label(RichText::new(summary(panel.view)).small().weak());
    });
}

/// Rates and times in one line.
fn summary(view: &View) -> String {
    let Some(frame) = &view.shown else { return String::new() };
    let step = |step_us: Option<f64>| step_us.map_or("–".to_owned(), text::micros);
    let delay = view.live.delay_s.filter(|_| view.is_live());
    let delay = delay.map_or(String::new(), |delay_s| format!("delay {} · ", text::micros(1e6 * delay_s)));
    format!(
        "{delay}{:.0} frames/s · decode {} · CNN {} · RNN {} (dense {}) · {} skipped · {} dropped · {:.0} redraws/s",
        if view.playing { view.frames_per_second } else { 0.0 },
        text::micros(f64::from(frame.decode_us)),
        text::micros(f64::from(frame.cnn_us)),
        step(view.main.step_us),
        step(view.dense.step_us),
        frame.skipped,
        frame.dropped,
        view.redraws_per_second,
    )
}

/// The details.
pub fn details(ui: &mut Ui, panel: &Panel) {
    let view = panel.view;
    for trouble in troubles(view) {
        ui.colored_label(Palette::current(ui).warning, format!("▲ {trouble}"));
    }
    let Some(frame) = &view.shown else {
        ui.label("No frame yet.");
        return;
    };
    let step = |step_us: Option<f64>| step_us.map_or("–".to_owned(), text::micros);
    let (kept, limit) = view.kept_bytes;
    let delay = view.live.delay_s.filter(|_| view.is_live());
    let delay = delay.map_or("–".to_owned(), |delay_s| text::micros(1e6 * delay_s));
    let rows = [
        ("Frames a second", format!("{:.1}", view.frames_per_second)),
        ("Redraws a second", format!("{:.1}", view.redraws_per_second)),
        ("Reading and decoding", text::micros(f64::from(frame.decode_us))),
        ("CNN", text::micros(f64::from(frame.cnn_us))),
        ("RNN, delta step", step(view.main.step_us)),
        ("RNN, dense step", step(view.dense.step_us)),
        ("Waiting for the CNN", frame.to_cnn.to_string()),
        ("Frames skipped", frame.skipped.to_string()),
        ("Live frames dropped", frame.dropped.to_string()),
        ("Delay from arrival to answer", delay),
        ("Frames answered", text::grouped(view.main.track.figures().work.steps)),
        ("Features kept", format!("{} of at most {}", text::bytes(kept as f64), text::bytes(limit as f64))),
    ];
    egui::Grid::new("health").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
        for (name, value) in rows {
            ui.label(name);
            ui.label(RichText::new(value).monospace());
            ui.end_row();
        }
    });
    if let Some(drive) = view.drive.as_ref().filter(|drive| !drive.notes.is_empty()) {
        ui.separator();
        ui.label(RichText::new("Found when the drive was opened").strong());
        for note in &drive.notes {
            ui.label(format!("• {note}"));
        }
    }
    let examples = view.ended.as_ref().map(|end| end.skipped.examples.as_slice()).unwrap_or_default();
    if !examples.is_empty() {
        ui.separator();
        ui.label(RichText::new("Skipped frames").strong());
        for example in examples {
            ui.label(format!("• {example}"));
        }
    }
}
