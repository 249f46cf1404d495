//! What the network sees and how its layers are laid out: the object `perception` of a model's `config.json`.

use crate::backbone::{BackboneName, CONVOLUTIONS, MapSize};
use crate::error::PerceptionError;
use crate::motion::MotionConfig;
use crate::schedule::CnnSchedule;
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
    /// The frozen network.
    pub trunk: BackboneName,
    /// How many of its blocks or convolutions are used, from the first one on.
    pub trunk_blocks: usize,
    /// The trunk's output is averaged to this many columns.
    pub cells_across: usize,
    /// The trunk's output is averaged to this many rows.
    pub cells_down: usize,
    /// Outputs of the trained feature layer.
    pub feature_count: usize,
    /// Ego-motion beside the features; absent where the RNN takes features alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub motion: Option<MotionConfig>,
    /// The frames that the CNN runs on, for which the RNN was trained.
    #[serde(default, skip_serializing_if = "CnnSchedule::is_every_frame")]
    pub schedule: CnnSchedule,
}

impl Default for PerceptionConfig {
    fn default() -> Self {
        Self {
            crop_rows_of_480: [160, 430],
            input_width: 256,
            input_height: 96,
            pixel_mean: 127.0,
            pixel_scale: 128.0,
            trunk: BackboneName::EfficientnetLite0,
            trunk_blocks: 5,
            cells_across: 16,
            cells_down: 4,
            feature_count: 128,
            motion: None,
            schedule: CnnSchedule::default(),
        }
    }
}

impl PerceptionConfig {
    /// What a reader of the figures of such a model must know.
    pub fn remark(&self) -> Option<&'static str> {
        let remark = "with ego-motion, which says how the car turns now: it helps a replay and can steer no car";
        self.motion.as_ref().map(|_| remark)
    }

    /// The front end of the delta network paper: three strided convolutions on the usual picture, their output taken as it
    /// is (no averaging to cells), and a feature layer of `feature_count`.
    pub fn strided(feature_count: usize) -> Self {
        let (trunk, trunk_blocks) = (BackboneName::StridedConvolutions, CONVOLUTIONS.len());
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
        check("feature_count", (1..=4096).contains(&self.feature_count), || {
            (self.feature_count.to_string(), "1 to 4096".into())
        })?;
        self.motion.as_ref().map_or(Ok(()), MotionConfig::validate)?;
        check("schedule", self.motion.is_some() || !self.schedule.needs_motion(), || {
            (format!("\"{}\"", self.schedule), "every:N where there is no motion".into())
        })?;
        if self.trunk == BackboneName::Custom {
            return Ok(()); // its sizes are checked when the module has run
        }
        let most = self.trunk.blocks();
        check("trunk_blocks", (1..=most).contains(&self.trunk_blocks), || {
            (self.trunk_blocks.to_string(), format!("1 to {most}"))
        })?;
        // Both are powers of two.
        let unit = self.shrink().max(8);
        for (field, size) in [("input_width", self.input_width), ("input_height", self.input_height)] {
            check(field, size.is_multiple_of(unit) && (32..=1024).contains(&size), || {
                (size.to_string(), format!("a multiple of {unit} from 32 to 1024"))
            })?;
        }
        let map = self.map_size();
        for (field, cells, size) in
            [("cells_across", self.cells_across, map.width), ("cells_down", self.cells_down, map.height)]
        {
            check(field, cells > 0 && size.is_multiple_of(cells), || {
                (cells.to_string(), format!("a divisor of the trunk's output size, {size}"))
            })?;
        }
        Ok(())
    }

    /// Values that the RNN takes: the features, then those of the motion sensor.
    pub fn rnn_input_count(&self) -> usize {
        self.feature_count + self.motion.as_ref().map_or(0, MotionConfig::value_count)
    }

    /// The picture that the network gets.
    pub(crate) fn picture_size(&self) -> MapSize {
        MapSize { height: self.input_height, width: self.input_width, channels: 3 }
    }

    /// Colour values 0 to 255 as the network gets them.
    pub(crate) fn normalised(&self, mut picture: Vec<f32>) -> Vec<f32> {
        picture.iter_mut().for_each(|value| *value = (*value - self.pixel_mean) / self.pixel_scale);
        picture
    }

    /// By how much a known network divides height and width of its picture.
    fn shrink(&self) -> usize {
        match self.trunk {
            BackboneName::StridedConvolutions => CONVOLUTIONS[..self.trunk_blocks].iter().map(|c| c.stride).product(),
            name => 2 * name.specs().iter().take(self.trunk_blocks).map(|block| block.stride).product::<usize>(),
        }
    }

    /// A known network's output for this configuration.
    pub(crate) fn map_size(&self) -> MapSize {
        let (shrink, last) = (self.shrink(), self.trunk_blocks.saturating_sub(1));
        let channels = match self.trunk {
            BackboneName::StridedConvolutions => CONVOLUTIONS[last].output,
            name => name.specs().get(last).map_or(0, |block| block.output),
        };
        MapSize { height: self.input_height / shrink, width: self.input_width / shrink, channels }
    }

    /// The part of a `width` x `height` image that the trunk sees, as `[x, y, width, height]` in pixels.
    pub fn crop_rect(&self, width: usize, height: usize) -> [usize; 4] {
        let edge = |rows: u32| (rows as usize * height + 240) / 480;
        let (top, bottom) = (edge(self.crop_rows_of_480[0]), edge(self.crop_rows_of_480[1]));
        [0, top, width, bottom - top]
    }

    /// The rows that trunk and motion sensor read, first and one past the last, in 480ths of the picture's height.
    pub fn rows_of_480(&self) -> [u32; 2] {
        let windows = self.motion.iter().flat_map(|motion| motion.windows.iter().map(|window| window.rows_of_480));
        windows.fold(self.crop_rows_of_480, |[top, bottom], rows| [top.min(rows[0]), bottom.max(rows[1])])
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
