//! Made-up drives and models for the tests of the command.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use deltasteer::model::{ModelConfig, ModelParts};
use deltasteer_perception::{NamedTensors, PerceptionConfig, Storage, from_safetensors, to_safetensors};
use deltasteer_temporal::{Gru, Head, Linear, RnnConfig, Thresholds, weights};
use ndarray::ArrayD;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Runs the command.
pub fn deltasteer(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_deltasteer")).args(args).output().expect("the command starts")
}

/// Runs the command, which must succeed, and returns its standard output.
pub fn stdout_of(args: &[&str]) -> String {
    let output = deltasteer(args);
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{args:?}: {out}\n{err}");
    out
}

/// Runs the command, which must fail with one clear message and no panic, and returns that message.
pub fn error_of(args: &[&str]) -> String {
    let output = deltasteer(args);
    let (out, err) = texts(&output);
    assert!(!output.status.success(), "{args:?} succeeded: {out}");
    assert!(!err.contains("panicked"), "{err}");
    assert!(out.is_empty(), "an error belongs on standard error, not {out}");
    err
}

/// What `eval --json` prints of a single drive.
pub fn eval_of(args: &[&str]) -> serde_json::Value {
    let printed = stdout_of(&[&["eval"], args, &["--json"]].concat());
    let mut object: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(object["drives"].as_array().map(Vec::len), Some(1), "{object}");
    object["drives"][0].take()
}

/// Standard output and standard error.
pub fn texts(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The converted trunk.
pub fn trunk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/trunk/efficientnet-lite0.safetensors")
}

/// Features and hidden units of the made-up model.
pub const SIZE: usize = 8;

/// The tensors of a model with random weights above the real trunk.
pub fn random_tensors() -> NamedTensors {
    let mut tensors = from_safetensors(&std::fs::read(trunk()).unwrap()).unwrap();
    let mut wave = |name: &str, shape: &[usize], size: f32| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| size * (i as f32 * 1.7).sin()).collect();
        tensors.insert(name.into(), ArrayD::from_shape_vec(shape, values).unwrap());
    };
    wave("feature.weight", &[SIZE, 2560], 0.05);
    wave("feature.bias", &[SIZE], 0.5);
    wave("single_frame.weight", &[1, SIZE], 0.1);
    wave("single_frame.bias", &[1], 0.0);
    tensors.insert("feature.std".into(), ArrayD::ones(vec![SIZE]));
    tensors
}

/// The made-up model's config.
pub fn config() -> ModelConfig {
    let thresholds = Thresholds { theta_x: 0.3, theta_h: 0.1 };
    ModelConfig {
        perception: PerceptionConfig { feature_count: SIZE, ..PerceptionConfig::default() },
        temporal: Some(RnnConfig { thresholds: vec![thresholds], ..RnnConfig::new(SIZE, SIZE) }),
        view: None,
        training: serde_json::Value::Null,
    }
}

/// Writes a model folder with random weights; `change` may spoil its perception tensors first.
pub fn write_model(folder: &Path, change: impl FnOnce(&mut NamedTensors)) {
    let mut tensors = random_tensors();
    change(&mut tensors);
    let config = config();
    let mut model = ModelParts { tensors: to_safetensors(&tensors, Storage::F32).unwrap(), config: config.clone() };
    let gru = Gru::random(SIZE, SIZE, 1, false, &mut StdRng::seed_from_u64(3)).unwrap();
    let mut output = Linear::zeros(SIZE, 1);
    output.weight.fill(0.3);
    output.bias.fill(0.01);
    let rnn = weights::to_safetensors(&gru, Some(&Head::linear(output)), &config.temporal.unwrap()).unwrap();
    model.merge(&rnn).unwrap();
    model.save(folder).unwrap();
}

/// A model folder with random weights in `folder/model`, as text.
pub fn model_in(folder: &Path) -> String {
    let model = folder.join("model");
    write_model(&model, |_| {});
    text(&model)
}

/// A path as text.
pub fn text(path: &Path) -> String {
    path.to_str().expect("test paths are plain").to_owned()
}

/// A drive in the layout of the Udacity challenge's test set: 20 Hz, 160x120, `angles` as the label column's text.
pub fn write_drive(folder: &Path, angles: &[&str]) -> String {
    std::fs::create_dir_all(folder.join("center")).unwrap();
    let mut csv = "frame_id,steering_angle,public\n".to_owned();
    for (index, angle) in angles.iter().enumerate() {
        write_picture(folder, index);
        csv += &format!("{},{angle},0\n", frame_id(index));
    }
    std::fs::write(folder.join("CH2_final_evaluation.csv"), csv).unwrap();
    text(folder)
}

/// The nanoseconds that name frame `index`.
pub fn frame_id(index: usize) -> u64 {
    1_479_425_441_000_000_000 + index as u64 * 50_000_000
}

/// The picture of frame `index`.
pub fn picture_path(folder: &Path, index: usize) -> PathBuf {
    folder.join("center").join(format!("{}.jpg", frame_id(index)))
}

/// Draws a road-like wedge that wanders with the index, so that features change.
pub fn write_picture(folder: &Path, index: usize) {
    let picture = image::RgbImage::from_fn(160, 120, |x, y| {
        let middle = 80.0 + 40.0 * (index as f32 * 0.3).sin();
        let width = (y as f32 - 30.0).max(0.0) * 0.8;
        if (x as f32 - middle).abs() < width {
            image::Rgb([90, 90, 95])
        } else {
            image::Rgb([60, 140 - (y as u8 / 2), 60])
        }
    });
    picture.save(picture_path(folder, index)).unwrap();
}

/// Twelve angles.
pub const ANGLES: [&str; 12] =
    ["0.1", "0.12", "0.1", "0.05", "0", "-0.05", "-0.1", "-0.2", "-0.15", "-0.1", "0", "0.3"];
