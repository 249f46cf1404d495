//! The raster: one row a unit, one column a frame, a mark where a delta was sent.

use egui::{Align2, Color32, FontId, Rect, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2};

use super::{Panel, glossary, savings};
use crate::text;
use crate::window::command::Command;
use crate::window::textures::RASTER_FRAMES;
use crate::window::theme::{self, Palette};
use crate::window::view::{LaneView, ModelFacts};
use crate::window::whatif::track::Point;

/// The whole card.
pub fn show(ui: &mut Ui, panel: &mut Panel) {
    theme::card(ui).show(ui, |ui| {
        let colours = Palette::current(ui);
        ui.horizontal(|ui| {
            glossary::explain(ui.label(RichText::new("What was sent").strong()), &["delta RNN", "column"]);
            ui.label(RichText::new("+ rose").small().color(colours.rise));
            ui.label(RichText::new("– fell").small().color(colours.fall));
            if let Some(words) = savings::sent_words(panel) {
                ui.label(RichText::new(words).small().weak());
            }
        });
        let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Neuron raster"));
        ui.painter().rect_filled(rect, 4.0, colours.well);
        let rows = (rect.height() * ui.pixels_per_point()).round().max(1.0) as usize;
        panel.textures.raster_rows.set(rows);
        let (view, lane) = (panel.view, &panel.view.main);
        let Some(model) = lane.model.as_ref().filter(|_| rect.height() >= 8.0) else { return };
        let points = lane.track.up_to(view.index(), RASTER_FRAMES);
        let raster = Raster { rect: Rect::from_min_max(pos2(rect.left() + 46.0, rect.top()), rect.max), model, points };
        if let Some(texture) = &panel.textures.raster {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            ui.painter().image(texture.id(), raster.rect, whole, Color32::WHITE);
        }
        raster.names(ui, rect);
        if let Some(at) = response.hover_pos().filter(|at| raster.rect.contains(*at)) {
            raster.explain(ui, response.clone(), at, lane);
        }
        if let (true, Some(at)) = (response.clicked(), response.interact_pointer_pos())
            && let Some(point) = raster.point_at(at.x)
        {
            panel.ask(Command::Seek(point.index));
        }
    });
}

struct Raster<'a> {
    rect: Rect,
    model: &'a ModelFacts,
    points: &'a [Point],
}

impl Raster<'_> {
    /// Names of the two groups and the line between them.
    fn names(&self, ui: &Ui, whole: Rect) {
        let colours = Palette::current(ui);
        let units = (self.model.inputs + self.model.hidden).max(1);
        let border = self.rect.top() + self.rect.height() * self.model.inputs as f32 / units as f32;
        ui.painter().hline(whole.x_range(), border, Stroke::new(1.0, colours.edge));
        let font = FontId::proportional(11.0);
        for (top, bottom, name, count) in [
            (self.rect.top(), border, "inputs", self.model.inputs),
            (border, self.rect.bottom(), "hidden", self.model.hidden),
        ] {
            let middle = pos2(whole.left() + 5.0, 0.5 * (top + bottom));
            if bottom - top >= 26.0 {
                ui.painter().text(middle, Align2::LEFT_BOTTOM, name, font.clone(), colours.weak);
                ui.painter().text(middle, Align2::LEFT_TOP, count.to_string(), font.clone(), colours.weak);
            }
        }
    }

    /// Columns are flush right: the frame that is shown stands at the right edge.
    fn point_at(&self, x: f32) -> Option<&Point> {
        let place = ((x - self.rect.left()) / self.rect.width() * RASTER_FRAMES as f32) as usize;
        self.points.get(place.checked_sub(RASTER_FRAMES - self.points.len())?)
    }

    fn explain(&self, ui: &Ui, response: egui::Response, at: egui::Pos2, lane: &LaneView) {
        let colours = Palette::current(ui);
        let share = ((at.y - self.rect.top()) / self.rect.height()).clamp(0.0, 0.9999);
        let unit = (share * (self.model.inputs + self.model.hidden) as f32) as usize;
        ui.painter().hline(self.rect.x_range(), at.y, Stroke::new(1.0, colours.weak.gamma_multiply(0.5)));
        let sent = |point: &&Point| lane.track.marks(point).iter().any(|mark| mark.unit() == unit);
        let rate = self.points.iter().filter(sent).count() as f64 / self.points.len().max(1) as f64;
        let frame = self.point_at(at.x);
        let frame = frame.map_or(String::new(), |p| format!("\nframe {} ({} s)", p.index, text::clock(p.time_s)));
        let (name, frames) = (self.model.unit_name(unit), self.points.len());
        response.on_hover_text_at_pointer(format!(
            "{name}\nsent in {} of the last {frames} frames{frame}",
            text::percent(rate)
        ));
    }
}
