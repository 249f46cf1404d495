//! What to export, and where to.

use egui::{Button, Checkbox, RichText, TextEdit, Ui};

use super::Panel;
use crate::text;
use crate::window::command::{Browse, Command};
use crate::window::export::Kind;

/// The formats, the folder and the button.
pub fn show(ui: &mut Ui, panel: &mut Panel) {
    let view = panel.view;
    let words = match (view.range, view.frame_count()) {
        (Some(range), _) => {
            let (from, to) = (view.time_of(range.first), view.time_of(range.end.saturating_sub(1)));
            format!("{} frames, {} to {}", range.end - range.first, text::clock(from), text::clock(to))
        }
        (None, Some(count)) => format!("the whole drive, {count} frames (choose a range with I and O)"),
        (None, None) => "a live feed is recorded, not exported".to_owned(),
    };
    ui.label(RichText::new(words).strong());
    ui.label(RichText::new("Run from the drive's start at the thresholds set now.").small().weak());
    for kind in Kind::ALL {
        let (name, meaning) = kind.words();
        let mut on = panel.settings.export_kinds.contains(&kind) && kind.is_available();
        ui.horizontal(|ui| {
            let hint = "This build has no OpenCV; build with --features opencv.";
            let checkbox =
                ui.add_enabled(kind.is_available(), Checkbox::new(&mut on, name)).on_disabled_hover_text(hint);
            if checkbox.changed() {
                panel.ask(Command::ToggleKind(kind));
            }
            ui.label(RichText::new(meaning).small().weak());
        });
    }
    ui.horizontal(|ui| {
        let caption = ui.label("Into folder");
        let mut folder = panel.settings.export_folder.display().to_string();
        if ui.add(TextEdit::singleline(&mut folder).desired_width(260.0)).labelled_by(caption.id).changed() {
            panel.ask(Command::SetExportFolder(folder.into()));
        }
        if ui.button("Browse …").clicked() {
            panel.ask(Command::Browse(Browse::ExportFolder));
        }
    });
    let ready = !panel.settings.export_kinds.is_empty() && view.frame_count().is_some() && view.export.is_none();
    if ui.add_enabled(ready, Button::new("Write the files")).clicked() {
        panel.ask(Command::Export);
    }
}
