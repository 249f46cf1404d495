//! The models at hand: one to answer, one to compare with.

use egui::{RichText, ScrollArea, Ui};

use super::Panel;
use crate::text;
use crate::window::command::{Browse, Command, Lane};
use crate::window::models::{Card, misfit};
use crate::window::theme::Palette;

/// One entry for each folder.
pub fn show(ui: &mut Ui, panel: &mut Panel, cards: &[Card]) {
    let colours = Palette::current(ui);
    let source = panel.view.drive.as_ref().map(|drive| drive.name.clone()).unwrap_or_default();
    ScrollArea::vertical().max_height(ui.ctx().content_rect().height() - 170.0).show(ui, |ui| {
        for card in cards {
            ui.horizontal(|ui| {
                ui.label(RichText::new(&card.name).strong());
                let usable = card.facts.is_ok();
                let named = |lane: Lane| {
                    let model = panel.view.lane(lane).and_then(|view| view.model.as_ref());
                    model.is_some_and(|model| model.name == card.name)
                };
                for (lane, word, mark) in [(Lane::Main, "Use", "shown"), (Lane::Second, "Compare with", "second")] {
                    let label = format!("{word} {}", card.name);
                    let button = ui.add_enabled(usable, egui::Button::new(RichText::new(word).small()));
                    button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, usable, &label));
                    if button.clicked() {
                        panel.out.push(Command::OpenModel(lane, card.folder.clone()));
                    }
                    if named(lane) {
                        let colour = if lane == Lane::Main { colours.delta } else { colours.second };
                        ui.label(RichText::new(mark).small().color(colour));
                    }
                }
            });
            match &card.facts {
                Ok(facts) => {
                    let reached = facts.reached.map_or(String::new(), |(rmse_rad, savings)| {
                        let degrees = rmse_rad.to_degrees();
                        format!(" · validation: {degrees:.2}° at {} fewer operations", text::times(savings, 1.0))
                    });
                    let (x, h) = (facts.thresholds.theta_x, facts.thresholds.theta_h);
                    let words = format!("{} inputs, {} units, θx {x}, θh {h}{reached}", facts.inputs, facts.hidden);
                    ui.label(RichText::new(&facts.title).small());
                    let motion = if facts.remark.is_some() { " · with ego-motion" } else { "" };
                    let line = ui.label(RichText::new(format!("{words}{motion}")).small().weak());
                    if let Some(remark) = facts.remark {
                        line.on_hover_text(format!("It works {remark}."));
                    }
                    if let Some(words) = misfit(&facts.drives, &source) {
                        ui.label(RichText::new(format!("▲ It {words}.")).small().color(colours.warning));
                    }
                }
                Err(words) => {
                    ui.label(RichText::new(words).small().color(colours.warning));
                }
            }
            ui.add_space(6.0);
        }
    });
    if ui.button("Another model folder …").clicked() {
        panel.ask(Command::Browse(Browse::ModelFolder(Lane::Main)));
    }
}
