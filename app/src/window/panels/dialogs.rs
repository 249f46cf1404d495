//! What lies over the window: keys, health, opening by name, messages.

use egui::{Align2, Context, RichText, ScrollArea, vec2};

use super::{Panel, export, health, hotspots, models, tour};
use crate::window::command::{Browse, Command, Lane};
use crate::window::keys;
use crate::window::layout;
use crate::window::models::Card;
use crate::window::theme::Palette;

/// Which dialogs are open, and what is being typed.
#[derive(Debug, Default)]
pub struct Dialogs {
    /// The list of keys.
    pub help: bool,
    /// The health details.
    pub health: bool,
    /// The worst places.
    pub hotspots: bool,
    /// What to export.
    pub export: bool,
    /// The models at hand, while their list is shown.
    pub models: Option<Vec<Card>>,
    /// Opening by name.
    pub open: bool,
    /// The path or address being typed.
    typed: String,
    /// Its field is to have the keys.
    focus: bool,
}

impl Dialogs {
    /// Opens or closes opening by name; what is typed then goes into its field.
    pub fn toggle_open(&mut self) {
        self.open = !self.open;
        self.focus = self.open;
    }

    /// Closes what lies on top; false if nothing does.
    pub fn close_top(&mut self) -> bool {
        if self.models.take().is_some() {
            return true;
        }
        for open in [&mut self.help, &mut self.open, &mut self.export, &mut self.health, &mut self.hotspots] {
            if std::mem::take(open) {
                return true;
            }
        }
        false
    }

    /// Draws whatever is open.
    pub fn show(&mut self, ctx: &Context, panel: &mut Panel) {
        self.show_help(ctx, panel);
        self.show_health(ctx, panel);
        self.show_hotspots(ctx, panel);
        self.show_models(ctx, panel);
        self.show_export(ctx, panel);
        self.show_open(ctx, panel);
        tour::show(ctx, panel);
        notices(ctx, panel);
    }

    fn show_help(&mut self, ctx: &Context, panel: &mut Panel) {
        let mut tour = false;
        let room = ctx.content_rect().size();
        egui::Window::new("Keys")
            .open(&mut self.help)
            .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
            .collapsible(false)
            .resizable(false)
            .show(ctx, |ui| {
                ScrollArea::vertical().max_height(room.y - 90.0).show(ui, |ui| {
                    let bindings = keys::bindings();
                    let columns = ((room.x - 40.0) / 330.0).clamp(1.0, 3.0) as usize;
                    let rows = bindings.len().div_ceil(columns);
                    egui::Grid::new("keys").num_columns(2 * columns).spacing([12.0, 5.0]).show(ui, |ui| {
                        for row in 0..rows {
                            for column in 0..columns {
                                let Some(binding) = bindings.get(column * rows + row) else { continue };
                                ui.label(RichText::new(binding.shown).monospace().strong());
                                ui.label(binding.meaning);
                            }
                            ui.end_row();
                        }
                    });
                    ui.separator();
                    tour = ui.button("Tour: what the window shows, in five captions").clicked();
                    ui.label("Timeline: drag to seek, Shift-drag for a range. Charts: click to jump, drag to look around, scroll to zoom.");
                });
            });
        if tour {
            self.help = false;
            panel.ask(Command::ShowCaption(Some(0)));
        }
    }

    fn show_health(&mut self, ctx: &Context, panel: &Panel) {
        egui::Window::new("Health")
            .open(&mut self.health)
            .anchor(Align2::RIGHT_BOTTOM, vec2(-12.0, -36.0))
            .collapsible(false)
            .resizable(false)
            .show(ctx, |ui| {
                ScrollArea::vertical().max_height(420.0).show(ui, |ui| health::details(ui, panel));
            });
    }

    fn show_hotspots(&mut self, ctx: &Context, panel: &mut Panel) {
        egui::Window::new("Worst places")
            .open(&mut self.hotspots)
            .anchor(Align2::LEFT_BOTTOM, vec2(12.0, -130.0))
            .collapsible(false)
            .resizable(false)
            .show(ctx, |ui| hotspots::show(ui, panel));
    }

