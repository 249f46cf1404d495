//! What the network sees and how its layers are laid out: the object `perception` of a model's `config.json`.

use crate::error::PerceptionError;
use crate::trunk::layout;
use serde::{Deserialize, Serialize};

/// Pre-processing, trunk and feature layer, stored with the weights so that both always match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerceptionConfig {
    /// First and one-past-last image row that is looked at, in 480ths of the image height. The full width is used.
    pub crop_rows_of_480: [u32; 2],
    /// Columns of the picture that the trunk gets.
    pub input_width: usize,
    /// Rows of the picture that the trunk gets.
    pub input_height: usize,
    /// Subtracted from each 8-bit colour value.
    pub pixel_mean: f32,
    /// Divides what is left.
    pub pixel_scale: f32,
    /// Layout of the frozen layers: `efficientnet-lite0` or `strided-convolutions`.
    pub trunk: String,
    /// How many of its blocks (1 to 5) or convolutions (1 to 3) are used.
    pub trunk_blocks: usize,
    /// The trunk's output is averaged to this many columns.
    pub cells_across: usize,
    /// The trunk's output is averaged to this many rows.
    pub cells_down: usize,
    /// Outputs of the trained feature layer.
    pub feature_count: usize,
    /// Thresholds of the CNN run on changes, one for the input of each layer from the stem to the feature layer (16 with
    /// five blocks), in the units of that input; empty where the model was not prepared for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delta_thresholds: Vec<f32>,
    /// When run on changes, the CNN looks at every n-th frame and keeps its features in between.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub delta_every: usize,
}

fn one() -> usize {
    1
}

fn is_one(value: &usize) -> bool {
    *value == 1
}

/// Thresholds for the shipped trunk at 256 x 96, in the units of each layer's input: found by `delta::choose_thresholds` at a
/// price of 6 on 40 frames of the training drives, then scaled by 0.4, which with [`USUAL_EVERY`] did best on the
/// validation part.
const USUAL_THRESHOLDS: [f32; 16] = [
    0.0141, 0.0738, 0.173, 0.359, 0.0416, 0.0325, 0.618, 0.12, 0.0975, 0.728, 0.096, 0.0782, 0.871, 0.105, 0.126, 0.199,
];
/// Three frames at 20 Hz: an angle is at most 100 ms old.
const USUAL_EVERY: usize = 3;

impl Default for PerceptionConfig {
    fn default() -> Self {
        Self {
            crop_rows_of_480: [160, 430],
            input_width: 256,
            input_height: 96,
            pixel_mean: 127.0,
            pixel_scale: 128.0,
            trunk: layout::EFFICIENTNET_LITE0.to_owned(),
            trunk_blocks: 5,
            cells_across: 16,
            cells_down: 4,
            feature_count: 128,
            delta_thresholds: Vec::new(),
            delta_every: 1,
        }
    }
}

