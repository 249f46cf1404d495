//! What the delta network saves: the figure to remember, and everything needed to believe it.

use egui::{Align2, Color32, FontId, Rect, RichText, Ui};
use egui_plot::{HLine, LineStyle, PlotPoints, Points, VLine};

use super::{Panel, glossary, time_axis};
use crate::text;
use crate::window::theme::{self, Palette};
use crate::window::view::{LaneView, View};
use crate::window::whatif::track::{Figures, Point};

/// The whole card; where the figures to remember stand in it.
pub fn show(ui: &mut Ui, panel: &mut Panel, chart_height: f32) -> Rect {
    let card = theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        let figures = ui.scope(|ui| headlines(ui, panel)).response.rect;
        if chart_height > 40.0 {
            chart(ui, panel, chart_height);
        }
        egui::CollapsingHeader::new(RichText::new("Work, bytes and time").small())
            .default_open(ui.ctx().content_rect().height() > 880.0)
            .show(ui, |ui| table(ui, panel));
        whole_network(ui, panel);
        figures
    });
    card.inner
}

/// The figure alone, on a dark plate over the picture: for windows that have no room for more.
pub fn over_picture(ui: &Ui, panel: &Panel, at: egui::Pos2) -> Option<Rect> {
    let work = &panel.view.main.track.figures().work;
    if work.macs == 0 {
        return None;
    }
    let words = format!("{} fewer RNN operations", text::times(work.macs_dense as f64, work.macs as f64));
    let label = words.clone();
    let delta = Palette::of(egui::Theme::Dark).delta;
    let galley = ui.painter().layout_no_wrap(words, FontId::proportional(15.0), delta);
    let plate = Rect::from_min_size(at, galley.size());
    ui.painter().rect_filled(plate.expand2(egui::vec2(6.0, 3.0)), 4.0, theme::PLATE);
    ui.painter().galley(at, galley, delta);
    let response = ui.interact(plate, ui.scope_id().with("headline"), egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    glossary::explain(response, &["RNN", "MAC"]);
    Some(plate)
}

/// One headline for each setting.
fn headlines(ui: &mut Ui, panel: &Panel) {
    let colours = Palette::current(ui);
    match &panel.view.second {
        None => headline(ui, panel, &panel.view.main, colours.delta, None),
        Some(second) => {
            ui.columns(2, |columns| {
                headline(&mut columns[0], panel, &panel.view.main, colours.delta, Some("first"));
                headline(&mut columns[1], panel, second, colours.second, Some("second"));
            });
        }
    }
}

fn headline(ui: &mut Ui, panel: &Panel, lane: &LaneView, colour: Color32, name: Option<&str>) {
    let work = &lane.track.figures().work;
    // A few frames that sent nothing are no figure yet.
    let figure = if work.macs == 0 { "–".to_owned() } else { text::times(work.macs_dense as f64, work.macs as f64) };
    let hint = "Multiply-accumulates of the dense RNN over those of the delta RNN, summed over every frame seen so far, all \
                at these thresholds; the first frame, where everything is sent, counts. Only the RNN: see the whole network \
                below.";
    let (dense, index) = (lane.track.dense().macs as f64, panel.view.index());
    let this = match lane.answer(index).map(|point| point.count.macs) {
        None => String::new(),
        Some(0) => "this frame needed none · ".to_owned(),
        Some(macs) => format!("this frame {} · ", text::times(dense, macs as f64)),
    };
    let recent = lane.recent(index).work;
    let recent = match recent.macs {
        0 => String::new(),
        macs => format!("last 5 s {}", text::times(recent.macs_dense as f64, macs as f64)),
    };
    let (compared, size) = (name.is_some(), if name.is_some() { 34.0 } else { 46.0 });
    let large = |ui: &mut Ui| {
        let response = ui.label(RichText::new(&figure).font(theme::headline_font(size)).color(colour));
        response.on_hover_text(hint);
    };
    let words = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        captions(ui, name, &lane.over("frames"), [&this, &recent]);
    };
    // Beside a figure of many digits there may be no room for a word.
    if compared && ui.available_width() < 220.0 {
        ui.vertical(|ui| {
            large(ui);
            words(ui);
        });
    } else {
        ui.horizontal(|ui| {
            large(ui);
            ui.vertical(|ui| {
                ui.add_space(if compared { 3.0 } else { 8.0 });
                words(ui);
            });
        });
    }
}

