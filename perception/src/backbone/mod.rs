//! The frozen layers: a CNN from a picture to a map, and the average of the map over a grid of cells.

mod conv;
mod efficientnet;
mod fused;
mod strided;
#[cfg(test)]
mod tests;

use crate::config::PerceptionConfig;
use crate::error::PerceptionError;
use crate::kernels::InstructionSet;
use candle_core::{Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};
pub(crate) use conv::SameConv;
pub(crate) use efficientnet::STEM_CHANNELS;
use efficientnet::{BlockSpec, EfficientNet};
use fused::FusedEfficientNet;
use serde::{Deserialize, Serialize};
pub(crate) use strided::{CONVOLUTIONS, ConvSpec, StridedConvolutions};

/// The networks that a configuration can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneName {
    /// EfficientNet-Lite0: 16 blocks.
    #[default]
    EfficientnetLite0,
    /// EfficientNet-Lite1: 21 blocks.
    EfficientnetLite1,
    /// EfficientNet-Lite2: 21 blocks, some of them wider.
    EfficientnetLite2,
    /// The delta network paper's front end: three strided convolutions, trained from scratch.
    StridedConvolutions,
    /// A candle module that the caller brings; see `FeatureExtractor::with_module`.
    Custom,
}

impl BackboneName {
    /// How many blocks or convolutions it has; none are known of a custom one.
    pub fn blocks(self) -> usize {
        match self {
            Self::StridedConvolutions => CONVOLUTIONS.len(),
            Self::Custom => 0,
            _ => self.specs().len(),
        }
    }

    /// The blocks of an EfficientNet-Lite; empty for others.
    pub(crate) fn specs(self) -> Vec<BlockSpec> {
        match self {
            Self::EfficientnetLite0 => efficientnet::blocks(1.0, 1.0),
            Self::EfficientnetLite1 => efficientnet::blocks(1.0, 1.1),
            Self::EfficientnetLite2 => efficientnet::blocks(1.1, 1.2),
            Self::StridedConvolutions | Self::Custom => Vec::new(),
        }
    }
}

/// Size of a feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapSize {
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
}

/// The grid of cells over which a map is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cells {
    pub down: usize,
    pub across: usize,
}

impl Cells {
    /// Values of all cells.
    pub fn count(self, channels: usize) -> usize {
        channels * self.down * self.across
    }

    /// Averages a map `[row][column][channel]`; `cells` is `[channel][cell row][cell column]`.
    pub fn average(self, map: &[f32], size: MapSize, cells: &mut [f32]) {
        let (tall, wide) = (size.height / self.down, size.width / self.across);
        let share = 1.0 / (tall * wide) as f32;
        cells.fill(0.0);
        for (row, columns) in map.chunks_exact(size.width * size.channels).enumerate() {
            for (column, channels) in columns.chunks_exact(size.channels).enumerate() {
                let cell = row / tall * self.across + column / wide;
                for (channel, value) in channels.iter().enumerate() {
                    cells[channel * self.down * self.across + cell] += value * share;
                }
            }
        }
    }

    /// The same of `[batch, channels, height, width]` in candle's operations; `[batch, cells]`.
    fn pool(self, map: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = map.dims4()?;
        map.avg_pool2d((height / self.down, width / self.across))?.flatten_from(1)
    }
}

/// A CNN with the pooling behind it.
pub(crate) struct Backbone {
    net: Net,
    cells: Cells,
    /// The network's output.
    map: MapSize,
    macs_by_layer: Vec<(String, u64)>,
    weight_count: u64,
}

enum Net {
    Lite { plain: EfficientNet, fused: Option<Box<FusedEfficientNet>> },
    Strided(StridedConvolutions),
    Custom(Box<dyn Module + Send + Sync>),
}

