//! What the window does about each request.

use std::path::PathBuf;

use deltasteer_temporal::Thresholds;

use super::command::{Browse, Command, Lane, PACES};
use super::panels::tour::CAPTIONS;
use super::recorder::Order;
use super::shell::Window;
use super::view::Tour;
use super::whatif::{Place, Start, Wish};
use super::{export, hotspots, models};
use crate::pipeline::{FrameRange, Pace};

/// How far one key press moves theta_x, and theta_h.
const NUDGE: [f32; 2] = [0.05, 0.02];

impl Window {
    /// Carries out one request.
    pub fn perform(&mut self, ctx: &egui::Context, command: Command) {
        match command {
            // What means nothing for a live feed is off.
            Command::StepFrames(_) | Command::StepSeconds(_) | Command::SetPace(_) | Command::ChangePace(_)
                if self.view.is_live() => {}
            Command::TogglePlay => self.toggle_play(),
            Command::StepFrames(frames) => self.step_frames(frames),
            Command::StepSeconds(seconds) => {
                let target = self.view.time_of(self.view.index()) + seconds;
                self.seek(self.view.index_at(target.max(0.0)));
            }
            Command::Seek(index) => self.seek(index),
            Command::SeekEnd => self.seek(self.view.frame_count().map_or(0, |count| count.saturating_sub(1))),
            Command::SeekHotspot { forward } => {
                let from = self.view.jumping_to.unwrap_or_else(|| self.view.index());
                match hotspots::next(&self.view.hotspots, from, forward) {
                    Some(index) => self.seek(index),
                    None => self.view.notices.say(false, "No error has been seen yet: let the drive play."),
                }
            }
            Command::FilterHotspots(filter) => {
                self.view.hot_filter = filter;
                self.find_hotspots();
            }
            Command::SetPace(pace) => self.set_pace(pace),
            Command::ChangePace(steps) => {
                let place = PACES.iter().position(|&pace| pace == self.view.pace).unwrap_or(3) as i32;
                self.set_pace(PACES[(place + steps).clamp(0, PACES.len() as i32 - 1) as usize]);
            }
            Command::ToggleLoop => {
                self.settings.looping = !self.settings.looping;
                self.send_loop();
            }
            Command::SetThresholds(lane, thresholds) => self.set_thresholds(lane, thresholds),
            Command::NudgeThresholds(lane, x, h) => self.nudge(lane, x, h),
            Command::ResetThresholds(lane) => {
                if let Some(model) = self.view.lane(lane).and_then(|view| view.model.as_ref()) {
                    self.set_thresholds(lane, model.thresholds);
                }
            }
            Command::OpenSource(source) => self.open_source(source),
            Command::OpenModel(lane, folder) => self.open_model(lane, folder),
            Command::ToggleDense => self.settings.dense = !self.settings.dense,
            Command::ToggleCompare => self.toggle_compare(),
            Command::MarkStart => self.mark(true),
            Command::MarkEnd => self.mark(false),
            Command::SetRange(range) => self.set_range(range),
            Command::ToggleExport => self.dialogs.export = !self.dialogs.export,
            Command::ToggleKind(kind) => {
                if !self.settings.export_kinds.remove(&kind) {
                    self.settings.export_kinds.insert(kind);
                }
            }
            Command::SetExportFolder(folder) => self.settings.export_folder = folder,
            Command::Export => self.start_export(),
            Command::Copy(what, index) => self.copy(ctx, what, index.unwrap_or_else(|| self.view.index())),
            Command::CancelExport => {
                self.export = None;
                self.view.export = None;
            }
            Command::ToggleRecording | Command::SaveLast | Command::ToggleKeepLast if !self.view.is_live() => {
                self.view.notices.say(false, "Only a live feed is recorded; export a range of a recorded drive.");
            }
            Command::ToggleRecording => {
                let order = match self.view.recorder.recording {
                    Some(_) => Order::Stop,
                    None => Order::Start(self.settings.export_folder.clone()),
                };
                self.engine.wish(Wish::Record(order));
            }
            Command::SaveLast => self.engine.wish(Wish::Record(Order::SaveLast(self.settings.export_folder.clone()))),
            Command::ToggleKeepLast => {
                self.settings.keep_last = !self.settings.keep_last;
                self.engine.wish(Wish::Record(Order::Keep(self.settings.keep_last)));
            }
            Command::ToggleOverlay(overlay) => {
                self.settings.toggle(overlay);
                self.update_saliency();
            }
            Command::ToggleTheme => {
                self.settings.dark = !self.settings.dark;
                self.apply_theme(ctx);
            }
            Command::ToggleFullScreen => {
                let full = ctx.input(|input| input.viewport().fullscreen.unwrap_or(false));
                ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(!full));
            }
            Command::Zoom(0) => self.settings.zoom = 1.0,
            Command::Zoom(steps) => self.settings.zoom = (self.settings.zoom * 1.1_f32.powi(steps)).clamp(0.5, 3.0),
            Command::ToggleLecture => {
                self.view.lecture = !self.view.lecture;
                self.send_loop();
            }
            Command::ShowCaption(caption) => {
                let caption = caption.filter(|&caption| caption < CAPTIONS);
                self.settings.tour_seen |= caption.is_none_or(|caption| caption + 1 == CAPTIONS);
                self.view.tour = caption.map(|caption| Tour { caption, ..Tour::default() });
            }
            Command::ToggleHelp => self.dialogs.help = !self.dialogs.help,
            Command::ToggleHotspots => self.dialogs.hotspots = !self.dialogs.hotspots,
            Command::ToggleModels => {
                self.dialogs.models = match self.dialogs.models {
                    None => Some(models::list(&self.settings.recent_models)),
                    Some(_) => None,
                };
            }
            Command::ToggleHealth => self.dialogs.health = !self.dialogs.health,
            Command::ToggleOpen => self.dialogs.toggle_open(),
            Command::ToggleFollow => {
                let here = self.view.chart_time();
                self.view.looking_at = self.view.looking_at.is_none().then_some(here);
            }
            Command::LookAt(time_s) => self.view.looking_at = time_s,
            Command::CloseTop => {
                if self.dialogs.close_top() {
                } else if self.view.tour.is_some() {
                    self.perform(ctx, Command::ShowCaption(None));
                } else if !self.view.notices.is_empty() {
                    self.view.notices.clear();
                } else if self.view.lecture {
                    self.perform(ctx, Command::ToggleLecture);
                }
            }
            Command::DismissNotices => self.view.notices.clear(),
            Command::Browse(what) => self.browse(what),
            Command::SetHorizon(horizon) => {
                self.view.horizon = Some(horizon);
                if let Some(drive) = &self.view.drive {
                    self.settings.horizons.insert(drive.name.clone(), horizon);
                }
            }
            Command::Say(text) => self.view.notices.say(true, text),
            Command::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }

