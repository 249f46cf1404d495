//! The window itself: collects news, reads keys, lays out the panels, carries out what they ask for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use egui::{Event, Theme};

use super::command::{Browse, Command, Lane, Overlay};
use super::export::{self, Export};
use super::hotspots;
use super::keys;
use super::layout;
use super::models;
use super::panels::Panel;
use super::panels::dialogs::Dialogs;
use super::panels::tour;
use super::rate::{Rate, RedrawPause};
use super::recorder::Order;
use super::saliency::Saliency;
use super::settings::Settings;
use super::textures::Textures;
use super::theme;
use super::trained;
use super::view::{Tour, View};
use super::whatif::{Start, Update, Wake, WhatIf, Wish};
use crate::model::{Model, is_model_folder};
use crate::pipeline::Pace;

/// A longer time between two redraws was a pause, in which nobody read a caption.
const LONGEST_REDRAW_S: f64 = 0.5;

/// What a file dialogue was opened for, and the path chosen in it.
type Browsed = (Browse, Option<PathBuf>);

/// How a window is to begin, beside its drive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Presentation {
    /// As a lecture.
    pub lecture: bool,
    /// With the tour, where it has not been seen.
    pub tour: bool,
}

/// Everything behind one window.
pub struct Window {
    pub(super) engine: WhatIf,
    pub(super) view: View,
    pub(super) settings: Settings,
    pub(super) dialogs: Dialogs,
    pub(super) export: Option<Export>,
    /// What is open, or is being opened.
    pub(super) current: Start,
    pub(super) wake: Wake,
    pub(super) browsed: (Sender<Browsed>, Receiver<Browsed>),
    settings_path: Option<PathBuf>,
    textures: Textures,
    saliency: Option<Saliency>,
    model: Option<Arc<Model>>,
    frames: Rate,
    redraws: Rate,
    theme_applied: bool,
    /// The answers that the hot spots were found in.
    hot_version: u64,
    next_fade: Option<Duration>,
    pub(super) redraw_pause: RedrawPause,
}

impl Window {
    /// A window that opens `start` at once. Choices are read from `settings_path` and written there at the end.
    pub fn new(engine: WhatIf, start: Start, settings_path: Option<PathBuf>, wake: Wake) -> Self {
        let (settings, trouble) = settings_path.as_deref().map(Settings::load).unwrap_or_default();
        let mut view = View { pace: start.pace, ..View::default() };
        if let Some(trouble) = trouble {
            view.notices.say(true, trouble);
        }
        let mut window = Self {
            engine,
            view,
            settings,
            dialogs: Dialogs::default(),
            export: None,
            current: start.clone(),
            wake,
            browsed: unbounded(),
            settings_path,
            textures: Textures::default(),
            saliency: None,
            model: None,
            frames: Rate::default(),
            redraws: Rate::default(),
            theme_applied: false,
            hot_version: 0,
            next_fade: None,
            redraw_pause: RedrawPause::default(),
        };
        window.open(start);
        window
    }

    /// The choices, to be changed before the first redraw.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Begins as a lecture, or with the tour where it has not been seen.
    pub fn present(&mut self, presentation: Presentation) {
        self.view.lecture = presentation.lecture;
        self.view.tour = (presentation.tour && !self.settings.tour_seen).then(Tour::default);
    }

    /// What the panels show.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The choices.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Lets the caller that wakes this window know how hurried it is.
    pub(super) fn set_redraw_pause(&mut self, pause: RedrawPause) {
        pause.set_unpaced(self.view.pace == Pace::Unpaced);
        self.redraw_pause = pause;
    }

    /// Exports go into this folder.
    pub fn set_export_folder(&mut self, folder: PathBuf) {
        self.settings.export_folder = folder;
    }

    /// One redraw: news in, panels out, requests carried out.
    pub fn ui(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        self.dress(&ctx);
        self.redraws.tick(Instant::now());
        self.collect();
        let mut commands = self.lead_tour(&ctx);
        commands.extend(keys::pressed(&ctx, self.dialogs.open));
        commands.extend(dropped(&ctx));
        self.textures.update(&ctx, &self.view);
        let mut panel =
            Panel { view: &self.view, settings: &self.settings, textures: &self.textures, out: &mut commands };
        layout::show(ui, &mut panel);
        self.dialogs.show(&ctx, &mut panel);
        if !commands.is_empty() {
            // What they change is not painted yet.
            ctx.request_repaint();
        }
        for command in commands {
            self.perform(&ctx, command);
        }
        if let Some(wait) = self.next_fade {
            ctx.request_repaint_after(wait);
        }
        if self.view.playing {
            // Redraws come with the frames; these only keep the wheels and the rate's figures moving.
            let pause = if self.view.is_live() { Duration::from_millis(200) } else { Duration::from_millis(33) };
            ctx.request_repaint_after(self.redraw_pause.get().max(pause));
        }
    }