/// What a headline's figure is, and over which frames; `work` is that of this frame and of the last ones.
fn captions(ui: &mut Ui, name: Option<&str>, frames: &str, [this, recent]: [&str; 2]) {
    let words = match name {
        Some(name) => {
            ui.label(RichText::new(format!("{name} setting")).strong());
            RichText::new("fewer RNN operations").small()
        }
        None => RichText::new("fewer RNN operations").strong().size(17.0),
    };
    glossary::explain(ui.label(words), &["RNN", "MAC"]);
    let this = if name.is_some() { "" } else { this };
    let lines = [format!("{frames} · {this}{recent}"), format!("{frames} · {recent}"), frames.to_owned()];
    ui.label(RichText::new(theme::fitting(ui, &lines)).small().weak());
}

/// MACs of every frame on a log axis, with the dense RNN's line.
fn chart(ui: &mut Ui, panel: &mut Panel, height: f32) {
    let colours = Palette::current(ui);
    let Some(model) = panel.view.main.model.clone() else { return };
    let dense = (model.dense.macs.max(1) as f64).log10();
    let ([from, to], columns) = (panel.view.chart_time(), ui.available_width() as usize);
    // A frame that sent nothing has no logarithm, and nothing is drawn for it.
    let curve = |lane: &LaneView| {
        let macs = |point: &Point| (point.count.macs > 0).then(|| (point.count.macs as f64).log10());
        lane.track.curve([from, to], columns, macs)
    };
    let second = panel.view.second.as_ref().map(|second| (curve(second), colours.second, "second setting"));
    let lines: Vec<_> = std::iter::once((curve(&panel.view.main), colours.delta, "delta RNN")).chain(second).collect();
    let floor = (0.3 * dense).min(1.0);
    let now = panel.view.shown.as_ref().map(|frame| frame.time_s);
    let plot = time_axis::plot("macs", panel, height)
        .show_axes([false, true])
        .show_grid([true, true])
        .grid_color(colours.edge)
        .y_grid_spacer(decades)
        .y_axis_formatter(|mark, _| text::count(10_f64.powf(mark.value)).replace(".00", "").replace(".0", ""));
    let response = plot.show(ui, |plot| {
        plot.set_plot_bounds_x(from..=to);
        plot.set_plot_bounds_y(floor..=dense + 0.45);
        plot.hline(HLine::new("dense RNN", dense).color(colours.dense).width(1.5).style(LineStyle::dashed_dense()));
        for (stretches, colour, name) in lines {
            for stretch in stretches {
                let stems = Points::new(name, PlotPoints::from(stretch)).stems(floor as f32);
                plot.points(stems.color(colour).radius(1.4));
            }
        }
        if let Some(now) = now {
            plot.vline(VLine::new("now", now).color(colours.weak).width(1.0));
        }
    });
    let line = response.transform.position_from_point(&egui_plot::PlotPoint::new(from, dense));
    let corner = egui::pos2(response.response.rect.right() - 6.0, line.y + 2.0);
    let words = format!("dense: {} MACs a frame (log scale)", text::grouped(model.dense.macs));
    ui.painter().text(corner, Align2::RIGHT_TOP, words, theme::small(ui), colours.dense);
    response.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "MACs chart"));
    time_axis::handle(&response.response, &response.transform, panel);
    response.response.on_hover_cursor(egui::CursorIcon::PointingHand);
}

/// Grid lines at powers of ten, two or three of them.
fn decades(input: egui_plot::GridInput) -> Vec<egui_plot::GridMark> {
    let (low, high) = (input.bounds.0.ceil() as i64, input.bounds.1.floor() as i64);
    let step = ((high - low) / 2).max(1) as usize;
    // A step larger than the true one: egui_plot fades labels by it.
    let mark = |power| egui_plot::GridMark { value: power as f64, step_size: 10.0 };
    (low..=high).step_by(step).map(mark).collect()
}

