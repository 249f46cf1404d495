//! Opening the window, and painting it into a file without one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use egui::{Pos2, RawInput, Rect, ViewportBuilder, vec2};

use super::command::{Command, Overlay};
use super::offscreen::Offscreen;
use super::rate::RedrawPause;
use super::settings::Settings;
use super::shell::{Presentation, Window};
use super::theme::Palette;
use super::view::LaneView;
use super::whatif::store::LIMIT_BYTES;
use super::whatif::{Place, Start, Wake, WhatIf};
use crate::output;
use crate::pipeline::Pace;

/// Whether a window can be opened here.
pub fn has_display() -> bool {
    let named = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    cfg!(not(target_os = "linux")) || named("WAYLAND_DISPLAY") || named("DISPLAY")
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// No display, or none that offers OpenGL.
pub fn run_view(start: Start, presentation: Presentation) -> anyhow::Result<()> {
    open_window(start, presentation, |window, _| Box::new(window))
}

/// As [`run_view`], with what `wrap` makes of the window.
pub(super) fn open_window(
    start: Start,
    presentation: Presentation,
    wrap: impl FnOnce(Window, &egui::Context) -> Box<dyn eframe::App> + 'static,
) -> anyhow::Result<()> {
    if !has_display() {
        bail!("no display: neither WAYLAND_DISPLAY nor DISPLAY is set");
    }
    let settings_path = Settings::path();
    let size = settings_path.as_deref().map(Settings::load).unwrap_or_default().0.size_points;
    let viewport = ViewportBuilder::default()
        .with_title("deltasteer")
        .with_app_id("deltasteer")
        .with_inner_size(size)
        .with_min_inner_size([300.0, 200.0])
        .with_icon(icon());
    // Dithering smooths gradients, of which there are none here; where Mesa paints on the processor it costs per pixel.
    let options =
        eframe::NativeOptions { viewport, renderer: eframe::Renderer::Glow, dithering: false, ..Default::default() };
    let result = eframe::run_native(
        "deltasteer",
        options,
        Box::new(move |creation| {
            let pause = RedrawPause::default();
            let wake = waker(&creation.egui_ctx, pause.clone());
            let engine = WhatIf::start(wake.clone(), LIMIT_BYTES)?;
            let mut window = Window::new(engine, start, settings_path, wake);
            window.set_redraw_pause(pause);
            window.present(presentation);
            window.dress(&creation.egui_ctx);
            Ok(wrap(window, &creation.egui_ctx))
        }),
    );
    result.map_err(|error| anyhow::anyhow!("the window did not open: {error}"))
}

/// Redraws soon after news, but not once for each.
fn waker(ctx: &egui::Context, pause: RedrawPause) -> Wake {
    let ctx = ctx.clone();
    Arc::new(move || ctx.request_repaint_after(pause.get()))
}

/// A triangle, the difference sign, on a dark ground.
fn icon() -> egui::IconData {
    const SIDE: usize = 64;
    let palette = Palette::of(egui::Theme::Dark);
    let mut rgba = Vec::with_capacity(4 * SIDE * SIDE);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (x, y) = (x as f32 / SIDE as f32 - 0.5, y as f32 / SIDE as f32);
            let outer = (0.12..0.88).contains(&y) && x.abs() < 0.55 * (y - 0.12);
            let inner = (0.34..0.76).contains(&y) && x.abs() < 0.55 * (y - 0.34);
            rgba.extend(if outer && !inner { palette.delta } else { palette.ground }.to_array());
        }
    }
    egui::IconData { rgba, width: SIDE as u32, height: SIDE as u32 }
}

/// What a screenshot shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Screenshot {
    /// The PNG to write.
    pub file: PathBuf,
    /// The moment shown, in seconds from the first frame.
    pub at_s: f64,
    /// Width and height in pixels.
    pub size: [usize; 2],
    /// Dark or light.
    pub dark: bool,
    /// The overlays that are on.
    pub overlays: Vec<Overlay>,
    /// A second setting beside the first.
    pub compare: bool,
    /// As a lecture.
    pub lecture: bool,
}

