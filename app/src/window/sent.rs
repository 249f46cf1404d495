//! Which units sent a delta in the last frames: the material of the raster.

use std::collections::VecDeque;

/// What one frame sent: units that rose and units that fell. Inputs come first, then hidden units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentColumn {
    /// The frame's index in its source.
    pub index: usize,
    /// Unit number and whether the change was upward.
    pub marks: Vec<(u32, bool)>,
}

/// A ring of the last frames' marks with each unit's count.
#[derive(Debug, Default)]
pub struct SentRing {
    inputs: usize,
    hidden: usize,
    capacity: usize,
    columns: VecDeque<SentColumn>,
    counts: Vec<u32>,
    pushed: u64,
}

impl SentRing {
    /// An empty ring for a model's `inputs` features and `hidden` units that keeps `capacity` frames.
    pub fn new(inputs: usize, hidden: usize, capacity: usize) -> Self {
        Self { inputs, hidden, capacity: capacity.max(1), counts: vec![0; inputs + hidden], ..Self::default() }
    }

    /// Number of rows: inputs, then hidden units.
    pub fn units(&self) -> usize {
        self.inputs + self.hidden
    }

    /// Number of inputs: the first rows.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Frames that the ring can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Frames pushed since the ring was made: tells how many columns a picture of the ring lacks.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// The frames held, oldest first.
    pub fn columns(&self) -> &VecDeque<SentColumn> {
        &self.columns
    }

    /// Adds one frame. Units beyond the model's are ignored.
    pub fn push(&mut self, index: usize, sent_x: &[(u32, f32)], sent_h: &[(u32, f32)]) {
        if self.columns.len() == self.capacity
            && let Some(old) = self.columns.pop_front()
        {
            for (unit, _) in old.marks {
                self.counts[unit as usize] -= 1;
            }
        }
        let first_hidden = self.inputs as u32;
        let x = sent_x.iter().filter(|(unit, _)| *unit < first_hidden).map(|&(unit, delta)| (unit, delta > 0.0));
        let h = sent_h.iter().map(|&(unit, delta)| (unit + first_hidden, delta > 0.0));
        let units = self.units() as u32;
        let marks: Vec<_> = x.chain(h.filter(|(unit, _)| *unit < units)).collect();
        for &(unit, _) in &marks {
            self.counts[unit as usize] += 1;
        }
        self.columns.push_back(SentColumn { index, marks });
        self.pushed += 1;
    }

    /// Share of the held frames in which a unit sent something, 0 to 1.
    pub fn rate(&self, unit: usize) -> f64 {
        let frames = self.columns.len().max(1);
        self.counts.get(unit).map_or(0.0, |&count| f64::from(count) / frames as f64)
    }

    /// A unit's name as the formulas have it.
    pub fn name(&self, unit: usize) -> String {
        if unit < self.inputs { format!("input x[{unit}]") } else { format!("hidden h[{}]", unit - self.inputs) }
    }

    /// The picture row of a unit when all units share `rows` rows, inputs above, hidden units below.
    pub fn row_of(&self, unit: u32, rows: usize) -> usize {
        (unit as usize * rows / self.units().max(1)).min(rows.saturating_sub(1))
    }

    /// The units that share a picture row.
    pub fn units_of_row(&self, row: usize, rows: usize) -> std::ops::Range<usize> {
        let units = self.units();
        let first = |row: usize| (row * units).div_ceil(rows.max(1));
        first(row)..first(row + 1).min(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_frames_that_are_held() {
        let mut ring = SentRing::new(4, 2, 3);
        for index in 0..5 {
            ring.push(index, &[(0, 1.0), (3, -1.0)], if index == 0 { &[(1, 0.5)] } else { &[] });
        }
        assert_eq!(ring.columns().len(), 3);
        assert_eq!(ring.pushed(), 5);
        assert_eq!(ring.rate(0), 1.0);
        assert_eq!(ring.rate(5), 0.0, "the frame that sent h[1] has left the ring");
        assert_eq!(ring.columns()[0].marks, [(0, true), (3, false)]);
        assert_eq!((ring.name(3), ring.name(5)), ("input x[3]".to_owned(), "hidden h[1]".to_owned()));
    }

    #[test]
    fn every_unit_has_one_row_and_rows_cover_all_units() {
        for (units, rows) in [(192, 100), (192, 192), (192, 500), (7, 3), (3, 7)] {
            let ring = SentRing::new(units, 0, 1);
            for unit in 0..units {
                let row = ring.row_of(unit as u32, rows);
                assert!(ring.units_of_row(row, rows).contains(&unit), "unit {unit} of {units} in {rows} rows");
            }
        }
    }

    #[test]
    fn units_that_the_model_lacks_are_ignored() {
        let mut ring = SentRing::new(2, 2, 4);
        ring.push(0, &[(2, 1.0)], &[(2, 1.0)]);
        assert!(ring.columns()[0].marks.is_empty());
    }
}
