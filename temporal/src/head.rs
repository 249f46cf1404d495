//! The linear steering head: hidden state to angle.

use crate::{TemporalError, weights};

/// `steering_rad = weight . h + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// `[hidden]`; in the file `head.weight` of shape `[1, hidden]`.
    pub weight: Vec<f32>,
    /// Radians.
    pub bias: f32,
}

impl Head {
    /// A head of zeros: it says "straight ahead".
    pub fn zeros(hidden: usize) -> Self {
        Self { weight: vec![0.0; hidden], bias: 0.0 }
    }

    /// The steering-wheel angle in radians, positive to the left. `hidden` has the length of `weight`.
    pub fn steering_rad(&self, hidden: &[f32]) -> f32 {
        debug_assert_eq!(hidden.len(), self.weight.len());
        self.weight.iter().zip(hidden).map(|(w, h)| w * h).sum::<f32>() + self.bias
    }

    /// Refuses a head of another size, NaN and infinities.
    ///
    /// # Errors
    /// Names `head.weight` or `head.bias`.
    pub fn check(&self, hidden: usize) -> Result<(), TemporalError> {
        if self.weight.len() != hidden {
            let (expected, found) = (vec![1, hidden], vec![1, self.weight.len()]);
            return Err(TemporalError::TensorShape { name: "head.weight".to_string(), expected, found });
        }
        weights::check_finite("head.weight", &self.weight)?;
        weights::check_finite("head.bias", &[self.bias])
    }
}
