//! The panels: each reads the view and the settings, paints, and returns what the user asked for.

pub mod angles;
pub mod dialogs;
pub mod export;
pub mod glossary;
pub mod health;
pub mod hotspots;
pub mod lecture;
pub mod models;
pub mod network;
pub mod neurons;
pub mod picture;
pub mod readout;
pub mod savings;
pub mod thresholds;
pub mod time_axis;
pub mod timeline;
pub mod top;
pub mod tour;
pub mod trade_off;
pub mod transport;
pub mod wheel;

use super::command::Command;
use super::settings::Settings;
use super::textures::Textures;
use super::view::View;

/// What every panel is given.
pub struct Panel<'a> {
    /// What there is to show.
    pub view: &'a View,
    /// How the user wants it.
    pub settings: &'a Settings,
    /// Pictures on the graphics card.
    pub textures: &'a Textures,
    /// What the user asks for.
    pub out: &'a mut Vec<Command>,
}

impl Panel<'_> {
    /// Notes a request.
    pub fn ask(&mut self, command: Command) {
        self.out.push(command);
    }
}