/// Means over the last five seconds, delta beside dense.
fn table(ui: &mut Ui, panel: &mut Panel) {
    let colours = Palette::current(ui);
    let (view, index) = (panel.view, panel.view.index());
    let recent = view.main.recent(index);
    let Some(model) = view.main.model.as_ref().filter(|_| recent.work.steps > 0) else { return };
    let second = view.second.as_ref().map(|second| (second.recent(index), second.step_us));
    let mean = |figures: &Figures, of: fn(&Figures) -> u64| of(figures) as f64 / figures.work.steps.max(1) as f64;
    let macs: fn(&Figures) -> u64 = |figures| figures.work.macs;
    let bytes: fn(&Figures) -> u64 = |figures| figures.work.weight_bytes;
    let caption = |words: &str| RichText::new(words).small().color(colours.weak);
    egui::Grid::new("savings").num_columns(5).spacing([14.0, 3.0]).show(ui, |ui| {
        ui.label(caption("mean of the last 5 s"));
        ui.label(caption("delta").color(colours.delta));
        if second.is_some() {
            ui.label(caption("second").color(colours.second));
        }
        ui.label(caption("dense").color(colours.dense));
        ui.label(caption("less"));
        ui.end_row();
        let mut row =
            |name: &str, delta: f64, other: Option<f64>, dense: Option<f64>, show: fn(f64) -> String, hint: &str| {
                ui.label(name).on_hover_text(hint);
                ui.label(show(delta));
                if second.is_some() {
                    ui.label(other.map_or("–".to_owned(), show));
                }
                match dense {
                    Some(dense) => {
                        ui.label(show(dense));
                        ui.label(RichText::new(text::times(dense, delta)).strong());
                    }
                    None => {
                        ui.label("–");
                    }
                }
                ui.end_row();
            };
        row(
            "MACs a frame",
            mean(&recent, macs),
            second.map(|(figures, _)| mean(&figures, macs)),
            Some(model.dense.macs as f64),
            text::count,
            "Matrix-vector multiply-accumulates of the RNN, counted from the columns that were walked.",
        );
        row(
            "Weights fetched",
            mean(&recent, bytes),
            second.map(|(figures, _)| mean(&figures, bytes)),
            Some(model.dense.weight_bytes as f64),
            text::bytes,
            "Bytes of RNN weights read from memory for a frame.",
        );
        row(
            "RNN step, measured",
            view.main.step_us.unwrap_or(f64::NAN),
            second.and_then(|(_, step_us)| step_us),
            view.dense.step_us,
            text::micros,
            "Time of a step on this machine, measured back to back over the last 100 seen frames. Saved operations are not \
             the same as saved time.",
        );
    });
}

/// The work of CNN and RNN together: means over all frames seen, in multiply-accumulates a frame.
pub struct Whole {
    cnn: f64,
    cnn_dense: f64,
    /// The dense RNN's.
    dense: f64,
    /// The share of all work that is saved.
    pub saved: f64,
}

impl Whole {
    /// Of the setting shown; `None` before its first frame.
    pub fn of(view: &View) -> Option<Self> {
        let (model, frame) = view.main.model.as_ref().zip(view.shown.as_ref())?;
        let (cnn_dense, dense) = (frame.cnn_work.macs_dense as f64, model.dense.macs as f64);
        let figures = view.main.track.figures();
        let mean = |macs: u64| macs as f64 / figures.work.steps.max(1) as f64;
        let cnn = mean(figures.cnn_macs);
        let saved = 1.0 - (cnn + mean(figures.work.macs)) / (cnn_dense + dense);
        Some(Self { cnn, cnn_dense, dense, saved })
    }
}

/// The share of the whole network, so that nobody is misled.
pub fn whole_network(ui: &mut Ui, panel: &Panel) {
    let Some(Whole { cnn, cnn_dense, dense, saved }) = Whole::of(panel.view) else { return };
    // A CNN that rests on some frames does less than on each.
    let cnn = if cnn < 0.999 * cnn_dense {
        format!("The CNN does {} of {} MACs a frame", text::count(cnn), text::count(cnn_dense))
    } else {
        format!("The CNN's {} MACs a frame stay", text::count(cnn_dense))
    };
    let words = format!(
        "Whole network: {} fewer operations. {cnn}; the RNN's {} are {} of all.",
        text::percent(saved),
        text::count(dense),
        text::percent(dense / (cnn_dense + dense)),
    );
    glossary::explain(ui.label(RichText::new(words).small().weak()), &["CNN", "RNN", "MAC"]);
}
