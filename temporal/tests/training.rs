//! Whole training runs: repeatable, resumable to the bit, stopped by bad input with one clear error.

use std::sync::atomic::{AtomicBool, Ordering};

use deltasteer_temporal::train::*;
use deltasteer_temporal::{DeltaRnn, RnnWeights, Thresholds, weights};
use ndarray::{ArcArray2, Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut2};

const INPUTS: usize = 6;

/// Features of which some are sines and some rest, and a target that is a smooth function of them.
fn sequence(frames: usize, phase: f32) -> (ArcArray2<f32>, ArcArray2<f32>) {
    let target = |t: usize| 0.3 * (t as f32 * 0.07 + phase).sin();
    let feature = |(t, i)| match i {
        0 => (3.0 * target(t)).max(0.0),
        1 => (-3.0 * target(t)).max(0.0),
        2 => (t as f32 * 0.31).sin().max(0.0),
        _ => [0.0, 1.0, 0.1][i - 3],
    };
    (ArcArray2::from_shape_fn((frames, INPUTS), feature), ArcArray2::from_shape_fn((frames, 1), |(t, _)| target(t)))
}

fn settings() -> TrainSettings {
    TrainSettings {
        hidden_size: 8,
        steps: 60,
        batch: 5,
        window: Some(24),
        burn_in: 4,
        thresholds: vec![Thresholds { theta_x: 0.2, theta_h: 0.1 }],
        input_dropout: 0.1,
        delta: Some(DeltaSettings {
            l1_h: 0.01,
            event_cost: 1e-4,
            target_savings: Some(10.0),
            ..DeltaSettings::default()
        }),
        reset_probability: Some(0.1),
        noise: Some(ActivationNoise { x: 0.01, h: 0.01 }),
        sparsity: Some(SparsitySettings { final_sparsity: 0.5, begin: 0.2, end: 0.6 }),
        learned_thresholds: Some(LearnedThresholds { rate: 1.0 }),
        validation: ValidationSettings { interval: 20, ..ValidationSettings::default() },
        ..TrainSettings::default()
    }
}

