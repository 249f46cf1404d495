//! The whole drive on one line: its steering, its gaps, what has been computed, the chosen range, and where we are.

use egui::{Align2, Color32, Rect, Response, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::Panel;
use crate::pipeline::FrameRange;
use crate::text;
use crate::window::command::Command;
use crate::window::theme::{self, Palette};
use crate::window::trained::part_at;
use crate::window::whatif::track::Point;

/// Draws the line and reads the mouse: drag to seek, shift-drag to choose a range.
pub fn show(ui: &mut Ui, panel: &mut Panel, height: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
    let line = Timeline { rect, duration_s: panel.view.duration_s().max(1e-6) };
    let time = panel.view.shown.as_ref().map_or(0.0, |frame| frame.time_s);
    response.widget_info(|| WidgetInfo {
        value: Some(time),
        ..WidgetInfo::labeled(Role::Slider, ui.is_enabled(), "Timeline")
    });
    if panel.view.drive.is_none() {
        ui.painter().rect_filled(rect, 5.0, Palette::current(ui).well);
        return;
    }
    line.paint(ui, panel);
    line.handle(ui, &response, panel);
    line.hover(ui, &response, panel);
}

struct Timeline {
    rect: Rect,
    duration_s: f64,
}

impl Timeline {
    fn x(&self, time_s: f64) -> f32 {
        self.rect.left() + (time_s / self.duration_s).clamp(0.0, 1.0) as f32 * self.rect.width()
    }

    fn time(&self, x: f32) -> f64 {
        f64::from(((x - self.rect.left()) / self.rect.width().max(1.0)).clamp(0.0, 1.0)) * self.duration_s
    }

    fn paint(&self, ui: &Ui, panel: &Panel) {
        let colours = Palette::current(ui);
        let paint = ui.painter().with_clip_rect(self.rect);
        paint.rect_filled(self.rect, 5.0, colours.well);
        let view = panel.view;
        if let Some(range) = view.range {
            let area = self.stretch(view.time_of(range.first), view.time_of(range.end.saturating_sub(1)));
            paint.rect_filled(area, 0.0, colours.dense.gamma_multiply(0.25));
            for x in [area.left(), area.right()] {
                paint.vline(x, self.rect.y_range(), Stroke::new(2.0, colours.dense));
            }
        }
        for part in &view.trained {
            let area = self.stretch(part.from_s, part.to_s.min(self.duration_s));
            hatch(&paint, area, colours.weak.gamma_multiply(if part.chosen { 0.20 } else { 0.40 }));
        }
        self.steering(&paint, panel, colours.truth);
        self.errors(&paint, panel, colours.warning);
        self.gaps(&paint, panel, colours.warning);
        self.computed(&paint, panel, colours.delta);
        if let Some(target) = view.jumping_to {
            let x = self.x(view.time_of(target));
            paint.vline(x, self.rect.y_range(), Stroke::new(1.5, colours.delta.gamma_multiply(0.5)));
        }
        if let Some(frame) = &view.shown {
            let x = self.x(frame.time_s);
            paint.vline(x, self.rect.y_range(), Stroke::new(2.0, colours.delta));
            paint.circle_filled(pos2(x, self.rect.top() + 4.0), 4.0, colours.delta);
        }
        paint.rect_stroke(self.rect, 5.0, Stroke::new(1.0, colours.edge), egui::StrokeKind::Inside);
    }

    fn stretch(&self, from_s: f64, to_s: f64) -> Rect {
        Rect::from_x_y_ranges(self.x(from_s)..=self.x(to_s).max(self.x(from_s) + 2.0), self.rect.y_range())
    }

    /// The driver's angle, left upward: lowest and highest of each pixel column.
    fn steering(&self, paint: &egui::Painter, panel: &Panel, colour: Color32) {
        let Some(drive) = &panel.view.drive else { return };
        let known = drive.steering_true_rad.iter().flatten();
        let most = known.fold(0.05_f32, |most, angle| most.max(angle.abs()));
        let columns = self.rect.width().ceil() as usize + 1;
        let mut spans = vec![[f32::MAX, f32::MIN]; columns];
        let mut before: Option<(usize, f32)> = None;
        for (index, (time_s, angle)) in drive.times_s.iter().zip(&drive.steering_true_rad).enumerate() {
            let Some(angle) = *angle else {
                before = None;
                continue;
            };
            let column = ((self.x(*time_s) - self.rect.left()) as usize).min(columns - 1);
            // Where a drive is short, several columns lie between two frames.
            let (from, start) = before.filter(|(from, _)| *from < column).unwrap_or((column, angle));
            for between in from..=column {
                let share = (between - from) as f32 / (column - from).max(1) as f32;
                let value = if between == column { angle } else { start + share * (angle - start) };
                spans[between] = [spans[between][0].min(value), spans[between][1].max(value)];
            }
            let gap = drive.gaps.iter().any(|gap| gap.after_index == index);
            before = (!gap).then_some((column, angle));
        }
        let (middle, half) = (self.rect.center().y, 0.42 * self.rect.height());
        paint.hline(self.rect.x_range(), middle, Stroke::new(1.0, colour.gamma_multiply(0.25)));
        for (column, [low, high]) in spans.into_iter().enumerate().filter(|(_, span)| span[0] <= span[1]) {
            let x = self.rect.left() + column as f32 + 0.5;
            let (top, bottom) = (middle - half * high.max(0.0) / most, middle - half * low.min(0.0) / most);
            paint.vline(x, top..=bottom, Stroke::new(1.0, colour.gamma_multiply(0.35)));
            let (top, bottom) = (middle - half * high / most, middle - half * low / most);
            paint.vline(x, top - 0.7..=bottom + 0.7, Stroke::new(1.0, colour.gamma_multiply(0.9)));
        }
    }

    /// A strip along the top: the largest error of each pixel column, and a tick for each of the worst places.
    fn errors(&self, paint: &egui::Painter, panel: &Panel, colour: Color32) {
        let height = (0.30 * self.rect.height()).min(14.0);
        let column = |time_s: f64| (self.x(time_s) - self.rect.left()) as u32;
        let worst = panel.view.hotspots.first().and_then(Point::error_rad).map_or(0.0, f32::abs);
        let most = worst.max(5.0_f32.to_radians());
        for run in panel.view.main.track.points().chunk_by(|a, b| column(a.time_s) == column(b.time_s)) {
            let error = run.iter().filter_map(Point::error_rad).fold(0.0_f32, |most, error| most.max(error.abs()));
            let share = (error / most).min(1.0);
            if share > 0.15 {
                let (x, top) = (self.x(run[0].time_s), self.rect.top());
                paint.vline(
                    x,
                    top..=top + share * height,
                    Stroke::new(1.0, colour.gamma_multiply(0.35 + 0.65 * share)),
                );
            }
        }
        for place in &panel.view.hotspots {
            paint.circle_filled(pos2(self.x(place.time_s), self.rect.top() + height + 3.0), 1.8, colour);
        }
    }

    fn gaps(&self, paint: &egui::Painter, panel: &Panel, colour: Color32) {
        let Some(drive) = &panel.view.drive else { return };
        for gap in &drive.gaps {
            let from = panel.view.time_of(gap.after_index);
            let area = self.stretch(from, from + gap.seconds);
            paint.rect_filled(area, 0.0, colour.gamma_multiply(0.30));
            paint.vline(area.left(), self.rect.y_range(), Stroke::new(1.0, colour));
        }
    }

    /// A strip along the bottom under every stretch that has been answered; thinner where the RNN was only warmed up.
    fn computed(&self, paint: &egui::Painter, panel: &Panel, colour: Color32) {
        for run in panel.view.main.track.unbroken().flat_map(|run| run.chunk_by(|a, b| a.exact == b.exact)) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let mut area = self.stretch(first.time_s, last.time_s);
            area.min.y = self.rect.bottom() - if first.exact { 3.0 } else { 1.0 };
            paint.rect_filled(area, 0.0, colour.gamma_multiply(0.8));
        }
    }

    fn handle(&self, ui: &Ui, response: &Response, panel: &mut Panel) {
        let anchor = response.id.with("range from");
        if response.drag_started() && ui.input(|input| input.modifiers.shift) {
            let from = response.interact_pointer_pos().map_or(0.0, |at| self.time(at.x));
            ui.ctx().data_mut(|data| data.insert_temp(anchor, from));
        }
        let choosing: Option<f64> = ui.ctx().data(|data| data.get_temp(anchor));
        if let Some(at) = response.interact_pointer_pos() {
            let index = panel.view.index_at(self.time(at.x));
            match choosing {
                Some(from) => {
                    let other = panel.view.index_at(from);
                    let range = FrameRange { first: index.min(other), end: index.max(other) + 1 };
                    panel.ask(Command::SetRange(Some(range)));
                }
                None if response.clicked() || response.dragged() => {
                    let already = panel.view.jumping_to == Some(index)
                        || (panel.view.jumping_to.is_none() && panel.view.index() == index);
                    if !already {
                        panel.ask(Command::Seek(index));
                    }
                }
                None => {}
            }
        }
        if response.drag_stopped() {
            ui.ctx().data_mut(|data| data.remove::<f64>(anchor));
        }
    }

    /// The number of the worst place whose dot lies at `x`.
    fn near_worst(&self, panel: &Panel, x: f32) -> Option<usize> {
        panel.view.hotspots.iter().position(|place| (self.x(place.time_s) - x).abs() <= 3.0).map(|place| place + 1)
    }

    fn hover(&self, ui: &Ui, response: &Response, panel: &Panel) {
        let Some(at) = response.hover_pos() else { return };
        let colours = Palette::current(ui);
        let index = panel.view.index_at(self.time(at.x));
        let truth = panel.view.drive.as_ref().and_then(|drive| drive.steering_true_rad.get(index).copied().flatten());
        let angle = truth.map_or(String::new(), |rad| format!("   {}", text::steering(rad)));
        let time_s = panel.view.time_of(index);
        let error = panel.view.main.answer(index).and_then(Point::error_rad);
        let error = error.map_or(String::new(), |rad| format!("   off by {:.1}°", rad.abs().to_degrees()));
        let trained = part_at(&panel.view.trained, time_s).map_or(String::new(), |part| format!("   {}", part.words()));
        let words = format!("{} s   frame {index}{angle}{error}{trained}", text::clock(time_s));
        let words = match self.near_worst(panel, at.x) {
            Some(place) => format!(
                "{words}\n● one of the worst places: key N goes to the next, key W lists them (this: no. {place})"
            ),
            None if error.is_empty() => words,
            None => format!("{words}\nred: error of the steering; ● the worst places"),
        };
        ui.painter().vline(at.x, self.rect.y_range(), Stroke::new(1.0, colours.weak));
        let left = at.x > self.rect.center().x;
        let (anchor, shift) = if left { (Align2::RIGHT_TOP, -6.0) } else { (Align2::LEFT_TOP, 6.0) };
        let corner = pos2(at.x + shift, self.rect.top() + 3.0);
        let galley = ui.painter().layout_no_wrap(words, theme::small(ui), colours.text);
        let plate = anchor.anchor_size(corner, galley.size());
        ui.painter().rect_filled(plate.expand(3.0), 3.0, colours.ground);
        ui.painter().galley(plate.min, galley, colours.text);
    }
}

