//! Spoken words through a delta GRU: the Free Spoken Digit Dataset in ten folds or speaker by speaker, and DSPSpeech-20 with
//! unseen speakers. 40 log-mel energies, a GRU of 200 units, a fully connected layer of 200, softmax on the mean hidden state.
//!
//! ```sh
//! cargo run --release -p deltasteer-temporal --example spoken_digits -- folds FSDD/recordings OUT [FIRST-LAST]
//! cargo run --release -p deltasteer-temporal --example spoken_digits -- speakers FSDD/recordings OUT [FIRST-LAST]
//! cargo run --release -p deltasteer-temporal --example spoken_digits -- words DSPSpeech-20/speech_data OUT [FIRST-LAST]
//! ```
//!
//! FIRST-LAST are seeds, 1-3 unless given. OUT keeps checkpoints and finished splits, so that an interrupted run goes on. Nothing is chosen on test recordings.

#[path = "../common/mod.rs"]
mod common;
mod recordings;

use std::path::Path;

use anyhow::bail;
use common::{Arguments, Recipe, Split, keep_last, picture, table};
use deltasteer_temporal::train::{CrossEntropy, DeltaSettings, OptimiserSettings, TrainSettings, argmax};
use deltasteer_temporal::{HeadConfig, Pooling, Thresholds};
use recordings::Recording;

/// Epochs of the dense and of the delta training.
const EPOCHS: [u64; 2] = [10, 24];
const BATCH: usize = 32;

fn main() -> anyhow::Result<()> {
    let Arguments { task, folder, out, seeds, range } =
        Arguments::read("folds|speakers|words RECORDINGS OUT [FIRST-LAST]")?;
    let (task, folder, out) = (task.as_str(), folder.as_path(), out.as_path());
    let (recordings, classes) = match task {
        "folds" | "speakers" => (recordings::fsdd(folder)?, 10),
        "words" => (recordings::words(folder)?, 20),
        other => bail!("{other}: expected folds, speakers or words"),
    };
    let mut groups: Vec<usize> = recordings.iter().map(|r| r.group(task)).collect();
    groups.sort_unstable();
    groups.dedup();
    // Of DSPSpeech-20 only one group of speakers is for tests.
    let tests: Vec<usize> = if task == "words" { vec![recordings::TEST] } else { groups };
    let mut rows = Vec::new();
    for seed in range {
        for test in &tests {
            rows.extend(split(&recordings, task, *test, classes, seed, out)?);
            table::write(&out.join(format!("{task}-seeds{seeds}.csv")), &rows)?;
        }
    }
    table::print(&rows);
    let title = format!("{task}: error against savings, seeds {seeds}");
    picture::draw(&rows, &title, &out.join(format!("{task}.svg")))?;
    Ok(())
}

/// Trains without group `test` and measures on it.
fn split(
    recordings: &[Recording],
    task: &str,
    test: usize,
    classes: usize,
    seed: u64,
    out: &Path,
) -> anyhow::Result<Vec<table::Row>> {
    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<&Recording> {
        recordings.iter().filter(|r| wanted(r.group(task))).collect()
    };
    let training = of(&|group| group != test && !(task == "words" && group != recordings::TRAIN));
    let tested = of(&|group| group == test);
    let loss = CrossEntropy::new(classes, training.iter().map(|r| r.class).collect(), Vec::new())?;
    let expected: Vec<usize> = tested.iter().map(|r| r.class).collect();
    let errors = |outputs: &[ndarray::Array2<f32>]| {
        let wrong = outputs.iter().zip(&expected).filter(|(output, class)| argmax(output.row(0)) != **class).count();
        (wrong, outputs.len())
    };
    let features = |all: &[&Recording]| all.iter().map(|r| r.features.clone()).collect();
    let mut split = Split {
        name: format!("{task} {test}"),
        training: features(&training),
        test: features(&tested),
        loss: &loss,
        errors: &errors,
    };
    common::run(&mut split, &recipe(classes, training.len()), seed, out)
}

fn recipe(classes: usize, recordings: usize) -> Recipe {
    let steps = |epochs: u64| epochs * recordings.div_ceil(BATCH) as u64;
    let dense = TrainSettings {
        hidden_size: 200,
        head: HeadConfig { output_size: classes, fc_size: Some(200), pooling: Pooling::Mean },
        steps: steps(EPOCHS[0]),
        batch: BATCH,
        window: None,
        input_dropout: 0.1,
        optimiser: OptimiserSettings { learning_rate: 2e-3, weight_decay: 0.01, ..OptimiserSettings::default() },
        validation: keep_last(),
        ..TrainSettings::default()
    };
    let delta = TrainSettings {
        steps: steps(EPOCHS[1]),
        thresholds: vec![Thresholds { theta_x: 0.5, theta_h: 0.2 }],
        delta: Some(DeltaSettings {
            l1_x: 0.0,
            l1_h: 1e-3,
            target_savings: Some(10.0),
            ramp_end: 0.4,
            ..DeltaSettings::default()
        }),
        optimiser: OptimiserSettings { learning_rate: 1e-3, ..dense.optimiser.clone() },
        ..dense.clone()
    };
    Recipe { dense, delta: ("delta 10x", delta), scales: vec![0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0] }
}
