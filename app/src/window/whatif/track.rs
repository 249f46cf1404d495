//! What one setting answered, frame by frame. Every figure that the window shows of a setting is computed from one track,
//! so that curve, error, raster and savings always speak of the same frames and thresholds.

use std::ops::Range;

use deltasteer_temporal::{StepCount, Thresholds, Totals};

/// One frame's answer. Angles in radians of the steering wheel, positive left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Place of the frame in its source.
    pub index: usize,
    /// Seconds from the source's first frame.
    pub time_s: f64,
    /// The human driver's angle.
    pub truth_rad: Option<f32>,
    /// The RNN's angle.
    pub steering_rad: f32,
    /// The step's work.
    pub count: StepCount,
    /// Whether the RNN has seen every frame since the drive's start; otherwise it was warmed up over the frames before.
    pub exact: bool,
    /// What the CNN did.
    pub cnn: CnnDone,
    marks: (u32, u32),
}

/// The CNN's part in a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CnnDone {
    /// It ran; otherwise the features of an earlier frame stand.
    pub looked: bool,
    /// Its multiply-accumulates, with those of the motion sensor.
    pub macs: u64,
}

impl Point {
    /// An answer whose marks are not known yet.
    pub fn new(index: usize, time_s: f64, truth_rad: Option<f32>, answer: (f32, StepCount), exact: bool) -> Self {
        let (steering_rad, count) = answer;
        Self { index, time_s, truth_rad, steering_rad, count, exact, cnn: CnnDone::default(), marks: (0, 0) }
    }

    /// The same answer beside another angle that counts as the true one.
    pub fn against(self, truth_rad: Option<f32>) -> Self {
        Self { truth_rad, ..self }
    }

    /// Predicted minus true angle.
    pub fn error_rad(&self) -> Option<f32> {
        Some(self.steering_rad - self.truth_rad?)
    }
}

/// A unit that sent a change: inputs come first, then hidden units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u16);

impl Mark {
    const FELL: u16 = 1 << 15;

    /// Of unit number `unit`, which rose or fell.
    pub fn new(unit: usize, rose: bool) -> Self {
        Self((unit as u16 & !Self::FELL) | if rose { 0 } else { Self::FELL })
    }

    /// The unit's number.
    pub fn unit(self) -> usize {
        usize::from(self.0 & !Self::FELL)
    }

    /// Whether the value rose.
    pub fn rose(self) -> bool {
        self.0 & Self::FELL == 0
    }
}

/// Root of the mean squared error of some frames, and their work.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Work of all frames.
    pub work: Totals,
    /// The CNN's multiply-accumulates.
    pub cnn_macs: u64,
    /// Frames with a true angle.
    pub labelled: u64,
    squares: f64,
}

impl Figures {
    /// Adds a frame beside the `dense` step of the same layer.
    pub fn add(&mut self, point: &Point, dense: &StepCount) {
        self.work.add(&point.count, dense);
        self.cnn_macs += point.cnn.macs;
        if let Some(error) = point.error_rad() {
            self.labelled += 1;
            self.squares += f64::from(error) * f64::from(error);
        }
    }

    /// Root of the mean squared error in radians; `None` without labels.
    pub fn rmse_rad(&self) -> Option<f64> {
        (self.labelled > 0).then(|| (self.squares / self.labelled as f64).sqrt())
    }
}

/// One unbroken stretch of a curve: `[time_s, value]`.
pub type Stretch = Vec<[f64; 2]>;

/// The answers of one setting, in the order of their frames.
#[derive(Debug, Clone)]
pub struct Track {
    /// The thresholds behind every point; zero for the dense RNN.
    pub thresholds: Thresholds,
    dense: StepCount,
    points: Vec<Point>,
    marks: Vec<Mark>,
    figures: Figures,
    gaps: Gaps,
}

/// What breaks a curve.
#[derive(Debug, Clone, Copy)]
pub struct Gaps {
    /// A pause longer than this.
    pub longest_s: f64,
    /// A frame that is missing; a live feed misses many.
    pub by_index: bool,
}

impl Default for Track {
    fn default() -> Self {
        Self::new(Thresholds::ZERO, StepCount::default(), Gaps { longest_s: f64::INFINITY, by_index: true })
    }
}

impl Track {
    /// Points kept: the oldest go beyond that. 200,000 are 2.7 hours at 20 Hz.
    pub const LIMIT: usize = 200_000;
    /// Marks kept; frames that come later have none.
    const MARKS: usize = 32 << 20;

    /// No answer yet. `dense` is the work of a dense step.
    pub fn new(thresholds: Thresholds, dense: StepCount, gaps: Gaps) -> Self {
        Self { thresholds, dense, points: Vec::new(), marks: Vec::new(), figures: Figures::default(), gaps }
    }

    /// Adds a frame's answer; one that is there already stands. True if it was added.
    pub fn push(&mut self, mut point: Point, marks: &[Mark]) -> bool {
        let place = match self.points.last() {
            Some(last) if last.index >= point.index => {
                match self.points.binary_search_by_key(&point.index, |known| known.index) {
                    Ok(_) => return false,
                    Err(place) => place,
                }
            }
            _ => self.points.len(),
        };
        if self.marks.len() + marks.len() <= Self::MARKS {
            point.marks = (self.marks.len() as u32, marks.len() as u32);
            self.marks.extend_from_slice(marks);
        }
        self.figures.add(&point, &self.dense);
        self.points.insert(place, point);
        if self.points.len() > Self::LIMIT {
            // Rare: a tenth goes at once, and the sums start again over the rest.
            self.points.drain(..Self::LIMIT / 10);
            self.figures = self.figures_of(&self.points);
        }
        true
    }

