//! Playing, stepping, pace, loop, range and export, below the timeline.

use egui::{Response, RichText, Ui};

use super::{Panel, timeline};
use crate::pipeline::Pace;
use crate::text;
use crate::window::command::{Command, PACES, pace_label};
use crate::window::icons::{Icon, icon_button};
use crate::window::theme::{self, Palette};

/// The whole card; `compact` leaves out what a small window has no room for.
pub fn show(ui: &mut Ui, panel: &mut Panel, compact: bool) {
    // A stamp keeps its room for the picture.
    let stamp = ui.ctx().content_rect().height() < 320.0;
    let margin = if stamp { egui::Margin::same(4) } else { theme::card(ui).inner_margin };
    theme::card(ui).inner_margin(margin).show(ui, |ui| {
        timeline::show(
            ui,
            panel,
            if stamp {
                14.0
            } else if compact {
                22.0
            } else {
                42.0
            },
        );
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            // A live feed cannot be sought, slowed down or repeated, and knows no driver's angle.
            let recorded = !panel.view.is_live();
            steps(ui, panel, recorded);
            ui.add_space(8.0);
            clock(ui, panel);
            if stamp {
                return;
            }
            ui.add_space(8.0);
            ui.add_enabled_ui(recorded, |ui| {
                pace(ui, panel);
                let on = panel.settings.looping;
                let looping = icon_button(ui, Icon::Loop, on, "Loop", "Start again at the end. Key L");
                ask(looping, panel, Command::ToggleLoop);
            });
            if !compact {
                ui.separator();
                compare(ui, panel);
                if !recorded {
                    ui.separator();
                    record(ui, panel);
                }
                // A narrow window has no room for what is off.
                if !recorded && ui.ctx().content_rect().width() < NARROW {
                    return;
                }
                ui.add_enabled_ui(recorded, |ui| {
                    let hint = "The twenty places where the network errs most. Key W; N goes to the next one.";
                    ask(ui.button("Worst places").on_hover_text(hint), panel, Command::ToggleHotspots);
                    ui.separator();
                    range(ui, panel);
                });
            }
            timeline::legend(ui, panel);
        });
    });
}

/// Windows that are not as wide have short labels.
const NARROW: f32 = 960.0;

fn ask(response: Response, panel: &mut Panel, command: Command) {
    if response.clicked() {
        panel.ask(command);
    }
}

fn steps(ui: &mut Ui, panel: &mut Panel, recorded: bool) {
    ui.add_enabled_ui(recorded, |ui| {
        let back =
            icon_button(ui, Icon::Jump { forward: false }, false, "Back one second", "One second back. Key Shift+Left");
        ask(back, panel, Command::StepSeconds(-1.0));
        let back = icon_button(ui, Icon::Step { forward: false }, false, "Back one frame", "One frame back. Key Left");
        ask(back, panel, Command::StepFrames(-1));
    });
    let (icon, label) = if panel.view.playing { (Icon::Pause, "Pause") } else { (Icon::Play, "Play") };
    let play = icon_button(ui, icon, true, label, &format!("{label}. Key Space"));
    ask(play, panel, Command::TogglePlay);
    ui.add_enabled_ui(recorded, |ui| {
        let on = icon_button(ui, Icon::Step { forward: true }, false, "Forward one frame", "One frame on. Key Right");
        ask(on, panel, Command::StepFrames(1));
        let on = icon_button(
            ui,
            Icon::Jump { forward: true },
            false,
            "Forward one second",
            "One second on. Key Shift+Right",
        );
        ask(on, panel, Command::StepSeconds(1.0));
    });
}

fn clock(ui: &mut Ui, panel: &Panel) {
    let time = panel.view.shown.as_ref().map_or(0.0, |frame| frame.time_s);
    let words = match panel.view.frame_count() {
        // A stamp has one line for all of it.
        Some(_) if ui.ctx().content_rect().width() < 400.0 => text::clock(time),
        Some(_) => format!("{} / {}", text::clock(time), text::clock(panel.view.duration_s())),
        None if panel.view.stale_s().is_some() => format!("{} STALE", text::clock(time)),
        None => format!("{} live", text::clock(time)),
    };
    ui.label(RichText::new(words).monospace());
}

