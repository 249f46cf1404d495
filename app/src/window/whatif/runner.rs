//! One RNN on its way along the seen frames, with states saved every second for going back.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltasteer_temporal::{DeltaRnn, DenseRnn, RnnWeights, StepCount, TemporalError, Thresholds};
use ndarray::ArrayView1;

use super::store::{FeatureStore, Kept};
use super::track::{Mark, Point};
use crate::pipeline::Before;

/// Frames that the RNN must have seen before a frame that was jumped to is answered: two seconds at 20 Hz.
pub const WARM_UP_FRAMES: u32 = 40;
/// States kept for going back; beyond that every other one is let go.
const STATES: usize = 2048;

/// The delta RNN, or its dense twin.
#[derive(Debug, Clone)]
pub enum Cell {
    /// At thresholds.
    Delta(Box<DeltaRnn>),
    /// Every column, every frame.
    Dense(DenseRnn),
}

impl Cell {
    /// The delta RNN at `thresholds`, in its state before the first frame.
    ///
    /// # Errors
    /// A threshold that is negative or not finite.
    pub fn delta(weights: Arc<RnnWeights>, thresholds: Thresholds) -> Result<Self, TemporalError> {
        Ok(Self::Delta(Box::new(DeltaRnn::new(weights, &[thresholds])?)))
    }

    /// The dense RNN in its state before the first frame.
    ///
    /// # Errors
    /// A kernel that this machine does not have.
    pub fn dense(weights: Arc<RnnWeights>) -> Result<Self, TemporalError> {
        Ok(Self::Dense(DenseRnn::new(weights)?))
    }

    /// One frame's features to its angle and work.
    ///
    /// # Errors
    /// Features that are not finite or too few; the state stays as it was.
    pub fn step(&mut self, features: &[f32]) -> Result<(f32, StepCount), TemporalError> {
        let features = ArrayView1::from(features);
        Ok(match self {
            Self::Delta(rnn) => {
                let count = rnn.step(features)?;
                (rnn.output()[0], count)
            }
            Self::Dense(rnn) => {
                let count = rnn.step(features)?;
                (rnn.output()[0], count)
            }
        })
    }

    fn reset(&mut self) {
        match self {
            Self::Delta(rnn) => rnn.reset(),
            Self::Dense(rnn) => rnn.reset(),
        }
    }

    fn marks_into(&self, marks: &mut Vec<Mark>) {
        marks.clear();
        // The dense RNN sends everything, always: nothing to see.
        if let Self::Delta(rnn) = self {
            let (cell, inputs) = (&rnn.cells()[0], rnn.weights().config.input_size);
            marks.extend(cell.delta_x().iter().map(|(unit, delta)| Mark::new(unit as usize, delta > 0.0)));
            marks.extend(cell.delta_h().iter().map(|(unit, delta)| Mark::new(inputs + unit as usize, delta > 0.0)));
        }
    }
}

/// The RNN's state after a frame.
#[derive(Debug, Clone)]
pub struct Cursor {
    cell: Cell,
    after: Option<usize>,
    /// Frames since the last cold start.
    depth: u32,
    /// Whether that cold start was the drive's.
    exact: bool,
    marks: Vec<Mark>,
}

impl Cursor {
    /// Before any frame.
    pub fn new(cell: Cell) -> Self {
        Self { cell, after: None, depth: 0, exact: false, marks: Vec::new() }
    }

    /// The frame stepped last.
    pub fn after(&self) -> Option<usize> {
        self.after
    }

    /// Steps over frame `index`, from a cold start where the frame before it is not the last one stepped. `None`: the RNN
    /// is not warm yet, so its answer is worth nothing.
    ///
    /// # Errors
    /// As [`Cell::step`].
    pub fn step(&mut self, index: usize, kept: &Kept, features: &[f32]) -> Result<Option<Point>, TemporalError> {
        if self.after.is_none_or(|after| kept.before != Before::Frame(after)) {
            self.cell.reset();
            self.depth = 0;
            self.exact = kept.before == Before::Start;
        }
        self.exact &= kept.certain;
        let answer = self.cell.step(features)?;
        self.depth = self.depth.saturating_add(1);
        self.after = Some(index);
        let warm = self.exact || self.depth > WARM_UP_FRAMES;
        let mut point = Point::new(index, kept.time_s, kept.truth_rad, answer, self.exact);
        point.cnn = kept.cnn;
        Ok(warm.then_some(point))
    }

