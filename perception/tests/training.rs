//! What is trained by candle on made-up frames: it learns, repeats itself, and runs as its training said.

#![allow(clippy::unwrap_used)] // a failing helper is a failing test

use deltasteer_perception::augment::View;
use deltasteer_perception::train::{OptimiserStep, Pca, SingleFrameHead, TrainableCnn, TrainableLayer};
use deltasteer_perception::{
    BackboneName, CellExtractor, Device, FeatureExtractor, NamedTensors, PerceptionConfig, Storage, to_safetensors,
};
use half::f16;
use ndarray::{Array1, Array2, Array3, ArrayD, Axis};

/// A bright bar whose place tells the angle.
fn frame(index: usize) -> (Array3<u8>, f32) {
    let column = 20 + index * 37 % 120;
    let pixel = |y: usize, x: usize| if x.abs_diff(column) < 8 { 220 } else { ((y * 160 + x) * 7 % 90) as u8 };
    (Array3::from_shape_fn((120, 160, 3), |(y, x, _)| pixel(y, x)), (80.0 - column as f32) / 100.0)
}

/// Seeded weights of a Lite1 trunk's first blocks.
fn lite1(blocks: usize) -> NamedTensors {
    // Input, expanded, output channels and kernel of each block.
    let specs = [[32, 32, 16, 3], [16, 96, 24, 3], [24, 144, 24, 3], [24, 144, 24, 3]];
    let mut tensors = NamedTensors::new();
    let mut conv = |name: String, shape: [usize; 4]| {
        let scale = (6.0 / (shape[1] * shape[2] * shape[3]) as f32).sqrt();
        let value = |i: usize| (((i * 7919 + name.len() * 31) % 1013) as f32 / 1013.0 - 0.5) * scale;
        let values = (0..shape.iter().product()).map(value).collect();
        tensors.insert(format!("{name}.weight"), ArrayD::from_shape_vec(shape.to_vec(), values).unwrap());
        tensors.insert(format!("{name}.bias"), ArrayD::zeros(vec![shape[0]]));
    };
    conv("trunk.stem".into(), [32, 3, 3, 3]);
    for (index, [input, expanded, output, kernel]) in specs.into_iter().take(blocks).enumerate() {
        let block = format!("trunk.block{index}");
        if expanded != input {
            conv(format!("{block}.expand"), [expanded, input, 1, 1]);
        }
        conv(format!("{block}.depthwise"), [expanded, 1, kernel, kernel]);
        conv(format!("{block}.project"), [output, expanded, 1, 1]);
    }
    tensors
}

const STEP: OptimiserStep = OptimiserStep { rate: 0.01, decay: 0.0, scale: 1.0, keep: 0.8 };

#[test]
fn a_feature_layer_learns_on_a_lite1_trunk() {
    let config = PerceptionConfig {
        trunk: BackboneName::EfficientnetLite1,
        trunk_blocks: 4,
        input_width: 64,
        input_height: 48,
        cells_across: 16,
        cells_down: 2,
        feature_count: 24,
        ..PerceptionConfig::default()
    };
    let mut tensors = lite1(4);
    let bytes = to_safetensors(&tensors, Storage::F32).unwrap();
    let mut extractor = CellExtractor::load(&bytes, &config, Device::Cpu).unwrap();
    let frames: Vec<_> = (0..80).map(frame).collect();
    let mut cells = Array2::zeros((80, extractor.cell_count()));
    for (mut row, (frame, _)) in cells.rows_mut().into_iter().zip(&frames) {
        row.assign(&extractor.cells(frame.view()).unwrap().mapv(f16::from_f32));
    }
    let pca = Pca::fit(&[cells.view()], &[cells.view()], 32, 1).unwrap();
    let coordinates = pca.project(cells.view()).unwrap().mapv(f16::to_f32);
    let angles: Array1<f32> = frames.iter().map(|(_, angle)| *angle).collect();

    // Squared error of the sum of half of the features less the other half: the gradient comes from outside, as the RNN's does.
    let signs = Array1::from_shape_fn(24, |i| if i % 2 == 0 { 1.0f32 } else { -1.0 });
    let mut layer = TrainableLayer::random(32, 24, 3).unwrap();
    let mut errors = Vec::new();
    for _ in 0..150 {
        let features = layer.forward(coordinates.clone().insert_axis(Axis(1))).unwrap();
        let miss = features.index_axis(Axis(1), 0).dot(&signs) - &angles;
        let dx = Array3::from_shape_fn((80, 1, 24), |(t, _, i)| 2.0 * miss[t] * signs[i] / 80.0);
        errors.push((miss.mapv(|m| m * m).mean().unwrap()).sqrt());
        layer.backward(dx.view(), 0.0).unwrap();
        layer.update(STEP).unwrap();
    }
    assert!(errors[149] < 0.1 && errors[0] > 0.2, "{} to {} rad", errors[0], errors[149]);

    let features = layer.evaluate(coordinates.view()).unwrap();
    let head = SingleFrameHead::fit(features.view(), angles.view(), 1e-4).unwrap();
    tensors.extend(layer.tensors(&pca, Array1::ones(24)).unwrap());
    tensors.extend(head.tensors());
    let bytes = to_safetensors(&tensors, Storage::F32).unwrap();
    let mut extractor = FeatureExtractor::load(&bytes, &config, Device::Cpu).unwrap();
    for (index, (frame, _)) in frames.iter().enumerate().step_by(9) {
        let found = extractor.features(frame.view()).unwrap();
        let (angle, expected) =
            (extractor.single_frame_steering_rad(found.view()), head.steering_rad(features.row(index)));
        assert!((angle - expected).abs() < 0.02, "frame {index}: {angle}, trained to {expected}");
    }
}

