//! What has been computed so far, by frame: the material of the plots.

use std::collections::BTreeMap;

/// Everything the plots need of one frame. Angles in radians of the steering wheel, positive left.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// Seconds from the source's first frame.
    pub time_s: f64,
    /// The human driver's angle.
    pub truth_rad: Option<f32>,
    /// The delta RNN's angle.
    pub delta_rad: Option<f32>,
    /// The dense RNN's angle.
    pub dense_rad: Option<f32>,
    /// The second setting's angle.
    pub second_rad: Option<f32>,
    /// Multiply-accumulates of the delta RNN's step.
    pub macs: Option<u64>,
    /// The same of the second setting.
    pub second_macs: Option<u64>,
}

/// One unbroken stretch of a curve: `[time_s, value]`.
pub type Stretch = Vec<[f64; 2]>;

/// Samples by frame index. Frames may come in any order and more than once: the newest answer stands.
#[derive(Debug, Default)]
pub struct History {
    samples: BTreeMap<usize, Sample>,
}

impl History {
    /// Samples kept; beyond that the oldest frames are forgotten (a live feed never ends). 100,000 are 83 minutes at 20 Hz.
    pub const LIMIT: usize = 100_000;

    /// The sample of a frame, made empty if there is none yet.
    pub fn entry(&mut self, index: usize) -> &mut Sample {
        if self.samples.len() >= Self::LIMIT && !self.samples.contains_key(&index) {
            self.samples.pop_first();
        }
        self.samples.entry(index).or_default()
    }

    /// The sample of a frame, if there is one.
    pub fn get(&self, index: usize) -> Option<&Sample> {
        self.samples.get(&index)
    }

    /// Samples held.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// True if nothing has been computed.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Samples in order of their frames.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Sample)> {
        self.samples.iter().map(|(&index, sample)| (index, sample))
    }

    /// Forgets the second setting's answers.
    pub fn clear_second(&mut self) {
        for sample in self.samples.values_mut() {
            sample.second_rad = None;
            sample.second_macs = None;
        }
    }

    /// The curve of `pick` within `time_s`, thinned to about `columns` pixels; broken where frames are missing.
    pub fn curve(&self, time_s: [f64; 2], columns: usize, pick: impl Fn(&Sample) -> Option<f64>) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut open = Stretch::new();
        let mut last_index = None;
        for (&index, sample) in &self.samples {
            if sample.time_s < time_s[0] || sample.time_s > time_s[1] {
                continue;
            }
            let value = pick(sample);
            let follows = last_index.is_none_or(|last| index == last + 1);
            last_index = Some(index);
            if (!follows || value.is_none()) && !open.is_empty() {
                stretches.push(std::mem::take(&mut open));
            }
            open.extend(value.map(|value| [sample.time_s, value]));
        }
        if !open.is_empty() {
            stretches.push(open);
        }
        let width = (time_s[1] - time_s[0]).max(f64::MIN_POSITIVE);
        stretches.into_iter().map(|stretch| thin(&stretch, width / columns.max(1) as f64)).collect()
    }
}

/// Keeps the lowest and the highest point of every `step_s` seconds, in their order: what a pixel column would show.
pub fn thin(points: &[[f64; 2]], step_s: f64) -> Stretch {
    if points.len() < 4 || step_s <= 0.0 {
        return points.to_vec();
    }
    let mut out = Stretch::with_capacity(points.len());
    let mut start = 0;
    while start < points.len() {
        let column = (points[start][0] / step_s).floor();
        let length = points[start..].iter().take_while(|p| (p[0] / step_s).floor() == column).count().max(1);
        let run = &points[start..start + length];
        let by_value = |a: &&[f64; 2], b: &&[f64; 2]| a[1].total_cmp(&b[1]);
        if let (Some(low), Some(high)) = (run.iter().min_by(by_value), run.iter().max_by(by_value)) {
            let (first, second) = if low[0] <= high[0] { (low, high) } else { (high, low) };
            out.push(*first);
            if first != second {
                out.push(*second);
            }
        }
        start += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(indices: impl Iterator<Item = usize>) -> History {
        let mut history = History::default();
        for index in indices {
            *history.entry(index) =
                Sample { time_s: index as f64 * 0.05, delta_rad: Some(index as f32), ..Sample::default() };
        }
        history
    }

    #[test]
    fn a_curve_breaks_where_frames_are_missing() {
        let history = history((0..5).chain(8..10));
        let curve = history.curve([0.0, 1.0], 1000, |s| s.delta_rad.map(f64::from));
        assert_eq!(curve.iter().map(Vec::len).collect::<Vec<_>>(), [5, 2]);
        assert!(history.curve([0.0, 1.0], 10, |s| s.dense_rad.map(f64::from)).is_empty());
    }

    #[test]
    fn thinning_keeps_every_extreme() {
        let points: Stretch =
            (0..10_000).map(|i| [i as f64 * 0.05, if i == 4321 { 9.0 } else { (i % 7) as f64 }]).collect();
        let thinned = thin(&points, 5.0);
        assert!(thinned.len() <= 2 * 101);
        assert!(thinned.contains(&[4321.0 * 0.05, 9.0]));
        assert!(thinned.windows(2).all(|pair| pair[0][0] <= pair[1][0]));
    }

    #[test]
    fn the_oldest_frames_of_an_endless_feed_are_forgotten() {
        let history = history(0..History::LIMIT + 10);
        assert_eq!(history.len(), History::LIMIT);
        assert!(history.get(9).is_none() && history.get(10).is_some());
    }
}
