//! Angles over time and the error below them, in step with the video.

use egui::{Color32, Response, RichText, Stroke, Ui, vec2};
use egui_plot::{GridMark, HLine, Line, LineStyle, PlotPoints, Span, VLine};

use super::{Panel, glossary, time_axis};
use crate::text;
use crate::window::command::Command;
use crate::window::theme::{self, Palette};
use crate::window::view::{LaneView, View};
use crate::window::whatif::track::{Point, Stretch, Track, thin};

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

/// What the legend says of a curve: its name, the words that explain it, line and dashes, and its error so far.
struct Entry {
    name: &'static str,
    words: &'static [&'static str],
    stroke: Stroke,
    dashes: Option<[f32; 2]>,
    rmse_rad: Option<f64>,
}

impl Entry {
    /// With the error in full, in short, or without it.
    fn text(&self, detail: usize) -> String {
        match self.rmse_rad.map(f64::to_degrees) {
            Some(degrees) if detail == 2 => format!("{} · RMS {degrees:.2}°", self.name),
            Some(degrees) if detail == 1 => format!("{} {degrees:.1}°", self.name),
            _ => self.name.to_owned(),
        }
    }
}

/// Names of the curves with the root mean square of their error so far, as much of it as there is room for.
fn legend(ui: &mut Ui, panel: &mut Panel) {
    ui.horizontal(|ui| {
        if ui.available_width() > 520.0 {
            ui.label(RichText::new("Steering wheel").strong());
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            // A talk is given with both networks, and charts that follow; four names leave no room in a narrow window.
            let crowded = panel.view.second.is_some() && ui.available_width() < 460.0;
            if !(panel.view.lecture || crowded) {
                switches(ui, panel);
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let entries = entries(ui, panel);
                let width = |detail: usize| -> f32 {
                    let text = |entry: &Entry| {
                        ui.painter().layout_no_wrap(entry.text(detail), theme::small(ui), Color32::WHITE)
                    };
                    entries
                        .iter()
                        .map(|entry| text(entry).size().x + KEY_WIDTH + 2.0 * ui.spacing().item_spacing.x)
                        .sum()
                };
                let most = if panel.view.lecture { 0 } else { 2 };
                let detail = (0..=most).rev().find(|&detail| width(detail) <= ui.available_width()).unwrap_or(0);
                for entry in &entries {
                    let label = key(ui, entry.stroke, &entry.text(detail), entry.dashes);
                    glossary::explain(label, entry.words);
                }
            });
        });
    });
}

/// The curves in the order of the legend.
fn entries(ui: &Ui, panel: &Panel) -> Vec<Entry> {
    let (colours, view) = (Palette::current(ui), panel.view);
    let entry = |name, words, width, colour, dashes, lane: Option<&LaneView>| Entry {
        name,
        words,
        stroke: Stroke::new(width, colour),
        dashes,
        rmse_rad: lane.and_then(LaneView::rmse_rad),
    };
    let mut all = vec![
        entry("driver", &["driver"], 3.4, colours.truth, None, None),
        entry("delta RNN", &["delta RNN", "RMS"], 2.0, colours.delta, None, Some(&view.main)),
    ];
    if let Some(second) = &view.second {
        let dots = Some([1.5, 3.5]);
        all.push(entry("second", &["delta RNN", "RMS"], 2.4, colours.second, dots, Some(second)));
    }
    if panel.settings.dense {
        let dashes = Some([5.0, 3.0]);
        all.push(entry("dense RNN", &["dense RNN", "RMS"], 2.0, colours.dense, dashes, Some(&view.dense)));
    }
    all
}

/// Whether the charts follow the frame, and whether they show the dense RNN.
fn switches(ui: &mut Ui, panel: &mut Panel) {
    let hint = "Charts move with the frame. Drag a chart to look around, zoom with the wheel, click to jump. Key F";
    if ui.selectable_label(panel.view.looking_at.is_none(), "Follow").on_hover_text(hint).clicked() {
        panel.ask(Command::ToggleFollow);
    }
    let hint = "The dense RNN, same weights, beside the delta RNN: what is lost by sending less. Key D";
    if ui.selectable_label(panel.settings.dense, "Dense RNN").on_hover_text(hint).clicked() {
        panel.ask(Command::ToggleDense);
    }
}

/// Width of a line in the legend.
const KEY_WIDTH: f32 = 21.0;

fn key(ui: &mut Ui, stroke: Stroke, words: &str, dashes: Option<[f32; 2]>) -> Response {
    let (rect, _) = ui.allocate_exact_size(vec2(KEY_WIDTH, 12.0), egui::Sense::hover());
    let line = [rect.left_center(), rect.right_center()];
    match dashes {
        Some([dash, gap]) => ui.painter().extend(egui::Shape::dashed_line(&line, stroke, dash, gap)),
        None => {
            ui.painter().line_segment(line, stroke);
        }
    }
    ui.add_space(-4.0);
    ui.label(RichText::new(words).small())
}

