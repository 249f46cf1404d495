//! Error against savings over the seen part of the drive, with a dot where the thresholds stand: to be dragged.

use deltasteer_temporal::Thresholds;
use egui::{Align2, RichText, Ui, vec2};
use egui_plot::{GridInput, GridMark, Line, LineStyle, MarkerShape, Plot, PlotPoint, PlotPoints, Points, Text};

use super::Panel;
use crate::text;
use crate::window::command::{Command, Lane};
use crate::window::theme::{self, Palette};
use crate::window::view::View;
use crate::window::whatif::TradeOff;

/// How many times the smallest error the chart reaches up to: what lies higher steers too badly to look at.
const WORST: f64 = 3.5;

/// A place on the chart: decimal logarithm of the savings, error in degrees, and the thresholds that lead there.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    x: f64,
    y: f64,
    thresholds: Thresholds,
}

/// The caption and the chart.
pub fn show(ui: &mut Ui, panel: &mut Panel, height: f32) {
    let colours = Palette::current(ui);
    let Some(curve) = panel.view.trade_off.clone().filter(|curve| curve.frames > 1) else {
        ui.label(RichText::new("Savings against error: after the first frames").small().weak());
        return;
    };
    let (against, axis) = match curve.against_driver {
        true => ("the driver", "error (RMS)"),
        false => ("the dense RNN", "off the dense RNN (RMS)"),
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new("Savings against error").strong());
        let frames = text::grouped(curve.frames);
        let lines = [format!("{frames} frames seen · drag the dot"), format!("{frames} frames seen"), String::new()];
        let hint = format!(
            "Every point is the whole seen drive at other thresholds. Further right: less work. Lower: nearer to {against}."
        );
        ui.label(RichText::new(theme::fitting(ui, &lines)).small().weak()).on_hover_text(hint);
    });
    let places = places(&curve);
    let now = figures(panel.view, Lane::Main, &curve);
    let second = figures(panel.view, Lane::Second, &curve);
    let top = top(&places, now.map(|[_, y]| y));
    let right = places.iter().filter(|place| place.y <= top).map(|place| place.x).fold(1.0, f64::max);
    let right = 1.06 * now.map_or(right, |[x, _]| right.max(x));
    let own = panel.view.main.model.as_ref().map(|model| model.thresholds);
    let own = places.iter().find(|place| Some(place.thresholds) == own).copied();
    let shown = Plot::new("trade-off")
        .height(height)
        .show_background(false)
        .grid_color(colours.edge)
        .y_axis_min_width(34.0)
        .x_grid_spacer(savings_marks)
        .y_grid_spacer(move |_| error_marks(top))
        // A number at the very edge would be cut off.
        .x_axis_formatter(move |mark, _| match mark.value < 0.95 * right {
            true => format!("{}×", text::grouped(10_f64.powf(mark.value).round() as u64)),
            false => String::new(),
        })
        .y_axis_formatter(|mark, _| format!("{:.1}°", mark.value))
        .label_formatter(|_| None)
        .show_x(false)
        .show_y(false)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .set_margin_fraction(vec2(0.0, 0.0))
        .show(ui, |plot| {
            plot.set_plot_bounds_x(-0.04 * right..=right);
            plot.set_plot_bounds_y(0.0..=top);
            let line: Vec<[f64; 2]> = places.iter().map(|place| [place.x, place.y]).collect();
            plot.line(
                Line::new("ladder", PlotPoints::from(line.clone())).color(colours.delta.gamma_multiply(0.8)).width(2.0),
            );
            plot.points(Points::new("rungs", PlotPoints::from(line)).color(colours.delta).radius(2.0));
            let label = |name: &str, at: &Place, colour, anchor: Align2| {
                let words = RichText::new(name).color(colour).size(11.0);
                Text::new("", PlotPoint::new(at.x, at.y), words).anchor(anchor)
            };
            let mark = |name: &str, at: &Place, colour, shape| {
                Points::new(name.to_owned(), PlotPoints::from(vec![[at.x, at.y]]))
                    .shape(shape)
                    .radius(5.0)
                    .color(colour)
            };
            if let Some(dense) = places.first() {
                plot.points(mark("dense", dense, colours.dense, MarkerShape::Square));
                plot.text(label("  dense", dense, colours.dense, Align2::LEFT_TOP));
            }
            if let Some(own) = &own {
                plot.points(mark("model's own", own, colours.text, MarkerShape::Diamond).filled(false));
                let above = Place { y: own.y + 0.06 * top, ..*own };
                plot.text(label("model's own", &above, colours.text, Align2::CENTER_BOTTOM));
            }
            if let Some(at) = second {
                let dot = Points::new("second", PlotPoints::from(vec![at])).shape(MarkerShape::Up);
                plot.points(dot.radius(6.0).color(colours.second));
            }
            if let Some([x, y]) = now {
                let down = Line::new("", PlotPoints::from(vec![[x, 0.0], [x, y]])).color(colours.weak).width(1.0);
                plot.line(down.style(LineStyle::dashed_dense()));
                plot.points(Points::new("now", PlotPoints::from(vec![[x, y]])).radius(7.0).color(colours.text));
                // Hollow: not yet over all frames of the curve.
                let ink = if panel.view.main.partial { colours.ground } else { colours.delta };
                plot.points(Points::new("now", PlotPoints::from(vec![[x, y]])).radius(5.0).color(ink));
            }
        });
    let response = shown.response;
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Trade-off curve"));
    for (words, at, anchor) in [
        (axis, response.rect.left_top() + vec2(6.0, 2.0), Align2::LEFT_TOP),
        ("fewer RNN operations", response.rect.right_bottom() - vec2(6.0, 2.0), Align2::RIGHT_BOTTOM),
    ] {
        ui.painter().text(at, anchor, words, theme::small(ui), colours.weak);
    }
    if (response.dragged() || response.clicked())
        && let Some(at) = response.interact_pointer_pos()
    {
        let on_screen = |place: &Place| shown.transform.position_from_point(&PlotPoint::new(place.x, place.y));
        if let Some(thresholds) = nearest(&places, |place| on_screen(place) - at) {
            panel.ask(Command::SetThresholds(Lane::Main, thresholds));
        }
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand);
}

