//! The raster: one row a value that the RNN could take in, one column a frame, a mark where it was passed on.

use egui::{Align2, Color32, Rect, Response, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{Panel, glossary};
use crate::text;
use crate::window::command::Command;
use crate::window::textures::RASTER_FRAMES;
use crate::window::theme::{self, Palette};
use crate::window::view::{LaneView, ModelFacts};
use crate::window::whatif::Lane;
use crate::window::whatif::track::Point;

/// Width of a group's name over its letters' height.
const NAMES: f32 = 10.0;
/// Space between the two groups in points.
const GAP: f32 = 3.0;

/// The whole card.
pub fn show(ui: &mut Ui, panel: &mut Panel) {
    theme::card(ui).show(ui, |ui| {
        let colours = Palette::current(ui);
        ui.horizontal(|ui| {
            let words = ui.label(RichText::new("Values passed on to the RNN").strong());
            glossary::explain(words, &["RNN", "delta RNN", "column"]);
            ui.label(RichText::new("+ rose").small().color(colours.rise));
            ui.label(RichText::new("– fell").small().color(colours.fall));
            let blank = theme::fitting(ui, &["blank: not passed on".to_owned(), String::new()]);
            ui.label(RichText::new(blank).small().weak());
        });
        let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Neuron raster"));
        let (view, lane) = (panel.view, &panel.view.main);
        let Some(model) = lane.model.as_ref().filter(|_| rect.height() >= 8.0) else {
            ui.painter().rect_filled(rect, 4.0, colours.well);
            return;
        };
        let points = lane.track.up_to(view.index(), RASTER_FRAMES);
        let raster = Raster { groups: groups(ui, rect, model), model, points };
        let rows = raster.groups.each_ref().map(|group| {
            let pixels = (group.rect.height() * ui.pixels_per_point()).round() as usize;
            pixels.clamp(1, group.count.max(1))
        });
        panel.textures.raster_rows.set(rows);
        raster.paint(ui, panel, rows);
        if let Some(at) = response.hover_pos() {
            raster.explain(ui, response.clone(), at, lane);
        }
        if let (true, Some(at)) = (response.clicked(), response.interact_pointer_pos())
            && let Some(point) = raster.point_at(at.x)
        {
            panel.ask(Command::Seek(point.index));
        }
    });
}

/// The inputs or the hidden units.
struct Group {
    name: &'static str,
    /// Where the marks are.
    rect: Rect,
    first: usize,
    count: usize,
}

/// Both groups, one above the other. A group of few units keeps enough height to be seen.
fn groups(ui: &Ui, whole: Rect, model: &ModelFacts) -> [Group; 2] {
    let share = model.inputs as f32 / (model.inputs + model.hidden).max(1) as f32;
    let left = whole.left() + NAMES * theme::small(ui).size;
    let upper = share.clamp(0.42, 0.58) * (whole.height() - GAP);
    let rect = |top: f32, bottom: f32| Rect::from_min_max(pos2(left, top), pos2(whole.right(), bottom));
    let border = whole.top() + upper;
    let (inputs, hidden) = (rect(whole.top(), border), rect(border + GAP, whole.bottom()));
    [
        Group { name: "inputs", rect: inputs, first: 0, count: model.inputs },
        Group { name: "hidden state", rect: hidden, first: model.inputs, count: model.hidden },
    ]
}

struct Raster<'a> {
    groups: [Group; 2],
    model: &'a ModelFacts,
    points: &'a [Point],
}

impl Raster<'_> {
    /// The marks, and beside each group its name and what this frame passed on.
    fn paint(&self, ui: &Ui, panel: &Panel, rows: [usize; 2]) {
        let (colours, font) = (Palette::current(ui), theme::small(ui));
        let border = rows[0] as f32 / (rows[0] + rows[1]) as f32;
        let now = panel.view.answer(Lane::Main).map(|point| [point.count.columns_x, point.count.columns_h]);
        for (place, group) in self.groups.iter().enumerate() {
            ui.painter().rect_filled(group.rect, 3.0, colours.well);
            if let Some(texture) = &panel.textures.raster {
                let (top, bottom) = [(0.0, border), (border, 1.0)][place];
                let part = Rect::from_min_max(pos2(0.0, top), pos2(1.0, bottom));
                ui.painter().image(texture.id(), group.rect, part, Color32::WHITE);
            }
            let sent = now.map_or(String::new(), |sent| format!("{} of ", sent[place]));
            let words = format!("{}: {sent}{}", group.name, group.count);
            let at = group.rect.left_center() - vec2(NAMES * font.size, 0.0);
            ui.painter().text(at, Align2::LEFT_CENTER, words, font.clone(), colours.weak);
        }
    }

    /// Columns are flush right: the frame that is shown stands at the right edge.
    fn point_at(&self, x: f32) -> Option<&Point> {
        let rect = self.groups[0].rect;
        let place = ((x - rect.left()) / rect.width() * RASTER_FRAMES as f32) as usize;
        self.points.get(place.checked_sub(RASTER_FRAMES - self.points.len())?)
    }

    fn explain(&self, ui: &Ui, response: Response, at: egui::Pos2, lane: &LaneView) {
        let Some(group) = self.groups.iter().find(|group| group.rect.contains(at)) else { return };
        let colours = Palette::current(ui);
        let share = ((at.y - group.rect.top()) / group.rect.height()).clamp(0.0, 0.9999);
        let unit = group.first + (share * group.count as f32) as usize;
        ui.painter().hline(group.rect.x_range(), at.y, Stroke::new(1.0, colours.weak.gamma_multiply(0.5)));
        let sent = |point: &&Point| lane.track.marks(point).iter().any(|mark| mark.unit() == unit);
        let rate = self.points.iter().filter(sent).count() as f64 / self.points.len().max(1) as f64;
        let frame = self.point_at(at.x);
        let frame = frame.map_or(String::new(), |p| format!("\nframe {} ({} s)", p.index, text::clock(p.time_s)));
        let (name, frames) = (self.model.unit_name(unit), self.points.len());
        response.on_hover_text_at_pointer(format!(
            "{name}\npassed on in {} of the last {frames} frames{frame}",
            text::percent(rate)
        ));
    }
}
