//! Which topics or columns of a recording to read: its camera, its steering with unit and sign, and the episode.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::formats::{self, ROAD_WHEEL_UNIT};
use crate::{DataError, SteeringUnit};

/// The unit in which a recording's steering is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Radians.
    Rad,
    /// Degrees.
    Deg,
    /// A command from -1 to 1.
    Command,
}

/// The side to which positive values steer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// As in this project.
    Left,
    /// The other way round.
    Right,
}

impl Unit {
    /// For a note.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Rad => "radians",
            Self::Deg => "degrees",
            Self::Command => "a command from -1 to 1",
        }
    }
}

impl Side {
    /// For a note.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

impl std::str::FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "rad" => Ok(Self::Rad),
            "deg" => Ok(Self::Deg),
            "command" => Ok(Self::Command),
            _ => Err("expected rad, deg or command (from -1 to 1)".to_owned()),
        }
    }
}

impl std::str::FromStr for Links {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "inside" => Ok(Self::Inside),
            "follow" => Ok(Self::Follow),
            _ => Err("expected inside or follow (links that lead out of the drive's folder as well)".to_owned()),
        }
    }
}

impl std::str::FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "left" => Ok(Self::Left),
            "right" => Ok(Self::Right),
            _ => Err("expected left or right, the side to which positive values steer".to_owned()),
        }
    }
}

/// Which symbolic links in a drive's folder are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Links {
    /// Those that lead to a file in the drive's folder.
    #[default]
    Inside,
    /// All of them.
    Follow,
}

/// What to read of a recording that holds more than one drive needs; what is not given is chosen by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The topic or column with the pictures.
    pub camera: Option<String>,
    /// The topic with the path of its field, or the column, that holds the angle: `/vehicle/steering.angle`.
    pub steering: Option<String>,
    /// Its unit.
    pub unit: Option<Unit>,
    /// The side to which its positive values steer.
    pub sign: Option<Side>,
    /// The episode of a LeRobot data set.
    pub episode: Option<u32>,
    /// Which symbolic links in the drive's folder are read.
    pub links: Option<Links>,
}

/// The names of the options in a source's text.
pub(crate) const OPTIONS: [&str; 6] = ["camera", "steering", "unit", "sign", "episode", "links"];

impl Selection {
    /// Which links are read.
    pub(crate) fn links(&self) -> Links {
        self.links.unwrap_or_default()
    }

    /// What `self` chooses, and what `other` does where `self` leaves it open.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            camera: self.camera.or(other.camera),
            steering: self.steering.or(other.steering),
            unit: self.unit.or(other.unit),
            sign: self.sign.or(other.sign),
            episode: self.episode.or(other.episode),
            links: self.links.or(other.links),
        }
    }

    /// The options of the text form, each with a comma behind it.
    pub(crate) fn spec(&self) -> String {
        let mut spec = String::new();
        let unit = self.unit.map(|unit| format!("{unit:?}").to_lowercase());
        let sign = self.sign.map(|side| format!("{side:?}").to_lowercase());
        let episode = self.episode.map(|episode| episode.to_string());
        let links = self.links.map(|links| format!("{links:?}").to_lowercase());
        let values = [&self.camera, &self.steering, &unit, &sign, &episode, &links];
        for (name, value) in OPTIONS.iter().zip(values) {
            if let Some(value) = value {
                let _ = write!(spec, "{name}={value},");
            }
        }
        spec
    }

    /// Takes an option of the text form; false if it is none of these.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] for a value that makes no sense.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<bool, DataError> {
        let wrong = |expected: String| bad(name, value, expected);
        match name {
            "camera" => self.camera = Some(value.to_owned()),
            "steering" => self.steering = Some(value.to_owned()),
            "unit" => self.unit = Some(value.parse().map_err(wrong)?),
            "sign" => self.sign = Some(value.parse().map_err(wrong)?),
            "episode" => {
                self.episode = Some(value.parse().map_err(|_| wrong("the number of an episode, from 0".to_owned()))?);
            }
            "links" => self.links = Some(value.parse().map_err(wrong)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// An error if anything is chosen of a source that offers no choice. To follow links is no choice: it may be said of all drives.
    ///
    /// # Errors
    /// [`DataError::BadSpec`].
    pub(crate) fn refuse(&self, source: &str) -> Result<(), DataError> {
        let chosen = Self { links: None, ..self.clone() };
        if chosen == Self::default() {
            return Ok(());
        }
        let expected = format!("no such option: {source} has no topics, columns or episodes to choose from");
        Err(bad("option", chosen.spec().trim_end_matches(','), expected))
    }

    /// Refuses an episode, for recordings that have none.
    ///
    /// # Errors
    /// [`DataError::BadSpec`].
    pub(crate) fn refuse_episode(&self, path: &Path) -> Result<(), DataError> {
        match self.episode {
            Some(episode) => {
                Err(bad("episode", &episode.to_string(), format!("no episode: {} is one drive", path.display())))
            }
            None => Ok(()),
        }
    }
}

/// A [`DataError::BadSpec`].
pub(crate) fn bad(option: &str, given: &str, expected: impl Into<String>) -> DataError {
    DataError::BadSpec { option: format!("source: {option}"), given: given.to_owned(), expected: expected.into() }
}

/// How a recording's numbers become radians, positive left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// Radians, positive left, of a value of 1.
    pub to_rad: f64,
    /// The unit of the recording's own values.
    pub unit: SteeringUnit,
}

impl Scale {
    pub(crate) fn new(unit: Unit, positive: Side) -> Self {
        let (size, steering_unit) = match unit {
            Unit::Rad => (1.0, SteeringUnit::Radians),
            Unit::Deg => (std::f64::consts::PI / 180.0, SteeringUnit::Radians),
            Unit::Command => (f64::from(formats::FULL_LOCK_RAD), ROAD_WHEEL_UNIT),
        };
        Self { to_rad: if positive == Side::Left { size } else { -size }, unit: steering_unit }
    }
}
