//! The stretch of time that all charts show: it follows the frame shown, until a chart is dragged or zoomed.

use egui::Response;
use egui_plot::{Plot, PlotTransform};

use super::{Panel, readout};
use crate::window::command::Command;
use crate::window::view::View;

/// Seconds before and after the frame shown that following charts cover.
const SPAN_S: [f64; 2] = [20.0, 4.0];
/// The shortest stretch that charts show.
const LEAST_S: f64 = 1.0;

impl View {
    /// The stretch of time that the charts show, in seconds.
    pub fn chart_time(&self) -> [f64; 2] {
        self.looking_at.unwrap_or_else(|| {
            let now = self.shown.as_ref().map_or(0.0, |frame| frame.time_s);
            let start = (now - SPAN_S[0]).max(0.0);
            [start, start + SPAN_S[0] + SPAN_S[1]]
        })
    }
}

/// A chart over time that says all curves' values where the mouse is, and leaves dragging and zooming to [`handle`].
pub fn plot<'a>(name: &str, panel: &Panel<'a>, height: f32) -> Plot<'a> {
    let (view, dense) = (panel.view, panel.settings.dense);
    Plot::new(name)
        .height(height)
        // The window's ground shows; painting another one costs each of these pixels again.
        .show_background(false)
        .y_axis_min_width(34.0)
        .label_formatter(move |position| {
            let (egui_plot::HoverPosition::NearDataPoint { position, .. }
            | egui_plot::HoverPosition::Elsewhere { position }) = position;
            Some(readout::words(view, position.x, dense))
        })
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .set_margin_fraction(egui::vec2(0.0, 0.0))
}

/// A click jumps to that time; dragging moves all charts and the wheel zooms them, which stops them from following.
pub fn handle(response: &Response, transform: &PlotTransform, panel: &mut Panel) {
    let time_at = |at: egui::Pos2| transform.value_from_position(at).x;
    if let (true, Some(at)) = (response.clicked(), response.interact_pointer_pos()) {
        panel.ask(Command::Seek(panel.view.index_at(time_at(at).max(0.0))));
    }
    let [from, to] = panel.view.chart_time();
    if response.dragged() && response.drag_delta().x != 0.0 {
        let moved = f64::from(response.drag_delta().x) * (to - from) / f64::from(response.rect.width().max(1.0));
        panel.ask(Command::LookAt(Some([from - moved, to - moved])));
    }
    if let Some(at) = response.hover_pos() {
        let wheel = response.ctx.input(|input| input.zoom_delta() * (0.005 * input.smooth_scroll_delta().y).exp());
        if wheel != 1.0 {
            let (centre, most) = (time_at(at), panel.view.duration_s().max(60.0) + 10.0);
            let span = ((to - from) / f64::from(wheel)).clamp(LEAST_S, most);
            let share = ((centre - from) / (to - from)).clamp(0.0, 1.0);
            panel.ask(Command::LookAt(Some([centre - share * span, centre + (1.0 - share) * span])));
        }
    }
    readout::menu(response, panel, response.interact_pointer_pos().map(time_at));
}
