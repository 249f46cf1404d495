//! From hidden states to outputs: `torch.nn.Linear`, behind a fully connected layer if wanted.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use crate::{HeadConfig, TemporalError, weights};

/// `y = weight x + bias`, shaped as `torch.nn.Linear` does it.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// `[outputs, inputs]`
    pub weight: Array2<f32>,
    /// `[outputs]`
    pub bias: Array1<f32>,
}

impl Linear {
    /// All zero.
    pub fn zeros(inputs: usize, outputs: usize) -> Self {
        Self { weight: Array2::zeros((outputs, inputs)), bias: Array1::zeros(outputs) }
    }

    /// `x[rows, inputs]` to `[rows, outputs]`.
    fn forward(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        x.dot(&self.weight.t()) + &self.bias
    }
}

/// What a head sees of the hidden states of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Each frame's: one output a frame.
    #[default]
    None,
    /// The last frame's (of a reverse cell its last, which is the first frame's): one output a sequence.
    Last,
    /// The mean over the frames: one output a sequence.
    Mean,
}

/// Outputs of a network: pooling, a fully connected layer with ReLU if there is one, a linear layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// What the layers see of the hidden states.
    pub pooling: Pooling,
    /// The fully connected layer `[fc_size, hidden]`, followed by ReLU.
    pub fc: Option<Linear>,
    /// The output layer.
    pub output: Linear,
}

impl Head {
    /// A linear layer on each frame's hidden state.
    pub fn linear(output: Linear) -> Self {
        Self { pooling: Pooling::None, fc: None, output }
    }

    /// Its size.
    pub fn config(&self) -> HeadConfig {
        let fc_size = self.fc.as_ref().map(|fc| fc.bias.len());
        HeadConfig { output_size: self.output.bias.len(), fc_size, pooling: self.pooling }
    }

    /// The outputs `[frames or 1, output_size]` for the hidden states `[frames, hidden]` of a sequence; `directions` tells
    /// where the reverse cell's last state is. A pooled sequence of no frames counts as one with hidden states of zero.
    pub fn forward(&self, hidden: ArrayView2<'_, f32>, directions: usize) -> Array2<f32> {
        let pooled = match self.pooling {
            Pooling::None => hidden.to_owned(),
            _ if hidden.nrows() == 0 => Array2::zeros((1, hidden.ncols())),
            Pooling::Mean => hidden.mean_axis(Axis(0)).unwrap_or_default().insert_axis(Axis(0)),
            Pooling::Last => {
                let mut last = hidden.slice(s![hidden.nrows() - 1.., ..]).to_owned();
                if directions == 2 {
                    let half = hidden.ncols() / 2;
                    last.slice_mut(s![0, half..]).assign(&hidden.slice(s![0, half..]));
                }
                last
            }
        };
        match &self.fc {
            Some(fc) => self.output.forward(fc.forward(pooled.view()).mapv(|x| x.max(0.0)).view()),
            None => self.output.forward(pooled.view()),
        }
    }

    /// Refuses layers that do not fit each other or `inputs` hidden values, NaN and infinities.
    ///
    /// # Errors
    /// [`TemporalError::TensorShape`] or [`TemporalError::WeightNotFinite`], which name the tensor.
    pub fn check(&self, inputs: usize) -> Result<(), TemporalError> {
        let mut inputs = inputs;
        for (name, layer) in self.layers() {
            let (expected, found) = (vec![layer.bias.len(), inputs], layer.weight.shape().to_vec());
            let name = |tensor: &str| format!("{name}.{tensor}");
            if found != expected {
                return Err(TemporalError::TensorShape { name: name("weight"), expected, found });
            }
            weights::check_finite(&name("weight"), &layer.weight)?;
            weights::check_finite(&name("bias"), &layer.bias)?;
            inputs = layer.bias.len();
        }
        Ok(())
    }

    fn layers(&self) -> impl Iterator<Item = (&'static str, &Linear)> {
        self.fc.iter().map(|fc| ("head.fc", fc)).chain([("head", &self.output)])
    }

    /// Name, shape and elements of every tensor.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let named = |(name, layer): (&str, &Linear)| {
            let weight = layer.weight.iter().copied().collect();
            [
                (format!("{name}.weight"), layer.weight.shape().to_vec(), weight),
                (format!("{name}.bias"), vec![layer.bias.len()], layer.bias.to_vec()),
            ]
        };
        self.layers().flat_map(named).collect()
    }
}