/// What the marks on the line mean, where there is room for it in the row below.
pub fn legend(ui: &mut Ui, panel: &Panel) {
    let (colours, font, view) = (Palette::current(ui), theme::small(ui), panel.view);
    let Some(drive) = view.drive.as_ref().filter(|drive| !drive.live) else { return };
    let mut entries = vec![("▬ computed", colours.delta)];
    if drive.steering_true_rad.iter().any(Option::is_some) {
        let known =
            [("▬ driver's angle", colours.truth), ("▮ error", colours.warning), ("● worst places", colours.warning)];
        entries.extend(known);
    }
    if !view.trained.is_empty() {
        entries.push(("/// training data", colours.weak));
    }
    let galley = |words: &str, ink| ui.painter().layout_no_wrap(words.to_owned(), font.clone(), ink);
    let width: f32 = entries.iter().map(|(words, ink)| galley(words, *ink).size().x + 10.0).sum();
    let free = ui.available_size_before_wrap().x - width;
    if free < 8.0 {
        return;
    }
    ui.add_space(free);
    for (words, ink) in entries {
        ui.add_space(8.0);
        ui.label(RichText::new(words).font(font.clone()).color(ink));
    }
}

/// Slanting lines: not to be taken for a curve.
fn hatch(paint: &egui::Painter, area: Rect, colour: Color32) {
    let clipped = paint.with_clip_rect(area.intersect(paint.clip_rect()));
    let (mut x, height) = (area.left() - area.height(), area.height());
    while x < area.right() {
        clipped.line_segment([pos2(x, area.bottom()), pos2(x + height, area.top())], Stroke::new(1.0, colour));
        x += 7.0;
    }
}
