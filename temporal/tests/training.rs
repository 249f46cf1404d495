//! Whole training runs: repeatable, resumable to the bit, stopped by bad input with one clear error.

#![allow(clippy::unwrap_used)] // a failing helper is a failing test

use std::sync::atomic::{AtomicBool, Ordering};

use deltasteer_temporal::train::*;
use deltasteer_temporal::{DeltaRnn, RnnConfig, RnnWeights, Thresholds};
use ndarray::{ArcArray2, Array2, Array3, ArrayView3};

const INPUTS: usize = 6;

/// A drive whose angle is a smooth function of the features: some sines, some silent features.
fn drive(name: &str, frames: usize, phase: f32) -> FeatureDrive {
    let angle = |t: usize| 0.3 * (t as f32 * 0.07 + phase).sin();
    let mut features = Vec::new();
    for t in 0..frames {
        let a = angle(t);
        features.extend([(3.0 * a).max(0.0), (-3.0 * a).max(0.0), (t as f32 * 0.31).sin().max(0.0), 0.0, 1.0, 0.1]);
    }
    let labels = Labels { steering_rad: (0..frames).map(angle).collect(), teacher_rad: None };
    let labels = DriveLabels { name: name.into(), gaps_after: vec![frames / 3], versions: vec![labels] };
    let features = Array2::from_shape_vec((frames, INPUTS), features).unwrap();
    FeatureDrive { labels, features: vec![features.into_shared()] }
}

fn settings() -> TrainSettings {
    TrainSettings {
        hidden: 8,
        steps: 60,
        batch: 5,
        window: 24,
        burn_in: 4,
        theta_x: 0.2,
        theta_h: 0.1,
        inputs: InputNoise { gain: 0.1, dropout: 0.1 },
        delta: Some(DeltaSettings { beta_h: 0.01, beta_event: 1e-4, savings: Some(10.0), ..DeltaSettings::default() }),
        restart: Some(0.1),
        noise: Some(ActivationNoise { x: 0.01, h: 0.01 }),
        sparsity: Some(SparsitySettings { share: 0.5, from: 0.2, to: 0.6 }),
        learned: Some(LearnedThresholds { per_column: true, rate: 1.0 }),
        validation: ValidationSettings { every: 20, ..ValidationSettings::default() },
        ..TrainSettings::default()
    }
}

