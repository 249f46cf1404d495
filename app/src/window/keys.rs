//! Keys: one table that both the window and its help read.

use egui::{Event, Key, Modifiers};

use super::command::{Command, Copied, Lane, Overlay};
use crate::pipeline::Pace;

/// A key with what it does.
pub struct KeyBinding {
    /// The key.
    pub key: Key,
    /// Shift, control and so on; they must match exactly.
    pub modifiers: Modifiers,
    /// As the help writes it.
    pub shown: &'static str,
    /// What it does, in a few words.
    pub meaning: &'static str,
    /// What it asks for.
    pub command: Command,
}

/// Every key, in the order of the help's page.
pub fn bindings() -> Vec<KeyBinding> {
    let plain = |key, shown, meaning, command| KeyBinding { key, modifiers: Modifiers::NONE, shown, meaning, command };
    let shift = |key, shown, meaning, command| KeyBinding { key, modifiers: Modifiers::SHIFT, shown, meaning, command };
    let ctrl =
        |key, shown, meaning, command| KeyBinding { key, modifiers: Modifiers::COMMAND, shown, meaning, command };
    let overlay = |key, shown, overlay: Overlay| plain(key, shown, overlay.label(), Command::ToggleOverlay(overlay));
    let theta = |key, shown, meaning, x, h| plain(key, shown, meaning, Command::NudgeThresholds(Lane::Main, x, h));
    vec![
        plain(Key::Space, "Space", "play or pause", Command::TogglePlay),
        plain(Key::ArrowRight, "Right", "one frame on", Command::StepFrames(1)),
        plain(Key::ArrowLeft, "Left", "one frame back", Command::StepFrames(-1)),
        shift(Key::ArrowRight, "Shift Right", "one second on", Command::StepSeconds(1.0)),
        shift(Key::ArrowLeft, "Shift Left", "one second back", Command::StepSeconds(-1.0)),
        plain(Key::Home, "Home", "to the start", Command::Seek(0)),
        plain(Key::End, "End", "to the end", Command::SeekEnd),
        plain(Key::N, "N", "to the next of the worst places", Command::SeekHotspot { forward: true }),
        shift(Key::N, "Shift N", "to the last of the worst places", Command::SeekHotspot { forward: false }),
        plain(Key::W, "W", "list of the worst places", Command::ToggleHotspots),
        plain(Key::CloseBracket, "]", "faster", Command::ChangePace(1)),
        plain(Key::OpenBracket, "[", "slower", Command::ChangePace(-1)),
        plain(Key::P, "P", "real speed", Command::SetPace(Pace::Times(1.0))),
        plain(Key::L, "L", "loop", Command::ToggleLoop),
        plain(Key::I, "I", "range starts here", Command::MarkStart),
        plain(Key::O, "O", "range ends here", Command::MarkEnd),
        plain(Key::X, "X", "no range", Command::SetRange(None)),
        plain(Key::E, "E", "export the range or the drive", Command::ToggleExport),
        plain(Key::V, "V", "record a live feed", Command::ToggleRecording),
        theta(Key::Equals, "=", "theta_x up: send fewer inputs", 1, 0),
        theta(Key::Minus, "-", "theta_x down", -1, 0),
        theta(Key::Quote, "'", "theta_h up: send fewer hidden units", 0, 1),
        theta(Key::Semicolon, ";", "theta_h down", 0, -1),
        plain(Key::R, "R", "the model's own thresholds", Command::ResetThresholds(Lane::Main)),
        plain(Key::D, "D", "dense RNN beside it", Command::ToggleDense),
        plain(Key::C, "C", "compare two settings", Command::ToggleCompare),
        overlay(Key::Num1, "1", Overlay::PredictedPath),
        overlay(Key::Num2, "2", Overlay::TruePath),
        overlay(Key::Num3, "3", Overlay::Wheels),
        overlay(Key::Num4, "4", Overlay::Crop),
        overlay(Key::Num5, "5", Overlay::Saliency),
        plain(Key::F, "F", "charts follow the frame", Command::ToggleFollow),
        plain(Key::G, "G", "list of models", Command::ToggleModels),
        plain(Key::T, "T", "dark or light", Command::ToggleTheme),
        plain(Key::H, "H", "health", Command::ToggleHealth),
        ctrl(Key::O, "Ctrl O", "open a drive or a model", Command::ToggleOpen),
        plain(Key::F5, "F5", "lecture: large type, for a talk", Command::ToggleLecture),
        plain(Key::F11, "F11", "full screen", Command::ToggleFullScreen),
        ctrl(Key::Plus, "Ctrl +", "larger (Ctrl = as well)", Command::Zoom(1)),
        ctrl(Key::Equals, "Ctrl =", "larger", Command::Zoom(1)),
        ctrl(Key::Minus, "Ctrl -", "smaller", Command::Zoom(-1)),
        ctrl(Key::Num0, "Ctrl 0", "as large as at first", Command::Zoom(0)),
        ctrl(Key::C, "Ctrl C", "copy the frame's row (with Shift: a command line)", Command::Copy(Copied::Row, None)),
        ctrl(Key::Q, "Ctrl Q", "quit", Command::Quit),
        plain(Key::Escape, "Esc", "close what lies on top", Command::CloseTop),
        plain(Key::Questionmark, "?", "these keys", Command::ToggleHelp),
    ]
}

/// What the keys pressed since the last redraw ask for, every press counted. While text is being typed only Escape is a key,
/// and while a menu is open Escape closes it.
pub fn pressed(ctx: &egui::Context, typing: bool) -> Vec<Command> {
    let typing = typing || ctx.text_edit_focused();
    let menu = egui::Popup::is_any_open(ctx);
    let bindings = bindings();
    let mut commands = Vec::new();
    let mut close_menu = false;
    ctx.input_mut(|input| {
        let shift = input.modifiers.shift;
        input.events.retain(|event| {
            let command = match event {
                Event::Copy if !typing => {
                    Some(Command::Copy(if shift { Copied::CommandLine } else { Copied::Row }, None))
                }
                Event::Key { key: Key::Escape, pressed: true, .. } if menu => {
                    close_menu = true;
                    return false;
                }
                Event::Key { key, pressed: true, modifiers, .. } if !typing || *key == Key::Escape => {
                    bindings.iter().find(|binding| binding.is(*key, *modifiers)).map(|binding| binding.command.clone())
                }
                _ => None,
            };
            let ours = command.is_some();
            commands.extend(command);
            !ours
        });
    });
    if close_menu {
        egui::Popup::close_all(ctx);
    }
    commands
}

impl KeyBinding {
    fn is(&self, key: Key, modifiers: Modifiers) -> bool {
        // Where `?` needs shift, some layouts report it with the key and some do not.
        let question = self.key == Key::Questionmark
            && (key == Key::Questionmark || (key == Key::Slash && modifiers.matches_exact(Modifiers::SHIFT)));
        question || (self.key == key && modifiers.matches_exact(self.modifiers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_bindings_share_a_key() {
        let bindings = bindings();
        for (place, a) in bindings.iter().enumerate() {
            for b in &bindings[place + 1..] {
                assert!((a.key, a.modifiers) != (b.key, b.modifiers), "{} and {}", a.meaning, b.meaning);
                assert_ne!(a.shown, b.shown);
            }
        }
    }
}