/// The largest error that the chart shows. Beside the dense RNN itself, whose error is then zero, the dot counts as the least.
fn top(places: &[Place], now: Option<f64>) -> f64 {
    let least = places.iter().map(|place| place.y).fold(f64::MAX, f64::min).max(0.5 * now.unwrap_or(0.0));
    let most = places.iter().map(|place| place.y).fold(now.unwrap_or(0.0), f64::max);
    1.12 * if least > 0.0 { most.min(WORST * least) } else { most.max(0.1) }
}

/// The dense RNN, then the ladder.
fn places(curve: &TradeOff) -> Vec<Place> {
    let dense = Place { x: 0.0, y: curve.dense_rmse_rad.to_degrees(), thresholds: Thresholds::ZERO };
    let rungs = curve.rungs.iter().filter(|rung| rung.savings.is_finite());
    let rungs =
        rungs.map(|rung| Place { x: rung.savings.log10(), y: rung.rmse_rad.to_degrees(), thresholds: rung.thresholds });
    std::iter::once(dense).chain(rungs).collect()
}

/// Where a setting stands over the frames of the curve.
fn figures(view: &View, lane: Lane, curve: &TradeOff) -> Option<[f64; 2]> {
    let track = &view.lane(lane)?.track;
    let points = track.below(curve.through + 1);
    let figures = if curve.against_driver {
        track.figures_of(points)
    } else {
        let dense = |index| view.dense.answer(index).map(|dense| dense.steering_rad);
        track.figures_of(&points.iter().map(|point| point.against(dense(point.index))).collect::<Vec<_>>())
    };
    let savings = figures.work.savings();
    savings.is_finite().then_some([savings.log10(), figures.rmse_rad()?.to_degrees()])
}

