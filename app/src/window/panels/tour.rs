//! The tour: five captions in everyday words, each beside the part of the window that it speaks of.

use egui::{Area, Context, Frame, Id, LayerId, Order, Pos2, Rect, RichText, Stroke, StrokeKind, Vec2, pos2, vec2};

use super::Panel;
use super::savings::Whole;
use crate::text;
use crate::window::command::{Command, Lane};
use crate::window::layout::{self, Parts};
use crate::window::theme::Palette;
use crate::window::view::{Tour, View};

/// Captions of the tour.
pub const CAPTIONS: usize = 5;
/// Seconds for which a caption is shown: all of them within a minute of the drive.
pub const CAPTION_S: f64 = 11.0;
/// A caption lies on one of the corners of a grid of so many points.
const GRID: f32 = 12.0;

/// Whether the window has room for a caption: it would hide the whole of a stamp.
pub fn fits(ctx: &Context) -> bool {
    let content = ctx.content_rect();
    content.width() >= 480.0 && content.height() >= 320.0
}

/// Draws the caption that is shown, if one is.
pub fn show(ctx: &Context, panel: &mut Panel) {
    let Some(tour) = panel.view.tour.filter(|_| fits(ctx)) else { return };
    let colours = Palette::of(ctx.theme());
    let (content, parts) = (ctx.content_rect(), layout::parts(ctx));
    let (title, words, part) = caption(panel.view, tour.caption, &parts);
    // Large type where the lecture has it; a broad strip where there is little height.
    let scale = if panel.view.lecture { layout::lecture_scale(content.size()) } else { 1.0 };
    let width = if layout::is_compact(content.size()) { 720.0 } else { 360.0 * scale }.min(content.width() - 24.0);
    let id = Id::unique("tour");
    let height = ctx.memory(|memory| memory.area_rect(id)).map_or(190.0 * scale, |drawn| drawn.height());
    let corner = beside(part, vec2(width, height), &parts, content);
    if let Some(part) = part {
        let paint = ctx.layer_painter(LayerId::new(Order::Foreground, id.with("outline")));
        paint.rect_stroke(part.expand(2.0), 8.0, Stroke::new(3.0, colours.delta), StrokeKind::Outside);
    }
    Area::new(id).order(Order::Foreground).fixed_pos(corner).show(ctx, |ui| {
        let frame = Frame::popup(ui.style()).stroke(Stroke::new(2.0, colours.delta)).inner_margin(12.0 * scale);
        let card = frame.show(ui, |ui| {
            ui.set_width(width - 24.0 * scale - 4.0);
            ui.label(RichText::new(title).size(17.0 * scale).strong());
            ui.label(RichText::new(&words).size(14.0 * scale));
            buttons(ui, panel, tour, scale);
        });
        left(ui, card.response.rect, tour);
    });
}

fn buttons(ui: &mut egui::Ui, panel: &mut Panel, Tour { caption, held, .. }: Tour, scale: f32) {
    let sized = |words: &str, points: f32| RichText::new(words).size(points * scale);
    let last = caption + 1 == CAPTIONS;
    ui.horizontal(|ui| {
        ui.label(sized(&format!("{} of {CAPTIONS}", caption + 1), 13.0).weak());
        if caption > 0 && ui.button(sized("Back", 14.0)).clicked() {
            panel.ask(Command::ShowCaption(Some(caption - 1)));
        }
        if ui.button(sized(if last { "Done" } else { "Next" }, 14.0)).clicked() {
            panel.ask(Command::ShowCaption((!last).then_some(caption + 1)));
        }
        if !last && ui.button(sized("End the tour", 14.0)).on_hover_text("Key Esc").clicked() {
            panel.ask(Command::ShowCaption(None));
        }
        if held && !last {
            ui.label(sized("waits for Next", 13.0).weak());
        }
    });
}

/// A line at the card's lower edge: the time until the next caption.
fn left(ui: &egui::Ui, card: Rect, tour: Tour) {
    if tour.held || tour.caption + 1 == CAPTIONS {
        return;
    }
    let share = (1.0 - tour.shown_s / CAPTION_S).clamp(0.0, 1.0) as f32;
    let line = card.shrink2(vec2(8.0, 5.0));
    let ends = [line.left_bottom(), pos2(line.left() + share * line.width(), line.bottom())];
    ui.painter().line_segment(ends, Stroke::new(2.0, Palette::current(ui).delta));
}

