//! The lecture: the picture, the angles, both networks and one slider, in large type and everyday words.

use deltasteer_temporal::Thresholds;
use egui::{Rect, RichText, Slider, TextStyle, Ui, UiBuilder, pos2};

use super::{Panel, angles, glossary, network, picture, savings};
use crate::text;
use crate::window::command::{Command, Lane};
use crate::window::layout::{self, Parts};
use crate::window::theme::{self, Palette};
use crate::window::view::LaneView;

/// Space between cards.
const GAP: f32 = 8.0;
/// The slider's right end: so many times the model's own thresholds.
const MOST: f32 = 3.0;

/// Everything in the type of a talk.
pub fn enlarge(ui: &mut Ui, scale: f32) {
    for (style, points) in [
        (TextStyle::Small, 13.0),
        (TextStyle::Body, 17.0),
        (TextStyle::Button, 16.0),
        (TextStyle::Monospace, 15.0),
        (TextStyle::Heading, 24.0),
    ] {
        if let Some(font) = ui.style_mut().text_styles.get_mut(&style) {
            font.size = points * scale;
        }
    }
    ui.spacing_mut().interact_size.y = 24.0 * scale;
}

/// The row at the top: what the lecture is about, and how to leave it.
pub fn title(ui: &mut Ui, panel: &mut Panel) {
    let colours = Palette::current(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Δ").heading().color(colours.delta));
        ui.label(RichText::new("Steering with a fraction of the work").heading().strong());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            for (name, hint, command) in [
                ("Leave", "Back to the whole window. Key F5", Command::ToggleLecture),
                ("Full screen", "Key F11", Command::ToggleFullScreen),
                ("Tour", "Five captions in everyday words", Command::ShowCaption(Some(0))),
            ] {
                if ui.button(name).on_hover_text(hint).clicked() {
                    panel.ask(command);
                }
            }
        });
    });
}

/// The cards between title and timeline.
pub fn show(ui: &mut Ui, panel: &mut Panel, scale: f32) -> Parts {
    let room = ui.available_rect_before_wrap();
    let split = room.left() + 0.54 * room.width();
    let border = room.top() + 0.60 * room.height();
    let left = Rect::from_min_max(room.min, pos2(split - GAP, border - GAP));
    layout::place(ui, left, |ui| picture::show(ui, panel, false));
    let below = Rect::from_min_max(pos2(room.left(), border), pos2(split - GAP, room.bottom()));
    layout::place(ui, below, |ui| angles::show(ui, panel));
    let right = Rect::from_min_max(pos2(split, room.top()), room.max);
    let mut child = ui.new_child(UiBuilder::new().max_rect(right));
    child.shrink_clip_rect(right.expand(1.0));
    let saved = child.scope(|ui| headline(ui, panel, scale)).response.rect;
    child.add_space(GAP - child.spacing().item_spacing.y);
    // The slider's card is as high as its content was a redraw ago.
    let known = child.scope_id().with("slider's height");
    let height: f32 = child.data(|data| data.get_temp(known)).unwrap_or(90.0 * scale);
    let rest = child.available_rect_before_wrap();
    let drawn = Rect::from_min_max(rest.min, pos2(rest.right(), rest.bottom() - height - GAP));
    layout::place(&mut child, drawn, |ui| {
        theme::card(ui).show(ui, |ui| network::show(ui, panel));
    });
    let slid = Rect::from_min_max(pos2(rest.left(), drawn.bottom() + GAP), rest.max);
    let mut bottom = child.new_child(UiBuilder::new().max_rect(slid));
    let used = bottom.scope(|ui| slider(ui, panel)).response.rect.height();
    if (used - height).abs() > 0.5 {
        child.data_mut(|data| data.insert_temp(known, used));
        child.ctx().request_repaint();
    }
    Parts {
        headline: Some(saved),
        angles: Some(below),
        savings: Some(saved),
        network: Some(drawn),
        thresholds: Some(slid),
        ..Parts::only(left)
    }
}

/// What is saved, and what it costs.
fn headline(ui: &mut Ui, panel: &mut Panel, scale: f32) {
    let colours = Palette::current(ui);
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 2.0;
        let work = &panel.view.main.track.figures().work;
        let figure =
            if work.macs == 0 { "–".to_owned() } else { text::times(work.macs_dense as f64, work.macs as f64) };
        ui.horizontal(|ui| {
            ui.label(RichText::new(figure).font(theme::headline_font(58.0 * scale)).color(colours.delta));
            let words = RichText::new("fewer multiplications\nin the part that remembers (RNN)").strong();
            glossary::explain(ui.label(words), &["RNN", "MAC", "delta RNN"]);
        });
        let error = |lane: Lane| {
            let rad = panel.view.lane(lane).and_then(LaneView::rmse_rad);
            rad.map_or("–".to_owned(), |rad| format!("{:.1}°", rad.to_degrees()))
        };
        let words = format!(
            "Steering error: {}. The ordinary network: {}. {}.",
            error(Lane::Main),
            error(Lane::Dense),
            panel.view.main.over("pictures")
        );
        glossary::explain(ui.label(words), &["RMS", "driver", "dense RNN"]);
        savings::whole_network(ui, panel);
    });
}

/// Both thresholds at once, as a multiple of the model's own.
fn slider(ui: &mut Ui, panel: &mut Panel) {
    let Some(own) = panel.view.main.model.as_ref().map(|model| model.thresholds) else { return };
    // A model without thresholds of its own still has something to slide over.
    let unit = if own == Thresholds::ZERO { Thresholds { theta_x: 0.5, theta_h: 0.15 } } else { own };
    let now = panel.view.main.thresholds;
    let factor = if unit.theta_x > 0.0 { now.theta_x / unit.theta_x } else { now.theta_h / unit.theta_h.max(1e-6) };
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        let words = ui.label("How much must a value change before it is passed on?");
        glossary::explain(words, &["theta"]);
        let mut chosen = factor.min(MOST);
        ui.horizontal(|ui| {
            ui.label(RichText::new("not at all").small().weak());
            let font = TextStyle::Small.resolve(ui.style()).size;
            ui.spacing_mut().slider_width = (ui.available_width() - 5.5 * font).max(60.0);
            let slider = ui.add(Slider::new(&mut chosen, 0.0..=MOST).show_value(false));
            slider.widget_info(|| egui::WidgetInfo::slider(true, f64::from(factor), "Change needed"));
            ui.label(RichText::new("a lot").small().weak());
        });
        if chosen != factor.min(MOST) {
            let thresholds = Thresholds { theta_x: chosen * unit.theta_x, theta_h: chosen * unit.theta_h };
            panel.ask(Command::SetThresholds(Lane::Main, thresholds));
        }
    });
}
