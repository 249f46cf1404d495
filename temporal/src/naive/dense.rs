//! The dense GRU.

use super::sigmoid;
use crate::GruWeights;

/// One step of the dense GRU (the formulas stand at [`GruWeights`]): `x[inputs]`, `h[hidden]` to the next `h`.
pub fn dense_step(weights: &GruWeights, x: &[f32], h: &[f32]) -> Vec<f32> {
    let hidden = weights.hidden;
    let sums_x = multiply(&weights.w_x, &weights.b_x, x);
    let sums_h = multiply(&weights.w_h, &weights.b_h, h);
    let unit = |i: usize| {
        let r = sigmoid(sums_x[i] + sums_h[i]);
        let u = sigmoid(sums_x[hidden + i] + sums_h[hidden + i]);
        let c = (sums_x[2 * hidden + i] + r * sums_h[2 * hidden + i]).tanh();
        (1.0 - u) * c + u * h[i]
    };
    (0..hidden).map(unit).collect()
}

/// `bias + sum over columns j of values[j] * columns[j]`.
fn multiply(columns: &[f32], bias: &[f32], values: &[f32]) -> Vec<f32> {
    let rows = bias.len();
    let mut sums = bias.to_vec();
    for (j, value) in values.iter().enumerate() {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += columns[j * rows + i] * value;
        }
    }
    sums
}