/// Heading, words with the figures of now, and the part of the window that they speak of.
fn caption(view: &View, step: usize, parts: &Parts) -> (&'static str, String, Option<Rect>) {
    match step {
        0 => (
            "A computer steers",
            "From each picture of a camera behind the windscreen it works out how far to turn the wheel. The orange path is where \
             it would drive. The green dashes are where the human driver went."
                .to_owned(),
            Some(parts.picture),
        ),
        1 => (
            "Does it steer well?",
            format!(
                "Orange is the computer's angle, green the driver's: the closer they lie, the better. The lower chart shows how \
                 far it is off.{}",
                degrees(view, Lane::Main).map_or(String::new(), |off| format!(" So far: {off:.1}° on average."))
            ),
            parts.angles,
        ),
        2 => (
            "Where work is saved",
            format!(
                "An ordinary network passes on every value for every picture, although little changes between two of them. This \
                 one passes on a value only when it has changed enough.{}",
                match parts.network {
                    Some(_) if view.lecture => " What lights up was computed, the rest was not.",
                    Some(_) => " Each mark is such a value; what is blank was not computed.",
                    None => "",
                }
            ),
            parts.network,
        ),
        3 => ("What is saved", saved(view), parts.savings),
        _ => (
            "What it costs",
            format!(
                "{} The more a value must change before it is passed on, the less work, and the worse the steering. Drag the dot \
                 or a slider: every figure is computed again.",
                cost(view)
            ),
            parts.thresholds,
        ),
    }
}

/// The steering error so far.
fn degrees(view: &View, lane: Lane) -> Option<f64> {
    Some(view.lane(lane)?.rmse_rad()?.to_degrees())
}

fn saved(view: &View) -> String {
    let work = &view.main.track.figures().work;
    let Some(whole) = Whole::of(view).filter(|_| work.macs > 0) else {
        return "Multiplications: nearly all work of a network consists of them.".to_owned();
    };
    format!(
        "{} fewer multiplications in the part that remembers (the RNN), over all pictures so far. Together with the part that \
         looks at the picture (the CNN), the whole network does {} less work.",
        text::times(work.macs_dense as f64, work.macs as f64),
        text::percent(whole.saved)
    )
}

fn cost(view: &View) -> String {
    let (Some(delta), Some(dense)) = (degrees(view, Lane::Main), degrees(view, Lane::Dense)) else {
        return "Accuracy of the steering.".to_owned();
    };
    // Of the figures as they are written, so that they agree.
    let (delta, dense) = ((10.0 * delta).round() / 10.0, (10.0 * dense).round() / 10.0);
    let costs = if delta > dense { format!("costs {:.1}°", delta - dense) } else { "costs nothing so far".to_owned() };
    format!("The saving {costs}: the steering is {delta:.1}° off on average, and {dense:.1}° without it.")
}

/// The corner of a card of `size` near the part it speaks of. It hides neither that part nor the headline nor the picture's
/// middle, where there is a place for it that does not; then it hides as little else as it can.
fn beside(part: Option<Rect>, size: Vec2, parts: &Parts, content: Rect) -> Pos2 {
    let inside = content.shrink(8.0);
    let most = (inside.max - size).max(inside.min);
    let kept = kept(part, parts);
    let others = [Some(parts.picture), parts.angles, parts.savings, parts.network, parts.thresholds, parts.transport];
    let near = part.unwrap_or(content).center();
    let hidden = |card: Rect, part: Rect| card.intersect(part).area().max(0.0);
    let cost = |corner: Pos2| {
        let card = Rect::from_min_size(corner, size);
        let bad: f32 = kept.into_iter().flatten().map(|part| hidden(card, part)).sum();
        let other: f32 = others.into_iter().flatten().map(|part| hidden(card, part)).sum();
        100.0 * bad + other + GRID * card.center().distance(near)
    };
    let steps = |from: f32, to: f32| {
        (0..=((to - from) / GRID).ceil() as usize).map(move |step| (from + GRID * step as f32).min(to))
    };
    let corners = steps(inside.left(), most.x).flat_map(|x| steps(inside.top(), most.y).map(move |y| pos2(x, y)));
    corners.min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(inside.min)
}

/// What a card never hides.
fn kept(part: Option<Rect>, parts: &Parts) -> [Option<Rect>; 3] {
    [part, parts.headline, Some(Rect::from_center_size(parts.picture.center(), 0.5 * parts.picture.size()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_hides_neither_its_part_nor_the_headline_nor_the_pictures_middle() {
        let rect = |x0, y0, x1, y1| Rect::from_min_max(pos2(x0, y0), pos2(x1, y1));
        let content = rect(0.0, 0.0, 1280.0, 720.0);
        let parts = Parts {
            headline: Some(rect(778.0, 44.0, 1262.0, 96.0)),
            transport: Some(rect(6.0, 598.0, 1274.0, 694.0)),
            angles: Some(rect(6.0, 393.0, 760.0, 594.0)),
            savings: Some(rect(767.0, 36.0, 1274.0, 236.0)),
            network: Some(rect(767.0, 500.0, 1274.0, 594.0)),
            thresholds: Some(rect(767.0, 244.0, 1274.0, 492.0)),
            ..Parts::only(rect(6.0, 36.0, 760.0, 386.0))
        };
        let size = vec2(360.0, 180.0);
        let own = [Some(parts.picture), parts.angles, parts.savings, parts.network, parts.thresholds, None];
        for part in own {
            let card = Rect::from_min_size(beside(part, size, &parts, content), size);
            assert!(content.contains_rect(card), "{card:?}");
            for kept in kept(part, &parts).into_iter().flatten() {
                assert!(!card.intersects(kept), "{card:?} {kept:?}");
            }
        }
    }
}
