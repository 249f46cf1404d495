//! The front end of the delta network paper: the three strided convolutions of comma.ai's 2016 steering network, with ReLU6
//! and without pooling.

use super::MapSize;
use super::conv::SameConv;
use crate::error::PerceptionError;
use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

/// One convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvSpec {
    /// Channels in.
    pub input: usize,
    /// Channels out.
    pub output: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
}

/// The convolutions in order.
pub(crate) const CONVOLUTIONS: [ConvSpec; 3] = [
    ConvSpec { input: 3, output: 16, kernel: 8, stride: 4 },
    ConvSpec { input: 16, output: 32, kernel: 5, stride: 2 },
    ConvSpec { input: 32, output: 64, kernel: 5, stride: 2 },
];

/// Multiply-accumulates of each convolution for a picture of `picture`.
pub(crate) fn macs_by_layer(convolutions: &[ConvSpec], picture: MapSize) -> Vec<(String, u64)> {
    let mut pixels = picture.height * picture.width;
    let layer = |(index, spec): (usize, &ConvSpec)| {
        pixels /= spec.stride * spec.stride;
        let macs = pixels * spec.output * spec.kernel * spec.kernel * spec.input;
        (format!("conv{index}"), macs as u64)
    };
    convolutions.iter().enumerate().map(layer).collect()
}

/// The convolutions in candle's own operations.
#[derive(Debug)]
pub(crate) struct StridedConvolutions(pub Vec<SameConv>);

impl StridedConvolutions {
    /// Reads `conv0`, `conv1`, ... below `vb`.
    pub fn load(vb: VarBuilder<'_>, specs: &[ConvSpec]) -> std::result::Result<Self, PerceptionError> {
        let load = |(index, spec): (usize, &ConvSpec)| {
            let shape = [spec.output, spec.input, spec.kernel];
            SameConv::load(vb.pp(format!("conv{index}")), shape, (spec.stride, 1), true)
        };
        Ok(Self(specs.iter().enumerate().map(load).collect::<std::result::Result<_, _>>()?))
    }
}

impl Module for StridedConvolutions {
    /// `[batch, 3, height, width]` to `[batch, channels, height / shrink, width / shrink]`.
    fn forward(&self, picture: &Tensor) -> Result<Tensor> {
        self.0.iter().try_fold(picture.clone(), |x, conv| conv.forward(&x))
    }
}