/// The thresholds of the point on the curve that is nearest, between two rungs in proportion.
fn nearest(places: &[Place], distance: impl Fn(&Place) -> egui::Vec2) -> Option<Thresholds> {
    let between = |pair: &[Place]| {
        let (a, b) = (distance(&pair[0]), distance(&pair[1]));
        let along = b - a;
        let share = (-a.dot(along) / along.length_sq().max(1e-6)).clamp(0.0, 1.0);
        let mix = |a: f32, b: f32| a + share * (b - a);
        let (low, high) = (pair[0].thresholds, pair[1].thresholds);
        let thresholds =
            Thresholds { theta_x: mix(low.theta_x, high.theta_x), theta_h: mix(low.theta_h, high.theta_h) };
        ((a + share * along).length_sq(), thresholds)
    };
    places.windows(2).map(between).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, thresholds)| thresholds)
}

/// Grid lines at round errors; none at the very top, where its number would be cut off.
fn error_marks(top: f64) -> Vec<GridMark> {
    let power = 10_f64.powf((top / 2.5).log10().floor());
    let step = [5.0, 2.0, 1.0].map(|times| times * power).into_iter().find(|step| *step <= top / 2.5).unwrap_or(power);
    let values = (0..10).map(|count| f64::from(count) * step).take_while(|value| *value <= 0.94 * top);
    // A step larger than the true one: egui_plot fades labels by it.
    values.map(|value| GridMark { value, step_size: 4.0 * top }).collect()
}

/// A grid line at 1, 2 and 5 times each power of ten, or only at the powers where there are many.
fn savings_marks(input: GridInput) -> Vec<GridMark> {
    let (low, high) = (input.bounds.0.max(0.0), input.bounds.1);
    let steps: &[f64] = if high - low > 2.2 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let powers = low.floor() as i32..=high.ceil() as i32;
    let marks = powers.flat_map(|power| steps.iter().map(move |step| (step * 10_f64.powi(power)).log10()));
    marks.filter(|x| (low..=high).contains(x)).map(|value| GridMark { value, step_size: high }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_reaches_up_to_the_dot() {
        let at = |y: f64| Place { x: 0.0, y, thresholds: Thresholds::ZERO };
        // Against the driver: what steers too badly is cut off. Against the dense RNN: its own error is zero.
        assert!((top(&[at(2.0), at(2.5), at(90.0)], Some(2.2)) - 1.12 * 7.0).abs() < 1e-9);
        assert!(top(&[at(0.0), at(0.5), at(3.0)], Some(1.0)) > 1.0);
        assert!(top(&[at(0.0)], None) > 0.0);
    }

    #[test]
    fn the_errors_on_the_axis_are_round_and_not_cut_off() {
        for (top, values) in [(8.0, vec![0.0, 2.0, 4.0, 6.0]), (1.1, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0])] {
            let marks: Vec<f64> = error_marks(top).iter().map(|mark| mark.value).collect();
            assert!(
                marks.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-9) && marks.len() == values.len(),
                "{marks:?}"
            );
        }
    }

    #[test]
    fn the_nearest_point_lies_between_two_rungs() {
        let at =
            |x: f64, theta: f32| Place { x, y: 0.0, thresholds: Thresholds { theta_x: theta, theta_h: 0.1 * theta } };
        let places = [at(0.0, 0.0), at(10.0, 1.0), at(20.0, 3.0)];
        let to = |x: f32, y: f32| move |place: &Place| vec2(place.x as f32 - x, place.y as f32 - y);
        let between = nearest(&places, to(15.0, 4.0)).unwrap();
        assert!((between.theta_x - 2.0).abs() < 1e-5 && (between.theta_h - 0.2).abs() < 1e-5);
        assert_eq!(nearest(&places, to(-5.0, 0.0)), Some(Thresholds::ZERO));
        assert_eq!(nearest(&places, to(99.0, -3.0)).unwrap().theta_x, 3.0);
        assert_eq!(nearest(&places[..1], to(0.0, 0.0)), None);
    }
}
