//! Which stretches of a drive a model has learned from: its config holds the commands that made it.

use crate::model::ModelConfig;
use crate::training::part;

/// A stretch of the drive that is open, in seconds from its first frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trained {
    /// Its start.
    pub from_s: f64,
    /// Its end; infinite for the whole drive.
    pub to_s: f64,
    /// True: the model was only chosen by it, not trained on it.
    pub chosen: bool,
}

impl Trained {
    /// What an error there is worth, in words.
    pub fn words(&self) -> &'static str {
        if self.chosen { "the model was chosen by this part" } else { "training data: errors here mean little" }
    }
}

/// The stretches of the drive `name` that the model's config names as trained on or validated by.
pub fn stretches(config: &ModelConfig, name: &str) -> Vec<Trained> {
    parts(config).into_iter().filter(|(source, _)| key(source) == key(name)).map(|(_, part)| part).collect()
}

/// The drives that the model was trained on.
pub fn drives(config: &ModelConfig) -> Vec<String> {
    parts(config).into_iter().filter(|(_, part)| !part.chosen).map(|(source, _)| source.to_owned()).collect()
}

/// All sources that the config's entries name, each with its stretch: by their lists of drives, else by their commands.
fn parts(config: &ModelConfig) -> Vec<(&str, Trained)> {
    let entries = config.training.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut all = Vec::new();
    for entry in entries {
        let listed = [listed(entry, "train", false), listed(entry, "val", true)].concat();
        match entry.get("command").and_then(serde_json::Value::as_str) {
            Some(command) if listed.is_empty() => all.extend(in_command(command)),
            _ => all.extend(listed),
        }
    }
    all
}

/// The drives in a list of an entry.
fn listed<'a>(entry: &'a serde_json::Value, field: &str, chosen: bool) -> Vec<(&'a str, Trained)> {
    let names = entry.get(field).and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    names.iter().filter_map(|name| Some(part_of(name.as_str()?, chosen))).collect()
}

fn part_of(text: &str, chosen: bool) -> (&str, Trained) {
    let (source, seconds) = part::split(text);
    let (from_s, to_s) = seconds.unwrap_or((0.0, f64::INFINITY));
    (source, Trained { from_s, to_s, chosen })
}

/// The stretch that holds a time.
pub fn part_at(trained: &[Trained], time_s: f64) -> Option<&Trained> {
    trained.iter().find(|part| (part.from_s..part.to_s).contains(&time_s))
}

/// The sources that a command names, each with its stretch.
fn in_command(command: &str) -> Vec<(&str, Trained)> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let parts = words.windows(2).filter_map(|pair| {
        let chosen = match pair[0] {
            "--train" => false,
            "--val" => true,
            _ => return None,
        };
        Some(part_of(pair[1], chosen))
    });
    parts.collect()
}

/// What two names of one drive share: the folder's own name, wherever it lies and however its frames are cut.
fn key(name: &str) -> &str {
    if name.starts_with("road:") {
        return name;
    }
    let whole = name.trim_end_matches('/');
    whole.rsplit('/').next().unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_is_found_by_its_folder_name_with_its_seconds() {
        let command = "deltasteer train rnn --train $DATA/hmb1 --train $DATA/hmb3:0-168 --val /d/hmb3:170-199 --train road:7,seconds=60";
        let config = config(command);
        let part = |from_s, to_s, chosen| Trained { from_s, to_s, chosen };
        assert_eq!(stretches(&config, "/elsewhere/hmb1/"), [part(0.0, f64::INFINITY, false)]);
        let hmb3 = stretches(&config, "hmb3");
        assert_eq!(hmb3, [part(0.0, 168.0, false), part(170.0, 199.0, true)]);
        assert_eq!(part_at(&hmb3, 169.0), None);
        assert_eq!(part_at(&hmb3, 180.0).map(|part| part.chosen), Some(true));
        assert_eq!(stretches(&config, "road:7,seconds=60").len(), 1);
        assert!(stretches(&config, "road:8,seconds=60").is_empty() && stretches(&config, "/data/hmb4").is_empty());
        assert_eq!(drives(&config), ["$DATA/hmb1", "$DATA/hmb3", "road:7,seconds=60"]);
        // An own model lists its drives beside the command as typed.
        let entry = serde_json::json!([{ "command": "deltasteer train a.mp4 --out m", "train": ["a.mp4:0-80"], "val": ["a.mp4:85-105"] }]);
        let own = ModelConfig { training: entry, ..config };
        assert_eq!(stretches(&own, "/videos/a.mp4"), [part(0.0, 80.0, false), part(85.0, 105.0, true)]);
        assert_eq!(drives(&own), ["a.mp4"]);
    }

    fn config(command: &str) -> ModelConfig {
        let perception = deltasteer_perception::PerceptionConfig::default();
        ModelConfig { perception, temporal: None, view: None, training: serde_json::json!([{ "command": command }]) }
    }
}