    fn toggle_play(&mut self) {
        if self.view.shown.is_none() {
            return;
        }
        if self.view.playing {
            self.view.playing = false;
            self.engine.wish(Wish::Pause);
        } else {
            let last = self.view.frame_count().is_some_and(|count| self.view.index() + 1 >= count);
            if last {
                self.seek(self.view.range.map_or(0, |range| range.first));
            }
            self.view.playing = true;
            self.view.ended = None;
            self.engine.wish(Wish::Play);
        }
        self.set_saliency_pace();
    }

    fn step_frames(&mut self, frames: i64) {
        self.view.playing = false;
        if frames < 0 {
            // The frame asked for last counts, so that fast presses add up.
            let from = self.view.jumping_to.unwrap_or_else(|| self.view.index());
            self.engine.wish(Wish::Pause);
            self.seek(from.saturating_sub(frames.unsigned_abs() as usize));
        } else {
            self.engine.wish(Wish::Step(frames.unsigned_abs()));
        }
    }

    fn seek(&mut self, index: usize) {
        let live = self.view.drive.as_ref().is_some_and(|drive| drive.live);
        if live {
            return self.view.notices.say(false, "A live feed cannot be sought; record it first.");
        }
        let index = self.view.frame_count().map_or(index, |count| index.min(count.saturating_sub(1)));
        self.view.jumping_to = Some(index);
        self.engine.wish(Wish::Seek(index));
    }

    fn set_pace(&mut self, pace: Pace) {
        self.view.pace = pace;
        self.redraw_pause.set_unpaced(pace == Pace::Unpaced);
        self.engine.wish(Wish::Pace(pace));
    }

    fn nudge(&mut self, lane: Lane, x: i32, h: i32) {
        let Some(view) = self.view.lane(lane) else { return };
        let step = |value: f32, steps: i32, size: f32| ((value / size).round() + steps as f32).max(0.0) * size;
        let mut next = view.thresholds;
        if x != 0 {
            next.theta_x = step(next.theta_x, x, NUDGE[0]);
        }
        if h != 0 {
            next.theta_h = step(next.theta_h, h, NUDGE[1]);
        }
        self.set_thresholds(lane, next);
    }

    fn set_thresholds(&mut self, lane: Lane, thresholds: Thresholds) {
        if let Err(error) = thresholds.check() {
            return self.view.notices.say(true, error.to_string());
        }
        if let Some(view) = self.view.lane_mut(lane) {
            view.thresholds = thresholds;
            self.engine.wish(Wish::Thresholds(lane, thresholds));
        }
    }