    /// The units that sent something in the last step.
    pub fn marks(&mut self) -> &[Mark] {
        self.cell.marks_into(&mut self.marks);
        &self.marks
    }
}

/// A cursor with the states that it left behind.
#[derive(Debug)]
pub struct Runner {
    cursor: Cursor,
    states: BTreeMap<usize, Cursor>,
    /// Frames between two saved states.
    every: u32,
    features: Vec<f32>,
}

impl Runner {
    /// Before any frame; a state is saved every `every` frames.
    pub fn new(cell: Cell, every: u32) -> Self {
        Self { cursor: Cursor::new(cell), states: BTreeMap::new(), every: every.max(1), features: Vec::new() }
    }

    /// Steps over a frame, which must come next in the order of frames.
    ///
    /// # Errors
    /// As [`Cell::step`].
    pub fn advance(&mut self, index: usize, kept: &Kept) -> Result<Option<(Point, &[Mark])>, TemporalError> {
        self.features.resize(kept.inputs(), 0.0);
        kept.features_into(&mut self.features);
        let point = self.cursor.step(index, kept, &self.features)?;
        if self.cursor.depth.is_multiple_of(self.every) {
            if self.states.len() == STATES {
                let mut odd = false;
                self.states.retain(|_, _| {
                    odd = !odd;
                    odd
                });
            }
            self.states.insert(index, self.cursor.clone());
        }
        Ok(point.map(|point| (point, self.cursor.marks())))
    }

    /// Steps over a frame, wherever the cursor stands: it goes to the frame before, from the nearest saved state over the
    /// frames kept in `store`.
    ///
    /// # Errors
    /// As [`Cell::step`].
    pub fn jump(
        &mut self,
        store: &FeatureStore,
        index: usize,
        kept: &Kept,
    ) -> Result<Option<(Point, &[Mark])>, TemporalError> {
        let mut path = Vec::new();
        let mut before = Some(kept.before);
        while let Some(Before::Frame(earlier)) = before
            && (self.cursor.after != Some(earlier) || self.better(earlier))
        {
            if let Some(state) = self.states.get(&earlier) {
                self.cursor = state.clone();
                break;
            }
            let on_the_way = store.get(earlier);
            before = on_the_way.map(|kept| kept.before);
            path.extend(on_the_way.map(|kept| (earlier, kept)));
        }
        while let Some((earlier, kept)) = path.pop() {
            self.advance(earlier, kept)?;
        }
        self.advance(index, kept)
    }

    /// Whether the state saved after a frame is exact and the cursor's is not.
    fn better(&self, index: usize) -> bool {
        !self.cursor.exact && self.states.get(&index).is_some_and(|state| state.exact)
    }

    /// Microseconds of a step over the last seen frames, done back to back. `None` where too few were seen.
    pub fn time_steps_us(&self, store: &FeatureStore) -> Option<f64> {
        const FRAMES: usize = 100;
        let frames: Vec<(usize, &Kept)> = store.last_frames(FRAMES).collect();
        let (first, _) = frames.first().filter(|_| frames.len() == FRAMES)?;
        let (_, state) = self.states.range(..=first).next_back()?;
        let mut cell = state.cell.clone();
        let mut features = vec![vec![0.0; store.inputs()]; FRAMES];
        for (kept, out) in frames.iter().map(|(_, kept)| kept).zip(&mut features) {
            kept.features_into(out);
        }
        // The first frame's changes are those since the saved state: not timed.
        cell.step(&features[0]).ok()?;
        let start = std::time::Instant::now();
        for features in &features[1..] {
            cell.step(features).ok()?;
        }
        Some(start.elapsed().as_secs_f64() * 1e6 / (FRAMES - 1) as f64)
    }

    /// The last frame before `index` after which the state is known exactly, by the saved states alone.
    pub fn exact_state_before(&self, index: usize) -> Option<usize> {
        self.states.range(..index).rev().find(|(_, state)| state.exact).map(|(&index, _)| index)
    }
}
