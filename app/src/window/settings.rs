//! What is remembered between runs, as JSON in the user's configuration folder.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::command::Overlay;
use super::export::Kind;

/// Recent sources and models kept.
const RECENT: usize = 8;

/// The user's choices. A field that an older file lacks takes its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Dark or light.
    pub dark: bool,
    /// Overlays that are switched on, by their label.
    pub overlays: BTreeSet<String>,
    /// The dense RNN runs beside the delta RNN.
    pub dense: bool,
    /// Playback starts again at its end.
    pub looping: bool,
    /// The files that an export writes.
    pub export_kinds: BTreeSet<Kind>,
    /// The folder that exports and recordings go into.
    pub export_folder: PathBuf,
    /// The last minute of a live feed is kept.
    pub keep_last: bool,
    /// The tour has been seen, or was ended.
    pub tour_seen: bool,
    /// How much larger than usual everything is.
    pub zoom: f32,
    /// Width and height of the window in points.
    pub size_points: [f32; 2],
    /// Sources opened last, newest first.
    pub recent_sources: Vec<String>,
    /// Model folders opened last, newest first.
    pub recent_models: Vec<String>,
    /// Horizon (share of the frame's height) by source, where the user has set it.
    pub horizons: std::collections::BTreeMap<String, f32>,
}

impl Default for Settings {
    fn default() -> Self {
        let on = [Overlay::PredictedPath, Overlay::TruePath, Overlay::Wheels];
        Self {
            dark: true,
            overlays: on.iter().map(|overlay| overlay.label().to_owned()).collect(),
            dense: true,
            looping: false,
            export_kinds: BTreeSet::from([Kind::Csv, Kind::Report]),
            export_folder: PathBuf::from("."),
            keep_last: true,
            tour_seen: false,
            zoom: 1.0,
            size_points: [1280.0, 720.0],
            recent_sources: Vec::new(),
            recent_models: Vec::new(),
            horizons: std::collections::BTreeMap::new(),
        }
    }
}

impl Settings {
    /// `deltasteer/window.json` in the user's configuration folder, if there is such a folder.
    pub fn path() -> Option<PathBuf> {
        let folder = std::env::var_os("XDG_CONFIG_HOME")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")))?;
        Some(folder.join("deltasteer").join("window.json"))
    }

    /// Reads `path`. No file means the defaults; a damaged one does too, with a message.
    pub fn load(path: &Path) -> (Self, Option<String>) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => return (Self::default(), Some(format!("{}: {error}", path.display()))),
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(settings) => (settings.repaired(), None),
            Err(error) => {
                (Self::default(), Some(format!("{}: not read, the defaults are used: {error}", path.display())))
            }
        }
    }

    /// Writes `path` beside its final name and renames it.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().context("the settings file has no folder")?;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut file = tempfile::NamedTempFile::new_in(folder).with_context(|| folder.display().to_string())?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.persist(path).with_context(|| path.display().to_string())?;
        Ok(())
    }

    /// True if `overlay` is switched on.
    pub fn shows(&self, overlay: Overlay) -> bool {
        self.overlays.contains(overlay.label())
    }

    /// Switches `overlay` on or off.
    pub fn toggle(&mut self, overlay: Overlay) {
        if !self.overlays.remove(overlay.label()) {
            self.overlays.insert(overlay.label().to_owned());
        }
    }

    /// Puts a source at the head of the recent ones.
    pub fn remember_source(&mut self, source: &str) {
        remember(&mut self.recent_sources, source);
    }

    /// Puts a model at the head of the recent ones.
    pub fn remember_model(&mut self, model: &str) {
        remember(&mut self.recent_models, model);
    }

    /// Brings figures that no window can use back to the defaults.
    fn repaired(mut self) -> Self {
        if self.size_points.iter().any(|side| !(200.0..=16_000.0).contains(side)) {
            self.size_points = Self::default().size_points;
        }
        if !(0.5..=3.0).contains(&self.zoom) {
            self.zoom = 1.0;
        }
        self.horizons.retain(|_, horizon| (0.0..=1.0).contains(horizon));
        self.recent_sources.truncate(RECENT);
        self.recent_models.truncate(RECENT);
        self
    }
}

fn remember(list: &mut Vec<String>, entry: &str) {
    list.retain(|old| old != entry);
    list.insert(0, entry.to_owned());
    list.truncate(RECENT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_were_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper").join("window.json");
        let mut settings = Settings { dark: false, ..Settings::default() };
        settings.toggle(Overlay::Saliency);
        settings.remember_source("road:7");
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path), (settings, None));
    }

    #[test]
    fn a_missing_file_is_silent_and_a_damaged_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("window.json");
        assert_eq!(Settings::load(&path), (Settings::default(), None));
        std::fs::write(&path, "{\"dark\": 7").unwrap();
        let (settings, message) = Settings::load(&path);
        assert_eq!(settings, Settings::default());
        assert!(message.unwrap().contains("window.json"));
        std::fs::write(&path, "{\"size_points\": [1e9, -4]}").unwrap();
        assert_eq!(Settings::load(&path).0.size_points, [1280.0, 720.0]);
    }

    #[test]
    fn recent_entries_are_unique_and_few() {
        let mut settings = Settings::default();
        for seed in (0..20).chain([15]) {
            settings.remember_source(&format!("road:{seed}"));
        }
        assert_eq!(settings.recent_sources.len(), RECENT);
        assert_eq!(settings.recent_sources[0], "road:15");
        assert_eq!(settings.recent_sources.iter().filter(|s| *s == "road:15").count(), 1);
    }
}
