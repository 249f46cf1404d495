//! The GRU as its formulas say it, in plain loops: the oracle of every fast variant.

mod delta;
mod dense;

pub use delta::ReferenceDeltaGru;
pub use dense::gru_step;

/// The logistic function `1 / (1 + e^-x)`.
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
