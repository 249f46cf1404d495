//! EfficientNet-Lite: the layout of its variants, and the network in candle's own operations.
//!
//! Tan and Le, *EfficientNet* (ICML 2019), in the "Lite" variants: no squeeze-and-excitation, ReLU6 everywhere, stem and head
//! not scaled. Each block widens its input with a 1x1 convolution, filters every channel with a depthwise convolution, and
//! narrows it again with a linear 1x1 convolution; input and output are added where their shapes agree.

use super::MapSize;
use super::conv::SameConv;
use crate::error::PerceptionError;
use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

/// Channels after the stem, a 3x3 convolution with stride 2.
pub(crate) const STEM_CHANNELS: usize = 32;

/// One inverted residual block: expand (1x1, ReLU6), depthwise (ReLU6), project (1x1, linear), plus the input where
/// `residual()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockSpec {
    /// Channels in.
    pub input: usize,
    /// Channels of the depthwise convolution; equal to `input` in the first block, which has no expansion.
    pub expanded: usize,
    /// Channels out.
    pub output: usize,
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Step of the depthwise kernel.
    pub stride: usize,
}

impl BlockSpec {
    /// Whether a 1x1 convolution widens the input first.
    pub const fn expands(&self) -> bool {
        self.expanded != self.input
    }

    /// Whether the input is added to the output.
    pub const fn residual(&self) -> bool {
        self.stride == 1 && self.input == self.output
    }
}

/// The stages of the unscaled network: repeats, kernel, stride, expansion, output channels.
const STAGES: [[usize; 5]; 7] = [
    [1, 3, 1, 1, 16],
    [2, 3, 2, 6, 24],
    [2, 5, 2, 6, 40],
    [3, 3, 2, 6, 80],
    [3, 5, 1, 6, 112],
    [4, 5, 2, 6, 192],
    [1, 3, 1, 6, 320],
];

/// All blocks of a variant; `width` and `depth` are its compound scaling factors. The first and the last stage keep their
/// number of blocks.
pub(crate) fn blocks(width: f64, depth: f64) -> Vec<BlockSpec> {
    let mut blocks = Vec::new();
    let mut input = STEM_CHANNELS;
    for (index, [repeats, kernel, stride, expansion, output]) in STAGES.into_iter().enumerate() {
        let scaled = index > 0 && index + 1 < STAGES.len();
        let repeats = if scaled { (depth * repeats as f64).ceil() as usize } else { repeats };
        let output = round_channels(output as f64 * width);
        for repeat in 0..repeats {
            let stride = if repeat == 0 { stride } else { 1 };
            blocks.push(BlockSpec { input, expanded: input * expansion, output, kernel, stride });
            input = output;
        }
    }
    blocks
}

/// To a multiple of 8, never more than a tenth below.
fn round_channels(channels: f64) -> usize {
    let rounded = (((channels + 4.0) as usize) / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * channels { rounded + 8 } else { rounded }
}

/// Multiply-accumulates of each layer for a picture of `picture`: stem, then expand (if any), depthwise and project of each
/// block.
pub(crate) fn macs_by_layer(blocks: &[BlockSpec], picture: MapSize) -> Vec<(String, u64)> {
    let (mut height, mut width) = (picture.height / 2, picture.width / 2);
    let mut layers = vec![("stem".to_owned(), (height * width * 27 * STEM_CHANNELS) as u64)];
    for (index, block) in blocks.iter().enumerate() {
        let mut push = |name: &str, macs: usize| layers.push((format!("block{index}.{name}"), macs as u64));
        if block.expands() {
            push("expand", height * width * block.input * block.expanded);
        }
        (height, width) = (height / block.stride, width / block.stride);
        push("depthwise", height * width * block.kernel * block.kernel * block.expanded);
        push("project", height * width * block.expanded * block.output);
    }
    layers
}

/// Stem and blocks in candle's own operations: what runs on a GPU, and what the fused kernels are compared with.
#[derive(Debug)]
pub(crate) struct EfficientNet {
    stem: SameConv,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    expand: Option<SameConv>,
    depthwise: SameConv,
    project: SameConv,
    residual: bool,
}

impl EfficientNet {
    /// Reads `stem` and `block0`, `block1`, ... below `vb`.
    pub fn load(vb: VarBuilder<'_>, specs: &[BlockSpec]) -> std::result::Result<Self, PerceptionError> {
        let stem = SameConv::load(vb.pp("stem"), [STEM_CHANNELS, 3, 3], (2, 1), true)?;
        let mut blocks = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let vb = vb.pp(format!("block{index}"));
            let BlockSpec { input, expanded, output, kernel, stride } = *spec;
            let expand = match spec.expands() {
                true => Some(SameConv::load(vb.pp("expand"), [expanded, input, 1], (1, 1), true)?),
                false => None,
            };
            blocks.push(Block {
                expand,
                depthwise: SameConv::load(vb.pp("depthwise"), [expanded, expanded, kernel], (stride, expanded), true)?,
                project: SameConv::load(vb.pp("project"), [output, expanded, 1], (1, 1), false)?,
                residual: spec.residual(),
            });
        }
        Ok(Self { stem, blocks })
    }

    /// The stem's convolution.
    pub fn stem(&self) -> &SameConv {
        &self.stem
    }

    /// All convolutions in order.
    pub fn convolutions(&self) -> Vec<&SameConv> {
        let mut all = vec![&self.stem];
        for block in &self.blocks {
            all.extend(block.expand.iter().chain([&block.depthwise, &block.project]));
        }
        all
    }

    /// The convolutions of block `index`: expansion (if any), depthwise, projection.
    pub fn block(&self, index: usize) -> (Option<&SameConv>, &SameConv, &SameConv) {
        let block = &self.blocks[index];
        (block.expand.as_ref(), &block.depthwise, &block.project)
    }
}

impl Module for EfficientNet {
    /// `[batch, 3, height, width]` to `[batch, channels, height / shrink, width / shrink]`.
    fn forward(&self, picture: &Tensor) -> Result<Tensor> {
        let mut x = self.stem.forward(picture)?;
        for block in &self.blocks {
            let input = x.clone();
            if let Some(expand) = &block.expand {
                x = expand.forward(&x)?;
            }
            x = block.project.forward(&block.depthwise.forward(&x)?)?;
            if block.residual {
                x = (x + input)?;
            }
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variants_have_the_published_layouts() {
        let shape = |width, depth| {
            let blocks = blocks(width, depth);
            let outputs: Vec<usize> = blocks.iter().filter(|b| b.input != b.output).map(|b| b.output).collect();
            (blocks.len(), outputs)
        };
        assert_eq!(shape(1.0, 1.0), (16, vec![16, 24, 40, 80, 112, 192, 320]));
        assert_eq!(shape(1.0, 1.1), (21, vec![16, 24, 40, 80, 112, 192, 320]));
        assert_eq!(shape(1.1, 1.2), (21, vec![16, 24, 48, 88, 120, 208, 352]));
        assert_eq!(blocks(1.0, 1.0)[3], BlockSpec { input: 24, expanded: 144, output: 40, kernel: 5, stride: 2 });
    }
}
