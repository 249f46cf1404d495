//! The shapes of the trunks: EfficientNet-Lite0's first blocks, and three strided convolutions.
//!
//! Tan and Le, *EfficientNet* (ICML 2019), in its "Lite" variant: no squeeze-and-excitation, ReLU6 everywhere. Each block
//! widens its input with a 1x1 convolution, filters every channel with a depthwise convolution, and narrows it again with
//! a linear 1x1 convolution; input and output are added where their shapes agree. Padding is TensorFlow's `SAME`.

use crate::config::PerceptionConfig;

/// The name in the configuration.
pub const EFFICIENTNET_LITE0: &str = "efficientnet-lite0";
/// The name in the configuration of a trunk of [`CONVOLUTIONS`].
pub const STRIDED_CONVOLUTIONS: &str = "strided-convolutions";
/// Channels after the stem, a 3x3 convolution with stride 2.
pub const STEM_CHANNELS: usize = 32;

/// One block: expand (1x1, ReLU6), depthwise (ReLU6), project (1x1, linear), plus the input where `residual()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSpec {
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

/// The blocks in order.
pub const BLOCKS: [BlockSpec; 5] = [
    BlockSpec { input: 32, expanded: 32, output: 16, kernel: 3, stride: 1 },
    BlockSpec { input: 16, expanded: 96, output: 24, kernel: 3, stride: 2 },
    BlockSpec { input: 24, expanded: 144, output: 24, kernel: 3, stride: 1 },
    BlockSpec { input: 24, expanded: 144, output: 40, kernel: 5, stride: 2 },
    BlockSpec { input: 40, expanded: 240, output: 40, kernel: 5, stride: 1 },
];

/// One convolution of a trunk that is trained from scratch, with ReLU6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSpec {
    /// Channels in.
    pub input: usize,
    /// Channels out.
    pub output: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
}

/// The convolutions of comma.ai's 2016 steering network, which the delta network paper uses in front of its GRU.
pub const CONVOLUTIONS: [ConvSpec; 3] = [
    ConvSpec { input: 3, output: 16, kernel: 8, stride: 4 },
    ConvSpec { input: 16, output: 32, kernel: 5, stride: 2 },
    ConvSpec { input: 32, output: 64, kernel: 5, stride: 2 },
];

/// Size of a feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values per position.
    pub channels: usize,
}

impl MapSize {
    /// Values in the map.
    pub const fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether the map holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Padding before the first row or column: TensorFlow's `SAME` for sizes that the stride divides.
pub const fn pad_before(kernel: usize, stride: usize) -> usize {
    (kernel - stride) / 2
}

/// Maps of a trunk of strided convolutions: the picture, then the output of each.
pub fn strided_sizes(config: &PerceptionConfig) -> Vec<MapSize> {
    let mut size = MapSize { height: config.input_height, width: config.input_width, channels: 3 };
    let mut sizes = vec![size];
    for spec in &CONVOLUTIONS[..config.trunk_blocks.clamp(1, CONVOLUTIONS.len())] {
        size = MapSize { height: size.height / spec.stride, width: size.width / spec.stride, channels: spec.output };
        sizes.push(size);
    }
    sizes
}

/// How many blocks or convolutions the configured trunk has at most.
pub fn most_blocks(config: &PerceptionConfig) -> usize {
    if config.trunk == STRIDED_CONVOLUTIONS { CONVOLUTIONS.len() } else { BLOCKS.len() }
}

/// By how much the configured trunk divides height and width of its picture.
pub fn shrink(config: &PerceptionConfig) -> usize {
    let blocks = config.trunk_blocks.clamp(1, most_blocks(config));
    if config.trunk == STRIDED_CONVOLUTIONS {
        return CONVOLUTIONS[..blocks].iter().map(|spec| spec.stride).product();
    }
    2 * BLOCKS[..blocks].iter().map(|block| block.stride).product::<usize>()
}

/// The trunk's output for this configuration.
pub fn output_size(config: &PerceptionConfig) -> MapSize {
    let (last, shrink) = (config.trunk_blocks.clamp(1, most_blocks(config)) - 1, shrink(config));
    let strided = config.trunk == STRIDED_CONVOLUTIONS;
    MapSize {
        height: config.input_height / shrink,
        width: config.input_width / shrink,
        channels: if strided { CONVOLUTIONS[last].output } else { BLOCKS[last].output },
    }
}

/// Multiply-accumulates of each layer: stem, then expand (if any), depthwise and project of each block; or of each
/// convolution.
pub fn macs_by_layer(config: &PerceptionConfig) -> Vec<(String, u64)> {
    if config.trunk == STRIDED_CONVOLUTIONS {
        let (specs, sizes) = (CONVOLUTIONS.iter(), strided_sizes(config));
        let macs = |(spec, size): (&ConvSpec, &MapSize)| size.len() * spec.kernel * spec.kernel * spec.input;
        let named = |(index, macs): (usize, usize)| (format!("conv{index}"), macs as u64);
        return specs.zip(&sizes[1..]).map(macs).enumerate().map(named).collect();
    }
    let (mut height, mut width) = (config.input_height / 2, config.input_width / 2);
    let mut layers = vec![("stem".to_owned(), (height * width * 27 * STEM_CHANNELS) as u64)];
    for (index, block) in BLOCKS[..config.trunk_blocks].iter().enumerate() {
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
