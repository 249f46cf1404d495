//! The frames of a drive as they are held in memory while a CNN is trained.

use crate::augment::WidePicture;
use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::InstructionSet;
use crate::preprocess::Preprocessor;

/// Frames resized as the trunk sees them, with the margin that altered views need, in 8 bits a colour.
#[derive(Debug)]
pub struct PictureDrive {
    /// For messages.
    pub name: String,
    preprocessor: Preprocessor,
    wide: WidePicture,
    /// `[frames][height + 2 * margin][width][3]`
    pixels: Vec<u8>,
    /// One angle a frame, radians, positive to the left; NaN where there is none.
    steering_rad: Vec<f32>,
}

impl PictureDrive {
    /// A drive without frames yet.
    pub fn new(name: impl Into<String>, config: &PerceptionConfig) -> Self {
        let preprocessor = Preprocessor::new(config, InstructionSet::best());
        let wide = WidePicture::new(config.input_width, config.input_height);
        Self { name: name.into(), preprocessor, wide, pixels: Vec::new(), steering_rad: Vec::new() }
    }

    /// Adds a frame; `rgb` is `[height][width][3]`.
    ///
    /// # Errors
    /// [`PerceptionError::Image`].
    pub fn push(
        &mut self,
        rgb: &[u8],
        width: usize,
        height: usize,
        steering_rad: Option<f32>,
    ) -> Result<(), PerceptionError> {
        let Self { preprocessor, wide, pixels, .. } = self;
        preprocessor.run_wide(rgb, width, height, wide.margin, &mut wide.pixels)?;
        pixels.extend(wide.pixels.iter().map(|value| value.round().clamp(0.0, 255.0) as u8));
        self.steering_rad.push(steering_rad.unwrap_or(f32::NAN));
        Ok(())
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.steering_rad.len()
    }

    /// One angle a frame, radians; NaN where there is none.
    pub fn steering_rad(&self) -> &[f32] {
        &self.steering_rad
    }

    pub(super) fn wide(&self, frame: usize) -> WidePicture {
        let length = self.wide.pixels.len();
        let pixels = self.pixels[frame * length..(frame + 1) * length].iter().map(|value| f32::from(*value)).collect();
        WidePicture { pixels, ..self.wide }
    }
}