    /// The tour goes on by itself while the drive plays, until the user presses a key or a button of the mouse.
    fn lead_tour(&mut self, ctx: &egui::Context) -> Vec<Command> {
        let Some(tour) = self.view.tour.as_mut().filter(|_| tour::fits(ctx)) else { return Vec::new() };
        let pressed = |event: &Event| {
            matches!(event, Event::Key { pressed: true, .. } | Event::PointerButton { pressed: true, .. })
        };
        let (pressed, passed_s) =
            ctx.input(|input| (input.events.iter().any(pressed), f64::from(input.unstable_dt).min(LONGEST_REDRAW_S)));
        tour.held |= pressed;
        if self.view.playing && self.view.shown.is_some() && !tour.held {
            tour.shown_s += passed_s;
        }
        let over = tour.shown_s >= tour::CAPTION_S && tour.caption + 1 < tour::CAPTIONS;
        over.then_some(Command::ShowCaption(Some(tour.caption + 1))).into_iter().collect()
    }

    /// Gives the context the window's looks, once: before the first redraw, if that one is to have them.
    pub fn dress(&mut self, ctx: &egui::Context) {
        if !std::mem::replace(&mut self.theme_applied, true) {
            theme::install(ctx);
            self.apply_theme(ctx);
        }
    }

    /// Takes in all news from the threads.
    pub fn collect(&mut self) {
        while let Some(update) = self.engine.poll() {
            self.take(update);
        }
        self.collect_saliency();
        self.collect_export();
        while let Ok((what, path)) = self.browsed.1.try_recv() {
            self.browsed_path(what, path);
        }
        // The worst of the last frames alone are not the drive's worst.
        if !self.view.main.partial
            && std::mem::replace(&mut self.hot_version, self.view.main.version) != self.view.main.version
        {
            self.find_hotspots();
        }
        let now = Instant::now();
        self.next_fade = self.view.notices.fade(now);
        self.view.frames_per_second = self.frames.per_second(now);
        self.view.redraws_per_second = self.redraws.per_second(now);
    }

    fn take(&mut self, update: Update) {
        let opened = matches!(update, Update::Opened(_));
        let frame = match &update {
            Update::Frame(shown) if !shown.seen.warm_up => Some(shown.seen.clone()),
            _ => None,
        };
        let model = match &update {
            Update::Answers { lane: Lane::Main, model, .. } => Some(model.clone()),
            _ => None,
        };
        self.view.apply(update);
        if opened {
            self.opened();
        }
        if let Some(model) = model {
            self.use_model(model);
        }
        if let Some(frame) = frame {
            self.frames.tick(Instant::now());
            if let Some(saliency) = self.saliency.as_ref().filter(|_| self.settings.shows(Overlay::Saliency)) {
                saliency.ask(frame.index, &frame.image);
            }
        }
    }

    fn opened(&mut self) {
        let Some(drive) = self.view.drive.clone() else { return };
        self.current.source = drive.name.clone();
        self.settings.remember_source(&drive.name);
        self.view.horizon = self.settings.horizons.get(&drive.name).copied();
        if drive.live && !self.settings.keep_last {
            self.engine.wish(Wish::Record(Order::Keep(false)));
        }
        self.send_loop();
        self.update_crop();
    }

    fn use_model(&mut self, model: Arc<Model>) {
        if self.model.as_ref().is_some_and(|known| Arc::ptr_eq(known, &model)) {
            return;
        }
        self.current.model = model.folder().to_owned();
        self.settings.remember_model(&model.folder().display().to_string());
        if let Some(drive) = &self.view.drive {
            self.view.trained = trained::stretches(model.config(), &drive.name);
            if let Some(words) = models::misfit(&trained::drives(model.config()), &drive.name) {
                self.view.notices.say(true, format!("The model {} {words}. Choose another: key G.", model.name()));
            }
        }
        self.model = Some(model);
        self.saliency = None;
        self.update_saliency();
        self.update_crop();
    }

    /// Finds the worst places anew.
    pub(super) fn find_hotspots(&mut self) {
        self.view.hotspots = hotspots::worst(&self.view.main.track, self.view.hot_filter, &self.view.trained);
    }

    fn update_crop(&mut self) {
        let sizes = self.view.drive.as_ref().map(|drive| (drive.width, drive.height));
        self.view.crop =
            self.model.as_ref().zip(sizes).map(|(model, (w, h))| model.config().perception.crop_rect(w, h));
    }

