//! Frames and times of the drive that is open.

use deltasteer_data::CameraGeometry;

use super::view::View;

impl View {
    /// Index of the frame shown.
    pub fn index(&self) -> usize {
        self.shown.as_ref().map_or(0, |frame| frame.index)
    }

    /// Frames in the drive, if it has an end.
    pub fn frame_count(&self) -> Option<usize> {
        self.drive.as_ref().and_then(|drive| drive.frame_count)
    }

    /// Seconds from the first frame to frame `index`.
    pub fn time_of(&self, index: usize) -> f64 {
        let Some(drive) = &self.drive else { return 0.0 };
        let by_rate = index as f64 / drive.rate_hz.max(f64::MIN_POSITIVE);
        drive.times_s.get(index).copied().unwrap_or(by_rate)
    }

    /// The frame nearest to `time_s`.
    pub fn index_at(&self, time_s: f64) -> usize {
        let Some(drive) = &self.drive else { return 0 };
        let after = if drive.times_s.is_empty() {
            (time_s * drive.rate_hz).round().max(0.0) as usize
        } else {
            let after = drive.times_s.partition_point(|&t| t < time_s);
            let nearer_before = after > 0
                && (after == drive.times_s.len() || time_s - drive.times_s[after - 1] < drive.times_s[after] - time_s);
            after - usize::from(nearer_before)
        };
        drive.frame_count.map_or(after, |count| after.min(count.saturating_sub(1)))
    }

    /// Length of the drive in seconds.
    pub fn duration_s(&self) -> f64 {
        match self.frame_count() {
            Some(count) => self.time_of(count.saturating_sub(1)),
            None => self.shown.as_ref().map_or(0.0, |frame| frame.time_s),
        }
    }

    /// The camera, with the user's horizon if one was set.
    pub fn camera(&self) -> Option<CameraGeometry> {
        let drive = self.drive.as_ref()?;
        let mut camera = drive.camera;
        if let Some(horizon) = self.horizon {
            camera.horizon_row = horizon * drive.height as f32;
        }
        Some(camera)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_nearest_frame_is_found_and_the_ends_hold() {
        let info = deltasteer_data::open("road:1,seconds=3").unwrap().info().clone();
        let view = View { drive: Some(Arc::new(info)), ..View::default() };
        let count = view.frame_count().unwrap();
        assert_eq!(view.index_at(-1.0), 0);
        assert_eq!(view.index_at(0.99), 20);
        assert_eq!(view.index_at(1.03), 21);
        assert_eq!(view.index_at(1e9), count - 1);
    }
}
