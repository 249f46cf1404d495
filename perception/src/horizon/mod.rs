//! Where the horizon lies in a drive's pictures, from how they move.
//!
//! A car that drives straight on moves every still point of the picture away from one place, the focus of expansion. On a level
//! road it lies at the height of the horizon. Small turns of the camera (bumps, the road's bends) shift the whole picture; they
//! are fitted for each pair of frames and taken out. How fast points move depends on their distance, so only directions count.
//!
//! - `flow`: how blocks of the picture move from one frame to the next (phase correlation)
//! - `fit`: the place that the blocks move away from
//!
//! The angle of view can't be found this way: a faster turn of the camera and a narrower angle of view look alike.

mod fit;
mod flow;
#[cfg(test)]
mod tests;

use ndarray::ArrayView3;

use crate::error::PerceptionError;
use fit::PairFlow;
use flow::BlockFlow;

/// Fewer pairs of frames that drive straight on say too little.
const LEAST_PAIRS: usize = 8;
/// Two halves of the pairs that differ by more, as a share of the height, contradict each other.
const LARGEST_SPREAD: f32 = 0.05;
/// In a pair of frames that drive straight on, the middle one of the sideways shifts is smaller, in columns of 320.
const STRAIGHT_COLUMNS: f32 = 3.0;
/// Fewer blocks that can be followed say too little about a pair.
const LEAST_BLOCKS: usize = 15;

/// Where the pictures move away from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Horizon {
    /// Row of the horizon as a share of the height, from the top.
    pub row_share: f32,
    /// Column that the car drives towards, as a share of the width, from the left.
    pub column_share: f32,
    /// By how much two halves of the pairs differ in `row_share`.
    pub spread: f32,
    /// Pairs of frames that it comes from.
    pub pairs: usize,
}

/// Collects pairs of frames of one drive.
pub struct HorizonEstimator {
    flow: BlockFlow,
    pairs: Vec<PairFlow>,
    /// Columns and rows of the reduced pictures.
    size: Option<[usize; 2]>,
}

impl Default for HorizonEstimator {
    fn default() -> Self {
        Self { flow: BlockFlow::new(), pairs: Vec::new(), size: None }
    }
}

impl HorizonEstimator {
    /// Adds two frames `[height, width, 3]`, the second taken 0.03 to 0.12 s after the first. A pair in a bend, or with too little
    /// to follow, adds nothing; so does one of another size than the first.
    ///
    /// # Errors
    /// [`PerceptionError::Image`] for frames of unlike shapes, or of other than three colours.
    pub fn add(&mut self, earlier: ArrayView3<'_, u8>, later: ArrayView3<'_, u8>) -> Result<(), PerceptionError> {
        if earlier.dim() != later.dim() || earlier.dim().2 != 3 {
            let expected = "two pictures [height, width, 3] of one size".to_owned();
            return Err(PerceptionError::Image { shape: later.shape().to_vec(), expected });
        }
        let (earlier, later) = (flow::reduced(earlier), flow::reduced(later));
        let (rows, columns) = earlier.dim();
        if *self.size.get_or_insert([columns, rows]) != [columns, rows] {
            return Ok(());
        }
        let pair = self.flow.between(earlier.view(), later.view());
        let mut sideways: Vec<f32> = pair.iter().map(|block| block.shift[0]).collect();
        if sideways.len() >= LEAST_BLOCKS {
            sideways.sort_by(f32::total_cmp);
            if sideways[sideways.len() / 2].abs() < STRAIGHT_COLUMNS {
                self.pairs.push(pair);
            }
        }
        Ok(())
    }

    /// Pairs that count so far.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The horizon; `None` where too few pairs drive straight on, or halves of them contradict each other.
    pub fn estimate(&self) -> Option<Horizon> {
        let size = self.size.filter(|_| self.pairs.len() >= LEAST_PAIRS)?;
        let all: Vec<&PairFlow> = self.pairs.iter().collect();
        let [column_share, row_share] = fit::focus(&all, size);
        let half = |first: usize| {
            let pairs: Vec<&PairFlow> = self.pairs.iter().skip(first).step_by(2).collect();
            fit::row(&pairs, size, column_share)
        };
        let spread = (half(0) - half(1)).abs();
        let horizon = Horizon { row_share, column_share, spread, pairs: self.pairs.len() };
        (spread <= LARGEST_SPREAD && !fit::at_the_edge(row_share)).then_some(horizon)
    }
}
