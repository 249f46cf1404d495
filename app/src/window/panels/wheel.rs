//! A steering wheel turned by an angle.

use egui::{Align2, Color32, FontId, Pos2, Stroke, Ui, Vec2, vec2};

use crate::text;
use crate::window::theme::{self, Palette};

/// The largest letters below a wheel.
fn largest(ui: &Ui) -> f32 {
    1.2 * theme::small(ui).size
}

/// Room for the two lines below a wheel.
fn caption_height(ui: &Ui) -> f32 {
    3.0 * largest(ui)
}

/// What a wheel shows.
#[derive(Clone, Copy)]
pub struct Reading {
    /// Positive to the left, as the driver sees it; `None` if it is not known.
    pub steering_rad: Option<f32>,
    /// The wheel's colour.
    pub colour: Color32,
    /// Whose angle it is.
    pub caption: &'static str,
    /// Whether the wheel glides from angle to angle. That asks for a redraw on every refresh of the screen, which is
    /// too much when frames are to come as fast as they can.
    pub glides: bool,
}

/// Draws a wheel with its centre at `centre`.
pub fn draw(ui: &Ui, centre: Pos2, radius: f32, reading: Reading) {
    let Reading { steering_rad, colour, caption, glides } = reading;
    let colours = Palette::current(ui);
    let paint = ui.painter();
    let ink = if steering_rad.is_some() { colour } else { colours.weak.gamma_multiply(0.5) };
    let shown = steering_rad.filter(|angle| angle.is_finite()).unwrap_or(0.0);
    let turned = ui.ctx().animate_value_with_time(
        ui.scope_id().with(("wheel", caption)),
        shown,
        if glides && steering_rad.is_some() { 0.08 } else { 0.0 },
    );
    // On screen y points down, so a turn to the left is a negative rotation.
    let direction = |angle: f32| -> Vec2 { vec2((angle - turned).sin(), -(angle - turned).cos()) };
    paint.circle_stroke(centre, radius, Stroke::new(0.17 * radius, ink.gamma_multiply(0.9)));
    let hub = 0.24 * radius;
    for spoke in [90.0_f32, 180.0, 270.0] {
        let way = direction(spoke.to_radians());
        paint.line_segment([centre + hub * way, centre + 0.93 * radius * way], Stroke::new(0.13 * radius, ink));
    }
    paint.circle_filled(centre, hub, ink);
    let top = direction(0.0);
    paint.line_segment(
        [centre + 0.90 * radius * top, centre + 1.10 * radius * top],
        Stroke::new(0.16 * radius, colours.ground),
    );
    let size = (0.30 * radius).min(largest(ui)).max(11.0);
    let angle = steering_rad.map_or_else(|| "–".to_owned(), text::steering);
    let below = centre + vec2(0.0, 1.1 * radius + 4.0);
    paint.text(below, Align2::CENTER_TOP, angle, FontId::proportional(1.15 * size), colours.text);
    paint.text(below + vec2(0.0, 1.35 * size), Align2::CENTER_TOP, caption, FontId::proportional(0.92 * size), ink);
}

/// Height that a wheel of this radius needs with its captions.
pub fn height(ui: &Ui, radius: f32) -> f32 {
    2.2 * radius + caption_height(ui)
}

/// The largest radius that fits into a height with its captions.
pub fn radius_for(ui: &Ui, height: f32) -> f32 {
    (height - caption_height(ui)) / 2.2
}