fn pace(ui: &mut Ui, panel: &mut Panel) {
    let current = panel.view.pace;
    let label =
        if current == Pace::Unpaced { "max speed".to_owned() } else { format!("{} speed", pace_label(current)) };
    let chosen = egui::ComboBox::from_id_salt("pace").width(92.0).selected_text(label).show_ui(ui, |ui| {
        let mut chosen = None;
        for pace in PACES {
            if ui.selectable_label(pace == current, pace_label(pace)).clicked() {
                chosen = Some(pace);
            }
        }
        chosen
    });
    chosen.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Speed"));
    if let Some(pace) = chosen.inner.flatten() {
        panel.ask(Command::SetPace(pace));
    }
    chosen.response.on_hover_text("How fast the drive plays. Keys [ and ]");
}

/// Recording a live feed, and the minute before the button was pressed.
fn record(ui: &mut Ui, panel: &mut Panel) {
    let status = panel.view.recorder;
    let on = status.recording.is_some();
    let label = if on { "Stop recording" } else { "Record" };
    let hint = "Write pictures, angles and work as MCAP and as an MP4, into the folder of exports. Key V";
    ask(icon_button(ui, Icon::Record, on, label, hint), panel, Command::ToggleRecording);
    if let Some((frames, seconds)) = status.recording {
        ui.label(RichText::new(format!("{} · {frames} frames", text::clock(seconds))).small());
    }
    ui.add_space(6.0);
    let words = format!("Save last {:.0} s", status.kept_s);
    let save = ui.add_enabled(status.kept_s > 0.0, egui::Button::new(words));
    ask(save.on_hover_text("Write what has just been seen, a minute at most."), panel, Command::SaveLast);
    let mut keep = panel.settings.keep_last;
    let keep =
        ui.checkbox(&mut keep, "keep").on_hover_text("Keep the last minute. It takes a few milliseconds a frame.");
    keep.widget_info(|| egui::WidgetInfo::labeled(egui::Role::CheckBox, true, "Keep the last minute"));
    ask(keep, panel, Command::ToggleKeepLast);
    if status.lost > 0 {
        let words = format!("{} frames lost: this machine is too slow", status.lost);
        ui.label(RichText::new(words).small().color(Palette::current(ui).warning));
    }
}

fn compare(ui: &mut Ui, panel: &mut Panel) {
    let hint = "A second setting of thresholds, or a second model, on the same drive. Key C";
    let on = panel.view.second.is_some();
    ask(ui.selectable_label(on, "Compare").on_hover_text(hint), panel, Command::ToggleCompare);
}

fn range(ui: &mut Ui, panel: &mut Panel) {
    let colours = Palette::current(ui);
    let (start, end) =
        if ui.ctx().content_rect().width() < NARROW { ("Start", "End") } else { ("Start here", "End here") };
    let hint = "The range starts at this frame. Key I. Shift-drag on the timeline chooses both ends.";
    ask(ui.button(start).on_hover_text(hint), panel, Command::MarkStart);
    ask(ui.button(end).on_hover_text("The range ends at this frame. Key O"), panel, Command::MarkEnd);
    if let Some(range) = panel.view.range {
        let (from, to) = (panel.view.time_of(range.first), panel.view.time_of(range.end.saturating_sub(1)));
        let words = format!(" {} to {} ", text::clock(from), text::clock(to));
        ui.label(RichText::new(words).small().color(colours.dense));
        ask(icon_button(ui, Icon::Close, false, "Clear range", "No range. Key X"), panel, Command::SetRange(None));
    }
    match &panel.view.export {
        None => {
            let hint = "Write the range, or the whole drive, run with the thresholds set now. Key E";
            ask(icon_button(ui, Icon::Export, false, "Export …", hint), panel, Command::ToggleExport);
        }
        Some(progress) => {
            let share = progress.done as f32 / progress.total.max(1) as f32;
            let words = format!("{} of {}", progress.done, progress.total);
            ui.add(egui::ProgressBar::new(share).desired_width(110.0).text(words));
            ask(icon_button(ui, Icon::Close, false, "Cancel export", "Stop writing"), panel, Command::CancelExport);
        }
    }
}