    fn show_export(&mut self, ctx: &Context, panel: &mut Panel) {
        egui::Window::new("Export")
            .open(&mut self.export)
            .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
            .collapsible(false)
            .resizable(false)
            .show(ctx, |ui| export::show(ui, panel));
    }

    fn show_models(&mut self, ctx: &Context, panel: &mut Panel) {
        let Some(cards) = &self.models else { return };
        let mut open = true;
        let asked = panel.out.len();
        egui::Window::new("Models")
            .open(&mut open)
            .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
            .collapsible(false)
            .resizable(false)
            .show(ctx, |ui| models::show(ui, panel, cards));
        if !open || panel.out.len() > asked {
            self.models = None;
        }
    }

    fn show_open(&mut self, ctx: &Context, panel: &mut Panel) {
        let mut open = self.open;
        let mut done = false;
        egui::Window::new("Open")
            .open(&mut open)
            .anchor(Align2::CENTER_CENTER, vec2(0.0, -40.0))
            .collapsible(false)
            .resizable(false)
            .show(ctx, |ui| {
                ui.set_width(460.0_f32.min(ctx.content_rect().width() - 60.0));
                let caption = ui.label("A folder, a file, road:7, camera:0 or an address");
                let field = egui::TextEdit::singleline(&mut self.typed).desired_width(f32::INFINITY);
                let response = ui.add(field).labelled_by(caption.id);
                if std::mem::take(&mut self.focus) {
                    response.request_focus();
                }
                let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
                ui.horizontal_wrapped(|ui| {
                    let named = !self.typed.trim().is_empty();
                    if (ui.add_enabled(named, egui::Button::new("Open as drive")).clicked() || entered) && named {
                        panel.ask(Command::OpenSource(self.typed.trim().to_owned()));
                        done = true;
                    }
                    if ui.add_enabled(named, egui::Button::new("Open as model")).clicked() {
                        panel.ask(Command::OpenModel(Lane::Main, self.typed.trim().into()));
                        done = true;
                    }
                    if ui.button("Browse folders …").clicked() {
                        panel.ask(Command::Browse(Browse::SourceFolder));
                        done = true;
                    }
                    if ui.button("Browse files …").clicked() {
                        panel.ask(Command::Browse(Browse::SourceFile));
                        done = true;
                    }
                });
                for recent in panel.settings.recent_sources.clone() {
                    if ui.link(&recent).clicked() {
                        panel.ask(Command::OpenSource(recent));
                        done = true;
                    }
                }
            });
        self.open = open && !done;
    }
}

/// Messages over the lower edge of the picture, newest below.
fn notices(ctx: &Context, panel: &mut Panel) {
    if panel.view.notices.is_empty() {
        return;
    }
    let picture = layout::parts(ctx).picture;
    let width = 520.0_f32.min(picture.width() - 24.0);
    let corner = picture.left_bottom() + vec2(10.0, -10.0);
    let area = egui::Area::new(egui::Id::unique("notices")).pivot(Align2::LEFT_BOTTOM).fixed_pos(corner);
    area.show(ctx, |ui| {
        ui.set_max_width(width);
        let colours = Palette::current(ui);
        let edge = if panel.view.notices.iter().any(|notice| notice.bad) { colours.warning } else { colours.dense };
        let frame = egui::Frame::popup(ui.style()).stroke(egui::Stroke::new(1.5, edge));
        frame.show(ui, |ui| {
            for notice in panel.view.notices.iter() {
                let sign = if notice.bad {
                    RichText::new("▲").color(colours.warning)
                } else {
                    RichText::new("●").color(colours.dense)
                };
                ui.horizontal_wrapped(|ui| {
                    ui.label(sign);
                    ui.label(&notice.text);
                });
            }
            if ui.small_button("Dismiss").clicked() {
                panel.ask(Command::DismissNotices);
            }
        });
    });
}