    /// The answers in order.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The answer for a frame.
    pub fn get(&self, index: usize) -> Option<&Point> {
        self.points.binary_search_by_key(&index, |point| point.index).ok().map(|place| &self.points[place])
    }

    /// The answers for frames below `index`.
    pub fn below(&self, index: usize) -> &[Point] {
        &self.points[..self.points.partition_point(|point| point.index < index)]
    }

    /// The last `count` answers up to and with frame `index`.
    pub fn up_to(&self, index: usize, count: usize) -> &[Point] {
        let below = self.below(index + 1);
        &below[below.len().saturating_sub(count)..]
    }

    /// The units that sent something in a point of this track.
    pub fn marks(&self, point: &Point) -> &[Mark] {
        &self.marks[point.marks.0 as usize..][..point.marks.1 as usize]
    }

    /// The work of one dense step.
    pub fn dense(&self) -> &StepCount {
        &self.dense
    }

    /// Error and work over all answers.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Error and work over some of the answers.
    pub fn figures_of(&self, points: &[Point]) -> Figures {
        points.iter().fold(Figures::default(), |mut figures, point| {
            figures.add(point, &self.dense);
            figures
        })
    }

    /// Neighbouring answers without a missing frame or a pause between them.
    pub fn unbroken(&self) -> impl Iterator<Item = &[Point]> {
        self.points.chunk_by(|a, b| self.follows(a, b))
    }

    fn follows(&self, a: &Point, b: &Point) -> bool {
        (b.index == a.index + 1 || !self.gaps.by_index) && b.time_s - a.time_s <= self.gaps.longest_s
    }

    /// The curve of `pick` within `time_s`, thinned to about `columns` pixels; broken where frames are missing.
    pub fn curve(&self, time_s: [f64; 2], columns: usize, pick: impl Fn(&Point) -> Option<f64>) -> Vec<Stretch> {
        let Range { start, end } = self.places(time_s);
        let width = (time_s[1] - time_s[0]).max(f64::MIN_POSITIVE);
        self.points[start..end]
            .chunk_by(|a, b| self.follows(a, b) && pick(a).is_some() == pick(b).is_some())
            .map(|run| run.iter().filter_map(|point| Some([point.time_s, pick(point)?])).collect::<Stretch>())
            .filter(|stretch| !stretch.is_empty())
            .map(|stretch| thin(&stretch, width / columns.max(1) as f64))
            .collect()
    }

    fn places(&self, time_s: [f64; 2]) -> Range<usize> {
        let start = self.points.partition_point(|point| point.time_s < time_s[0]);
        start..self.points.partition_point(|point| point.time_s <= time_s[1]).max(start)
    }
}

/// Keeps the lowest and the highest point of every `step_s` seconds, in their order: what a pixel column would show.
pub fn thin(points: &[[f64; 2]], step_s: f64) -> Stretch {
    if points.len() < 4 || step_s <= 0.0 {
        return points.to_vec();
    }
    let mut out = Stretch::with_capacity(points.len());
    for run in points.chunk_by(|a, b| (a[0] / step_s).floor() == (b[0] / step_s).floor()) {
        let by_value = |a: &&[f64; 2], b: &&[f64; 2]| a[1].total_cmp(&b[1]);
        if let (Some(low), Some(high)) = (run.iter().min_by(by_value), run.iter().max_by(by_value)) {
            let (first, second) = if low[0] <= high[0] { (low, high) } else { (high, low) };
            out.push(*first);
            if first != second {
                out.push(*second);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(indices: impl Iterator<Item = usize>) -> Track {
        let gaps = Gaps { longest_s: 0.2, by_index: true };
        let mut track = Track::new(Thresholds::ZERO, StepCount { macs: 10, ..StepCount::default() }, gaps);
        for index in indices {
            let count = StepCount { macs: 2, ..StepCount::default() };
            let point = Point::new(index, index as f64 * 0.05, Some(0.0), (index as f32, count), true);
            track.push(point, &[Mark::new(index % 7, index % 2 == 0)]);
        }
        track
    }

    #[test]
    fn a_curve_breaks_where_frames_are_missing() {
        let track = track((8..10).chain(0..5));
        let curve = track.curve([0.0, 1.0], 1000, |p| Some(f64::from(p.steering_rad)));
        assert_eq!(curve.iter().map(Vec::len).collect::<Vec<_>>(), [5, 2]);
        assert!(track.curve([0.0, 1.0], 10, |_| None).is_empty());
        assert_eq!(track.points().iter().map(|p| p.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 8, 9]);
        assert_eq!(track.unbroken().map(<[Point]>::len).collect::<Vec<_>>(), [5, 2]);
        let marks = track.marks(track.get(3).unwrap());
        assert_eq!((marks[0].unit(), marks[0].rose()), (3, false));
    }

    #[test]
    fn figures_come_from_the_points_and_an_answer_stands() {
        let mut track = track(0..4);
        let again = Point::new(2, 0.1, Some(0.0), (99.0, StepCount::default()), false);
        assert!(!track.push(again, &[]));
        assert_eq!(track.get(2).unwrap().steering_rad, 2.0);
        assert_eq!((track.figures().work.macs, track.figures().work.macs_dense), (8, 40));
        assert_eq!(track.figures().rmse_rad(), Some((14.0_f64 / 4.0).sqrt()));
        assert_eq!(track.figures(), &track.figures_of(track.points()));
        assert_eq!(track.up_to(2, 2).iter().map(|p| p.index).collect::<Vec<_>>(), [1, 2]);
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
}
