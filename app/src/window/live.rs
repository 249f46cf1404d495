//! How a live feed fares, by the window's own clock: whatever the feed says of itself, a picture that has stopped is stale.

use std::time::{Duration, Instant};

use super::view::View;
use crate::pipeline::SeenFrame;

/// Without a new frame for this long the picture is stale.
const STALE: Duration = Duration::from_millis(1000);

/// What is known of a live feed.
#[derive(Debug, Default)]
pub struct Live {
    /// When the newest frame came here.
    arrived: Option<Instant>,
    /// Seconds from the newest frame's arrival in this program to its answer.
    pub delay_s: Option<f64>,
    /// What is being done about a feed that is silent; empty once a frame has come.
    pub words: String,
}

impl Live {
    /// A frame has come.
    pub fn frame(&mut self, frame: &SeenFrame, now: Instant) {
        let waited = frame.health.as_ref().filter(|health| !health.stale).map_or(0.0, |health| health.delay_s);
        self.delay_s = Some(waited + now.duration_since(frame.read_at).as_secs_f64());
        self.arrived = Some(now);
        self.words.clear();
    }
}

impl View {
    /// True for a camera or a stream.
    pub fn is_live(&self) -> bool {
        self.drive.as_ref().is_some_and(|drive| drive.live)
    }

    /// Seconds since a live feed's last frame, once that is too long.
    pub fn stale_s(&self) -> Option<f64> {
        let silent = self.live.arrived.filter(|_| self.is_live() && self.playing)?.elapsed();
        (silent > STALE).then_some(silent.as_secs_f64())
    }
}
