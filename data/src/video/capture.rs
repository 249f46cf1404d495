//! OpenCV's video reader with plain pictures. No OpenCV type leaves this module.

use std::path::Path;

use ndarray::Array3;
use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Vector};
use opencv::imgproc::{COLOR_BGR2RGB, cvt_color_def};
use opencv::videoio::{
    CAP_ANY, CAP_FFMPEG, CAP_PROP_BUFFERSIZE, CAP_PROP_FPS, CAP_PROP_FRAME_COUNT, CAP_PROP_OPEN_TIMEOUT_MSEC,
    CAP_PROP_POS_FRAMES, CAP_PROP_POS_MSEC, CAP_PROP_READ_TIMEOUT_MSEC, VideoCapture, VideoCaptureTrait,
    VideoCaptureTraitConst,
};

use super::live::Feed;

/// How long a stream may be silent while it is opened or read.
const TIMEOUT_MS: i32 = 5000;

/// An open video file, camera or stream.
pub(super) struct Capture {
    video: VideoCapture,
    bgr: Mat,
    rgb: Mat,
}

impl Capture {
    fn new(video: opencv::Result<VideoCapture>, refused: &str) -> Result<Self, String> {
        let video = video.map_err(|e| plain(&e))?;
        if !video.is_opened().unwrap_or(false) {
            return Err(refused.to_owned());
        }
        Ok(Self { video, bgr: Mat::default(), rgb: Mat::default() })
    }

    /// Opens a file with whatever FFmpeg can decode.
    pub(super) fn file(path: &Path) -> Result<Self, String> {
        Self::new(VideoCapture::from_file(path, CAP_FFMPEG), "FFmpeg finds no video in it")
    }

    /// Connects to a stream.
    fn url(url: &str) -> Result<Self, String> {
        let limits = [CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS];
        let video = VideoCapture::from_file_with_params(url, CAP_FFMPEG, &Vector::from_slice(&limits));
        Self::new(video, "nobody answers there with a video")
    }

    /// Opens one of the system's cameras.
    fn camera(number: u16) -> Result<Self, String> {
        let mut capture = Self::new(VideoCapture::new(i32::from(number), CAP_ANY), "no such camera, or it is in use")?;
        // Not every driver obeys; the reader thread keeps only the newest frame anyway.
        let _ = capture.video.set(CAP_PROP_BUFFERSIZE, 1.0);
        Ok(capture)
    }

    fn property(&self, property: i32) -> f64 {
        self.video.get(property).unwrap_or(0.0)
    }

    /// Frames a second as the file or device states them, if it does.
    pub(super) fn rate_hz(&self) -> Option<f64> {
        Some(self.property(CAP_PROP_FPS)).filter(|hz| hz.is_finite() && (0.1..=1000.0).contains(hz))
    }

    /// Number of frames that the container announces, if it does.
    pub(super) fn frame_count(&self) -> Option<usize> {
        // Raw streams announce nonsense, such as a huge negative number.
        Some(self.property(CAP_PROP_FRAME_COUNT)).filter(|n| (1.0..1e8).contains(n)).map(|n| n as usize)
    }

    /// Time of the last frame from the start of the file, if the container has times.
    pub(super) fn time_s(&self) -> Option<f64> {
        Some(self.property(CAP_PROP_POS_MSEC) * 1e-3).filter(|t| t.is_finite() && *t > 0.0)
    }

    /// Moves so that the next frame is `index`, by way of the frame before it: only a frame that was really decoded tells
    /// its time. True if count and time agree; where the rate varies, or the container's index is coarse, they do not.
    pub(super) fn go_to(&mut self, index: usize, rate_hz: f64) -> bool {
        let Some(before) = index.checked_sub(1) else { return false };
        let moved = self.video.set(CAP_PROP_POS_FRAMES, before as f64).unwrap_or(false) && self.skip();
        let counted = moved && self.property(CAP_PROP_POS_FRAMES) as usize == index;
        counted && (self.property(CAP_PROP_POS_MSEC) * 1e-3 - before as f64 / rate_hz).abs() < 0.2 / rate_hz
    }

    /// Steps over one frame; false at the end.
    pub(super) fn skip(&mut self) -> bool {
        self.video.grab().unwrap_or(false)
    }

    /// The next frame; `None` at the end of a file, or when a feed has failed.
    pub(super) fn read(&mut self) -> Result<Option<Array3<u8>>, String> {
        if !self.video.read(&mut self.bgr).map_err(|e| plain(&e))? || self.bgr.empty() {
            return Ok(None);
        }
        cvt_color_def(&self.bgr, &mut self.rgb, COLOR_BGR2RGB).map_err(|e| plain(&e))?;
        let (width, height) = (self.rgb.cols() as usize, self.rgb.rows() as usize);
        let pixels = self.rgb.data_bytes().map_err(|e| plain(&e))?.to_vec();
        Array3::from_shape_vec((height, width, 3), pixels).map(Some).map_err(|e| format!("{width}x{height} RGB: {e}"))
    }
}

/// OpenCV's message without its place in OpenCV's code.
fn plain(error: &opencv::Error) -> String {
    format!("OpenCV: {}", error.message.trim())
}

/// Where a live feed is.
enum Place {
    Camera(u16),
    Url(String),
}

/// A camera or stream as the reader thread wants it.
pub(super) struct LiveFeed {
    place: Place,
    capture: Option<Capture>,
}

impl LiveFeed {
    /// One of the system's cameras.
    pub(super) fn camera(number: u16) -> Self {
        Self { place: Place::Camera(number), capture: None }
    }

    /// A stream.
    pub(super) fn url(url: &str) -> Self {
        Self { place: Place::Url(url.to_owned()), capture: None }
    }
}

impl Feed for LiveFeed {
    fn connect(&mut self) -> Result<(), String> {
        self.capture = None; // a device can be opened only once
        self.capture = Some(match &self.place {
            Place::Camera(number) => Capture::camera(*number)?,
            Place::Url(url) => Capture::url(url)?,
        });
        Ok(())
    }

    fn read(&mut self) -> Result<Array3<u8>, String> {
        let capture = self.capture.as_mut().ok_or("not connected")?;
        capture.read()?.ok_or_else(|| "the feed ended or fell silent".to_owned())
    }

    fn rate_hz(&self) -> Option<f64> {
        self.capture.as_ref().and_then(Capture::rate_hz)
    }
}
