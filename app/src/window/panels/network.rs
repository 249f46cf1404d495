//! The network as its columns of weights, the ordinary one beside the delta network: a column that is read lights up.

use egui::{Align2, Color32, Mesh, Pos2, Rect, Role, Sense, Shape, Ui, WidgetInfo, pos2, vec2};

use super::{Panel, glossary};
use crate::text;
use crate::window::theme::{self, Palette};
use crate::window::view::View;
use crate::window::whatif::Lane;

/// Frames over which a column that was read fades.
const FADE: usize = 6;
/// Height of a column over its width.
const TALL: f32 = 3.0;
/// Width of a column in points, at most.
const WIDEST: f32 = 24.0;

/// Both networks, side by side, in what room there is.
pub fn show(ui: &mut Ui, panel: &Panel) {
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    let view = panel.view;
    let (Some(model), Some(point)) = (&view.main.model, view.answer(Lane::Main)) else {
        let words = "The network is drawn once the first frame has been answered.";
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, words, theme::body(ui), Palette::current(ui).weak);
        return;
    };
    let colours = Palette::current(ui);
    let units = [("inputs", model.inputs), ("neurons", model.hidden)];
    let all = model.inputs + model.hidden;
    let sent = (point.count.columns_x + point.count.columns_h) as usize;
    let half = vec2(0.5 * rect.width() - 8.0, rect.height());
    let halves = [rect.min, pos2(rect.right() - half.x, rect.top())].map(|corner| Rect::from_min_size(corner, half));
    let network = |rect, name, sent, macs, colour, lit: &dyn Fn(usize) -> f32| {
        let words = [
            (name, theme::strong(ui), colour),
            (&*format!("{sent} of {all} columns"), theme::body(ui), colours.text),
            (&*format!("{} multiplications", text::grouped(macs)), theme::small(ui), colours.weak),
        ];
        paint(ui, rect, words, units, colour, lit);
    };
    network(halves[0], "Ordinary network", all, model.dense.macs, colours.dense, &|_| 1.0);
    let fading = fading(view, all);
    network(halves[1], "Delta network", sent, point.count.macs, colours.delta, &|unit| fading[unit]);
    let label = format!("Network: {sent} of {all} columns read");
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &label));
    glossary::explain(response, &["column", "delta RNN"]);
}

/// How bright each unit's column is: 1 where it was read for the frame shown, less where that was a few frames ago.
fn fading(view: &View, units: usize) -> Vec<f32> {
    let mut levels = vec![0.0_f32; units];
    for (age, point) in view.main.track.up_to(view.index(), FADE).iter().rev().enumerate() {
        let level = if age == 0 { 1.0 } else { 0.5 * (1.0 - age as f32 / FADE as f32) };
        for mark in view.main.track.marks(point) {
            if let Some(known) = levels.get_mut(mark.unit()) {
                *known = known.max(level);
            }
        }
    }
    levels
}

type Line<'a> = (&'a str, egui::FontId, Color32);

/// Captions above, then the columns of each group.
fn paint(
    ui: &Ui,
    rect: Rect,
    words: [Line; 3],
    groups: [(&str, usize); 2],
    colour: Color32,
    lit: &dyn Fn(usize) -> f32,
) {
    let colours = Palette::current(ui);
    let mut top = rect.top();
    for (text, font, ink) in words {
        let galley = ui.painter().layout(text.to_owned(), font, ink, rect.width());
        let height = galley.size().y;
        ui.painter().galley(pos2(rect.left(), top), galley, ink);
        top += height + 1.0;
    }
    let caption = theme::small(ui);
    let names = 2.0 * (caption.size + 8.0);
    let columns = groups.iter().map(|(_, count)| count).sum::<usize>();
    let room = vec2(rect.width(), rect.bottom() - top - names);
    let Some(pitch) = pitch(room, columns, groups.len()) else { return };
    let mut mesh = Mesh::default();
    let mut unit = 0;
    for (name, count) in groups {
        top += 4.0;
        let words = format!("{} {name}", text::grouped(count as u64));
        ui.painter().text(pos2(rect.left(), top), Align2::LEFT_TOP, words, caption.clone(), colours.weak);
        top += caption.size + 4.0;
        let row = ((rect.width() / pitch) as usize).max(1);
        for place in 0..count {
            let corner = pos2(
                rect.left() + (place % row) as f32 * pitch,
                top + (place / row) as f32 * (TALL * pitch + 0.25 * pitch),
            );
            mesh.add_colored_rect(column(corner, pitch), mix(colours.edge, colour, lit(unit)));
            unit += 1;
        }
        top += count.div_ceil(row) as f32 * (TALL + 0.25) * pitch;
    }
    ui.painter().with_clip_rect(rect.expand(1.0)).add(Shape::mesh(mesh));
}

fn column(corner: Pos2, pitch: f32) -> Rect {
    Rect::from_min_size(corner, vec2(0.72 * pitch, TALL * pitch))
}

/// Points from a column to the next, so that all fit into `room`; `None` where there is none.
fn pitch(room: egui::Vec2, columns: usize, groups: usize) -> Option<f32> {
    if room.x < 20.0 || room.y < 12.0 || columns == 0 {
        return None;
    }
    let rows = |pitch: f32| columns.div_ceil(((room.x / pitch) as usize).max(1)) + groups - 1;
    let fits = |pitch: &f32| rows(*pitch) as f32 * (TALL + 0.25) * pitch <= room.y;
    let tried = (0..60).map(|step| WIDEST * 0.94_f32.powi(step));
    tried.into_iter().find(fits)
}

fn mix(from: Color32, to: Color32, share: f32) -> Color32 {
    from.lerp_to_gamma(to, share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_columns_fit_into_their_room() {
        for (room, columns) in [(vec2(250.0, 200.0), 562), (vec2(130.0, 60.0), 1100), (vec2(600.0, 500.0), 72)] {
            let pitch = pitch(room, columns, 2).unwrap();
            let rows = columns.div_ceil((room.x / pitch) as usize) + 1;
            assert!(rows as f32 * (TALL + 0.25) * pitch <= room.y && pitch <= WIDEST, "{room:?} {pitch}");
        }
        assert_eq!(pitch(vec2(10.0, 10.0), 5, 2), None);
    }
}
