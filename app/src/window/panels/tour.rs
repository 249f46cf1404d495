//! The tour: five captions in everyday words, each beside the part of the window that it speaks of.

use egui::{Area, Context, Frame, LayerId, Order, Pos2, Rect, RichText, Stroke, StrokeKind, Vec2, pos2, vec2};

use super::Panel;
use crate::text;
use crate::window::command::{Command, Lane};
use crate::window::layout::{self, Parts};
use crate::window::theme::Palette;
use crate::window::view::View;

/// Captions of the tour.
pub const CAPTIONS: usize = 5;

/// Draws the caption that is shown, if one is.
pub fn show(ctx: &Context, panel: &mut Panel) {
    let Some(step) = panel.view.caption else { return };
    let colours = Palette::of(ctx.theme());
    let parts = layout::parts(ctx);
    let (title, words, part) = caption(panel.view, step, &parts);
    let content = ctx.content_rect();
    // A card would hide the whole of a stamp.
    if content.width() < 480.0 || content.height() < 320.0 {
        return;
    }
    // Large type where the lecture has it.
    let scale = if panel.view.lecture { layout::lecture_scale(content.size()) } else { 1.0 };
    let size = vec2((340.0 * scale).min(content.width() - 24.0), 200.0 * scale);
    let corner = beside(part, size, content);
    if let Some(part) = part {
        let paint = ctx.layer_painter(LayerId::new(Order::Foreground, egui::Id::unique("tour's outline")));
        paint.rect_stroke(part.expand(2.0), 8.0, Stroke::new(3.0, colours.delta), StrokeKind::Outside);
    }
    Area::new(egui::Id::unique("tour")).order(Order::Foreground).fixed_pos(corner).show(ctx, |ui| {
        let frame = Frame::popup(ui.style()).stroke(Stroke::new(2.0, colours.delta)).inner_margin(12.0 * scale);
        frame.show(ui, |ui| {
            ui.set_width(size.x - 24.0 * scale);
            let sized = |words: &str, points: f32| RichText::new(words).size(points * scale);
            ui.label(sized(title, 17.0).strong());
            ui.label(sized(&words, 14.0));
            ui.horizontal(|ui| {
                ui.label(sized(&format!("{} of {CAPTIONS}", step + 1), 13.0).weak());
                if step > 0 && ui.button(sized("Back", 14.0)).clicked() {
                    panel.ask(Command::ShowCaption(Some(step - 1)));
                }
                let last = step + 1 == CAPTIONS;
                if ui.button(sized(if last { "Done" } else { "Next" }, 14.0)).clicked() {
                    panel.ask(Command::ShowCaption((!last).then_some(step + 1)));
                }
                if !last && ui.button(sized("End the tour", 14.0)).on_hover_text("Key Esc").clicked() {
                    panel.ask(Command::ShowCaption(None));
                }
            });
        });
    });
}

/// Heading, words with the figures of now, and the part of the window that they speak of.
fn caption(view: &View, step: usize, parts: &Parts) -> (&'static str, String, Option<Rect>) {
    match step {
        0 => (
            "A computer steers",
            "It gets each picture of a camera behind the windscreen and says how far to turn the steering wheel. The orange path is \
             where it would drive. The green dashes are where the human driver went."
                .to_owned(),
            Some(parts.picture),
        ),
        1 => (
            "Does it steer well?",
            format!(
                "The orange curve is the computer's angle, the green one the driver's. Where they lie on each other, it steers like \
                 the driver. The chart below shows how far it is off.{}",
                off(view)
            ),
            parts.angles,
        ),
        2 => (
            "Where work is saved",
            "The network consists of neurons. In an ordinary one every neuron reports its value for every picture, although little \
             changes from one picture to the next. Here a neuron reports only when its value has changed enough. What is dark was \
             not computed."
                .to_owned(),
            parts.network,
        ),
        3 => (
            "What is saved",
            format!(
                "{} in the part of the network that remembers (the RNN), over all pictures so far. The part that looks at the \
                 picture (the CNN) still does all of its work: the line below says what share that is.",
                saved(view)
            ),
            parts.savings,
        ),
        _ => (
            "What it costs",
            "The more a value must change before it is reported, the less work there is, and the worse the steering becomes. Drag \
             the dot, or a slider, and see both: every figure is computed again over the whole drive."
                .to_owned(),
            parts.thresholds,
        ),
    }
}

fn off(view: &View) -> String {
    let degrees = |lane: Lane| Some(view.lane(lane)?.track.figures().rmse_rad()?.to_degrees());
    match (degrees(Lane::Main), degrees(Lane::Dense)) {
        (Some(delta), Some(dense)) => {
            format!(" So far {delta:.1}° on average; a network that saves nothing is {dense:.1}° off.")
        }
        _ => String::new(),
    }
}

fn saved(view: &View) -> String {
    let work = &view.main.track.figures().work;
    match work.macs {
        0 => "Multiplications are saved".to_owned(),
        macs => format!("{} fewer multiplications", text::times(work.macs_dense as f64, macs as f64)),
    }
}

/// The corner of a card of `size` that hides the part it speaks of as little as possible.
fn beside(part: Option<Rect>, size: Vec2, content: Rect) -> Pos2 {
    let inside = content.shrink(8.0);
    let Some(part) = part else { return inside.center() - 0.5 * size };
    let places = [
        pos2(part.right() + 12.0, part.center().y - 0.5 * size.y),
        pos2(part.left() - 12.0 - size.x, part.center().y - 0.5 * size.y),
        pos2(part.center().x - 0.5 * size.x, part.top() - 12.0 - size.y),
        pos2(part.center().x - 0.5 * size.x, part.bottom() + 12.0),
    ];
    let most = (inside.max - size).max(inside.min);
    let kept = places.map(|corner| corner.clamp(inside.min, most));
    let hidden = |corner: &Pos2| Rect::from_min_size(*corner, size).intersect(part).area().max(0.0);
    kept.into_iter().min_by(|a, b| hidden(a).total_cmp(&hidden(b))).unwrap_or(inside.min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_stands_beside_its_part_and_inside_the_window() {
        let content = Rect::from_min_size(Pos2::ZERO, vec2(1280.0, 720.0));
        let size = vec2(340.0, 200.0);
        for part in [
            Rect::from_min_max(pos2(6.0, 40.0), pos2(760.0, 400.0)),
            Rect::from_min_max(pos2(770.0, 40.0), pos2(1274.0, 200.0)),
            Rect::from_min_max(pos2(6.0, 410.0), pos2(760.0, 600.0)),
        ] {
            let card = Rect::from_min_size(beside(Some(part), size, content), size);
            assert!(content.contains_rect(card), "{card:?}");
            assert!(!card.intersects(part), "{card:?} {part:?}");
        }
    }
}
