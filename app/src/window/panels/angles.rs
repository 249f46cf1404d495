//! Angles over time and the error below them, in step with the video.

use egui::{Color32, Response, RichText, Ui, vec2};
use egui_plot::{GridMark, HLine, HoverPosition, Line, LineStyle, Plot, PlotPoints, PlotTransform, Span, VLine};

use super::Panel;
use crate::text;
use crate::window::command::Command;
use crate::window::theme::{self, Palette};
use crate::window::view::View;
use crate::window::whatif::track::{Point, Stretch, Track, thin};

/// Name of the time axis that all charts share.
pub const TIME_AXIS: &str = "time axis";
/// Seconds before and after the frame shown that a following chart covers.
const SPAN_S: [f64; 2] = [20.0, 4.0];

/// The stretch of time that following charts show.
pub fn visible_time(view: &View) -> [f64; 2] {
    let now = view.shown.as_ref().map_or(0.0, |frame| frame.time_s);
    let start = (now - SPAN_S[0]).max(0.0);
    [start, start + SPAN_S[0] + SPAN_S[1]]
}

/// The whole card.
pub fn show(ui: &mut Ui, panel: &mut Panel) {
    theme::card(ui).show(ui, |ui| {
        legend(ui, panel);
        let height = ui.available_height() - ui.spacing().item_spacing.y;
        let angles = (0.66 * height).max(30.0);
        angle_plot(ui, panel, angles);
        error_plot(ui, panel, (height - angles).max(20.0));
    });
}

/// Names of the curves with the root mean square of their error so far.
fn legend(ui: &mut Ui, panel: &mut Panel) {
    let colours = Palette::current(ui);
    let view = panel.view;
    let degrees = |track: &Track| {
        track.figures().rmse_rad().map_or(String::new(), |rad| format!(" · RMS {:.2}°", rad.to_degrees()))
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new("Steering wheel").strong());
        key(ui, colours.truth, "driver", false);
        key(ui, colours.delta, &format!("delta RNN{}", degrees(&view.main.track)), false);
        if let Some(second) = &view.second {
            key(ui, colours.second, &format!("second{}", degrees(&second.track)), false);
        }
        if panel.settings.dense {
            key(ui, colours.dense, &format!("dense RNN{}", degrees(&view.dense.track)), true);
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let hint = "Charts move with the frame. Drag or scroll a chart to look around; click it to jump. Key F";
            if ui.selectable_label(panel.settings.follow, "Follow").on_hover_text(hint).clicked() {
                panel.ask(Command::ToggleFollow);
            }
            let hint = "The dense RNN, same weights, beside the delta RNN: what is lost by sending less. Key D";
            if ui.selectable_label(panel.settings.dense, "Dense RNN").on_hover_text(hint).clicked() {
                panel.ask(Command::ToggleDense);
            }
        });
    });
}

fn key(ui: &mut Ui, colour: Color32, words: &str, dashed: bool) {
    let (rect, _) = ui.allocate_exact_size(vec2(16.0, 12.0), egui::Sense::hover());
    let line = [rect.left_center(), rect.right_center()];
    let stroke = egui::Stroke::new(2.2, colour);
    if dashed {
        ui.painter().extend(egui::Shape::dashed_line(&line, stroke, 4.0, 3.0));
    } else {
        ui.painter().line_segment(line, stroke);
    }
    ui.add_space(-4.0);
    ui.label(RichText::new(words).small());
}

/// A curve ready to be drawn.
struct Curve {
    name: &'static str,
    stretches: Vec<Stretch>,
    colour: Color32,
    width: f32,
    dashed: bool,
}

/// The curves of every setting, the one that is shown last: it lies on top.
fn curves(ui: &Ui, panel: &Panel, width: f32, pick: fn(&Point) -> Option<f32>) -> Vec<Curve> {
    let (colours, view) = (Palette::current(ui), panel.view);
    let (time, columns) = (shown_time(ui, panel), ui.available_width() as usize);
    let curve = |name, track: &Track, colour, width, dashed| {
        let stretches = track.curve(time, columns, |point| pick(point).map(|rad| f64::from(rad).to_degrees()));
        Curve { name, stretches, colour, width, dashed }
    };
    let dense = panel.settings.dense.then(|| curve("dense RNN", &view.dense.track, colours.dense, 0.8 * width, true));
    let second = view.second.as_ref().map(|second| curve("second", &second.track, colours.second, 0.8 * width, false));
    let main = curve("delta RNN", &view.main.track, colours.delta, width, false);
    dense.into_iter().chain(second).chain([main]).collect()
}

fn angle_plot(ui: &mut Ui, panel: &mut Panel, height: f32) {
    let (time, columns) = (shown_time(ui, panel), ui.available_width() as usize);
    let (truth, colour) = (truth_curve(panel.view, time, columns), Palette::current(ui).truth);
    let mut all = vec![Curve { name: "driver", stretches: truth, colour, width: 1.8, dashed: false }];
    all.extend(curves(ui, panel, 2.0, |point| Some(point.steering_rad)));
    let most = reach(&all, 6.0);
    plot(ui, panel, "angles", height, most, all, false);
}

fn error_plot(ui: &mut Ui, panel: &mut Panel, height: f32) {
    let all = curves(ui, panel, 1.6, Point::error_rad);
    let most = reach(&all, 4.0);
    plot(ui, panel, "error", height, most, all, true);
}