/// Curves are told apart by their lines as well as by colour: the driver's is broad, the dense RNN's dashed, the second's dotted.
const DENSE: LineStyle = LineStyle::Dashed { length: 9.0 };
/// See [`DENSE`].
const SECOND: LineStyle = LineStyle::Dotted { spacing: 5.0 };

/// A curve ready to be drawn.
struct Curve {
    name: &'static str,
    stretches: Vec<Stretch>,
    colour: Color32,
    width: f32,
    style: LineStyle,
}

/// The curves of every setting, the one that is shown last: it lies on top.
fn curves(ui: &Ui, panel: &Panel, width: f32, pick: fn(&Point) -> Option<f32>) -> Vec<Curve> {
    let (colours, view) = (Palette::current(ui), panel.view);
    let (time, columns) = (panel.view.chart_time(), ui.available_width() as usize);
    let curve = |name, track: &Track, colour, width, style| {
        let stretches = track.curve(time, columns, |point| pick(point).map(|rad| f64::from(rad).to_degrees()));
        Curve { name, stretches, colour, width, style }
    };
    let dense = panel.settings.dense.then(|| curve("dense RNN", &view.dense.track, colours.dense, 0.8 * width, DENSE));
    let second = view.second.as_ref().map(|second| curve("second", &second.track, colours.second, width, SECOND));
    let main = curve("delta RNN", &view.main.track, colours.delta, width, LineStyle::Solid);
    dense.into_iter().chain(second).chain([main]).collect()
}

fn angle_plot(ui: &mut Ui, panel: &mut Panel, height: f32) {
    let (time, columns) = (panel.view.chart_time(), ui.available_width() as usize);
    let (truth, colour) = (truth_curve(panel.view, time, columns), Palette::current(ui).truth);
    let mut all = vec![Curve { name: "driver", stretches: truth, colour, width: 3.4, style: LineStyle::Solid }];
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

/// Half the height of a chart in degrees: rounded up, so that it does not twitch.
fn reach(curves: &[Curve], least: f64) -> f64 {
    let values = curves.iter().flat_map(|c| c.stretches.iter().flatten()).map(|point| point[1].abs());
    let most = values.filter(|value| value.is_finite()).fold(least, f64::max);
    let step = if most < 20.0 { 4.0 } else { 20.0 };
    (1.05 * most / step).ceil() * step
}

fn plot(ui: &mut Ui, panel: &mut Panel, name: &str, height: f32, most: f64, curves: Vec<Curve>, time_labels: bool) {
    let colours = Palette::current(ui);
    let view = panel.view;
    let now = view.shown.as_ref().map(|frame| frame.time_s);
    let range = view.range.map(|r| [view.time_of(r.first), view.time_of(r.end.saturating_sub(1))]);
    let [from, to] = view.chart_time();
    let marks: &[f64] = if name == "angles" { &[-0.5, 0.0, 0.5] } else { &[0.0] };
    let plot = time_axis::plot(name, panel, height)
        .show_axes([time_labels, true])
        .grid_color(colours.edge)
        // A step larger than the true one: egui_plot fades labels by it, and these few are all wanted.
        .y_grid_spacer(move |_| {
            marks.iter().map(|part| GridMark { value: part * most, step_size: 4.0 * most }).collect()
        })
        .y_axis_formatter(|mark, _| format!("{:.0}°", mark.value))
        .x_axis_formatter(|mark, _| {
            if mark.value < 0.0 { String::new() } else { text::clock(mark.value).trim_end_matches(".00").to_owned() }
        });
    let shown = plot.show(ui, |plot| {
        plot.set_plot_bounds_x(from..=to);
        plot.set_plot_bounds_y(-most..=most);
        if let Some([first, last]) = range {
            plot.span(Span::new("", first..=last).fill(colours.dense.gamma_multiply(0.12)));
        }
        plot.hline(HLine::new("", 0.0).color(colours.edge).width(1.0));
        for curve in curves {
            for stretch in curve.stretches {
                let line = Line::new(curve.name, PlotPoints::from(stretch)).color(curve.colour).width(curve.width);
                plot.line(line.style(curve.style));
            }
        }
        if let Some(now) = now {
            plot.vline(VLine::new("now", now).color(colours.weak).width(1.0));
        }
    });
    let corner = shown.response.rect.left_top() + vec2(6.0, 2.0);
    let words = if name == "angles" { "left".to_owned() } else { format!("error, within {most:.0}° each way") };
    let galley = ui.painter().layout_no_wrap(words, theme::small(ui), colours.weak);
    let plate = egui::Rect::from_min_size(corner, galley.size());
    ui.painter().rect_filled(plate.expand(2.0), 3.0, colours.ground.gamma_multiply(0.8));
    ui.painter().galley(corner, galley, colours.weak);
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, format!("{name} chart")));
    time_axis::handle(&shown.response, &shown.transform, panel);
}
