//! A convolution with TensorFlow's `SAME` padding, in candle's own operations.

use crate::error::PerceptionError;
use crate::weights::get;
use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder};

/// Padding before the first row or column for sizes that the stride divides; behind the last one lies
/// `kernel - stride - pad_before`.
pub(crate) const fn pad_before(kernel: usize, stride: usize) -> usize {
    (kernel - stride) / 2
}

/// Convolution, bias and, unless it is a linear bottleneck, ReLU6.
#[derive(Debug)]
pub(crate) struct SameConv {
    conv: Conv2d,
    /// Rows and columns of zeros before and after, where they differ and candle's own padding cannot serve.
    uneven: Option<(usize, usize)>,
    relu6: bool,
}

impl SameConv {
    /// Reads `weight [output, input / groups, kernel, kernel]` and `bias [output]` below `vb`.
    pub fn load(
        vb: VarBuilder<'_>,
        [output, input, kernel]: [usize; 3],
        (stride, groups): (usize, usize),
        relu6: bool,
    ) -> std::result::Result<Self, PerceptionError> {
        let weight = get(&vb, "weight", &[output, input / groups, kernel, kernel])?;
        let bias = get(&vb, "bias", &[output])?;
        Ok(Self::new(weight, bias, (stride, groups), relu6))
    }

    /// From tensors of these shapes; they may be variables.
    pub fn new(weight: Tensor, bias: Tensor, (stride, groups): (usize, usize), relu6: bool) -> Self {
        let kernel = weight.dims()[2];
        let before = pad_before(kernel, stride);
        let after = kernel - stride - before;
        let uneven = (before != after).then_some((before, after));
        let padding = if uneven.is_some() { 0 } else { before };
        let conv = Conv2d::new(weight, Some(bias), Conv2dConfig { padding, stride, groups, ..Conv2dConfig::default() });
        Self { conv, uneven, relu6 }
    }

    /// Weight and bias.
    pub fn tensors(&self) -> (&Tensor, Option<&Tensor>) {
        (self.conv.weight(), self.conv.bias())
    }
}

impl Module for SameConv {
    /// `[batch, input, height, width]` to `[batch, output, height / stride, width / stride]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = match self.uneven {
            Some((before, after)) => {
                self.conv.forward(&x.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?)?
            }
            None => self.conv.forward(x)?,
        };
        if self.relu6 { y.clamp(0f32, 6f32) } else { Ok(y) }
    }
}
