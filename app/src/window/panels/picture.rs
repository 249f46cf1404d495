//! The frame, large, with what is drawn over it.

use deltasteer_data::CameraGeometry;
use egui::{Align2, Color32, FontId, Mesh, Pos2, Rect, Sense, Shape, Stroke, Ui, Vec2, pos2, vec2};

use super::{Panel, wheel};
use crate::pipeline::Pace;
use crate::text;
use crate::window::command::{Command, Lane, Overlay};
use crate::window::theme::{self, Palette};

/// Half the width of the drawn path: that of a car.
const HALF_WIDTH_M: f32 = 0.9;

/// The whole card: the overlays' switches, then the frame.
pub fn show(ui: &mut Ui, panel: &mut Panel, with_switches: bool) {
    theme::card(ui).inner_margin(6).show(ui, |ui| {
        if with_switches {
            switches(ui, panel);
        }
        let (area, response) = ui.allocate_exact_size(ui.available_size(), Sense::click());
        let label = if panel.view.stale_s().is_some() { "Camera frame, stale" } else { "Camera frame" };
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, label));
        if response.clicked() {
            panel.ask(Command::TogglePlay);
        }
        paint(ui, area, panel);
    });
}

/// One button for each overlay and what is known of the frame.
fn switches(ui: &mut Ui, panel: &mut Panel) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (place, overlay) in Overlay::ALL.into_iter().enumerate() {
            let on = panel.settings.shows(overlay);
            let hint = format!("{}\nKey {}", overlay.explanation(), place + 1);
            if ui.selectable_label(on, overlay.label()).on_hover_text(hint).clicked() {
                panel.ask(Command::ToggleOverlay(overlay));
            }
        }
        let assumed = panel.view.camera().is_some_and(|camera| !camera.known);
        if assumed {
            horizon_menu(ui, panel);
        }
    });
}

/// The horizon of a camera that the source does not know, to be set by eye.
fn horizon_menu(ui: &mut Ui, panel: &mut Panel) {
    let Some((camera, drive)) = panel.view.camera().zip(panel.view.drive.clone()) else { return };
    let hint =
        "The source does not say how its camera is mounted. Set the row of the horizon, so that paths lie on the road.";
    ui.menu_button("Camera", |ui| {
        ui.set_min_width(230.0);
        ui.label(egui::RichText::new(hint).small());
        let mut horizon = camera.horizon_row / drive.height.max(1) as f32;
        let slider = egui::Slider::new(&mut horizon, 0.2..=0.8).text("Horizon").show_value(false);
        if ui.add(slider).changed() {
            panel.ask(Command::SetHorizon(horizon));
        }
    })
    .response
    .on_hover_text(hint);
}

fn paint(ui: &Ui, area: Rect, panel: &Panel) {
    let colours = Palette::current(ui);
    let Some((frame, texture)) = panel.view.shown.as_ref().zip(panel.textures.picture.as_ref()) else {
        ui.painter().rect_filled(area, 4.0, colours.well);
        let words = panel.view.opening.as_deref().unwrap_or("Open a drive: drop a folder here, or press Ctrl+O");
        ui.painter().text(area.center(), Align2::CENTER_CENTER, words, FontId::proportional(15.0), colours.weak);
        return;
    };
    let (height, width, _) = frame.image.dim();
    let size = vec2(width as f32, height as f32);
    // A stamp shows the picture alone.
    let wheels = panel.settings.shows(Overlay::Wheels) && area.height() > 110.0;
    let (image, side) = place(area, size, wheels);
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    ui.painter().image(texture.id(), image, whole, Color32::WHITE);
    let canvas = Canvas { ui, image, size };
    canvas.saliency(panel);
    canvas.crop(panel);
    canvas.paths(panel);
    canvas.caption(panel);
    if wheels {
        canvas.wheels(panel, side);
    }
}

/// Where the frame goes and, if there is room beside it, the wheels.
fn place(area: Rect, size: Vec2, wheels: bool) -> (Rect, Option<Rect>) {
    let scale = (area.width() / size.x).min(area.height() / size.y);
    let fitted = size * scale;
    let free = area.width() - fitted.x;
    if wheels && free >= 96.0 {
        let beside = free.min(190.0);
        let image =
            Rect::from_min_size(pos2(area.left() + 0.5 * (free - beside), area.center().y - 0.5 * fitted.y), fitted);
        let side = Rect::from_min_max(pos2(image.right(), area.top()), pos2(image.right() + beside, area.bottom()));
        return (image, Some(side));
    }
    (Rect::from_center_size(area.center(), fitted), None)
}

/// The frame on the screen, to draw on in its own pixels.
struct Canvas<'a> {
    ui: &'a Ui,
    image: Rect,
    size: Vec2,
}

