//! The bar at the top: what is open, and the window's own switches.

use egui::{RichText, Ui};

use super::Panel;
use crate::text;
use crate::window::command::{Browse, Command};
use crate::window::theme::Palette;

/// The whole bar.
pub fn show(ui: &mut Ui, panel: &mut Panel) {
    let colours = Palette::current(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Δ").size(20.0).color(colours.delta));
        ui.label(RichText::new("deltasteer").size(16.0).strong());
        ui.add_space(6.0);
        source_menu(ui, panel);
        model_button(ui, panel);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let help = ui.button("?").on_hover_text("Keys. Key ?");
            help.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "Keys"));
            if help.clicked() {
                panel.ask(Command::ToggleHelp);
            }
            let (name, hint) =
                if panel.settings.dark { ("Light", "Light theme. Key T") } else { ("Dark", "Dark theme. Key T") };
            if ui.button(name).on_hover_text(hint).clicked() {
                panel.ask(Command::ToggleTheme);
            }
            let hint = "Large type and everyday words, for a talk. Key F5";
            if ui.button("Lecture").on_hover_text(hint).clicked() {
                panel.ask(Command::ToggleLecture);
            }
            facts(ui, panel);
        });
    });
}

/// A few words on the drive, where there is room.
fn facts(ui: &mut Ui, panel: &Panel) {
    let Some(drive) = &panel.view.drive else { return };
    let length = match drive.frame_count {
        Some(count) => format!("{} frames, {}", text::grouped(count as u64), text::clock(panel.view.duration_s())),
        None => format!("live, {:.0} frames/s", panel.view.frames_per_second),
    };
    let gaps = match drive.gaps.len() {
        0 => String::new(),
        1 => " · 1 gap".to_owned(),
        count => format!(" · {count} gaps"),
    };
    // A live feed's rate is measured: what it says of itself is often made up.
    let rate = if drive.live { String::new() } else { format!("{:.0} Hz · ", drive.rate_hz) };
    let words = format!("{} · {}×{} · {rate}{length}{gaps}", drive.format, drive.width, drive.height);
    if ui.available_width() > 340.0 {
        ui.label(RichText::new(words).small().weak());
    }
}

/// The last part of a path, or the whole name where it is none.
pub fn short(name: &str) -> &str {
    name.trim_end_matches('/').rsplit('/').next().filter(|last| !last.is_empty()).unwrap_or(name)
}

fn source_menu(ui: &mut Ui, panel: &mut Panel) {
    let name = panel.view.drive.as_ref().map_or("no drive", |drive| short(&drive.name)).to_owned();
    let menu = ui.menu_button(format!("Drive: {name} ▾"), |ui| {
        ui.set_min_width(240.0);
        if ui.button("Open folder …").clicked() {
            panel.ask(Command::Browse(Browse::SourceFolder));
        }
        if ui.button("Open file …").clicked() {
            panel.ask(Command::Browse(Browse::SourceFile));
        }
        if ui.button("Type a path or an address …").clicked() {
            panel.ask(Command::ToggleOpen);
        }
        if ui.button("Built-in road").clicked() {
            panel.ask(Command::OpenSource("road:1".to_owned()));
        }
        if !panel.settings.recent_sources.is_empty() {
            ui.separator();
            ui.label(RichText::new("Recent").small().weak());
        }
        for recent in panel.settings.recent_sources.clone() {
            if ui.button(short(&recent)).on_hover_text(&recent).clicked() {
                panel.ask(Command::OpenSource(recent));
            }
        }
    });
    menu.response.on_hover_text("Open another drive. Or drop a folder on the window. Key Ctrl+O");
}

fn model_button(ui: &mut Ui, panel: &mut Panel) {
    let model = panel.view.main.model.as_ref();
    let name = model.map_or("no model", |model| &model.name);
    let facts = model.map_or(String::new(), |model| format!("{} inputs, {} units. ", model.inputs, model.hidden));
    let remark = model.and_then(|model| model.remark).map_or(String::new(), |remark| format!("It works {remark}. "));
    let hint = format!("{facts}{remark}Choose another model, or one to compare with. Key G");
    if ui.button(format!("Model: {name} ▾")).on_hover_text(hint).clicked() {
        panel.ask(Command::ToggleModels);
    }
}
