//! One of the system's cameras through OpenCV. No OpenCV type leaves this module.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ndarray::Array3;
use opencv::core::{Mat, MatTraitConst, MatTraitConstManual};
use opencv::imgproc::{COLOR_BGR2RGB, cvt_color_def};
use opencv::videoio::{
    CAP_ANY, CAP_PROP_BUFFERSIZE, CAP_PROP_FPS, VideoCapture, VideoCaptureTrait, VideoCaptureTraitConst,
};

use super::live::Feed;

/// A camera as the reader thread wants it.
pub(super) struct Camera {
    number: u16,
    video: Option<VideoCapture>,
    bgr: Mat,
    rgb: Mat,
}

impl Camera {
    /// The camera of this number; it is not opened yet.
    pub(super) fn new(number: u16) -> Self {
        Self { number, video: None, bgr: Mat::default(), rgb: Mat::default() }
    }
}

impl Feed for Camera {
    fn connect(&mut self, _stop: &Arc<AtomicBool>) -> Result<(), String> {
        self.video = None; // a device can be opened only once
        let mut video = VideoCapture::new(i32::from(self.number), CAP_ANY).map_err(plain)?;
        if !video.is_opened().unwrap_or(false) {
            return Err("no such camera, or it is in use".to_owned());
        }
        // Not every driver obeys; the reader thread keeps only the newest frame anyway.
        let _ = video.set(CAP_PROP_BUFFERSIZE, 1.0);
        self.video = Some(video);
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Array3<u8>>, String> {
        let video = self.video.as_mut().ok_or("not connected")?;
        if !video.read(&mut self.bgr).map_err(plain)? || self.bgr.empty() {
            return Err("the camera fell silent".to_owned());
        }
        cvt_color_def(&self.bgr, &mut self.rgb, COLOR_BGR2RGB).map_err(plain)?;
        let (width, height) = (self.rgb.cols() as usize, self.rgb.rows() as usize);
        let pixels = self.rgb.data_bytes().map_err(plain)?.to_vec();
        Array3::from_shape_vec((height, width, 3), pixels).map(Some).map_err(|e| format!("{width}x{height} RGB: {e}"))
    }

    fn rate_hz(&self) -> Option<f64> {
        let stated = self.video.as_ref()?.get(CAP_PROP_FPS).unwrap_or(0.0);
        Some(stated).filter(|hz| hz.is_finite() && (0.1..=1000.0).contains(hz))
    }
}

/// OpenCV's message without its place in OpenCV's code.
fn plain(error: opencv::Error) -> String {
    format!("OpenCV: {}", error.message.trim())
}
