//! Small drawn symbols and buttons that carry them, each with a name for screen readers and tests.

use egui::{Color32, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::theme::Palette;

/// A symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A triangle.
    Play,
    /// Two bars.
    Pause,
    /// A bar and a triangle: one frame on or back.
    Step {
        /// Towards the end of the drive.
        forward: bool,
    },
    /// Two triangles: one second on or back.
    Jump {
        /// Towards the end of the drive.
        forward: bool,
    },
    /// Two arrows in a ring.
    Loop,
    /// An arrow into a tray.
    Export,
    /// A cross.
    Close,
    /// A full circle.
    Record,
}

/// A square button with a symbol. `label` names it for screen readers; `hint` is the tooltip.
pub fn icon_button(ui: &mut Ui, icon: Icon, selected: bool, label: &str, hint: &str) -> Response {
    let side = (1.5 * ui.spacing().interact_size.y).max(28.0);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), selected, label));
    let colours = Palette::current(ui);
    let style = ui.style().interact(&response);
    if response.hovered() || response.has_focus() || selected {
        let fill = if selected { ui.visuals().selection.bg_fill } else { style.weak_bg_fill };
        ui.painter().rect_filled(rect.shrink(1.0), 6.0, fill);
    }
    let ink = if ui.is_enabled() { colours.text } else { colours.weak };
    draw(ui, icon, Rect::from_center_size(rect.center(), Vec2::splat(0.46 * side)), ink);
    response.on_hover_text(hint)
}

fn draw(ui: &Ui, icon: Icon, rect: Rect, ink: Color32) {
    let paint = ui.painter();
    let line = Stroke::new(1.8, ink);
    let bar = |x: f32| Rect::from_min_max(at(rect, x, 0.0), at(rect, x + 0.26, 1.0));
    match icon {
        Icon::Play => triangle(paint, rect, true, ink),
        Icon::Pause => {
            paint.rect_filled(bar(0.12), 1.0, ink);
            paint.rect_filled(bar(0.62), 1.0, ink);
        }
        Icon::Step { forward } => {
            let x = if forward { 0.08 } else { 0.78 };
            let thin = Rect::from_min_max(at(rect, x, 0.05), at(rect, x + 0.14, 0.95));
            paint.rect_filled(thin, 1.0, ink);
            let half = Rect::from_min_max(
                at(rect, if forward { 0.34 } else { 0.0 }, 0.05),
                at(rect, if forward { 1.0 } else { 0.66 }, 0.95),
            );
            triangle(paint, half, forward, ink);
        }
        Icon::Jump { forward } => {
            for x in [0.0, 0.48] {
                let half = Rect::from_min_max(at(rect, x, 0.1), at(rect, x + 0.52, 0.9));
                triangle(paint, half, forward, ink);
            }
        }
        Icon::Loop => {
            let centre = rect.center();
            for turn in [0.0, std::f32::consts::PI] {
                let arc: Vec<Pos2> = (0..=14)
                    .map(|i| {
                        let angle = turn + 0.35 + 2.2 * i as f32 / 14.0;
                        centre + 0.46 * rect.width() * vec2(angle.cos(), angle.sin())
                    })
                    .collect();
                let end = arc[arc.len() - 1];
                let along = (end - arc[arc.len() - 3]).normalized();
                let across = vec2(-along.y, along.x);
                paint.line(arc, line);
                let head = vec![end + 3.4 * along, end + 3.0 * across, end - 3.0 * across];
                paint.add(Shape::convex_polygon(head, ink, Stroke::NONE));
            }
        }
        Icon::Export => {
            paint.line_segment([at(rect, 0.5, 0.0), at(rect, 0.5, 0.62)], line);
            paint.line(vec![at(rect, 0.22, 0.36), at(rect, 0.5, 0.66), at(rect, 0.78, 0.36)], line);
            paint
                .line(vec![at(rect, 0.04, 0.66), at(rect, 0.04, 1.0), at(rect, 0.96, 1.0), at(rect, 0.96, 0.66)], line);
        }
        Icon::Record => {
            paint.circle_filled(rect.center(), 0.5 * rect.width(), Palette::current(ui).warning);
        }
        Icon::Close => {
            paint.line_segment([at(rect, 0.15, 0.15), at(rect, 0.85, 0.85)], line);
            paint.line_segment([at(rect, 0.85, 0.15), at(rect, 0.15, 0.85)], line);
        }
    }
}

fn at(rect: Rect, x: f32, y: f32) -> Pos2 {
    pos2(rect.left() + x * rect.width(), rect.top() + y * rect.height())
}

fn triangle(paint: &egui::Painter, rect: Rect, forward: bool, ink: Color32) {
    let (base, tip) = if forward { (0.08, 1.0) } else { (0.92, 0.0) };
    let corners = vec![at(rect, base, 0.0), at(rect, tip, 0.5), at(rect, base, 1.0)];
    paint.add(Shape::convex_polygon(corners, ink, Stroke::NONE));
}
