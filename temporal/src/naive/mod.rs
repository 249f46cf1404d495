//! The GRU written down as plainly as its formulas. Slow, and right: the oracle of every fast variant.

mod delta;
mod dense;

pub use delta::NaiveDelta;
pub use dense::dense_step;

/// The logistic function `1 / (1 + e^-x)`.
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
