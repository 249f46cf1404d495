//! How often something happens, and how often the window redraws.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Events within this time are counted.
const SPAN: Duration = Duration::from_secs(2);

/// How long a redraw waits after news: short while frames come at the drive's pace, longer when everything is to go as
/// fast as it can, because redraws then take time from the frames.
#[derive(Debug, Clone, Default)]
pub struct RedrawPause {
    unhurried: Arc<AtomicBool>,
}

impl RedrawPause {
    /// Frames come as fast as they can, or not.
    pub fn set_unpaced(&self, unpaced: bool) {
        self.unhurried.store(unpaced, Ordering::Relaxed);
    }

    /// The pause of now.
    pub fn get(&self) -> Duration {
        Duration::from_millis(if self.unhurried.load(Ordering::Relaxed) { 70 } else { 14 })
    }
}

/// A sliding count.
#[derive(Debug, Default)]
pub struct Rate {
    ticks: VecDeque<Instant>,
}

impl Rate {
    /// Something happened.
    pub fn tick(&mut self, now: Instant) {
        self.ticks.push_back(now);
        while self.ticks.front().is_some_and(|&tick| now.duration_since(tick) > SPAN) {
            self.ticks.pop_front();
        }
    }

    /// Events a second over the last two seconds, or since the first of them; 0 if there were none.
    pub fn per_second(&self, now: Instant) -> f32 {
        let recent: Vec<_> = self.ticks.iter().filter(|&&tick| now.duration_since(tick) <= SPAN).collect();
        match (recent.first(), recent.last()) {
            (Some(&&first), Some(&&last)) if recent.len() > 1 => {
                (recent.len() - 1) as f32 / last.duration_since(first).as_secs_f32().max(1e-3)
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_found_and_fades_when_it_stops() {
        let mut rate = Rate::default();
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(rate.per_second(start), 0.0);
        for frame in 0..100 {
            rate.tick(at(50 * frame));
        }
        assert!((rate.per_second(at(4950)) - 20.0).abs() < 0.5);
        assert_eq!(rate.per_second(at(8000)), 0.0);
    }
}