impl Canvas<'_> {
    fn painter(&self) -> egui::Painter {
        self.ui.painter().with_clip_rect(self.image.intersect(self.ui.clip_rect()))
    }

    fn at(&self, column: f32, row: f32) -> Pos2 {
        self.image.min + vec2(column, row) * self.image.size() / self.size
    }

    fn rect(&self, [x, y, w, h]: [usize; 4]) -> Rect {
        Rect::from_min_max(self.at(x as f32, y as f32), self.at((x + w) as f32, (y + h) as f32))
    }

    fn paths(&self, panel: &Panel) {
        let colours = Palette::current(self.ui);
        let Some((frame, camera)) = panel.view.shown.as_ref().zip(panel.view.camera()) else { return };
        if panel.settings.shows(Overlay::PredictedPath) {
            if let Some(second_rad) = panel.view.steering_rad(Lane::Second) {
                self.ribbon(&camera, second_rad, colours.second, 0.30);
            }
            if let Some(steering_rad) = panel.view.steering_rad(Lane::Main) {
                self.ribbon(&camera, steering_rad, Palette::of(egui::Theme::Dark).delta, 0.55);
            }
        }
        if let (true, Some(truth)) = (panel.settings.shows(Overlay::TruePath), frame.steering_true_rad) {
            self.rails(&camera, truth, Palette::of(egui::Theme::Dark).truth);
        }
    }

    /// The filled strip of road that the car would cover, fading with distance.
    fn ribbon(&self, camera: &CameraGeometry, steering_rad: f32, colour: Color32, strength: f32) {
        let left = camera.path(steering_rad, HALF_WIDTH_M);
        let right = camera.path(steering_rad, -HALF_WIDTH_M);
        let mut mesh = Mesh::default();
        for (place, (l, r)) in left.iter().zip(&right).enumerate() {
            let fade = 1.0 - place as f32 / (left.len() - 1).max(1) as f32;
            let ink = colour.gamma_multiply(strength * (0.12 + 0.88 * fade));
            mesh.colored_vertex(self.at(l.0, l.1), ink);
            mesh.colored_vertex(self.at(r.0, r.1), ink);
            if place > 0 {
                let base = 2 * place as u32;
                mesh.add_triangle(base - 2, base - 1, base);
                mesh.add_triangle(base - 1, base + 1, base);
            }
        }
        let paint = self.painter();
        paint.add(Shape::mesh(mesh));
        for side in [left, right] {
            let line = side.iter().map(|&(column, row)| self.at(column, row)).collect();
            paint.line(line, Stroke::new(1.5, colour));
        }
    }

    /// Two dashed lines where the wheels ran: told from the ribbon by form as well as by colour.
    fn rails(&self, camera: &CameraGeometry, steering_rad: f32, colour: Color32) {
        let paint = self.painter();
        for side in [HALF_WIDTH_M, -HALF_WIDTH_M] {
            let points: Vec<Pos2> =
                camera.path(steering_rad, side).iter().map(|&(column, row)| self.at(column, row)).collect();
            paint.extend(Shape::dashed_line(&points, Stroke::new(4.0, Color32::from_black_alpha(110)), 11.0, 6.0));
            paint.extend(Shape::dashed_line(&points, Stroke::new(2.4, colour), 11.0, 6.0));
        }
    }

    fn crop(&self, panel: &Panel) {
        let (true, Some(crop)) = (panel.settings.shows(Overlay::Crop), panel.view.crop) else { return };
        let rect = self.rect(crop);
        let shade = Color32::from_black_alpha(130);
        let (image, paint) = (self.image, self.painter());
        for part in [
            Rect::from_min_max(image.min, pos2(image.right(), rect.top())),
            Rect::from_min_max(pos2(image.left(), rect.bottom()), image.max),
            Rect::from_min_max(pos2(image.left(), rect.top()), pos2(rect.left(), rect.bottom())),
            Rect::from_min_max(pos2(rect.right(), rect.top()), pos2(image.right(), rect.bottom())),
        ] {
            paint.rect_filled(part, 0.0, shade);
        }
        paint.rect_stroke(rect, 0.0, Stroke::new(1.0, Color32::WHITE), egui::StrokeKind::Inside);
        let corner = rect.left_top() + vec2(5.0, 3.0);
        self.label(corner, Align2::LEFT_TOP, "what the CNN sees");
    }

    fn saliency(&self, panel: &Panel) {
        let Some(map) = panel.view.saliency.as_ref().filter(|_| panel.settings.shows(Overlay::Saliency)) else {
            return;
        };
        if let Some(texture) = &panel.textures.saliency {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            self.painter().image(texture.id(), self.rect(map.crop), whole, Color32::WHITE);
        }
        let behind = panel.view.shown.as_ref().map_or(0, |frame| frame.index.saturating_sub(map.index));
        let age = if behind == 0 { String::new() } else { format!(" ({behind} frames ago)") };
        let words =
            format!("bright: covering it moves the CNN's angle by up to {:.1}°{age}", map.largest_rad.to_degrees());
        self.label(self.rect(map.crop).left_bottom() + vec2(5.0, -3.0), Align2::LEFT_BOTTOM, &words);
    }

    fn caption(&self, panel: &Panel) {
        let Some(frame) = &panel.view.shown else { return };
        if self.image.width() < 260.0 {
            return;
        }
        let of = panel.view.frame_count().map_or_else(String::new, |count| format!(" of {count}"));
        let warmed =
            if panel.view.answer(Lane::Main).is_some_and(|point| !point.exact) { "   ≈ warmed up" } else { "" };
        let words = format!("frame {}{of}   {} s{warmed}", frame.index, text::clock(frame.time_s));
        self.label(self.image.right_top() + vec2(-6.0, 5.0), Align2::RIGHT_TOP, &words);
        if let Some(silent_s) = panel.view.stale_s() {
            let last = format!("STALE: last frame {silent_s:.0} s ago, at {} s", text::clock(frame.time_s));
            self.label(self.image.center(), Align2::CENTER_BOTTOM, &last);
            self.label(self.image.center() + vec2(0.0, 6.0), Align2::CENTER_TOP, &panel.view.live.words);
        }
        let on_the_way = panel.view.jumping_to.map(|target| format!("on the way to frame {target} …"));
        if let Some(words) = panel.view.opening.clone().or(on_the_way).or(panel.view.again.clone()) {
            self.label(self.image.center_top() + vec2(0.0, 5.0), Align2::CENTER_TOP, &words);
        }
    }

    /// White words on a dark plate, readable on any picture.
    fn label(&self, at: Pos2, anchor: Align2, words: &str) {
        let paint = self.painter();
        if words.is_empty() {
            return;
        }
        let small = theme::small(self.ui).size;
        let (font, width) = (FontId::proportional(1.1 * small), self.image.width() - 12.0);
        let galley = paint.layout(words.to_owned(), font, Color32::WHITE, width);
        let rect = anchor.anchor_size(at, galley.size());
        paint.rect_filled(rect.expand2(vec2(5.0, 2.0)), 3.0, theme::PLATE);
        paint.galley(rect.min, galley, Color32::WHITE);
    }

    fn wheels(&self, panel: &Panel, side: Option<Rect>) {
        let colours = Palette::current(self.ui);
        let Some(frame) = &panel.view.shown else { return };
        let glides = panel.view.pace != Pace::Unpaced;
        let reading = |steering_rad, colour, caption| wheel::Reading { steering_rad, colour, caption, glides };
        let mut wheels = vec![reading(panel.view.steering_rad(Lane::Main), colours.delta, "delta RNN")];
        if panel.view.second.is_some() {
            wheels.push(reading(panel.view.steering_rad(Lane::Second), colours.second, "second setting"));
        }
        wheels.push(reading(frame.steering_true_rad, colours.truth, "driver"));
        let count = wheels.len() as f32;
        match side {
            Some(side) => {
                let pitch = (side.height() / count).min(190.0);
                let radius = (0.40 * side.width()).min(wheel::radius_for(self.ui, pitch - 8.0)).clamp(12.0, 64.0);
                let first = side.center().y - 0.5 * count * pitch;
                for (place, reading) in wheels.into_iter().enumerate() {
                    let middle = first + (place as f32 + 0.5) * pitch;
                    let top = middle - 0.5 * wheel::height(self.ui, radius);
                    let centre = pos2(side.center().x + 3.0, top + 1.1 * radius);
                    wheel::draw(self.ui, centre, radius, reading);
                }
            }
            None => self.wheels_on_frame(&wheels),
        }
    }

    fn wheels_on_frame(&self, wheels: &[wheel::Reading]) {
        let radius = (0.065 * self.image.width()).min(0.10 * self.image.height()).clamp(14.0, 46.0);
        if self.image.width() < 220.0 {
            return;
        }
        let colours = Palette::current(self.ui);
        let width = 3.4 * radius.max(24.0);
        for (place, &reading) in wheels.iter().enumerate() {
            let corner = self.image.left_bottom() + vec2(6.0 + place as f32 * (width + 6.0), -6.0);
            let plate =
                Rect::from_min_max(corner - vec2(0.0, wheel::height(self.ui, radius) + 6.0), corner + vec2(width, 0.0));
            self.painter().rect_filled(plate, 6.0, colours.ground.gamma_multiply(0.82));
            let centre = pos2(plate.center().x, plate.top() + 6.0 + 1.1 * radius);
            wheel::draw(self.ui, centre, radius, reading);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheels_stand_beside_the_frame_only_where_there_is_room() {
        let wide = Rect::from_min_size(Pos2::ZERO, vec2(900.0, 400.0));
        let (image, side) = place(wide, vec2(640.0, 480.0), true);
        assert!(side.is_some_and(|side| side.left() >= image.right() && wide.contains_rect(side)));
        assert!(wide.contains_rect(image));
        let tall = Rect::from_min_size(Pos2::ZERO, vec2(400.0, 900.0));
        assert_eq!(place(tall, vec2(640.0, 480.0), true).1, None);
    }
}