/// Trains on two sequences and validates on a third; `change` is added to one feature.
fn train_on(
    change: f32,
    settings: &TrainSettings,
    control: Control,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Trained, TrainError> {
    let [mut a, b, v] = [sequence(120, 0.0), sequence(90, 1.0), sequence(100, 0.5)];
    a.0[[3, 2]] += change;
    let mut inputs = FixedFeatures::new(INPUTS, vec![vec![a.0], vec![b.0]], vec![v.0])?;
    let loss = Regression::new(vec![vec![a.1], vec![b.1]], vec![v.1])?;
    let mut training = inputs.sequences();
    training.iter_mut().for_each(|sequence| sequence.gaps_after = vec![sequence.frames / 3]);
    train_rnn(
        TrainingData { training: &training, validation: 1, inputs: &mut inputs, loss: &loss },
        settings,
        None,
        control,
        progress,
    )
}

fn train(
    settings: &TrainSettings,
    control: Control,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Trained, TrainError> {
    train_on(0.0, settings, control, progress)
}

#[test]
fn learns_and_saves() {
    let settings = TrainSettings {
        steps: 400,
        delta: Some(DeltaSettings { l1_h: 1e-4, ..DeltaSettings::default() }),
        noise: None,
        sparsity: None,
        learned_thresholds: None,
        input_dropout: 0.0,
        optimiser: OptimiserSettings { learning_rate: 0.01, ..OptimiserSettings::default() },
        ..settings()
    };
    let best = train(&settings, Control::default(), &mut |_| {}).unwrap().best.unwrap();
    assert!(best.error < 0.06, "predicting zero would score 0.21: {best:?}");
    assert!(best.savings > 2.0, "{best:?}");
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_seed_others() {
    let once = train(&settings(), Control::default(), &mut |_| {}).unwrap();
    let twice = train(&settings(), Control { single_thread: true, ..Control::default() }, &mut |_| {}).unwrap();
    assert_eq!((&once.parameters, &once.history), (&twice.parameters, &twice.history));
    let other = train(&TrainSettings { seed: 2, ..settings() }, Control::default(), &mut |_| {}).unwrap();
    assert_ne!(once.parameters, other.parameters);
}

#[test]
fn an_interrupted_run_resumes_to_the_bit() {
    let whole_sequences = TrainSettings {
        window: None,
        reset_probability: None,
        burn_in: 0,
        batch: 2,
        num_layers: 2,
        bidirectional: true,
        thresholds: vec![Thresholds { theta_x: 0.2, theta_h: 0.1 }; 2],
        layer_dropout: 0.1,
        ..settings()
    };
    for settings in [settings(), whole_sequences] {
        let whole = train(&settings, Control::default(), &mut |_| {}).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let flag = AtomicBool::new(false);
        let control = Control { checkpoint: Some(&path), interrupt: Some(&flag), ..Control::default() };
        let stopped = train(&settings, control, &mut |p| flag.store(p.step == 33, Ordering::Relaxed)).unwrap();
        assert!(!stopped.finished && path.exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        let mut steps = 0;
        let resumed = train(&settings, Control { interrupt: None, ..control }, &mut |_| steps += 1).unwrap();
        assert_eq!(steps, 60 - 33);
        assert!(resumed.finished);
        assert_eq!((&resumed.parameters, &resumed.history), (&whole.parameters, &whole.history));
    }
}

#[test]
fn a_checkpoint_of_other_settings_or_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let control = Control { checkpoint: Some(&path), ..Control::default() };
    train(&settings(), control, &mut |_| {}).unwrap();
    let other = TrainSettings { burn_in: 3, ..settings() };
    let error = train(&other, control, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("checkpoint.safetensors") && error.contains("`burn_in`"), "{error}");
    let error = train_on(0.1, &settings(), control, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("other training data"), "one feature of the same size differs: {error}");
    std::fs::write(&path, b"not a checkpoint").unwrap();
    let error = train(&settings(), control, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("no safetensors file"), "{error}");
}

#[test]
fn divergence_stops_with_the_step_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let optimiser = OptimiserSettings { learning_rate: 1e38, warmup_steps: 0, ..OptimiserSettings::default() };
    let settings = TrainSettings { optimiser, ..settings() };
    let validation = ValidationSettings { interval: 1, ..ValidationSettings::default() };
    for settings in [settings.clone(), TrainSettings { validation, ..settings }] {
        let control = Control { checkpoint: Some(&path), ..Control::default() };
        let error = train(&settings, control, &mut |_| {}).unwrap_err();
        match &error {
            TrainError::Diverged { step, kept_step, .. } => {
                assert!(step > kept_step && error.to_string().contains("the loss of step"), "{error}");
            }
            // Validation may meet the weights first.
            TrainError::Network(_) => assert!(error.to_string().contains("only finite numbers"), "{error}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn pruned_weights_are_zero_in_the_result() {
    let (gru, _) = train(&settings(), Control::default(), &mut |_| {}).unwrap().parameters.to_weights();
    for matrix in [&gru.cells[0].weight_ih, &gru.cells[0].weight_hh] {
        assert_eq!(matrix.iter().filter(|w| **w == 0.0).count(), matrix.len() / 2);
    }
}

#[test]
fn bad_settings_and_data_are_named() {
    let theta = |theta_x, theta_h| vec![Thresholds { theta_x, theta_h }];
    for (settings, field) in [
        (TrainSettings { thresholds: theta(-0.1, 0.0), ..settings() }, "thresholds.theta_x"),
        (TrainSettings { thresholds: theta(0.0, f32::NAN), ..settings() }, "thresholds.theta_h"),
        (TrainSettings { thresholds: [theta(0.1, 0.1), theta(0.1, 0.1)].concat(), ..settings() }, "thresholds"),
        (TrainSettings { burn_in: 24, ..settings() }, "burn_in"),
        (TrainSettings { batch: 0, ..settings() }, "batch"),
        (TrainSettings { bidirectional: true, ..settings() }, "bidirectional"),
        (TrainSettings { window: None, ..settings() }, "burn_in"),
    ] {
        let error = train(&settings, Control::default(), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")), "{error}");
    }
    for (features, expected) in [
        (Array2::zeros((4, 5)), "training 0, version 0`: features of shape [4, 5], expected [1 or more, 6]"),
        (Array2::from_elem((4, 6), f32::NAN), "feature 0 of frame 0 is NaN"),
    ] {
        let error = FixedFeatures::new(INPUTS, vec![vec![features.into()]], vec![]).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = CrossEntropy::new(3, vec![0, 1, 3], vec![]).err().unwrap().to_string();
    assert!(error.contains("sequence 2 has label 3; expected 0 to 2"), "{error}");
}

/// What is validated is the model that is handed over: loaded from its file it has the same work and the same error.
#[test]
fn a_trained_model_is_saved_with_its_technique_and_runs_as_validated() {
    let trained = train(&settings(), Control::default(), &mut |_| {}).unwrap();
    let (gru, head, config) = trained.to_model(&settings());
    assert_ne!(config.thresholds[0].theta_h, settings().thresholds[0].theta_h, "the threshold was learned");
    let bytes = weights::to_safetensors(&gru, Some(&head), &config).unwrap();
    let mut rnn = DeltaRnn::new(RnnWeights::load(&bytes, &config).unwrap(), &config.thresholds).unwrap();
    let (features, targets) = sequence(100, 0.5);
    let outputs = rnn.run(features.view()).unwrap();
    let best = trained.best.unwrap();
    assert_eq!(rnn.totals(), best.totals);
    let loss = Regression::new(vec![], vec![targets]).unwrap();
    assert_eq!(loss.error(&[outputs]), best.error);
}

/// A front end with one trainable number, the gain on all features, and plain gradient descent.
struct Gain {
    gain: f32,
    gradient: f32,
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

    fn validation(&mut self, index: usize) -> Result<ArcArray2<f32>, String> {
        Ok((&self.raw.validation(index)? * self.gain).into_shared())
    }

    fn learns(&self) -> bool {
        true
    }

    fn backward(&mut self, dx: ArrayView3<'_, f32>) -> Result<f64, String> {
        self.gradient = dx.iter().zip(&self.last).map(|(d, x)| d * x).sum();
        Ok(f64::from(self.gradient).powi(2))
    }

    fn update(&mut self, step: InputsStep) -> Result<(), String> {
        self.gain -= step.rate * step.scale * self.gradient.signum();
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

/// From a gain that is far too small, the front end learns together with the RNN; with rate 0 it stays as it is.
#[test]
fn a_front_end_is_trained_with_the_rnn() {
    for (rate, learns) in [(10.0, true), (0.0, false)] {
        let (a, v) = (sequence(120, 0.0), sequence(100, 0.5));
        let raw = FixedFeatures::new(INPUTS, vec![vec![a.0]], vec![v.0]).unwrap();
        let training = raw.sequences();
        let loss = Regression::new(vec![vec![a.1]], vec![v.1]).unwrap();
        let mut front = Gain { gain: 0.05, gradient: 0.0, raw, last: Array3::zeros((0, 0, 0)) };
        let optimiser =
            OptimiserSettings { inputs_rate: rate, inputs_decay: 0.0, ema_decay: 0.0, ..OptimiserSettings::default() };
        let settings = TrainSettings { steps: 200, optimiser, sparsity: None, learned_thresholds: None, ..settings() };
        let data = TrainingData { training: &training, validation: 1, inputs: &mut front, loss: &loss };
        train_rnn(data, &settings, None, Control::default(), &mut |_| {}).unwrap();
        assert_eq!(front.gain > 0.3, learns, "{}", front.gain);
    }
}

/// A loss of one's own is two functions: here the absolute error.
struct Absolute(Vec<ArcArray2<f32>>);

impl Loss for Absolute {
    fn loss(&self, window: &Window, outputs: ArrayView2<'_, f32>, mut gradient: ArrayViewMut2<'_, f32>) -> (f64, f64) {
        let mut sum = 0.0;
        for ((t, output), y) in outputs.indexed_iter() {
            let e = y - self.0[window.sequence][[window.start + t, output]];
            sum += f64::from(e.abs());
            gradient[[t, output]] = e.signum();
        }
        (sum, outputs.len() as f64)
    }

    fn error(&self, outputs: &[Array2<f32>]) -> f64 {
        f64::from((&outputs[0] - &self.0[0]).mapv(f32::abs).mean().unwrap_or(0.0))
    }
}

#[test]
fn an_own_loss_trains() {
    let (features, targets) = sequence(120, 0.0);
    let mut inputs = FixedFeatures::new(INPUTS, vec![vec![features.clone()]], vec![features]).unwrap();
    let (training, loss) = (inputs.sequences(), Absolute(vec![targets]));
    let optimiser = OptimiserSettings { learning_rate: 0.01, ..OptimiserSettings::default() };
    let settings = TrainSettings {
        hidden_size: 8,
        window: Some(24),
        steps: 200,
        optimiser,
        input_dropout: 0.0,
        ..TrainSettings::default()
    };
    let data = TrainingData { training: &training, validation: 1, inputs: &mut inputs, loss: &loss };
    let best = train_rnn(data, &settings, None, Control::default(), &mut |_| {}).unwrap().best.unwrap();
    assert!(best.error < 0.05, "{best:?}");
}
