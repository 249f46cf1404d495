//! The steering output of a single frame: a linear map from features, fitted in closed form.

use crate::error::{PerceptionError, check_shape};
use crate::weights::NamedTensors;
use ndarray::{Array1, ArrayView1, ArrayView2, array};

/// `steering_rad = weight * features + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct SingleFrameHead {
    /// One a feature.
    pub weight: Array1<f32>,
    /// Radians.
    pub bias: f32,
}

impl SingleFrameHead {
    /// Ridge regression of `steering_rad` (NaN: left out) on `rows [frames, features]`; `ridge` is relative to the mean
    /// variance of the features.
    ///
    /// # Errors
    /// [`PerceptionError::Shape`] where the lengths differ; [`PerceptionError::Option`] where no frame has an angle.
    pub fn fit(
        rows: ArrayView2<'_, f32>,
        steering_rad: ArrayView1<'_, f32>,
        ridge: f64,
    ) -> Result<Self, PerceptionError> {
        let features = rows.ncols();
        check_shape("the angles", steering_rad.shape(), &[rows.nrows()])?;
        let labelled = || rows.rows().into_iter().zip(steering_rad).filter(|(_, angle)| angle.is_finite());
        let count = labelled().count() as f64;
        if count == 0.0 {
            let (field, found) = ("steering angles", "none".into());
            return Err(PerceptionError::Option { field, found, expected: "at least one frame with an angle" });
        }
        let size = features + 1; // the last column is the constant 1
        let mut normal = vec![0.0f64; size * size];
        let mut right = vec![0.0f64; size];
        let mut extended = vec![1.0f64; size];
        for (row, angle) in labelled() {
            extended.iter_mut().zip(row).for_each(|(to, from)| *to = f64::from(*from));
            for i in 0..size {
                right[i] += extended[i] * f64::from(*angle) / count;
                for j in 0..=i {
                    normal[i * size + j] += extended[i] * extended[j] / count;
                }
            }
        }
        let scale = (0..features).map(|i| normal[i * size + i]).sum::<f64>() / features as f64;
        for i in 0..features {
            normal[i * size + i] += ridge * scale + 1e-12;
        }
        solve(&mut normal, &mut right, size);
        Ok(Self { weight: right[..features].iter().map(|w| *w as f32).collect(), bias: right[features] as f32 })
    }

    /// The angle that one row of features suggests, radians.
    pub fn steering_rad(&self, features: ArrayView1<'_, f32>) -> f32 {
        self.weight.dot(&features) + self.bias
    }

    /// As the tensors `single_frame.*` of a model.
    pub fn tensors(&self) -> NamedTensors {
        let weight = self.weight.clone().insert_axis(ndarray::Axis(0));
        NamedTensors::from([
            ("single_frame.weight".into(), weight.into_dyn()),
            ("single_frame.bias".into(), array![self.bias].into_dyn()),
        ])
    }
}

/// Cholesky decomposition of the lower triangle, then two substitutions; the solution replaces `right`.
fn solve(matrix: &mut [f64], right: &mut [f64], size: usize) {
    for i in 0..size {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| matrix[i * size + k] * matrix[j * size + k]).sum();
            let left = matrix[i * size + j] - sum;
            matrix[i * size + j] = if i == j { left.max(1e-18).sqrt() } else { left / matrix[j * size + j] };
        }
        let sum: f64 = (0..i).map(|k| matrix[i * size + k] * right[k]).sum();
        right[i] = (right[i] - sum) / matrix[i * size + i];
    }
    for i in (0..size).rev() {
        let sum: f64 = (i + 1..size).map(|k| matrix[k * size + i] * right[k]).sum();
        right[i] = (right[i] - sum) / matrix[i * size + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_linear_rule_and_leaves_out_unlabelled_frames() {
        let values = (0..60).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        let rows = ndarray::Array2::from_shape_vec((20, 3), values).unwrap();
        let rule = |row: ArrayView1<'_, f32>| 0.5 * row[0] - 0.25 * row[1] + 2.0 * row[2] + 0.1;
        let mut angles: Array1<f32> = rows.rows().into_iter().map(rule).collect();
        angles[4] = f32::NAN;
        let head = SingleFrameHead::fit(rows.view(), angles.view(), 1e-9).unwrap();
        for (found, expected) in head.weight.iter().chain([&head.bias]).zip([0.5, -0.25, 2.0, 0.1]) {
            assert!((found - expected).abs() < 1e-4, "{head:?}");
        }
        assert!((head.steering_rad(rows.row(0)) - rule(rows.row(0))).abs() < 1e-4);
        assert!(SingleFrameHead::fit(rows.view(), Array1::from_elem(20, f32::NAN).view(), 0.1).is_err());
    }
}