fn train(
    settings: &TrainSettings,
    control: Control,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Trained, TrainError> {
    let (training, validation) = (vec![drive("a", 120, 0.0), drive("b", 90, 1.0)], vec![drive("v", 100, 0.5)]);
    let mut features = FixedFeatures::new(INPUTS, &training, &validation)?;
    let data = TrainingData {
        training: training.into_iter().map(|d| d.labels).collect(),
        validation: validation.into_iter().map(|d| d.labels).collect(),
        inputs: &mut features,
    };
    train_rnn(data, settings, None, control, progress)
}

#[test]
fn learns_and_saves() {
    let settings = TrainSettings {
        steps: 400,
        delta: Some(DeltaSettings { beta_h: 1e-4, ..DeltaSettings::default() }),
        noise: None,
        sparsity: None,
        learned: None,
        inputs: InputNoise::default(),
        optimiser: OptimiserSettings { learning_rate: 0.01, ..OptimiserSettings::default() },
        ..settings()
    };
    let trained = train(&settings, Control::default(), &mut |_| {}).unwrap();
    let best = trained.best.unwrap();
    assert!(best.rmse_rad < 0.06, "predicting zero would score 0.21: {best:?}");
    assert!(best.savings > 2.0, "{best:?}");
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_seed_others() {
    let once = train(&settings(), Control::default(), &mut |_| {}).unwrap();
    let twice = train(&settings(), Control::default(), &mut |_| {}).unwrap();
    assert_eq!(once.parameters, twice.parameters);
    assert_eq!(once.history, twice.history);
    let other = train(&TrainSettings { seed: 2, ..settings() }, Control::default(), &mut |_| {}).unwrap();
    assert_ne!(once.parameters, other.parameters);
}

#[test]
fn an_interrupted_run_resumes_to_the_bit() {
    let whole = train(&settings(), Control::default(), &mut |_| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let flag = AtomicBool::new(false);
    let control = Control { checkpoint: Some(&path), interrupt: Some(&flag) };
    let stopped = train(&settings(), control, &mut |p| flag.store(p.step == 33, Ordering::Relaxed)).unwrap();
    assert!(!stopped.finished && path.exists());
    let mut steps = 0;
    let resumed = train(&settings(), Control { interrupt: None, ..control }, &mut |_| steps += 1).unwrap();
    assert_eq!(steps, 60 - 33);
    assert!(resumed.finished);
    assert_eq!(resumed.parameters, whole.parameters);
    assert_eq!(resumed.history, whole.history);
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_by_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let control = Control { checkpoint: Some(&path), interrupt: None };
    train(&settings(), control, &mut |_| {}).unwrap();
    let other = TrainSettings { theta_h: 0.3, ..settings() };
    let error = train(&other, control, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("checkpoint.safetensors") && error.contains("`theta_h`"), "{error}");
    std::fs::write(&path, b"not a checkpoint").unwrap();
    let error = train(&settings(), control, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("no safetensors file"), "{error}");
}

#[test]
fn divergence_stops_with_the_step_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let optimiser = OptimiserSettings { learning_rate: 1e38, warmup_steps: 0, ..OptimiserSettings::default() };
    let validation = ValidationSettings { every: 1, ..ValidationSettings::default() };
    let settings = TrainSettings { optimiser, validation, ..settings() };
    let control = Control { checkpoint: Some(&path), interrupt: None };
    let error = train(&settings, control, &mut |_| {}).unwrap_err();
    let TrainError::Diverged { step, kept_step, .. } = &error else { panic!("{error}") };
    assert!(step > kept_step && path.exists(), "{error}");
    assert!(error.to_string().contains("the loss of step"), "{error}");
}

#[test]
fn pruned_weights_are_zero_in_the_result() {
    let trained = train(&settings(), Control::default(), &mut |_| {}).unwrap();
    for matrix in [trained.parameters.w_x(), trained.parameters.w_h()] {
        let zero = matrix.iter().filter(|w| **w == 0.0).count();
        assert_eq!(zero, matrix.len() / 2);
    }
}

#[test]
fn bad_settings_are_named() {
    for (settings, field) in [
        (TrainSettings { theta_x: -0.1, ..settings() }, "theta_x"),
        (TrainSettings { theta_h: f32::NAN, ..settings() }, "theta_h"),
        (TrainSettings { burn_in: 24, ..settings() }, "burn_in"),
        (TrainSettings { batch: 0, ..settings() }, "batch"),
    ] {
        let error = train(&settings, Control::default(), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")), "{error}");
    }
}

/// What training validates with is what the model does when it drives: the same angles and the same columns.
#[test]
fn validation_counts_as_the_streaming_cell_does() {
    let settings = TrainSettings { learned: None, ..settings() };
    let trained = train(&settings, Control::default(), &mut |_| {}).unwrap();
    let validation = drive("v", 100, 0.5);
    let (steering, count) = stream(&trained.parameters, &trained.thresholds, validation.features[0].view());
    let (gru, head) = trained.parameters.to_weights();
    let weights = RnnWeights::new(gru, Some(head), &RnnConfig::new(INPUTS, settings.hidden)).unwrap();
    let mut rnn = DeltaRnn::new(weights, &[Thresholds::new(settings.theta_x, settings.theta_h).unwrap()]).unwrap();
    for (x, expected) in validation.features[0].rows().into_iter().zip(&steering) {
        rnn.step(x).unwrap();
        let found = rnn.output()[0];
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    let totals = rnn.totals();
    assert_eq!([count.columns_x[0], count.columns_h[0]], [totals.columns_x, totals.columns_h]);
    assert!((count.savings() - totals.savings()).abs() < 1e-9);
    assert_eq!(trained.best.unwrap().count, count);
}

/// A front end with one trainable number: the gain on all features. Plain gradient descent, no average.
struct Gain {
    gain: f32,
    slope: f32,
    raw: FixedFeatures,
    last: Array3<f32>,
}

impl SequenceInputs for Gain {
    fn inputs(&self) -> usize {
        INPUTS
    }

    fn fingerprint(&self) -> u64 {
        self.raw.fingerprint()
    }

    fn gather(&mut self, step: u64, windows: &[Window], frames: usize) -> Result<Array3<f32>, String> {
        self.last = self.raw.gather(step, windows, frames)?;
        Ok(&self.last * self.gain)
    }

    fn validation(&mut self, drive: usize) -> Result<ArcArray2<f32>, String> {
        Ok((&self.raw.validation(drive)? * self.gain).into_shared())
    }

    fn learns(&self) -> bool {
        true
    }

    fn backward(&mut self, dx: ArrayView3<'_, f32>) -> Result<f64, String> {
        self.slope = (&dx * &self.last).sum();
        Ok(f64::from(self.slope).powi(2))
    }

    fn update(&mut self, step: InputsStep) -> Result<(), String> {
        self.gain -= step.rate * step.scale * self.slope;
        Ok(())
    }

    fn save(&mut self) -> Result<Vec<u8>, String> {
        Ok(self.gain.to_le_bytes().to_vec())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.gain = f32::from_le_bytes(bytes.try_into().map_err(|_| "no gain".to_string())?);
        Ok(())
    }
}

fn train_gain(rate: f32, control: Control, progress: &mut dyn FnMut(&Progress)) -> (Trained, f32) {
    let (training, validation) = (vec![drive("a", 120, 0.0)], vec![drive("v", 100, 0.5)]);
    let raw = FixedFeatures::new(INPUTS, &training, &validation).unwrap();
    let mut front = Gain { gain: 0.05, slope: 0.0, raw, last: Array3::zeros((0, 0, 0)) };
    let optimiser = OptimiserSettings { inputs_rate: rate, average: 0.0, ..OptimiserSettings::default() };
    let settings = TrainSettings { steps: 200, optimiser, sparsity: None, learned: None, ..settings() };
    let data = TrainingData {
        training: training.into_iter().map(|d| d.labels).collect(),
        validation: validation.into_iter().map(|d| d.labels).collect(),
        inputs: &mut front,
    };
    let trained = train_rnn(data, &settings, None, control, progress).unwrap();
    (trained, front.gain)
}

/// From a gain that is far too small, the front end learns together with the RNN; with rate 0 it stays as it is.
#[test]
fn a_front_end_is_trained_with_the_rnn() {
    for (rate, learns) in [(30.0, true), (0.0, false)] {
        let (_, gain) = train_gain(rate, Control::default(), &mut |_| {});
        assert_eq!(gain > 0.1, learns, "{gain}");
    }
}

/// An interrupted run with inputs that learn goes on from its last checkpoint to the same numbers.
#[test]
fn a_front_end_is_resumed_with_the_rnn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let (whole, gain) = train_gain(30.0, Control::default(), &mut |_| {});
    let stop = AtomicBool::new(false);
    let control = Control { checkpoint: Some(&path), interrupt: Some(&stop) };
    let (half, _) = train_gain(30.0, control, &mut |progress| stop.store(progress.step == 130, Ordering::Relaxed));
    assert!(!half.finished);
    stop.store(false, Ordering::Relaxed);
    let (resumed, resumed_gain) = train_gain(30.0, control, &mut |_| {});
    assert_eq!((resumed.parameters, resumed_gain), (whole.parameters, gain));
}

/// What is handed to the app loads as a model and steers as the training said.
#[test]
fn a_trained_model_is_saved_with_its_technique_and_loads() {
    let per_layer = LearnedThresholds { per_column: false, rate: 1.0 };
    let settings = TrainSettings { learned: Some(per_layer), ..settings() };
    let trained = train(&settings, Control::default(), &mut |_| {}).unwrap();
    let (gru, head, config) = trained.to_model(&settings).unwrap();
    assert_ne!(config.thresholds[0].theta_h, settings.theta_h, "the threshold was learned");
    let bytes = deltasteer_temporal::weights::to_safetensors(&gru, Some(&head), &config).unwrap();
    let mut rnn = DeltaRnn::new(RnnWeights::load(&bytes, &config).unwrap(), &config.thresholds).unwrap();
    let validation = drive("v", 100, 0.5);
    let (steering, _) = stream(&trained.parameters, &trained.thresholds, validation.features[0].view());
    for (x, expected) in validation.features[0].rows().into_iter().zip(&steering) {
        rnn.step(x).unwrap();
        assert!((rnn.output()[0] - expected).abs() < 1e-5);
    }
    let per_column = TrainSettings { learned: Some(LearnedThresholds { per_column: true, ..per_layer }), ..settings };
    assert!(trained.to_model(&per_column).unwrap_err().to_string().contains("learned.per_column"));
}