/// A pipeline that says nothing for this long has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Paints the window as it looks at a moment of the drive into a PNG, without a display.
///
/// # Errors
/// What a source or model cannot give, a moment beyond the drive's end, or a file that cannot be written.
pub fn screenshot(start: Start, picture: &Screenshot) -> anyhow::Result<()> {
    let [width, height] = picture.size;
    if !(300..=16_384).contains(&width) || !(200..=16_384).contains(&height) {
        bail!("--size {width}x{height}: expected 300x200 up to 16384x16384");
    }
    let (news, woken) = mpsc::channel();
    let wake: Wake = Arc::new(move || {
        let _ = news.send(());
    });
    let engine = WhatIf::start(wake.clone(), LIMIT_BYTES)?;
    let start = Start { pace: Pace::Unpaced, playing: false, place: Place::Frame(0), ..start };
    let mut window = Window::new(engine, start, None, wake);
    window.settings_mut().dark = picture.dark;
    window.settings_mut().overlays = picture.overlays.iter().map(|overlay| overlay.label().to_owned()).collect();
    window.present(Presentation { lecture: picture.lecture, tour: false });
    let ctx = egui::Context::default();
    let mut painter = Headless { ctx, offscreen: Offscreen::default(), size: picture.size, started: Instant::now() };
    run_to(&mut window, &painter.ctx, picture.at_s, picture.compare, &woken)?;
    window.perform(&painter.ctx, Command::DismissNotices);
    window.perform(&painter.ctx, Command::SetPace(Pace::Times(1.0)));
    let mut image = None;
    // Several passes: sizes settle, animations end, the raster learns how many rows it has.
    for _ in 0..6 {
        image = Some(painter.paint(&mut window));
    }
    let image = image.context("nothing was painted")?;
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png)?;
    output::write_whole(&picture.file, bytes.get_ref())
}

/// Runs the drive from its first frame to the one at `at_s`, and waits for the figures that come later.
fn run_to(
    window: &mut Window,
    ctx: &egui::Context,
    at_s: f64,
    compare: bool,
    woken: &mpsc::Receiver<()>,
) -> anyhow::Result<()> {
    wait(window, woken, |window| window.view().shown.is_some())?;
    let duration_s = window.view().duration_s();
    if !(0.0..=duration_s + 1e-6).contains(&at_s) && window.view().frame_count().is_some() {
        bail!("--at {at_s}: the drive is {duration_s:.2} s long");
    }
    if compare {
        window.perform(ctx, Command::ToggleCompare);
    }
    let target = window.view().index_at(at_s);
    let steps = target.saturating_sub(window.view().index());
    if steps > 0 {
        window.perform(ctx, Command::StepFrames(steps as i64));
        wait(window, woken, |window| window.view().index() >= target || window.view().ended.is_some())?;
    }
    wait(window, woken, |window| {
        let view = window.view();
        let last = view.main.track.points().last().map(|point| point.index);
        let answered = |lane: &LaneView| lane.track.points().last().map(|point| point.index) == last;
        let curve = view.trade_off.as_ref().map(|curve| curve.through);
        answered(&view.dense) && view.second.as_ref().is_none_or(answered) && (curve == last || last.is_none())
    })?;
    let salient = window.settings().shows(Overlay::Saliency);
    wait(window, woken, |window| {
        let index = window.view().index();
        !salient || window.view().saliency.as_ref().is_some_and(|map| map.index == index)
    })
}

/// Takes in news until `done`.
fn wait(window: &mut Window, woken: &mpsc::Receiver<()>, done: impl Fn(&Window) -> bool) -> anyhow::Result<()> {
    let mut last = Instant::now();
    loop {
        window.collect();
        if done(window) {
            return Ok(());
        }
        if window.view().stopped
            && let Some(notice) = window.view().notices.iter().rfind(|notice| notice.bad)
        {
            bail!("{}", notice.text);
        }
        match woken.recv_timeout(Duration::from_millis(100)) {
            Ok(()) => last = Instant::now(),
            Err(_) if last.elapsed() > PATIENCE => bail!("no frame came for {} s", PATIENCE.as_secs()),
            Err(_) => {}
        }
    }
}

/// A context without a display.
struct Headless {
    ctx: egui::Context,
    offscreen: Offscreen,
    size: [usize; 2],
    started: Instant,
}

impl Headless {
    fn paint(&mut self, window: &mut Window) -> image::RgbaImage {
        let [width, height] = self.size;
        let zoom = (width as f32 / 1920.0).min(height as f32 / 1080.0).clamp(1.0, 3.0);
        let points = vec2(width as f32, height as f32) / zoom;
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, points)),
            time: Some(self.started.elapsed().as_secs_f64()),
            predicted_dt: 0.5,
            focused: true,
            ..RawInput::default()
        };
        if let Some(viewport) = input.viewports.get_mut(&egui::ViewportId::ROOT) {
            viewport.native_pixels_per_point = Some(zoom);
        }
        let mut output = self.ctx.run_ui(input, |ui| window.ui(ui));
        self.offscreen.update(&output.textures_delta);
        let primitives = self.ctx.tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point);
        let ground = Palette::of(self.ctx.theme()).ground;
        let image = self.offscreen.paint(&primitives, output.pixels_per_point, width, height, ground);
        self.offscreen.free(&output.textures_delta);
        output.textures_delta.clear();
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icon_is_drawn_in_two_colours() {
        let icon = icon();
        assert_eq!(icon.rgba.len(), 4 * 64 * 64);
        let accents =
            icon.rgba.chunks_exact(4).filter(|p| *p == Palette::of(egui::Theme::Dark).delta.to_array()).count();
        assert!((200..2000).contains(&accents), "{accents}");
    }
}
