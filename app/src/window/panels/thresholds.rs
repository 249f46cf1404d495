//! The thresholds, live, below the curve that shows what they trade.

use deltasteer_temporal::Thresholds;
use egui::{DragValue, RichText, Slider, Ui};

use super::{Panel, glossary, trade_off};
use crate::window::command::{Command, Lane};
use crate::window::theme::{self, Palette};

/// The sliders' upper ends, raised where a model's own thresholds need it.
const MOST: Thresholds = Thresholds { theta_x: 4.0, theta_h: 1.0 };

/// Sliders for the setting shown and, in a comparison, for the second one.
pub fn show(ui: &mut Ui, panel: &mut Panel, curve_height: f32) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        if curve_height > 40.0 {
            trade_off::show(ui, panel, curve_height);
        }
        lane(ui, panel, Lane::Main);
        if panel.view.second.is_some() {
            lane(ui, panel, Lane::Second);
        }
    });
}

fn lane(ui: &mut Ui, panel: &mut Panel, lane: Lane) {
    let Some(view) = panel.view.lane(lane) else { return };
    let (current, model) = (view.thresholds, view.model.clone());
    let own = model.as_ref().map_or(Thresholds::ZERO, |model| model.thresholds);
    let most =
        Thresholds { theta_x: MOST.theta_x.max(2.0 * own.theta_x), theta_h: MOST.theta_h.max(2.0 * own.theta_h) };
    let mut next = current;
    let suffix = if lane == Lane::Second { " (second)" } else { "" };
    let colours = Palette::current(ui);
    let colour = if lane == Lane::Second { colours.second } else { colours.delta };
    ui.add_enabled_ui(model.is_some(), |ui| {
        ui.scope(|ui| {
            ui.visuals_mut().selection.bg_fill = colour.gamma_multiply(0.8);
            theta(ui, panel, &mut next.theta_x, most.theta_x, &format!("theta_x{suffix}"), "θx inputs", X_HINT);
            theta(ui, panel, &mut next.theta_h, most.theta_h, &format!("theta_h{suffix}"), "θh hidden", H_HINT);
        });
        ui.horizontal(|ui| {
            let words = format!("Model's own: θx {}, θh {}", own.theta_x, own.theta_h);
            let reset = egui::Button::new(RichText::new(words).small());
            let hint = "Back to the thresholds stored with the model. Key R";
            if ui.add_enabled(current != own, reset).on_hover_text(hint).clicked() {
                panel.ask(Command::ResetThresholds(lane));
            }
            if lane == Lane::Second {
                let name = model.as_ref().map_or("no model", |model| &model.name);
                let words = RichText::new(format!("second model: {name} …")).small();
                if ui.button(words).on_hover_text("Compare with another model. Key G").clicked() {
                    panel.ask(Command::ToggleModels);
                }
            }
        });
    });
    if next != current {
        panel.ask(Command::SetThresholds(lane, next));
    }
}

const X_HINT: &str = "A feature is sent to the RNN only when it has moved by this much (in its standard deviations) since \
                      it was last sent. 0 sends everything: the dense RNN. Keys - and =";
const H_HINT: &str = "A hidden unit is sent only when it has moved by this much since it was last sent. Keys ; and '";

fn theta(ui: &mut Ui, panel: &mut Panel, value: &mut f32, most: f32, name: &str, label: &str, hint: &str) {
    ui.horizontal(|ui| {
        glossary::explain(ui.add_sized([66.0, 18.0], egui::Label::new(label)), &["theta"]);
        ui.spacing_mut().slider_width = (ui.available_width() - 64.0).max(40.0);
        let slider = Slider::new(value, 0.0..=most).show_value(false).clamping(egui::SliderClamping::Edits);
        let slider = ui.add(slider).on_hover_text(hint);
        let shown = f64::from(*value);
        slider.widget_info(|| egui::WidgetInfo::slider(ui.is_enabled(), shown, name));
        let refused = std::cell::Cell::new(None);
        let typed = DragValue::new(value)
            .range(0.0..=f32::MAX)
            .speed(0.01 * most)
            .fixed_decimals(3)
            .custom_parser(|text| parse(text).map_err(|words| refused.set(Some(words))).ok());
        let typed = ui.add(typed).on_hover_text("Click to type a threshold, or drag.");
        typed.widget_info(|| egui::WidgetInfo {
            label: Some(format!("{name} value")),
            ..egui::WidgetInfo::drag_value(true, shown)
        });
        if let Some(words) = refused.take() {
            panel.ask(Command::Say(format!("{name}: {words}")));
        }
    });
}

/// A threshold that was typed in.
fn parse(text: &str) -> Result<f64, String> {
    let value: f64 =
        text.trim().replace(',', ".").parse().map_err(|_| format!("{text:?} is not a number; nothing was changed"))?;
    if !value.is_finite() || value < 0.0 {
        return Err(format!("{text:?} is not allowed: a threshold is a number from 0 up; nothing was changed"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_numbers_from_zero_up_are_taken() {
        assert_eq!(parse(" 0,25 "), Ok(0.25));
        assert_eq!(parse("1.5"), Ok(1.5));
        for text in ["", "abc", "-1", "NaN", "inf", "1.2.3"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
