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

/// The stretches of the drive `name` that the commands in the model's config name with `--train` and `--val`.
pub fn stretches(config: &ModelConfig, name: &str) -> Vec<Trained> {
    let parts = commands(config).flat_map(in_command);
    parts.filter(|(source, _)| key(source) == key(name)).map(|(_, part)| part).collect()
}

/// The drives that the model was trained on, by the commands in its config.
pub fn drives(config: &ModelConfig) -> Vec<String> {
    let parts = commands(config).flat_map(in_command).filter(|(_, part)| !part.chosen);
    parts.map(|(source, _)| source.to_owned()).collect()
}

fn commands(config: &ModelConfig) -> impl Iterator<Item = &str> {
    let entries = config.training.as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(|entry| entry.get("command")?.as_str())
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
        let (source, seconds) = part::split(pair[1]);
        let (from_s, to_s) = seconds.unwrap_or((0.0, f64::INFINITY));
        Some((source, Trained { from_s, to_s, chosen }))
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
    }

    fn config(command: &str) -> ModelConfig {
        let perception = deltasteer_perception::PerceptionConfig::default();
        ModelConfig { perception, temporal: None, training: serde_json::json!([{ "command": command }]) }
    }
}
