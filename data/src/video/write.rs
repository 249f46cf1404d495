//! OpenCV's video writer with plain pictures. No OpenCV type leaves this module.

use std::path::{Path, PathBuf};

use ndarray::Array3;
use opencv::core::{Mat, Size, Vec3b};
use opencv::imgproc::{COLOR_RGB2BGR, cvt_color_def};
use opencv::videoio::{
    self, CAP_FFMPEG, CAP_PROP_FRAME_COUNT, CAP_PROP_POS_FRAMES, VideoCaptureTrait, VideoCaptureTraitConst,
    VideoWriterTrait, VideoWriterTraitConst,
};

use crate::{DataError, rgb_bytes};

/// Codecs in the order in which they are tried: what browsers play, and what every FFmpeg can write.
const CODECS: [[char; 4]; 2] = [['a', 'v', 'c', '1'], ['m', 'p', '4', 'v']];

/// An MP4 being written. The file is complete after [`VideoWriter::finish`].
pub struct VideoWriter {
    path: PathBuf,
    writer: videoio::VideoWriter,
    /// Columns and rows of the video: even, as its codecs ask, so a last odd one is left out.
    size: (usize, usize),
    bgr: Mat,
    /// Pictures added.
    count: usize,
}

impl VideoWriter {
    /// Begins a video of `width` x `height` pictures, `rate_hz` a second.
    ///
    /// # Errors
    /// [`DataError::BadFile`] where no codec is to be had or the file cannot be written.
    pub fn create(path: &Path, width: usize, height: usize, rate_hz: f64) -> Result<Self, DataError> {
        let size = (width & !1, height & !1);
        for [a, b, c, d] in CODECS {
            let opened = videoio::VideoWriter::fourcc(a, b, c, d).and_then(|codec| {
                let (columns, rows) = (size.0 as i32, size.1 as i32);
                videoio::VideoWriter::new_with_backend(path, CAP_FFMPEG, codec, rate_hz, Size::new(columns, rows), true)
            });
            if let Ok(writer) = opened
                && writer.is_opened().unwrap_or(false)
            {
                return Ok(Self { path: path.to_owned(), writer, size, bgr: Mat::default(), count: 0 });
            }
        }
        let problem = format!("FFmpeg cannot write {width} x {height} pictures at {rate_hz} a second into it");
        Err(fault(path, problem))
    }

    /// Adds one picture.
    ///
    /// # Errors
    /// [`DataError::BadFile`] for a picture of another size, or what OpenCV says.
    pub fn write(&mut self, picture: &Array3<u8>) -> Result<(), DataError> {
        let (columns, rows) = self.size;
        let (height, width, _) = picture.dim();
        if (width & !1, height & !1) != self.size {
            let problem = format!("a frame of {width}x{height} in a video of {columns}x{rows}");
            return Err(fault(&self.path, problem));
        }
        let lines = rgb_bytes(picture).chunks_exact(3 * width).take(rows);
        let pixels: Vec<Vec3b> =
            lines.flat_map(|line| line.as_chunks::<3>().0[..columns].iter().map(|&pixel| Vec3b::from(pixel))).collect();
        let path = &self.path;
        let told = |error: opencv::Error| fault(path, error.message);
        let rgb = Mat::new_rows_cols_with_data(rows as i32, columns as i32, &pixels).map_err(told)?;
        cvt_color_def(&rgb, &mut self.bgr, COLOR_RGB2BGR).map_err(told)?;
        self.count += 1;
        self.writer.write(&self.bgr).map_err(told)
    }

    /// Completes the file and reads it back: OpenCV says nothing of a disk that is full.
    ///
    /// # Errors
    /// [`DataError::BadFile`] for a file that does not open, or does not hold every picture.
    pub fn finish(mut self) -> Result<(), DataError> {
        self.writer.release().map_err(|error| fault(&self.path, error.message))?;
        let held = frames_in(&self.path).map_err(|error| fault(&self.path, error.message))?;
        if held == self.count {
            return Ok(());
        }
        let size = std::fs::metadata(&self.path).map_or(0, |data| data.len());
        let problem = format!("holds {held} of {} pictures in {size} bytes: is the disk full?", self.count);
        Err(fault(&self.path, problem))
    }
}

/// The number of pictures that a video's index holds; 0 where the first or the last of them cannot be read. The index is written
/// last, and FFmpeg writes nothing more once a write has failed.
fn frames_in(path: &Path) -> opencv::Result<usize> {
    let mut video = videoio::VideoCapture::from_file(path, CAP_FFMPEG)?;
    if !video.is_opened()? {
        return Ok(0);
    }
    let count = video.get(CAP_PROP_FRAME_COUNT)?.max(0.0);
    let first = video.grab()?;
    video.set(CAP_PROP_POS_FRAMES, count - 1.0)?;
    Ok(if first && video.grab()? { count as usize } else { 0 })
}

fn fault(path: &Path, problem: String) -> DataError {
    DataError::BadFile { path: path.to_owned(), problem, expected: "an MP4 that can be written".to_owned() }
}
