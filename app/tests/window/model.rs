//! A model with the project's own trunk and random layers behind it: it steers badly, but it is a whole model.

use std::path::Path;

use deltasteer::model::{ModelConfig, ModelParts};
use deltasteer_perception::{CnnSchedule, PerceptionConfig, Storage, from_safetensors, to_safetensors};
use deltasteer_temporal::weights::to_safetensors as rnn_to_safetensors;
use deltasteer_temporal::{Gru, Head, Linear, RnnConfig, Thresholds};
use ndarray::ArrayD;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Features and hidden units of the test model.
pub const INPUTS: usize = 48;
/// See [`INPUTS`].
pub const HIDDEN: usize = 24;

/// Writes the model folder.
pub fn write(folder: &Path) {
    write_with(folder, 6, "");
}

/// The same CNN before an RNN that `seed` drew and that `command` is said to have made.
pub fn write_with(folder: &Path, seed: u64, command: &str) {
    write_scheduled(folder, seed, command, CnnSchedule::default());
}

/// The same with a CNN that does not run on every frame.
pub fn write_scheduled(folder: &Path, seed: u64, command: &str, schedule: CnnSchedule) {
    let perception = PerceptionConfig { feature_count: INPUTS, schedule, ..PerceptionConfig::default() };
    let mut temporal = RnnConfig::new(INPUTS, HIDDEN);
    temporal.thresholds = vec![Thresholds { theta_x: 0.4, theta_h: 0.1 }];
    let trunk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/trunk/efficientnet-lite0.safetensors");
    let mut tensors = from_safetensors(&std::fs::read(trunk).expect("the trunk's weights")).expect("a trunk");
    let mut rng = StdRng::seed_from_u64(5);
    let pooled = 2560;
    let mut random = |count: usize, scale: f32| -> Vec<f32> {
        (0..count).map(|_| scale * rng.random_range(-1.0..1.0_f32)).collect()
    };
    let array =
        |shape: &[usize], values: Vec<f32>| ArrayD::from_shape_vec(shape, values).expect("as many as its shape");
    for (name, values) in [
        ("feature.weight", array(&[INPUTS, pooled], random(INPUTS * pooled, 0.05))),
        ("feature.bias", array(&[INPUTS], random(INPUTS, 0.1))),
        ("feature.std", array(&[INPUTS], vec![0.6; INPUTS])),
        ("single_frame.weight", array(&[1, INPUTS], random(INPUTS, 0.05))),
        ("single_frame.bias", array(&[1], vec![0.0])),
    ] {
        tensors.insert(name.into(), values);
    }
    let mut parts = ModelParts {
        config: ModelConfig {
            perception,
            temporal: Some(temporal.clone()),
            view: None,
            training: serde_json::json!([{ "command": command }]),
        },
        tensors: to_safetensors(&tensors, Storage::F32).expect("tensors"),
    };
    let gru = Gru::random(INPUTS, HIDDEN, 1, false, &mut StdRng::seed_from_u64(seed)).expect("a GRU");
    let mut output = Linear::zeros(HIDDEN, 1);
    output.weight.iter_mut().zip(random(HIDDEN, 0.5)).for_each(|(to, from)| *to = from);
    let head = Head::linear(output);
    parts.merge(&rnn_to_safetensors(&gru, Some(&head), &temporal).expect("the RNN's tensors")).expect("one file");
    parts.save(folder).expect("a model folder");
}
