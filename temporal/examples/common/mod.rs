//! What the speech examples share: features, the trainings, and the measurement of error against savings.

pub mod audio;
pub mod augment;
pub mod picture;
pub mod table;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use anyhow::{Context, bail};
use deltasteer_temporal::train::{
    Control, FixedFeatures, Loss, Parameters, TrainSettings, TrainingData, ValidationSettings, train_rnn,
};
use deltasteer_temporal::{DeltaRnn, DenseRnn, RnnWeights, Thresholds};
use ndarray::{ArcArray2, Array2, Axis};

use table::Row;

/// Set by Ctrl-C: the training stops after its step, and the same command goes on from there.
static INTERRUPT: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Wrong and all decisions among outputs.
pub type Errors<'a> = dyn Fn(&[Array2<f32>]) -> (usize, usize) + 'a;

/// One training set, its test set and how their outputs are judged.
pub struct Split<'a> {
    /// Name in the table, such as `fold 0`.
    pub name: String,
    /// Features `[frames, inputs]` of the training sequences.
    pub training: Vec<ArcArray2<f32>>,
    /// Features of the test sequences.
    pub test: Vec<ArcArray2<f32>>,
    /// The loss over the training targets.
    pub loss: &'a dyn Loss,
    /// Wrong and all decisions among the outputs on the test sequences.
    pub errors: &'a Errors<'a>,
}

/// How networks are trained: one dense, then from it a delta network in stages of rising thresholds, and its dense twin.
pub struct Recipe {
    /// Settings of the dense training.
    pub dense: TrainSettings,
    /// Name and settings of the delta training.
    pub delta: (&'static str, TrainSettings),
    /// Multiples of the delta training's thresholds that all networks are measured at.
    pub scales: Vec<f32>,
}

/// The command line of a speech example.
pub struct Arguments {
    /// What is to be done.
    pub task: String,
    /// The recordings.
    pub folder: PathBuf,
    /// Where the results go; made if need be.
    pub out: PathBuf,
    /// `FIRST-LAST`, as typed.
    pub seeds: String,
    /// The same as numbers.
    pub range: RangeInclusive<u64>,
}

impl Arguments {
    /// Reads `TASK FOLDER OUT [FIRST-LAST]`, makes the folder and watches for Ctrl-C.
    pub fn read(expected: &str) -> anyhow::Result<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [task, folder, out, ..] = &arguments[..] else { bail!("expected: {expected}") };
        let seeds = arguments.get(3).map_or("1-3", String::as_str);
        let (first, last) = seeds.split_once('-').context("SEEDS: expected FIRST-LAST")?;
        let range = first.parse().context("SEEDS")?..=last.parse().context("SEEDS")?;
        std::fs::create_dir_all(out).with_context(|| out.clone())?;
        watch_interrupt()?;
        Ok(Self { task: task.clone(), folder: folder.into(), out: out.into(), seeds: seeds.into(), range })
    }
}

/// Every band with mean 0 and deviation 1 over the training frames.
pub fn normalise(split: &mut Split<'_>) -> anyhow::Result<()> {
    let views: Vec<_> = split.training.iter().map(|x| x.view()).collect();
    let all = ndarray::concatenate(Axis(0), &views)?;
    let mean = all.mean_axis(Axis(0)).context("no training frames")?;
    let std = all.std_axis(Axis(0), 0.0).mapv(|std| std.max(1e-3));
    for features in split.training.iter_mut().chain(&mut split.test) {
        *features = ((&*features - &mean) / &std).into_shared();
    }
    Ok(())
}

