//! Where the panels go, from a stamp of 300 by 200 points to a wall.

use egui::{CentralPanel, Frame, Margin, Panel as EguiPanel, Rect, Ui, UiBuilder, Vec2, vec2};

use super::panels::{Panel, angles, health, lecture, neurons, picture, savings, thresholds, top, transport};

/// Space between cards.
const GAP: f32 = 6.0;

/// Makes everything larger on screens with more points than the layout is drawn for, so that it stays readable there, and
/// by the user's own `zoom`.
pub fn scale_to_screen(ctx: &egui::Context, zoom_by: f32) {
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
    let zoom = ctx.zoom_factor();
    let native = ctx.viewport_rect().size() * zoom;
    let wanted = zoom_by * (native.x / 1920.0).min(native.y / 1080.0).clamp(1.0, 3.0);
    if (wanted - zoom).abs() > 0.04 {
        ctx.set_zoom_factor(wanted);
    }
}

/// Where the parts of the window were last drawn; `None`: not at all.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// The frame: messages lie over its lower edge, where they hide no figure.
    pub picture: Rect,
    /// What is saved, in one figure.
    pub headline: Option<Rect>,
    /// The timeline with what stands below it.
    pub transport: Option<Rect>,
    /// The charts of angle and error.
    pub angles: Option<Rect>,
    /// The headline with what belongs to it.
    pub savings: Option<Rect>,
    /// The raster, or the drawing of the network.
    pub network: Option<Rect>,
    /// The sliders, and the curve above them.
    pub thresholds: Option<Rect>,
}

impl Parts {
    /// Nothing but the frame.
    pub fn only(picture: Rect) -> Self {
        let none = None;
        Self { picture, headline: none, transport: none, angles: none, savings: none, network: none, thresholds: none }
    }
}

/// The parts as they were last drawn.
pub fn parts(ctx: &egui::Context) -> Parts {
    ctx.data(|data| data.get_temp(egui::Id::unique("parts"))).unwrap_or_else(|| Parts::only(ctx.content_rect()))
}

/// Size of the lecture's type in a window of `size` points; 1 at 1280 by 720.
pub fn lecture_scale(size: Vec2) -> f32 {
    (size.x / 1280.0).min(size.y / 720.0).clamp(0.75, 2.0)
}

/// Whether a window of `size` points has room for the picture and a few figures only.
pub fn is_compact(size: Vec2) -> bool {
    size.x < 760.0 || size.y < 460.0
}

/// All panels.
pub fn show(ui: &mut Ui, panel: &mut Panel) {
    let room = ui.available_size();
    let compact = is_compact(room);
    let side = |margin: i8| Frame::new().inner_margin(Margin::symmetric(GAP as i8, margin));
    let lecture = panel.view.lecture && !compact;
    let scale = lecture_scale(room);
    if lecture {
        lecture::enlarge(ui, scale);
        EguiPanel::top("title").frame(side(5)).show_separator_line(false).show(ui, |ui| lecture::title(ui, panel));
    } else if !compact {
        EguiPanel::top("top").frame(side(5)).show_separator_line(false).show(ui, |ui| top::show(ui, panel));
        EguiPanel::bottom("health").frame(side(2)).show_separator_line(false).show(ui, |ui| health::strip(ui, panel));
    }
    let transport = EguiPanel::bottom("transport").frame(side(2)).show_separator_line(false).show(ui, |ui| {
        transport::show(ui, panel, compact || lecture);
    });
    CentralPanel::default().frame(side(2)).show(ui, |ui| {
        let mut parts = match (compact, lecture) {
            (true, _) => small(ui, panel),
            (_, true) => lecture::show(ui, panel, scale),
            _ => large(ui, panel),
        };
        parts.transport = Some(transport.response.rect);
        ui.ctx().data_mut(|data| data.insert_temp(egui::Id::unique("parts"), parts));
    });
}

/// Only the frame, with the savings over it or, where there is width for it, beside it.
fn small(ui: &mut Ui, panel: &mut Panel) -> Parts {
    let room = ui.available_rect_before_wrap();
    let beside = if room.width() > 620.0 { 300.0 } else { 0.0 };
    let left = Rect::from_min_max(room.min, room.max - vec2(beside, 0.0));
    place(ui, left, |ui| picture::show(ui, panel, false));
    let mut parts = Parts::only(left);
    if beside == 0.0 {
        parts.headline = savings::over_picture(ui, panel, left.left_top() + vec2(14.0, 12.0));
    } else {
        let rect = Rect::from_min_max(egui::pos2(room.right() - beside + GAP, room.top()), room.max);
        place(ui, rect, |ui| {
            egui::ScrollArea::vertical().show(ui, |ui| {
                parts.headline = Some(savings::show(ui, panel, 0.0));
                ui.add_space(GAP);
                thresholds::show(ui, panel, 120.0);
            });
        });
    }
    parts
}

/// The frame over the angles on the left; savings, thresholds and raster on the right.
fn large(ui: &mut Ui, panel: &mut Panel) -> Parts {
    let room = ui.available_rect_before_wrap();
    let right_width = (0.40 * room.width()).clamp(360.0, 720.0);
    let split = room.right() - right_width;
    let angles_height = (0.36 * room.height()).clamp(130.0, 420.0);
    let border = room.bottom() - angles_height;
    let left = Rect::from_min_max(room.min, egui::pos2(split - GAP, border - GAP));
    place(ui, left, |ui| picture::show(ui, panel, true));
    let below = Rect::from_min_max(egui::pos2(room.left(), border), egui::pos2(split - GAP, room.bottom()));
    place(ui, below, |ui| angles::show(ui, panel));
    let right = Rect::from_min_max(egui::pos2(split, room.top()), room.max);
    let mut parts = Parts { angles: Some(below), ..Parts::only(left) };
    place(ui, right, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        // Four sliders leave no room for what each frame took, and in a low window which values were passed on tells more.
        let (low, crowded) = (room.height() < 480.0, panel.view.second.is_some() && room.height() < 560.0);
        if low && crowded {
            egui::ScrollArea::vertical().show(ui, |ui| {
                parts.headline = Some(savings::show(ui, panel, 0.0));
                ui.add_space(GAP - 4.0);
                thresholds::show(ui, panel, 90.0);
            });
            return;
        }
        let chart = if low || crowded { 0.0 } else { (0.13 * room.height()).clamp(50.0, 160.0) };
        let saved = ui.scope(|ui| savings::show(ui, panel, chart));
        (parts.headline, parts.savings) = (Some(saved.inner), Some(saved.response.rect));
        ui.add_space(GAP - 4.0);
        let curve = if crowded { 90.0 } else { (0.24 * room.height()).clamp(90.0, 300.0) };
        parts.thresholds = Some(ui.scope(|ui| thresholds::show(ui, panel, curve)).response.rect);
        ui.add_space(GAP - 4.0);
        if ui.available_height() > 60.0 {
            parts.network = Some(ui.available_rect_before_wrap());
            neurons::show(ui, panel);
        }
    });
    parts
}

/// A child that fills `rect` and is cut off at its edge.
pub fn place(ui: &mut Ui, rect: Rect, add: impl FnOnce(&mut Ui)) {
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect));
    child.shrink_clip_rect(rect.expand(1.0));
    add(&mut child);
}
