//! The list of the worst places, and what may be on it.

use egui::{RichText, ScrollArea, Slider, Ui};

use super::Panel;
use crate::text;
use crate::window::command::Command;
use crate::window::theme::Palette;
use crate::window::trained::part_at;

/// Filters, then one row a place.
pub fn show(ui: &mut Ui, panel: &mut Panel) {
    let colours = Palette::current(ui);
    let view = panel.view;
    if view.main.track.figures().labelled == 0 {
        ui.label("No frame seen so far has a driver's angle to compare with.");
        return;
    }
    let mut filter = view.hot_filter;
    ui.add(Slider::new(&mut filter.least_angle_deg, 0.0..=90.0).suffix("°").text("driver's angle at least").integer());
    ui.add(Slider::new(&mut filter.least_error_deg, 0.0..=30.0).suffix("°").text("error at least").integer());
    ui.add_enabled(!view.trained.is_empty(), egui::Checkbox::new(&mut filter.unseen_only, "not in training data"));
    if filter != view.hot_filter {
        panel.ask(Command::FilterHotspots(filter));
    }
    ui.separator();
    if view.hotspots.is_empty() {
        ui.label("No frame seen so far passes these filters.");
        return;
    }
    ScrollArea::vertical().max_height(ui.ctx().content_rect().height() - 260.0).show(ui, |ui| {
        for (place, point) in view.hotspots.iter().enumerate() {
            let (Some(error), Some(truth)) = (point.error_rad(), point.truth_rad) else { continue };
            let trained = part_at(&view.trained, point.time_s);
            let words = format!(
                "#{}  {}  off by {:.1}°   driver {}, network {}{}",
                place + 1,
                text::clock(point.time_s),
                error.abs().to_degrees(),
                text::steering(truth),
                text::steering(point.steering_rad),
                if trained.is_some() { "  (training data)" } else { "" },
            );
            let colour = if trained.is_some() { colours.weak } else { colours.text };
            let row = ui.selectable_label(view.index() == point.index, RichText::new(words).color(colour));
            if row.on_hover_text(trained.map_or("Go there", |part| part.words())).clicked() {
                panel.ask(Command::Seek(point.index));
            }
        }
    });
}