/// Trains and measures one split with one seed; finished ones are read from `out`.
pub fn run(split: &mut Split<'_>, recipe: &Recipe, seed: u64, out: &Path) -> anyhow::Result<Vec<Row>> {
    let stem = format!("{}-seed{seed}", split.name.replace(' ', ""));
    let file = out.join(format!("{stem}.csv"));
    if file.exists() {
        return table::read(&file);
    }
    normalise(split)?;
    let versions = (0..).zip(&split.training).map(|(seed, x)| augment::versions(x, seed)).collect();
    let mut features = FixedFeatures::new(split.training[0].ncols(), versions, Vec::new())?;
    let mut train = |settings: &TrainSettings, initial: Option<&Parameters>, name: &str| {
        let checkpoint = out.join(format!("{stem}-{}.ckpt", name.replace(' ', "")));
        train(&mut features, split.loss, &TrainSettings { seed, ..settings.clone() }, initial, &checkpoint)
    };
    let dense = train(&recipe.dense, None, "dense")?;
    let (name, settings) = &recipe.delta;
    let mut delta = dense.clone();
    for (number, stage) in settings.rising_stages().iter().enumerate() {
        delta = train(stage, Some(&delta), &format!("{name}-{number}"))?;
    }
    // The dense twin gets as many steps as the delta network has in all.
    let longer = TrainSettings { thresholds: Vec::new(), delta: None, ..settings.clone() };
    let longer = train(&longer, Some(&dense), "dense longer-0")?;
    let networks = [("dense", dense), (*name, delta), ("dense longer", longer)];
    let thresholds = settings.layer_thresholds();
    let mut rows = Vec::new();
    for (technique, parameters) in &networks {
        let (gru, head) = parameters.to_weights();
        let config = deltasteer_temporal::RnnConfig::of(&gru, Some(&head));
        let weights = RnnWeights::new(gru, Some(head), &config)?;
        for scale in [0.0].iter().chain(&recipe.scales) {
            let scaled = |t: &Thresholds| Thresholds { theta_x: scale * t.theta_x, theta_h: scale * t.theta_h };
            let thresholds: Vec<_> = thresholds.iter().map(scaled).collect();
            rows.push(measure(split, technique, seed, &weights, &thresholds)?);
        }
    }
    table::write(&file, &rows)?;
    Ok(rows)
}

fn train(
    features: &mut FixedFeatures,
    loss: &dyn Loss,
    settings: &TrainSettings,
    initial: Option<&Parameters>,
    checkpoint: &Path,
) -> anyhow::Result<Parameters> {
    let sequences = features.sequences();
    let data = TrainingData { training: &sequences, validation: 0, inputs: features, loss };
    let control = Control { checkpoint: Some(checkpoint), interrupt: Some(INTERRUPT.as_ref()), single_thread: true };
    let stem = checkpoint.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut mean_loss = 0.0;
    let trained = train_rnn(data, settings, initial, control, &mut |p| {
        mean_loss += (p.loss - mean_loss) / p.step.min(100) as f64;
        if p.step.is_multiple_of(200) || p.step == p.steps {
            let (step, steps, savings, s) = (p.step, p.steps, p.window_savings, p.elapsed_s);
            eprintln!("{stem}: step {step} of {steps}, loss {mean_loss:.4}, {savings:.1}x, {s:.0} s");
        }
    })?;
    if !trained.finished {
        bail!("interrupted; the same command goes on from {}", checkpoint.display());
    }
    Ok(trained.parameters)
}

/// Errors, work and time of a network on the test sequences.
fn measure(
    split: &Split<'_>,
    technique: &str,
    seed: u64,
    weights: &std::sync::Arc<RnnWeights>,
    thresholds: &[Thresholds],
) -> anyhow::Result<Row> {
    let mut delta = DeltaRnn::new(weights.clone(), thresholds)?;
    let outputs = split.test.iter().map(|x| delta.run(x.view())).collect::<Result<Vec<_>, _>>()?;
    let (wrong, decisions) = (split.errors)(&outputs);
    let totals = delta.totals();
    // In turns, the best of three, on some of the sequences.
    let mut dense = DenseRnn::new(weights.clone())?;
    let timed = &split.test[..split.test.len().min(20)];
    let frames: usize = timed.iter().map(|x| x.nrows()).sum();
    let mut best = [f64::INFINITY; 2];
    for _ in 0..3 {
        let start = Instant::now();
        timed.iter().try_for_each(|x| delta.run(x.view()).map(drop))?;
        let middle = Instant::now();
        timed.iter().try_for_each(|x| dense.run(x.view()).map(drop))?;
        best[0] = best[0].min((middle - start).as_secs_f64());
        best[1] = best[1].min(middle.elapsed().as_secs_f64());
    }
    Ok(Row {
        split: split.name.clone(),
        technique: technique.to_owned(),
        seed,
        theta_x: thresholds[0].theta_x,
        theta_h: thresholds[0].theta_h,
        decisions,
        wrong,
        frames: totals.steps,
        columns_x: totals.columns_x,
        columns_h: totals.columns_h,
        macs: totals.macs,
        macs_dense: totals.macs_dense,
        step_us_delta: best[0] * 1e6 / frames as f64,
        step_us_dense: best[1] * 1e6 / frames as f64,
    })
}

/// Sets the interruption flag on Ctrl-C.
pub fn watch_interrupt() -> anyhow::Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGINT, INTERRUPT.clone())?;
    Ok(())
}

/// Validation is left out: nothing is chosen, the last state is kept.
pub fn keep_last() -> ValidationSettings {
    ValidationSettings { interval: 200, keep_last: true, ..ValidationSettings::default() }
}