/// The driver's angle over the whole drive, also where nothing has been computed yet.
fn truth_curve(view: &View, time_s: [f64; 2], columns: usize) -> Vec<Stretch> {
    let Some(drive) = &view.drive else { return Vec::new() };
    if drive.steering_true_rad.is_empty() || drive.times_s.len() != drive.steering_true_rad.len() {
        return view.main.track.curve(time_s, columns, |point| point.truth_rad.map(|rad| f64::from(rad).to_degrees()));
    }
    let first = drive.times_s.partition_point(|&t| t < time_s[0]);
    let end = drive.times_s.partition_point(|&t| t <= time_s[1]);
    let mut stretches = vec![Stretch::new()];
    for index in first..end {
        match drive.steering_true_rad[index] {
            Some(rad) => stretches.last_mut().into_iter().for_each(|open| {
                open.push([drive.times_s[index], f64::from(rad).to_degrees()]);
            }),
            None if stretches.last().is_some_and(|open| !open.is_empty()) => stretches.push(Stretch::new()),
            None => {}
        }
        let gap = drive.gaps.iter().any(|gap| gap.after_index == index);
        if gap && stretches.last().is_some_and(|open| !open.is_empty()) {
            stretches.push(Stretch::new());
        }
    }
    let step = (time_s[1] - time_s[0]) / columns.max(1) as f64;
    stretches.iter().filter(|stretch| !stretch.is_empty()).map(|stretch| thin(stretch, step)).collect()
}

/// The stretch of time that the charts show, as they were last drawn.
fn shown_time(ui: &Ui, panel: &Panel) -> [f64; 2] {
    if panel.settings.follow {
        return visible_time(panel.view);
    }
    ui.ctx().data(|data| data.get_temp(egui::Id::unique("shown time"))).unwrap_or_else(|| visible_time(panel.view))
}

/// Half the height of a chart in degrees: rounded up, so that it does not twitch.
fn reach(curves: &[Curve], least: f64) -> f64 {
    let values = curves.iter().flat_map(|c| c.stretches.iter().flatten()).map(|point| point[1].abs());
    let most = values.filter(|value| value.is_finite()).fold(least, f64::max);
    let step = if most < 20.0 { 4.0 } else { 20.0 };
    (1.05 * most / step).ceil() * step
}

fn plot(ui: &mut Ui, panel: &mut Panel, name: &str, height: f32, most: f64, curves: Vec<Curve>, time_labels: bool) {
    let colours = Palette::current(ui);
    let follow = panel.settings.follow;
    let window = visible_time(panel.view);
    let now = panel.view.shown.as_ref().map(|frame| frame.time_s);
    let range = panel.view.range.map(|r| [panel.view.time_of(r.first), panel.view.time_of(r.end.saturating_sub(1))]);
    let marks: &[f64] = if name == "angles" { &[-0.5, 0.0, 0.5] } else { &[0.0] };
    let plot = Plot::new(name)
        .height(height)
        .link_axis(egui::Id::unique(TIME_AXIS), [true, false])
        .show_axes([time_labels, true])
        .grid_color(colours.edge)
        .y_axis_min_width(34.0)
        // A step larger than the true one: egui_plot fades labels by it, and these few are all wanted.
        .y_grid_spacer(move |_| {
            marks.iter().map(|part| GridMark { value: part * most, step_size: 4.0 * most }).collect()
        })
        .y_axis_formatter(|mark, _| format!("{:.0}°", mark.value))
        .x_axis_formatter(|mark, _| {
            if mark.value < 0.0 { String::new() } else { text::clock(mark.value).trim_end_matches(".00").to_owned() }
        })
        .label_formatter(|position| {
            let (HoverPosition::NearDataPoint { position, .. } | HoverPosition::Elsewhere { position }) = position;
            Some(format!("{} s\n{:.1}°", text::clock(position.x), position.y))
        })
        .allow_zoom([true, false])
        .allow_drag([true, false])
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .set_margin_fraction(vec2(0.0, 0.0));
    let shown = plot.show(ui, |plot| {
        if follow {
            plot.set_plot_bounds_x(window[0]..=window[1]);
        }
        plot.set_plot_bounds_y(-most..=most);
        if let Some([first, last]) = range {
            plot.span(Span::new("", first..=last).fill(colours.dense.gamma_multiply(0.12)));
        }
        plot.hline(HLine::new("", 0.0).color(colours.edge).width(1.0));
        for curve in curves {
            for stretch in curve.stretches {
                let line = Line::new(curve.name, PlotPoints::from(stretch)).color(curve.colour).width(curve.width);
                plot.line(if curve.dashed { line.style(LineStyle::dashed_dense()) } else { line });
            }
        }
        if let Some(now) = now {
            plot.vline(VLine::new("now", now).color(colours.weak).width(1.0));
        }
        let bounds = plot.plot_bounds();
        [bounds.min()[0], bounds.max()[0]]
    });
    if name == "angles" {
        ui.ctx().data_mut(|data| data.insert_temp(egui::Id::unique("shown time"), shown.inner));
    }
    let corner = shown.response.rect.left_top() + vec2(6.0, 2.0);
    let words = if name == "angles" { "left".to_owned() } else { format!("error, within {most:.0}° each way") };
    ui.painter().text(corner, egui::Align2::LEFT_TOP, words, egui::FontId::proportional(11.0), colours.weak);
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, format!("{name} chart")));
    handle(&shown.response, &shown.transform, panel);
}

/// Click jumps to that time; dragging or zooming stops the charts from following.
pub fn handle(response: &Response, transform: &PlotTransform, panel: &mut Panel) {
    if let (true, Some(at)) = (response.clicked(), response.interact_pointer_pos()) {
        let time_s = transform.value_from_position(at).x;
        panel.ask(Command::Seek(panel.view.index_at(time_s.max(0.0))));
    }
    let zoomed = response.hovered()
        && response.ctx.input(|input| input.zoom_delta() != 1.0 || input.smooth_scroll_delta().y != 0.0);
    if panel.settings.follow && (response.dragged() || zoomed) {
        panel.ask(Command::ToggleFollow);
    }
}
