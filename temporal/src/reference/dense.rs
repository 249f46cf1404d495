//! The dense GRU.

use ndarray::{Array1, Array2, ArrayView1};

use super::sigmoid;
use crate::GruWeights;

/// One step of the dense GRU (formulas at [`GruWeights`]): `x[input_size]` and `h[hidden_size]` to the next `h`. Panics where
/// the shapes do not fit.
pub fn gru_step(weights: &GruWeights, x: ArrayView1<'_, f32>, h: ArrayView1<'_, f32>) -> Array1<f32> {
    let hidden = weights.hidden_size();
    let pre_x = multiply(&weights.weight_ih, &weights.bias_ih, x);
    let pre_h = multiply(&weights.weight_hh, &weights.bias_hh, h);
    let unit = |i: usize| {
        let r = sigmoid(pre_x[i] + pre_h[i]);
        let z = sigmoid(pre_x[hidden + i] + pre_h[hidden + i]);
        let n = (pre_x[2 * hidden + i] + r * pre_h[2 * hidden + i]).tanh();
        (1.0 - z) * n + z * h[i]
    };
    (0..hidden).map(unit).collect()
}

/// `bias + weight values`, column by column.
fn multiply(weight: &Array2<f32>, bias: &Array1<f32>, values: ArrayView1<'_, f32>) -> Array1<f32> {
    assert_eq!(weight.ncols(), values.len());
    let mut sums = bias.clone();
    for (column, value) in weight.columns().into_iter().zip(values) {
        for (sum, weight) in sums.iter_mut().zip(column) {
            *sum += weight * value;
        }
    }
    sums
}
