//! The raster: one row a unit, one column a frame, a mark where a delta was sent.

use egui::{Align2, Color32, FontId, Rect, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2};

use super::{Panel, savings};
use crate::text;
use crate::window::command::Command;
use crate::window::sent::SentRing;
use crate::window::textures::Textures;
use crate::window::theme::{self, Palette};

/// The whole card.
pub fn show(ui: &mut Ui, panel: &mut Panel) {
    theme::card(ui).show(ui, |ui| {
        let colours = Palette::current(ui);
        ui.horizontal(|ui| {
            ui.label(RichText::new("What was sent").strong());
            ui.label(RichText::new("+ rose").small().color(colours.rise));
            ui.label(RichText::new("– fell").small().color(colours.fall));
            if let Some(words) = savings::sent_words(&panel.view.main) {
                ui.label(RichText::new(words).small().weak());
            }
        });
        let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Neuron raster"));
        ui.painter().rect_filled(rect, 4.0, colours.well);
        let ring = &panel.view.sent;
        let rows = (rect.height() * ui.pixels_per_point()).round().max(1.0) as usize;
        panel.textures.raster_rows.set(rows);
        if ring.units() == 0 || rect.height() < 8.0 {
            return;
        }
        let raster = Raster { rect: Rect::from_min_max(pos2(rect.left() + 46.0, rect.top()), rect.max), ring };
        raster.paint(ui, panel.textures);
        raster.names(ui, rect);
        if let Some(at) = response.hover_pos().filter(|at| raster.rect.contains(*at)) {
            raster.explain(ui, response.clone(), at, panel);
        }
        if let (true, Some(at)) = (response.clicked(), response.interact_pointer_pos())
            && let Some(index) = raster.frame_at(at.x)
        {
            panel.ask(Command::Seek(index));
        }
    });
}

struct Raster<'a> {
    rect: Rect,
    ring: &'a SentRing,
}

impl Raster<'_> {
    /// The texture is a ring: its older part, right of the newest column, is drawn first.
    fn paint(&self, ui: &Ui, textures: &Textures) {
        let Some(texture) = &textures.raster else { return };
        let capacity = self.ring.capacity();
        let seam = Textures::raster_column(self.ring, self.ring.pushed()) as f32 / capacity as f32;
        let split = self.rect.left() + (1.0 - seam) * self.rect.width();
        let older = Rect::from_min_max(self.rect.min, pos2(split, self.rect.bottom()));
        let newer = Rect::from_min_max(pos2(split, self.rect.top()), self.rect.max);
        let part = |from: f32, to: f32| Rect::from_min_max(pos2(from, 0.0), pos2(to, 1.0));
        ui.painter().image(texture.id(), older, part(seam, 1.0), Color32::WHITE);
        ui.painter().image(texture.id(), newer, part(0.0, seam), Color32::WHITE);
    }

    /// Names of the two groups and the line between them.
    fn names(&self, ui: &Ui, whole: Rect) {
        let colours = Palette::current(ui);
        let border = self.rect.top() + self.rect.height() * self.ring.inputs() as f32 / self.ring.units() as f32;
        ui.painter().hline(whole.x_range(), border, Stroke::new(1.0, colours.edge));
        let font = FontId::proportional(11.0);
        for (top, bottom, name, count) in [
            (self.rect.top(), border, "inputs", self.ring.inputs()),
            (border, self.rect.bottom(), "hidden", self.ring.units() - self.ring.inputs()),
        ] {
            let middle = pos2(whole.left() + 5.0, 0.5 * (top + bottom));
            if bottom - top >= 26.0 {
                ui.painter().text(middle, Align2::LEFT_BOTTOM, name, font.clone(), colours.weak);
                ui.painter().text(middle, Align2::LEFT_TOP, count.to_string(), font.clone(), colours.weak);
            }
        }
    }

    fn column_at(&self, x: f32) -> Option<usize> {
        let share = (x - self.rect.left()) / self.rect.width();
        let place = (share * self.ring.capacity() as f32) as usize;
        // Columns are flush right: the newest stands at the right edge.
        place.checked_sub(self.ring.capacity() - self.ring.columns().len())
    }

    fn frame_at(&self, x: f32) -> Option<usize> {
        Some(self.ring.columns().get(self.column_at(x)?)?.index)
    }

    fn explain(&self, ui: &Ui, response: egui::Response, at: egui::Pos2, panel: &Panel) {
        let colours = Palette::current(ui);
        let share = ((at.y - self.rect.top()) / self.rect.height()).clamp(0.0, 0.9999);
        let unit = (share * self.ring.units() as f32) as usize;
        ui.painter().hline(self.rect.x_range(), at.y, Stroke::new(1.0, colours.weak.gamma_multiply(0.5)));
        let rate = text::percent(self.ring.rate(unit));
        let frame = self
            .frame_at(at.x)
            .map_or(String::new(), |index| format!("\nframe {index} ({} s)", text::clock(panel.view.time_of(index))));
        let frames = self.ring.columns().len();
        let words = format!("{}\nsent in {rate} of the last {frames} frames{frame}", self.ring.name(unit));
        response.on_hover_text_at_pointer(words);
    }
}
