//! A live stream through FFmpeg, as the reader thread wants it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ndarray::Array3;

use super::decode::{Care, Decoded, Decoder};
use super::ffmpeg::{Demuxer, Watch};
use super::live::Feed;

/// How long a stream may be silent while it is opened or read.
const PATIENCE: Duration = Duration::from_secs(5);

/// The stream at a URL.
pub(super) struct Stream {
    url: String,
    open: Option<(Demuxer, Decoder)>,
    /// Number of the packet that comes next.
    packet: usize,
}

impl Stream {
    /// A stream; nothing is connected yet.
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), open: None, packet: 0 }
    }
}

impl Feed for Stream {
    fn connect(&mut self, stop: &Arc<AtomicBool>) -> Result<(), String> {
        self.open = None;
        let demuxer = Demuxer::open(&self.url, Some(PATIENCE), &Watch::new(Arc::clone(stop)))?;
        // One thread: others would each hold back a frame.
        let decoder = Decoder::new(&demuxer, Care { threads: false, strict: false })?;
        self.open = Some((demuxer, decoder));
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Array3<u8>>, String> {
        let (demuxer, decoder) = self.open.as_mut().ok_or("not connected")?;
        loop {
            match decoder.receive() {
                Some(Decoded::Frame(_)) => return decoder.picture().map(Some),
                Some(Decoded::Damage) => return Ok(None),
                None if decoder.ended() => return Err("the stream ended".to_owned()),
                None => {}
            }
            let packet = demuxer.next()?;
            self.packet += 1;
            if !decoder.send(self.packet, packet) {
                return Ok(None);
            }
        }
    }

    fn rate_hz(&self) -> Option<f64> {
        self.open.as_ref().and_then(|(demuxer, _)| demuxer.rate_hz())
    }
}
