//! The model folders at hand, each with the facts of its config and card.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deltasteer_temporal::Thresholds;

use super::trained;
use crate::model::{ModelConfig, is_model_folder};
use crate::shipped;

/// What is known of a model folder without loading it.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Where it lies.
    pub folder: PathBuf,
    /// The folder's name.
    pub name: String,
    /// The facts, or why they are not known.
    pub facts: Result<Facts, String>,
}

/// The facts of a config and its card.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The card's heading.
    pub title: String,
    /// Values that enter the RNN.
    pub inputs: usize,
    /// Its units.
    pub hidden: usize,
    /// Its thresholds.
    pub thresholds: Thresholds,
    /// Error in radians and savings that the last training reached on its validation drive.
    pub reached: Option<(f64, f64)>,
    /// The drives that it was trained on.
    pub drives: Vec<String>,
    /// What a reader of its figures must know.
    pub remark: Option<&'static str>,
}

impl Facts {
    fn of(config: &str, card: &str) -> Result<Self, String> {
        let config: ModelConfig = serde_json::from_str(config).map_err(|error| format!("config.json: {error}"))?;
        let temporal = config.temporal.as_ref().ok_or("config.json: the RNN is not trained yet")?;
        let title = card.lines().next().unwrap_or_default().trim_start_matches('#').trim().to_owned();
        let reached = config.training.as_array().and_then(|entries| {
            let reached = entries.last()?.get("reached")?;
            Some((reached.get("validation_rmse_rad")?.as_f64()?, reached.get("validation_savings")?.as_f64()?))
        });
        let (inputs, hidden) = (temporal.input_size, temporal.hidden_size);
        let drives = trained::drives(&config);
        let thresholds = temporal.thresholds.first().copied().unwrap_or(Thresholds::ZERO);
        Ok(Self { title, inputs, hidden, thresholds, reached, drives, remark: config.perception.remark() })
    }

    fn read(folder: &Path) -> Result<Self, String> {
        if let Some((_, card, config)) = shipped::all().find(|(name, ..)| name == folder) {
            return Self::of(config, card);
        }
        let path = folder.join("config.json");
        let config = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let card = std::fs::read_to_string(folder.join("CARD.md")).unwrap_or_default();
        Self::of(&config, &card).map_err(|error| format!("{}: {error}", folder.display()))
    }
}

/// The models in the program, those in `models` here, those used lately, and their neighbours.
pub fn list(recent: &[String]) -> Vec<Card> {
    let recent: Vec<PathBuf> = recent.iter().map(PathBuf::from).filter(|folder| is_model_folder(folder)).collect();
    let neighbours = recent.iter().filter_map(|folder| folder.parent().map(Path::to_owned));
    let inside =
        std::iter::once(PathBuf::from("models")).chain(neighbours).filter_map(|place| std::fs::read_dir(place).ok());
    let found = inside.flatten().flatten().map(|entry| entry.path()).filter(|folder| is_model_folder(folder));
    let mut seen = BTreeSet::new();
    let mut cards = Vec::new();
    for folder in shipped::all().map(|(name, ..)| name).chain(found).chain(recent.iter().cloned()) {
        if seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            let last = folder.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = last.unwrap_or_else(|| folder.display().to_string());
            cards.push(Card { facts: Facts::read(&folder), folder, name });
        }
    }
    cards
}

/// Why a model does not fit a source, in words. Only two worlds are told apart: the built-in road and cameras.
pub fn misfit(drives: &[String], source: &str) -> Option<&'static str> {
    let drawn = |name: &str| name.starts_with("road:");
    match (drives.iter().all(|drive| drawn(drive)), drives.iter().any(|drive| drawn(drive)), drawn(source)) {
        _ if drives.is_empty() => None,
        (true, _, false) => {
            Some("was trained on the built-in road alone: its angles mean little on a camera's pictures")
        }
        (_, false, true) => Some("was trained on cameras' pictures: its angles mean little on the built-in road"),
        _ => None,
    }
}

/// The model for a source that is opened while `current` is in use: that one if it fits, else the shipped one that does.
pub fn fitting(current: &Path, source: &str) -> PathBuf {
    let drives = Facts::read(current).map(|facts| facts.drives).unwrap_or_default();
    match misfit(&drives, source) {
        Some(_) => shipped::for_source(source).unwrap_or_else(|_| current.to_owned()),
        None => current.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_models_are_listed_with_their_facts_and_fit_their_worlds() {
        let cards = list(&[]);
        let card = |name: &str| cards.iter().find(|card| card.name == name).unwrap().clone();
        let (road, ch2) = (card("built-in:road").facts.unwrap(), card("built-in:ch2").facts.unwrap());
        assert!(road.title.contains("built-in road") && ch2.reached.is_some());
        assert_eq!(misfit(&road.drives, "road:7"), None);
        assert!(misfit(&road.drives, "/data/drive").is_some() && misfit(&ch2.drives, "road:7").is_some());
        assert_eq!(misfit(&ch2.drives, "camera:0"), None);
        assert!(fitting(&card("built-in:road").folder, "/data/drive").to_string_lossy().ends_with("ch2"));
        assert_eq!(fitting(&card("built-in:ch2").folder, "/data/drive"), card("built-in:ch2").folder);
    }

    #[test]
    fn a_damaged_folder_says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        std::fs::write(folder.path().join("model.safetensors"), "").unwrap();
        let cards = list(&[folder.path().display().to_string()]);
        let card = cards.iter().find(|card| card.folder == folder.path()).unwrap();
        assert!(card.facts.clone().unwrap_err().contains("config.json"));
    }
}