impl Backbone {
    /// Reads the network that `config` names from the tensors below `vb`. On the CPU an EfficientNet runs on this crate's
    /// kernels for `set`, elsewhere on candle's operations.
    pub fn load(
        vb: VarBuilder<'_>,
        config: &PerceptionConfig,
        set: InstructionSet,
    ) -> std::result::Result<Self, PerceptionError> {
        let (picture, blocks) = (config.picture_size(), config.trunk_blocks);
        let cells = Cells { down: config.cells_down, across: config.cells_across };
        let on_cpu = vb.device().is_cpu();
        let (net, macs_by_layer) = match config.trunk {
            BackboneName::Custom => {
                let (field, found) = ("trunk", "\"custom\"".into());
                let expected = "a known backbone: a custom one comes as a candle module".into();
                return Err(PerceptionError::Config { field, found, expected });
            }
            BackboneName::StridedConvolutions => {
                let specs = &CONVOLUTIONS[..blocks];
                (Net::Strided(StridedConvolutions::load(vb, specs)?), strided::macs_by_layer(specs, picture))
            }
            name => {
                let specs = &name.specs()[..blocks];
                let plain = EfficientNet::load(vb, specs)?;
                let fused = match on_cpu {
                    true => Some(Box::new(FusedEfficientNet::new(&plain, specs, picture, cells, set)?)),
                    false => None,
                };
                (Net::Lite { plain, fused }, efficientnet::macs_by_layer(specs, picture))
            }
        };
        let mut backbone = Self { net, cells, map: config.map_size(), macs_by_layer, weight_count: 0 };
        backbone.weight_count = backbone.convolutions().iter().map(|conv| parameters(conv)).sum();
        Ok(backbone)
    }

    /// Takes a module from `[batch, 3, height, width]` to a map `[batch, channels, height, width]` or to a vector
    /// `[batch, channels]`, and finds its output's size with one run.
    pub fn custom(
        module: Box<dyn Module + Send + Sync>,
        config: &PerceptionConfig,
        device: &Device,
    ) -> std::result::Result<Self, PerceptionError> {
        let (picture, cells) = (config.picture_size(), Cells { down: config.cells_down, across: config.cells_across });
        let zeros = Tensor::zeros((1, 3, picture.height, picture.width), candle_core::DType::F32, device)?;
        let map = match *as_map(module.forward(&zeros)?)?.dims() {
            [_, channels, height, width] => MapSize { height, width, channels },
            _ => unreachable!("as_map gives four dimensions"),
        };
        for (field, cells, size) in [("cells_across", cells.across, map.width), ("cells_down", cells.down, map.height)]
        {
            if cells == 0 || !size.is_multiple_of(cells) {
                let expected = format!("a divisor of the module's output size, {size}");
                return Err(PerceptionError::Config { field, found: cells.to_string(), expected });
            }
        }
        Ok(Self { net: Net::Custom(module), cells, map, macs_by_layer: Vec::new(), weight_count: 0 })
    }

    /// Length of a row of cells.
    pub fn cell_count(&self) -> usize {
        self.cells.count(self.map.channels)
    }

    /// Multiply-accumulates of each layer for one frame; empty for a custom network, whose layers are not known.
    pub fn macs_by_layer(&self) -> &[(String, u64)] {
        &self.macs_by_layer
    }

    /// Weights and biases; 0 for a custom network.
    pub fn weight_count(&self) -> u64 {
        self.weight_count
    }

    /// As [`Module::forward`], in candle's own operations on any device.
    pub fn forward_plain(&self, picture: &Tensor) -> Result<Tensor> {
        let map = match &self.net {
            Net::Lite { plain, .. } => plain.forward(picture)?,
            Net::Strided(net) => net.forward(picture)?,
            Net::Custom(module) => as_map(module.forward(picture)?)?,
        };
        self.cells.pool(&map)
    }

    fn convolutions(&self) -> Vec<&SameConv> {
        match &self.net {
            Net::Lite { plain, .. } => plain.convolutions(),
            Net::Strided(net) => net.0.iter().collect(),
            Net::Custom(_) => Vec::new(),
        }
    }
}

impl Module for Backbone {
    /// `[batch, 3, height, width]`, normalised, to `[batch, cells]`.
    fn forward(&self, picture: &Tensor) -> Result<Tensor> {
        match &self.net {
            Net::Lite { fused: Some(fused), .. } => picture.apply_op1_no_bwd(fused.as_ref()),
            _ => self.forward_plain(picture),
        }
    }
}

/// A vector is a map of one position.
fn as_map(output: Tensor) -> Result<Tensor> {
    match output.dims() {
        [_, _, _, _] => Ok(output),
        [batch, channels] => output.reshape((*batch, *channels, 1, 1)),
        other => candle_core::bail!("the module's output has shape {other:?}, expected [_, channels, height, width]"),
    }
}

fn parameters(conv: &SameConv) -> u64 {
    let (weight, bias) = conv.tensors();
    (weight.elem_count() + bias.map_or(0, Tensor::elem_count)) as u64
}
