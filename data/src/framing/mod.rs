//! Another car's camera, cropped to the view that models learn on.
//!
//! Models learn on pictures of one shape: 4:3, some 60 degrees across, the horizon at 0.45 of the height
//! ([`CameraGeometry::assumed`](crate::CameraGeometry::assumed)). A [`Framing`] says how another camera looks; the part of its
//! frames that corresponds becomes the frame. It cannot correct a camera that stands higher, looks aside or bends straight lines.
//!
//! - [`Framing`]: what is known of the camera, from a small file or from options in the source's own text
//! - `cut`: the rectangle that follows, and the source that is cut to it

mod cut;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::folder::bad_file;
use crate::selection::{self, Selection};
use crate::{DataError, Source};

/// What a framing file holds, for error messages.
const FIELDS: &str = "an object with \"source\" and any of \"fov_deg\", \"horizon_row\", \"centre_column\", \"crop\": [left, top, width, height], \"selection\": {\"camera\", \"steering\", \"unit\", \"sign\", \"episode\", \"links\"}";
/// The options of the text form that say how the camera looks.
const VIEW: [&str; 4] = ["fov", "horizon", "centre", "crop"];
/// The option that ends the text form: what follows is the source, whatever letters it has.
const SOURCE: &str = "source=";

/// How a source's camera looks; what is not given is assumed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// The source, by the text that names it.
    pub source: String,
    /// Angle of view from the left edge to the right one, degrees.
    pub fov_deg: Option<f32>,
    /// Row of the horizon in the source's frames.
    pub horizon_row: Option<f32>,
    /// Column straight ahead in the source's frames.
    pub centre_column: Option<f32>,
    /// The part to use as `[left, top, width, height]` in pixels, instead of the one that follows from the above; it may reach
    /// beyond the frame, whose edge pixels are then repeated.
    pub crop: Option<[i32; 4]>,
    /// What is read of a recording with several topics, columns or episodes.
    #[serde(default)]
    pub selection: Selection,
}

impl Framing {
    /// The text form, which [`open`](crate::open()) understands: `fov=90,horizon=210,source=camera:0`; the bare source where
    /// nothing is said about its camera.
    pub fn spec(&self) -> String {
        let mut spec = self.selection.spec();
        for (name, value) in [("fov", self.fov_deg), ("horizon", self.horizon_row), ("centre", self.centre_column)] {
            if let Some(value) = value {
                let _ = write!(spec, "{name}={value},");
            }
        }
        if let Some([left, top, width, height]) = self.crop {
            let _ = write!(spec, "crop={left}:{top}:{width}:{height},");
        }
        if spec.is_empty() { self.source.clone() } else { format!("{spec}{SOURCE}{}", self.source) }
    }

    /// Reads the text form; `None` where the text is none.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] naming the option.
    pub(crate) fn parse(spec: &str) -> Option<Result<Self, DataError>> {
        let (first, _) = spec.split_once('=')?;
        let is_one = VIEW.iter().chain(&selection::OPTIONS).any(|option| *option == first);
        let (options, source) = spec.split_once(&format!(",{SOURCE}"))?;
        is_one.then(|| Self::from_options(options, source))
    }

    fn from_options(options: &str, source: &str) -> Result<Self, DataError> {
        let mut framing = Self { source: source.to_owned(), ..Self::default() };
        for option in options.split(',') {
            let (name, value) = option.split_once('=').ok_or_else(|| {
                bad("option", option, "NAME=VALUE, such as fov=90 or steering=/vehicle/steering.angle")
            })?;
            let number = || value.parse::<f32>().map_err(|_| bad(name, value, "a number"));
            match name {
                "fov" => framing.fov_deg = Some(number()?),
                "horizon" => framing.horizon_row = Some(number()?),
                "centre" => framing.centre_column = Some(number()?),
                "crop" => {
                    framing.crop = Some(parse_crop(value).ok_or_else(|| bad(name, value, "LEFT:TOP:WIDTH:HEIGHT"))?)
                }
                _ if framing.selection.set(name, value)? => {}
                _ => {
                    let known = [&VIEW[..], &selection::OPTIONS].concat().join(", ");
                    return Err(bad(name, value, &format!("one of the options {known}")));
                }
            }
        }
        Ok(framing)
    }

    /// Reads a framing file. A source in it that is no text of another kind is looked for beside the file first.
    ///
    /// # Errors
    /// [`DataError::Io`] if it cannot be read, [`DataError::BadFile`] if it is no such object.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let text = std::fs::read_to_string(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        let mut framing: Self =
            serde_json::from_str(&text).map_err(|error| bad_file(path, error.to_string(), FIELDS))?;
        if let Some(beside) = path.parent().map(|folder| folder.join(&framing.source)).filter(|beside| beside.exists())
        {
            framing.source = beside.display().to_string();
        }
        Ok(framing)
    }

    /// True if anything is said about how the camera looks.
    pub(crate) fn has_view(&self) -> bool {
        self.fov_deg.or(self.horizon_row).or(self.centre_column).is_some() || self.crop.is_some()
    }

    /// `source`, cropped; `name` is what it is called from now on.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] for a crop of which less than a quarter lies within the frame.
    pub(crate) fn apply(&self, name: &str, source: Box<dyn Source>) -> Result<Box<dyn Source>, DataError> {
        Ok(Box::new(cut::CutSource::new(name, source, self)?))
    }

    /// Checks the figures that need no source.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] naming the one that makes no sense.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if let Some(fov) = self.fov_deg.filter(|fov| !(10.0..=170.0).contains(fov)) {
            return Err(bad("fov", fov, "degrees from 10 to 170"));
        }
        for (name, value) in [("horizon", self.horizon_row), ("centre", self.centre_column)] {
            if let Some(value) = value.filter(|value| !value.is_finite()) {
                return Err(bad(name, value, "a finite number of pixels"));
            }
        }
        match self.crop {
            Some([_, _, width, height]) if width < 1 || height < 1 => {
                Err(bad("crop", format!("{width} x {height}"), "a width and a height above zero"))
            }
            _ => Ok(()),
        }
    }
}

/// `LEFT:TOP:WIDTH:HEIGHT`.
fn parse_crop(text: &str) -> Option<[i32; 4]> {
    let sides: Vec<i32> = text.split(':').map(|side| side.parse().ok()).collect::<Option<_>>()?;
    sides.try_into().ok()
}

fn bad(option: &str, given: impl ToString, expected: &str) -> DataError {
    DataError::BadSpec { option: format!("camera: {option}"), given: given.to_string(), expected: expected.to_owned() }
}