impl PerceptionConfig {
    /// The front end of the delta network paper: three strided convolutions on the usual picture, their output taken as it
    /// is (no averaging to cells), and a feature layer of `feature_count`.
    pub fn strided(feature_count: usize) -> Self {
        let (trunk, trunk_blocks) = (layout::STRIDED_CONVOLUTIONS.to_owned(), layout::CONVOLUTIONS.len());
        let (cells_across, cells_down) = (16, 6);
        Self { trunk, trunk_blocks, cells_across, cells_down, feature_count, ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`PerceptionError::Config`] naming the first field that makes no sense.
    pub fn validate(&self) -> Result<(), PerceptionError> {
        let [top, bottom] = self.crop_rows_of_480;
        check("crop_rows_of_480", top < bottom && bottom <= 480, || {
            (format!("[{top}, {bottom}]"), "top < bottom <= 480".into())
        })?;
        check("pixel_mean", self.pixel_mean.is_finite(), || (self.pixel_mean.to_string(), "a finite number".into()))?;
        check("pixel_scale", self.pixel_scale.is_finite() && self.pixel_scale > 0.0, || {
            (self.pixel_scale.to_string(), "a finite number above 0".into())
        })?;
        let known = [layout::EFFICIENTNET_LITE0, layout::STRIDED_CONVOLUTIONS];
        check("trunk", known.contains(&self.trunk.as_str()), || {
            (format!("\"{}\"", self.trunk), format!("\"{}\" or \"{}\"", known[0], known[1]))
        })?;
        let most = layout::most_blocks(self);
        check("trunk_blocks", (1..=most).contains(&self.trunk_blocks), || {
            (self.trunk_blocks.to_string(), format!("1 to {most}"))
        })?;
        // Both are powers of two.
        let unit = layout::shrink(self).max(8);
        for (field, size) in [("input_width", self.input_width), ("input_height", self.input_height)] {
            check(field, size.is_multiple_of(unit) && (32..=1024).contains(&size), || {
                (size.to_string(), format!("a multiple of {unit} from 32 to 1024"))
            })?;
        }
        let map = layout::output_size(self);
        for (field, cells, size) in
            [("cells_across", self.cells_across, map.width), ("cells_down", self.cells_down, map.height)]
        {
            check(field, cells > 0 && size.is_multiple_of(cells), || {
                (cells.to_string(), format!("a divisor of the trunk's output size, {size}"))
            })?;
        }
        let layers = layout::macs_by_layer(self).len() + 1;
        check("delta_thresholds", self.delta_thresholds.is_empty() || self.delta_thresholds.len() == layers, || {
            (format!("of length {}", self.delta_thresholds.len()), format!("empty or of length {layers}"))
        })?;
        check(
            "delta_thresholds",
            self.delta_thresholds.iter().all(|theta| theta.is_finite() && *theta >= 0.0),
            || (format!("{:?}", self.delta_thresholds), "finite numbers, 0 or more".into()),
        )?;
        check("delta_every", (1..=100).contains(&self.delta_every), || {
            (self.delta_every.to_string(), "1 to 100".into())
        })?;
        check("feature_count", (1..=4096).contains(&self.feature_count), || {
            (self.feature_count.to_string(), "1 to 4096".into())
        })
    }

    /// This configuration with thresholds for the CNN on changes: its own, or, where it has none and pictures and trunk are
    /// the usual ones, those that were chosen for the shipped trunk.
    ///
    /// # Errors
    /// [`PerceptionError::Config`] where its trunk cannot run so, or it has no thresholds and the shipped ones do not fit.
    pub fn prepared_for_delta(&self) -> Result<Self, PerceptionError> {
        self.check_runs_on_changes()?;
        if !self.delta_thresholds.is_empty() {
            return Ok(self.clone());
        }
        let usual = Self { feature_count: self.feature_count, ..Self::default() };
        if *self != usual {
            let (field, found) = ("delta_thresholds", "empty".into());
            let expected = "one threshold a layer: other pictures or layers than usual need their own".into();
            return Err(PerceptionError::Config { field, found, expected });
        }
        Ok(Self { delta_thresholds: USUAL_THRESHOLDS.to_vec(), delta_every: USUAL_EVERY, ..usual })
    }

    /// Whether this trunk can run on changes between frames.
    pub(crate) fn check_runs_on_changes(&self) -> Result<(), PerceptionError> {
        check("trunk", self.trunk == layout::EFFICIENTNET_LITE0, || {
            let expected = format!("\"{}\", the only one that can run on changes", layout::EFFICIENTNET_LITE0);
            (format!("\"{}\"", self.trunk), expected)
        })
    }

    /// Values per frame after the averaging: channels x `cells_down` x `cells_across`.
    pub fn pooled_count(&self) -> usize {
        layout::output_size(self).channels * self.cells_down * self.cells_across
    }

    /// The part of a `width` x `height` image that the trunk sees, as `[x, y, width, height]` in pixels.
    pub fn crop_rect(&self, width: usize, height: usize) -> [usize; 4] {
        let edge = |rows: u32| (rows as usize * height + 240) / 480;
        let (top, bottom) = (edge(self.crop_rows_of_480[0]), edge(self.crop_rows_of_480[1]));
        [0, top, width, bottom - top]
    }
}

fn check(
    field: &'static str,
    good: bool,
    found_and_expected: impl Fn() -> (String, String),
) -> Result<(), PerceptionError> {
    if good {
        return Ok(());
    }
    let (found, expected) = found_and_expected();
    Err(PerceptionError::Config { field, found, expected })
}