    /// Starts or stops the saliency thread, as the overlay's switch says.
    pub(super) fn update_saliency(&mut self) {
        if !self.settings.shows(Overlay::Saliency) {
            self.saliency = None;
            self.view.saliency = None;
            return;
        }
        if let (None, Some(model)) = (&self.saliency, &self.model) {
            match Saliency::start(model.clone(), self.wake.clone()) {
                Ok(saliency) => self.saliency = Some(saliency),
                Err(error) => self.view.notices.say(true, format!("Saliency: {error}")),
            }
        }
        self.set_saliency_pace();
        if let Some((saliency, frame)) = self.saliency.as_ref().zip(self.view.shown.as_ref()) {
            saliency.ask(frame.index, &frame.image);
        }
    }

    /// The saliency thread rests more while frames flow.
    pub(super) fn set_saliency_pace(&self) {
        if let Some(saliency) = &self.saliency {
            saliency.set_playing(self.view.playing);
        }
    }

    fn collect_saliency(&mut self) {
        match self.saliency.as_ref().and_then(Saliency::poll) {
            Some(Ok(map)) => self.view.saliency = Some(Arc::new(map)),
            Some(Err(message)) => self.view.notices.say(true, format!("Saliency: {message}")),
            None => {}
        }
    }

    fn collect_export(&mut self) {
        while let Some(news) = self.export.as_ref().and_then(Export::poll) {
            match news {
                export::News::Progress(progress) => self.view.export = Some(progress),
                export::News::Done(folder) => {
                    self.view.notices.say(false, format!("Exported to {}", folder.display()));
                    (self.export, self.view.export) = (None, None);
                }
                export::News::Failed(message) => {
                    self.view.notices.say(true, format!("Export: {message}"));
                    (self.export, self.view.export) = (None, None);
                }
            }
        }
    }

    fn browsed_path(&mut self, what: Browse, path: Option<PathBuf>) {
        let Some(path) = path else {
            let hint =
                "Nothing was chosen. If no dialog appeared, this system has none: type the path instead (Ctrl+O).";
            return self.view.notices.say(false, hint);
        };
        let ctx = egui::Context::default();
        match what {
            Browse::SourceFolder | Browse::SourceFile => {
                self.perform(&ctx, Command::OpenSource(path.display().to_string()));
            }
            Browse::ExportFolder => self.perform(&ctx, Command::SetExportFolder(path)),
            Browse::ModelFolder(lane) => self.perform(&ctx, Command::OpenModel(lane, path)),
        }
    }

    /// Opens a source with a model, off the UI thread.
    pub(super) fn open(&mut self, start: Start) {
        self.view.opening = Some(format!("Opening {} …", start.source));
        self.view.playing = start.playing;
        self.current = start.clone();
        self.engine.wish(Wish::Open(start));
    }

    /// Makes the chosen theme the window's.
    pub(super) fn apply_theme(&self, ctx: &egui::Context) {
        ctx.set_theme(if self.settings.dark { Theme::Dark } else { Theme::Light });
    }

    /// Writes the choices; a failure is told on standard error, since the window may be gone.
    pub fn save_settings(&mut self, ctx: &egui::Context) {
        let Some(path) = &self.settings_path else { return };
        let size = ctx.viewport_rect().size() * ctx.zoom_factor();
        if size.x >= 200.0 && size.y >= 150.0 {
            self.settings.size_points = [size.x, size.y];
        }
        if let Err(error) = self.settings.save(path) {
            crate::warn!("the window's settings were not saved: {error:#}");
        }
    }
}

/// Folders and files dropped on the window: a model folder is known by its config.
fn dropped(ctx: &egui::Context) -> Vec<Command> {
    let files = ctx.input(|input| input.raw.dropped_files.clone());
    let paths = files.into_iter().map(|file| file.path().to_owned()).filter(|path| !path.as_os_str().is_empty());
    paths
        .map(|path| {
            if is_model_folder(&path) {
                Command::OpenModel(Lane::Main, path)
            } else {
                Command::OpenSource(path.display().to_string())
            }
        })
        .collect()
}

impl eframe::App for Window {
    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        let theme = if self.settings.dark { Theme::Dark } else { Theme::Light };
        theme::Palette::of(theme).ground.to_normalized_gamma_f32()
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        layout::scale_to_screen(ui.ctx(), self.settings.zoom);
        Window::ui(self, ui);
        if ui.ctx().input(|input| input.viewport().close_requested()) {
            let ctx = ui.ctx().clone();
            self.save_settings(&ctx);
        }
    }
}
