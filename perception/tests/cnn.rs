//! A CNN from scratch on made-up frames: it learns, repeats, resumes, and runs as its validation said.

#![allow(clippy::unwrap_used)] // a failing helper is a failing test

use deltasteer_perception::train::{CnnSettings, CnnTraining, Control, PictureDrive, train_cnn};
use deltasteer_perception::{Perception, PerceptionConfig, PerceptionError, Storage, to_safetensors};
use std::sync::atomic::{AtomicBool, Ordering};

const FEATURES: usize = 12;

/// A bright bar whose place tells the angle.
fn frame(index: usize) -> (Vec<u8>, f32) {
    let column = 20 + index * 37 % 120;
    let rgb = (0..160usize * 120 * 3)
        .map(|i| if (i / 3 % 160).abs_diff(column) < 8 { 220 } else { (i * 7 % 90) as u8 })
        .collect();
    (rgb, (80.0 - column as f32) / 100.0)
}

fn drive(frames: std::ops::Range<usize>) -> PictureDrive {
    let mut drive = PictureDrive::new("made up", &PerceptionConfig::strided(FEATURES));
    for index in frames {
        let (rgb, angle) = frame(index);
        drive.push(&rgb, 160, 120, Some(angle)).unwrap();
    }
    drive
}

fn settings() -> CnnSettings {
    CnnSettings {
        features: FEATURES,
        steps: 40,
        batch: 8,
        versions: 2,
        learning_rate: 3e-3,
        weight_decay: 0.0,
        dropout: 0.0,
        averaging: 0.8,
        validate_every: 10,
        ..CnnSettings::default()
    }
}

fn train(settings: &CnnSettings, control: Control<'_>) -> Result<CnnTraining, PerceptionError> {
    train_cnn(&[drive(0..60)], &[drive(60..80)], settings, control, |_| {})
}

#[test]
fn it_learns_and_runs_as_its_validation_said() {
    let trained = train(&settings(), Control::default()).unwrap();
    let best = trained.best.unwrap().rmse_rad;
    assert!(trained.finished && best < 0.15, "{best} rad; always zero is 0.35");
    assert_eq!(trained, train(&settings(), Control::default()).unwrap(), "the same seed gives the same weights");

    let bytes = to_safetensors(&trained.tensors, Storage::F32).unwrap();
    let mut perception = Perception::load(&bytes, &PerceptionConfig::strided(FEATURES)).unwrap();
    let (mut features, mut squares) = (vec![0.0; FEATURES], 0.0);
    for index in 60..80 {
        let (rgb, angle) = frame(index);
        perception.features(&rgb, 160, 120, &mut features).unwrap();
        squares += f64::from(perception.single_frame_steering_rad(&features) - angle).powi(2);
    }
    let found = (squares / 20.0).sqrt();
    // Training holds frames in 8 bits.
    assert!((found - best).abs() < 0.01, "{found} rad, validated at {best}");
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cnn.safetensors");
    let whole = train(&settings(), Control::default()).unwrap();
    let stop = AtomicBool::new(false);
    let control = Control { checkpoint: Some(&path), interrupt: Some(&stop) };
    let half = train_cnn(&[drive(0..60)], &[drive(60..80)], &settings(), control, |progress| {
        stop.store(progress.step == 17, Ordering::Relaxed);
    })
    .unwrap();
    assert!(!half.finished);
    stop.store(false, Ordering::Relaxed);
    assert_eq!(train(&settings(), control).unwrap(), whole);

    let other = CnnSettings { batch: 9, ..settings() };
    let error = train(&other, control).unwrap_err().to_string();
    assert!(error.contains("another batch"), "{error}");
    let error = train_cnn(&[drive(0..59)], &[], &settings(), control, |_| {}).unwrap_err().to_string();
    assert!(error.contains("other drives"), "{error}");
}

#[test]
fn what_cannot_be_trained_is_named() {
    let wrong = CnnSettings { dropout: 1.0, ..settings() };
    let error = train(&wrong, Control::default()).unwrap_err().to_string();
    assert!(error.contains("dropout is 1"), "{error}");
    let mut unlabelled = PictureDrive::new("made up", &PerceptionConfig::strided(FEATURES));
    unlabelled.push(&frame(0).0, 160, 120, None).unwrap();
    let error = train_cnn(&[unlabelled], &[], &settings(), Control::default(), |_| {}).unwrap_err().to_string();
    assert!(error.contains("at least one frame with an angle"), "{error}");
    let mut drive = PictureDrive::new("made up", &PerceptionConfig::strided(FEATURES));
    assert!(drive.push(&[0; 10], 160, 120, None).is_err(), "a short picture");
    assert_eq!(drive.frames(), 0);
}

#[test]
fn it_cannot_run_on_changes() {
    let config = PerceptionConfig::strided(FEATURES);
    let error = Perception::load_delta(&[], &config).unwrap_err().to_string();
    assert!(error.contains("perception.trunk") && error.contains("efficientnet-lite0"), "{error}");
}