#[test]
fn the_papers_front_end_learns_from_scratch_and_runs_as_it_was_trained() {
    let config = PerceptionConfig {
        input_width: 64,
        input_height: 48,
        cells_across: 4,
        cells_down: 3,
        ..PerceptionConfig::strided(12)
    };
    let mut cnn = TrainableCnn::new(&config, 1).unwrap();
    let start = to_safetensors(&cnn.tensors(Array1::ones(12)).unwrap(), Storage::F32).unwrap();
    let mut extractor = CellExtractor::load(&start, &config, Device::Cpu).unwrap();
    let frames: Vec<_> = (0..40).map(frame).collect();
    let wide: Vec<_> = frames.iter().map(|(frame, _)| extractor.wide_picture(frame.view()).unwrap()).collect();
    let picture = |cnn: &TrainableCnn, index: usize| cnn.picture(&wide[index], &View::default());
    let train = |cnn: &mut TrainableCnn, steps: std::ops::Range<usize>| {
        let mut loss = 0.0;
        for step in steps {
            let batch: Vec<usize> = (0..8).map(|i| (step * 13 + i * 5) % 40).collect();
            let pictures: Vec<_> = batch.iter().map(|&index| picture(cnn, index)).collect();
            let angles: Array1<f32> = batch.iter().map(|&index| frames[index].1).collect();
            let (weights, dropout) = (Array1::from_elem(8, 0.125), Array2::ones((8, 12)));
            let step = OptimiserStep { rate: 3e-3, ..STEP };
            loss = cnn.step(&pictures, angles.view(), weights.view(), dropout.view(), step).unwrap();
        }
        loss
    };
    train(&mut cnn, 0..20);
    let saved = cnn.save().unwrap();
    let loss = train(&mut cnn, 20..60);
    assert!(loss < 0.02, "{loss} rad^2; always zero is 0.12");
    // From its bytes the same training goes on to the same weights.
    let mut resumed = TrainableCnn::new(&config, 7).unwrap();
    resumed.restore(&saved).unwrap();
    train(&mut resumed, 20..60);
    assert_eq!(resumed.save().unwrap(), cnn.save().unwrap());

    let (_, expected) = cnn.features(&[picture(&cnn, 3), picture(&cnn, 11)]).unwrap();
    let bytes = to_safetensors(&cnn.tensors(Array1::from_elem(12, 0.5)).unwrap(), Storage::F32).unwrap();
    let mut extractor = FeatureExtractor::load(&bytes, &config, Device::Cpu).unwrap();
    for (index, expected) in [3, 11].into_iter().zip(&expected) {
        let features = extractor.features(frames[index].0.view()).unwrap();
        let angle = extractor.single_frame_steering_rad(features.view());
        assert!((angle - expected).abs() < 1e-3, "{angle}, trained to {expected}");
    }
    assert!(TrainableCnn::new(&PerceptionConfig::default(), 1).is_err());
}