    fn open_source(&mut self, source: String) {
        // Before the first model came up, what the command line said still stands.
        let model = models::fitting(&self.current.model, &source);
        let same = model == self.current.model;
        if !same {
            self.view.notices.say(false, format!("The model {} fits {source}: it is used now.", model.display()));
        }
        let known = self.view.main.model.as_ref().filter(|_| same).map(|_| self.view.main.thresholds);
        let start = Start {
            source,
            pace: self.view.pace,
            playing: self.view.playing,
            place: Place::Frame(0),
            theta_x: known.map_or(self.current.theta_x.filter(|_| same), |known| Some(known.theta_x)),
            theta_h: known.map_or(self.current.theta_h.filter(|_| same), |known| Some(known.theta_h)),
            model,
        };
        self.open(start);
    }

    fn open_model(&mut self, lane: Lane, folder: PathBuf) {
        if self.view.drive.is_none() || self.view.stopped {
            let start = Start { model: folder, theta_x: None, theta_h: None, ..self.current.clone() };
            return self.open(start);
        }
        self.view.opening = Some(format!("Loading {} …", folder.display()));
        if lane == Lane::Second {
            self.view.second.get_or_insert_default();
        }
        self.engine.wish(Wish::Model(lane, folder));
    }

    fn toggle_compare(&mut self) {
        if self.view.second.is_some() {
            self.view.second = None;
            return self.engine.wish(Wish::Compare(None));
        }
        let own = self.view.main.model.as_ref().map_or(Thresholds::ZERO, |model| model.thresholds);
        // Something to compare with at once: the model's own setting, or else a more frugal one.
        let other = if self.view.main.thresholds == own {
            Thresholds { theta_x: 1.5 * own.theta_x + 0.1, theta_h: 1.5 * own.theta_h + 0.05 }
        } else {
            own
        };
        self.view.second = Some(super::view::LaneView::at(other));
        self.engine.wish(Wish::Compare(Some(other)));
    }

    fn mark(&mut self, start: bool) {
        let here = self.view.index();
        let last = self.view.frame_count().unwrap_or(here + 1);
        let old = self.view.range.unwrap_or(FrameRange { first: 0, end: last });
        let range = if start {
            FrameRange { first: here, end: if old.end > here { old.end } else { last } }
        } else {
            FrameRange { first: old.first.min(here), end: here + 1 }
        };
        self.set_range(Some(range));
    }

    fn set_range(&mut self, range: Option<FrameRange>) {
        self.view.range = range;
        self.send_loop();
    }

    /// Tells the engine what to repeat.
    pub(super) fn send_loop(&mut self) {
        let Some(count) = self.view.frame_count() else { return };
        let whole = FrameRange { first: 0, end: count };
        let looping = self.settings.looping || self.view.lecture;
        let range = looping.then(|| self.view.range.unwrap_or(whole));
        self.engine.wish(Wish::Loop(range));
    }

    fn start_export(&mut self) {
        let (Some(drive), Some(count)) = (&self.view.drive, self.view.frame_count()) else {
            return self.view.notices.say(false, "A live feed cannot be exported; record it.");
        };
        let request = export::Request {
            source: drive.name.clone(),
            model: self.current.model.clone(),
            thresholds: self.view.main.thresholds,
            range: self.view.range.unwrap_or(FrameRange { first: 0, end: count }),
            kinds: self.settings.export_kinds.iter().copied().filter(|kind| kind.is_available()).collect(),
            into: self.settings.export_folder.clone(),
        };
        if request.kinds.is_empty() {
            return self.view.notices.say(false, "Choose at least one kind of file.");
        }
        let total = request.range.end;
        match export::Export::start(request, self.wake.clone()) {
            Ok(export) => {
                self.dialogs.export = false;
                self.export = Some(export);
                self.view.export = Some(super::view::ExportProgress { done: 0, total });
            }
            Err(error) => self.view.notices.say(true, format!("Export: {error}")),
        }
    }

    /// Asks the system for a path, on a thread of its own.
    fn browse(&mut self, what: Browse) {
        let (answer, wake) = (self.browsed.0.clone(), self.wake.clone());
        let spawned = std::thread::Builder::new().name("file-dialog".to_owned()).spawn(move || {
            let dialog = rfd::FileDialog::new();
            let path = match what {
                Browse::SourceFolder => dialog.set_title("Open a drive").pick_folder(),
                Browse::SourceFile => dialog.set_title("Open a drive").pick_file(),
                Browse::ExportFolder => dialog.set_title("Export into a folder").pick_folder(),
                Browse::ModelFolder(_) => dialog.set_title("Open a model folder").pick_folder(),
            };
            let _ = answer.send((what, path));
            wake();
        });
        if let Err(error) = spawned {
            self.view.notices.say(true, format!("The system's dialog did not open: {error}"));
        }
    }
}
