//! Training on made-up drives: it learns, repeats, resumes, and stops where it should.

#![allow(clippy::unwrap_used)] // a failing helper is a failing test

use deltasteer_perception::train::{Basis, Control, Drive, FeatureSettings, FeatureTraining, Version, train_features};
use deltasteer_perception::{Perception, PerceptionConfig, PerceptionError, Storage, from_safetensors, to_safetensors};
use half::f16;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

const TRUNK: &[u8] = include_bytes!("../../models/trunk/efficientnet-lite0.safetensors");
const CELLS: usize = 2560;

/// Cells in which two slow waves show in many places; the angle is a function of them that no linear layer can follow.
fn recorded(frames: usize, phase: f32) -> (Vec<f16>, Vec<f32>) {
    let (mut cells, mut angles) = (Vec::with_capacity(frames * CELLS), Vec::new());
    for frame in 0..frames {
        let t = frame as f32 * 0.05 + phase;
        let (a, b) = (t.sin(), (t * 1.7).cos());
        cells.extend((0..CELLS).map(|i| {
            let own = ((i * 7919 + frame * 104_729) % 1000) as f32 / 1000.0 - 0.5;
            f16::from_f32((i as f32).sin() * a + (i as f32 * 0.3).cos() * b + 0.3 * own)
        }));
        angles.push(0.3 * a.abs() - 0.1 * b);
    }
    (cells, angles)
}

fn drives() -> &'static (Basis, Vec<Drive>, Vec<Drive>) {
    static DRIVES: OnceLock<(Basis, Vec<Drive>, Vec<Drive>)> = OnceLock::new();
    DRIVES.get_or_init(make_drives)
}

fn make_drives() -> (Basis, Vec<Drive>, Vec<Drive>) {
    let ((cells, angles), (other, other_angles)) = (recorded(600, 0.0), recorded(200, 0.4));
    let basis = Basis::fit(&[&cells], &[&cells], CELLS, 8, 1).unwrap();
    let drive = |cells: &[f16], angles: &[f32]| {
        let version = Version { coordinates: basis.project(cells).unwrap(), steering_rad: angles.to_vec() };
        vec![Drive { name: "made up".into(), versions: vec![version] }]
    };
    let (training, validation) = (drive(&cells, &angles), drive(&other, &other_angles));
    (basis, training, validation)
}

fn settings() -> FeatureSettings {
    FeatureSettings {
        features: 16,
        steps: 600,
        batch: 128,
        learning_rate: 1e-2,
        weight_decay: 0.0,
        dropout: 0.0,
        input_noise: 0.02,
        validate_every: 100,
        ..FeatureSettings::default()
    }
}

fn train(settings: &FeatureSettings, control: Control<'_>) -> Result<FeatureTraining, PerceptionError> {
    let (_, training, validation) = drives();
    train_features(training, validation, 8, settings, control, |_| ())
}

#[test]
fn it_learns_and_the_model_file_gives_the_same_angles() {
    let (basis, training, validation) = drives();
    let trained = train_features(training, validation, 8, &settings(), Control::default(), |_| ()).unwrap();
    let best = trained.best.unwrap();
    assert!(best.rmse_rad < 0.02, "{best:?}; predicting the mean scores about 0.12");
    let std = vec![0.7; 16];
    let mut tensors = from_safetensors(TRUNK).unwrap();
    tensors.extend(trained.layer.tensors(basis, &std));
    tensors.extend(trained.head.tensors(&std));
    let config = PerceptionConfig { feature_count: 16, ..PerceptionConfig::default() };
    let mut perception = Perception::load(&to_safetensors(&tensors, Storage::F32).unwrap(), &config).unwrap();
    let (cells, angles) = recorded(200, 0.4);
    let (mut features, mut squares) = (vec![0.0; 16], 0.0);
    for (cells, angle) in cells.chunks_exact(CELLS).zip(&angles) {
        let cells: Vec<f32> = cells.iter().map(|value| value.to_f32()).collect();
        perception.features_from_pooled(&cells, &mut features).unwrap();
        squares += f64::from(perception.single_frame_steering_rad(&features) - angle).powi(2);
    }
    let rmse = (squares / 200.0).sqrt();
    assert!((rmse - best.rmse_rad).abs() < 1e-3, "{rmse} from the file, {} in training", best.rmse_rad);
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_does_not() {
    let settings = FeatureSettings { steps: 60, dropout: 0.3, quiet_cost: 0.01, ..settings() };
    let first = train(&settings, Control::default()).unwrap();
    assert_eq!(first, train(&settings, Control::default()).unwrap());
    let other = FeatureSettings { seed: 2, ..settings };
    assert_ne!(first.layer, train(&other, Control::default()).unwrap().layer);
}

#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_stopped() {
    let settings = FeatureSettings { steps: 90, validate_every: 30, ..settings() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let (_, training, validation) = drives();
    let stop = AtomicBool::new(false);
    let control = Control { checkpoint: Some(&path), interrupt: Some(&stop) };
    let halt = |progress: deltasteer_perception::train::FeatureProgress| {
        if progress.step == 47 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let part = train_features(training, validation, 8, &settings, control, halt).unwrap();
    assert!(!part.finished && path.exists());
    let control = Control { checkpoint: Some(&path), interrupt: None };
    let resumed = train_features(training, validation, 8, &settings, control, |_| ()).unwrap();
    assert_eq!(resumed, train(&settings, Control::default()).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file is left");
    let other = FeatureSettings { batch: 64, ..settings };
    let error = train(&other, control).unwrap_err().to_string();
    assert!(error.contains("checkpoint.safetensors") && error.contains("batch"), "{error}");
    std::fs::write(&path, b"rubbish").unwrap();
    assert!(train(&settings, control).unwrap_err().to_string().contains("not a checkpoint"));
}

#[test]
fn a_quiet_cost_makes_features_quieter() {
    let loud = train(&settings(), Control::default()).unwrap().history.last().unwrap().change;
    let settings = FeatureSettings { quiet_cost: 0.3, ..settings() };
    let quiet = train(&settings, Control::default()).unwrap().history.last().unwrap().change;
    assert!(quiet < 0.8 * loud, "{quiet} against {loud}");
}

#[test]
fn divergence_and_bad_settings_are_errors() {
    let mut training = drives().1.clone();
    let wild = FeatureSettings { learning_rate: 1e30, ..settings() };
    let error = train(&wild, Control::default()).unwrap_err().to_string();
    assert!(error.contains("diverged at step 1"), "{error}");
    for (field, settings) in [
        ("dropout", FeatureSettings { dropout: 1.0, ..settings() }),
        ("learning_rate", FeatureSettings { learning_rate: f32::NAN, ..settings() }),
        ("steps", FeatureSettings { steps: 0, ..settings() }),
    ] {
        assert!(train(&settings, Control::default()).unwrap_err().to_string().contains(field));
    }
    training[0].versions[0].steering_rad.fill(f32::NAN);
    let error = train_features(&training, &[], 8, &settings(), Control::default(), |_| ()).unwrap_err().to_string();
    assert!(error.contains("at least one frame with an angle"), "{error}");
}
