//! All curves at one moment: what a chart says where the mouse is, and what can be copied there.

use egui::{Response, Ui};

use super::Panel;
use crate::text;
use crate::window::command::{Command, Copied, Lane};
use crate::window::view::View;

/// Every value of the frame nearest to `time_s`, one line a curve.
pub fn words(view: &View, time_s: f64, with_dense: bool) -> String {
    let index = view.index_at(time_s.max(0.0));
    let mut lines = vec![format!("{} s   frame {index}", text::clock(view.time_of(index)))];
    let main = view.main.answer(index);
    let known = view.drive.as_ref().and_then(|drive| drive.steering_true_rad.get(index).copied().flatten());
    let truth = main.and_then(|point| point.truth_rad).or(known);
    lines.extend(truth.map(|truth| format!("driver: {}", text::steering(truth))));
    for (lane, name) in [(Lane::Main, "delta RNN"), (Lane::Second, "second"), (Lane::Dense, "dense RNN")] {
        if lane == Lane::Dense && !with_dense {
            continue;
        }
        let Some(point) = view.lane(lane).and_then(|view| view.answer(index)) else { continue };
        let error = point.error_rad().map_or(String::new(), |rad| format!(", off by {:.1}°", rad.abs().to_degrees()));
        let warmed = if point.exact { "" } else { " ≈" };
        lines.push(format!("{name}: {}{error}{warmed}", text::steering(point.steering_rad)));
    }
    if let Some(count) = main.map(|point| point.count) {
        let columns = count.columns_x + count.columns_h;
        let (macs, dense) = (text::grouped(count.macs), text::grouped(view.main.track.dense().macs));
        lines.push(format!("{columns} columns sent, {macs} of {dense} multiplications"));
    }
    lines.join("\n")
}

/// The menu of a chart's second mouse button, for the frame at `time_s`.
pub fn menu(response: &Response, panel: &mut Panel, time_s: Option<f64>) {
    let place = response.id.with("menu");
    if let Some(time_s) = time_s.filter(|_| response.secondary_clicked()) {
        let index = panel.view.index_at(time_s.max(0.0));
        response.ctx.data_mut(|data| data.insert_temp(place, index));
    }
    response.context_menu(|ui: &mut Ui| {
        let index = ui.ctx().data(|data| data.get_temp::<usize>(place)).unwrap_or_else(|| panel.view.index());
        ui.label(format!("frame {index}"));
        for (what, words) in [
            (Copied::Angle, "Copy the angle"),
            (Copied::Row, "Copy the row"),
            (Copied::Picture, "Copy the picture shown"),
            (Copied::CommandLine, "Copy as a command line"),
        ] {
            if ui.button(words).clicked() {
                panel.ask(Command::Copy(what, Some(index)));
                ui.close();
            }
        }
    });
}
