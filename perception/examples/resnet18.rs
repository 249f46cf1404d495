//! Any vision model of candle-transformers as a frozen front end, here ResNet-18:
//! `cargo run --release --features transformers --example resnet18 -- [WEIGHTS.safetensors]`.
//!
//! Without a file the weights are random: enough to see that the shapes fit. A file holds PyTorch's names (`conv1.weight`,
//! `layer1.0.conv1.weight`, ...), as candle-transformers documents them.

use candle_core::{DType, Device as CandleDevice, Tensor};
use candle_nn::{Module, VarBuilder, VarMap};
use candle_transformers::models::resnet;
use deltasteer_perception::train::{Pca, SingleFrameHead, TrainableLayer};
use deltasteer_perception::{BackboneName, CellExtractor, Device, PerceptionConfig, Storage, to_safetensors};
use half::f16;
use ndarray::{Array1, Array2, Array3};

/// ImageNet's mean and standard deviation of each colour, for values from 0 to 1.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The model behind its own normalisation; its output is a vector of 512 values a picture.
struct Normalised(candle_nn::Func<'static>);

impl Module for Normalised {
    fn forward(&self, picture: &Tensor) -> candle_core::Result<Tensor> {
        let colour = |values: &[f32]| Tensor::new(values, picture.device())?.reshape((1, 3, 1, 1));
        self.0.forward(&picture.broadcast_sub(&colour(&MEAN)?)?.broadcast_div(&colour(&STD)?)?)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let random = VarMap::new();
    let vb = match std::env::args().nth(1) {
        Some(path) => {
            let tensors = candle_core::safetensors::load(path, &CandleDevice::Cpu)?;
            VarBuilder::from_tensors(tensors, DType::F32, &CandleDevice::Cpu)
        }
        None => VarBuilder::from_varmap(&random, DType::F32, &CandleDevice::Cpu),
    };
    let config = PerceptionConfig {
        trunk: BackboneName::Custom,
        input_width: 224,
        input_height: 96,
        pixel_mean: 0.0,
        pixel_scale: 255.0,
        cells_across: 1,
        cells_down: 1,
        feature_count: 16,
        ..PerceptionConfig::default()
    };
    let module = || Ok::<_, candle_core::Error>(Box::new(Normalised(resnet::resnet18_no_final_layer(vb.clone())?)));
    let mut cells = CellExtractor::with_module(module()?, &config, Device::Cpu)?;

    // Rows of cells of a few made-up frames, a feature layer over them, and the whole as one extractor.
    let frames: Vec<Array3<u8>> = (0..12).map(frame).collect();
    let mut rows = Array2::zeros((frames.len(), cells.cell_count()));
    for (mut row, frame) in rows.rows_mut().into_iter().zip(&frames) {
        row.assign(&cells.cells(frame.view())?);
    }
    let halves = rows.mapv(f16::from_f32);
    let pca = Pca::fit(&[halves.view()], &[halves.view()], 4, 1)?;
    let layer = TrainableLayer::random(4, config.feature_count, 1)?;
    let features = layer.evaluate(pca.project(halves.view())?.mapv(f16::to_f32).view())?;
    let angles: Array1<f32> = (0..12).map(|index| 0.1 * (index as f32 - 6.0)).collect();
    let mut tensors = layer.tensors(&pca, Array1::ones(config.feature_count))?;
    tensors.extend(SingleFrameHead::fit(features.view(), angles.view(), 1e-3)?.tensors());
    let mut extractor = cells.with_feature_layer(&to_safetensors(&tensors, Storage::F32)?)?;
    let features = extractor.features(frames[3].view())?;
    let steering_rad = extractor.single_frame_steering_rad(features.view());
    println!("ResNet-18: {} cells, {} features, {steering_rad:+.3} rad", rows.ncols(), features.len());
    Ok(())
}

/// A bright bar that moves to the right.
fn frame(index: usize) -> Array3<u8> {
    Array3::from_shape_fn((120, 160, 3), |(_, x, _)| if x.abs_diff(10 + 12 * index) < 8 { 230 } else { 60 })
}
