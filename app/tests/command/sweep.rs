//! The command `sweep` on small models that are trained here, on the built-in road.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use clap::Parser;
use deltasteer::cli::Cli;
use deltasteer::figures::results::{self, Row};
use deltasteer::model::Model;
use deltasteer::session::{RunOptions, Session};

use crate::common::{text, trunk};

const DRIVE: &str = "road:1,seconds=3";

fn run(words: &[&str]) -> anyhow::Result<()> {
    deltasteer::commands::run(Cli::try_parse_from(std::iter::once(&"deltasteer").chain(words))?).map(|_| ())
}

/// Two models of one recipe with different seeds, trained once for all tests.
fn models() -> &'static [String] {
    static MODELS: OnceLock<(tempfile::TempDir, Vec<String>)> = OnceLock::new();
    let (_, models) = MODELS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let models = ["1", "2"].map(|seed| train(folder.path(), seed)).to_vec();
        (folder, models)
    });
    models
}

fn train(folder: &Path, seed: &str) -> String {
    let trunk = text(&trunk());
    let (out, cache) = (text(&folder.join(format!("tiny-{seed}"))), text(&folder.join("cache")));
    let mut words = vec!["train", "rnn", "--trunk", &trunk, "--train", DRIVE, "--val", DRIVE, "--seed", seed];
    words.extend(["--out", &out, "--cache", &cache]);
    for setting in [
        "drives.versions=1",
        "drives.components=8",
        "features=4",
        "phases.0.rnn.hidden_size=4",
        "phases.0.rnn.steps=4",
        "phases.0.rnn.window=8",
        "phases.0.rnn.batch=2",
        r#"phases.0.rnn.thresholds=[{"theta_x":0.1,"theta_h":0.02}]"#,
        "phases.0.rnn.delta.l1_h=0.001",
    ] {
        words.extend(["--set", setting]);
    }
    run(&words).unwrap();
    out
}

fn sweep(out: &Path, more: &[&str]) -> anyhow::Result<Vec<Row>> {
    let (models, out_text) = (models(), text(out));
    let mut words = vec!["sweep", DRIVE, "--out", &out_text, "--model", &models[0], &models[1]];
    words.extend(more);
    run(&words)?;
    results::read(out)
}

fn folder_and_csv() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("results.csv");
    (folder, csv)
}

const GRID: [&str; 4] = ["--theta-x", "0,0.1", "--theta-h", "0,0.05,0.1"];

#[test]
fn every_model_meets_every_pair_of_thresholds() {
    let (folder, csv) = folder_and_csv();
    let (svg, png) = (text(&folder.path().join("a.svg")), text(&folder.path().join("a.png")));
    let rows = sweep(&csv, &[&GRID[..], &["--svg", &svg, "--png", &png]].concat()).unwrap();
    assert_eq!(rows.len(), 2 * 2 * 3);
    for row in &rows {
        assert_eq!((row.technique.as_str(), row.frames, row.inputs, row.hidden), ("delta + L1", 60, 4, 4));
        // 3 gates of 4 units, 4 + 4 columns.
        assert_eq!(row.macs_dense_per_frame, 96.0);
        assert!((row.savings * row.macs_delta_per_frame / 96.0 - 1.0).abs() < 1e-9);
        let occupied = 48.0 * (row.occupancy_x + row.occupancy_h);
        assert!((occupied - row.macs_delta_per_frame).abs() < 1e-9, "{row:?}");
        if (row.theta_x, row.theta_h) == (0.0, 0.0) {
            assert!((row.rmse_rad - row.dense_rmse_rad).abs() < 1e-6, "{row:?}");
        }
    }
    let seeds: Vec<_> = rows.iter().map(|row| row.seed).collect();
    assert!(seeds.contains(&Some(1)) && seeds.contains(&Some(2)));
    let least = |x: f32, h: f32| rows.iter().find(|row| (row.theta_x, row.theta_h) == (x, h)).unwrap().savings;
    assert!(least(0.1, 0.1) > least(0.0, 0.0));
    assert!(std::fs::read_to_string(svg).unwrap().contains("delta + L1 (2 seeds)"));
    assert!(image::open(png).is_ok());
}

#[test]
fn it_gives_what_eval_gives() {
    let (_folder, csv) = folder_and_csv();
    let rows = sweep(&csv, &["--from", "1", "--to", "2.5"]).unwrap();
    let row = rows.iter().find(|row| row.model == "tiny-1").unwrap();
    let run = RunOptions { from_s: Some(1.0), to_s: Some(2.5), ..RunOptions::default() };
    let model = Arc::new(Model::load(Path::new(&models()[0])).unwrap());
    let session = Session::open_with(DRIVE, &run, model).unwrap();
    let run = deltasteer::drive::run(session, |_| Ok(())).unwrap();
    let errors = run.delta.figures().unwrap();
    assert_eq!((row.frames, row.theta_x, row.theta_h), (run.frames, 0.1, 0.02));
    // Products of matrices in batches of another size round otherwise.
    assert!((row.rmse_rad - errors.rmse_rad).abs() < 1e-7, "{} {}", row.rmse_rad, errors.rmse_rad);
    assert_eq!(row.savings, run.totals.savings());
    assert!((row.single_frame_rmse_rad - run.single_frame.figures().unwrap().rmse_rad).abs() < 1e-7);
}

#[test]
fn an_interrupted_sweep_goes_on_and_keeps_what_is_done() {
    let (_folder, csv) = folder_and_csv();
    let whole = sweep(&csv, &GRID).unwrap();
    // As if it had stopped after three rows; one of them is marked, to see whether it is computed again.
    let mut done = whole[..3].to_vec();
    done[1].rmse_rad += 1.0;
    results::write(&csv, &done).unwrap();
    let mut expected = whole.clone();
    expected[1].rmse_rad += 1.0;
    assert_eq!(sweep(&csv, &GRID).unwrap(), expected);
    // Rows of other weights under the same name, or of other files, are computed anew.
    for stale in [|row: &mut Row| row.weights = "0123456789ab".into(), |row: &mut Row| row.files = "other".into()] {
        let mut changed = done.clone();
        stale(&mut changed[1]);
        results::write(&csv, &changed).unwrap();
        assert_eq!(sweep(&csv, &GRID).unwrap(), whole);
    }
}

#[test]
fn a_damaged_csv_is_named_and_left_alone() {
    let (_folder, csv) = folder_and_csv();
    std::fs::write(&csv, "technique,seed\ndense,1\n").unwrap();
    let message = format!("{:#}", sweep(&csv, &GRID).unwrap_err());
    assert!(message.contains("results.csv") && message.contains("line 1"), "{message}");
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "technique,seed\ndense,1\n");
}

#[test]
fn what_cannot_work_is_said_before_any_work() {
    let (folder, csv) = folder_and_csv();
    let missing = text(&folder.path().join("no/such/folder/a.svg"));
    for (more, named) in [
        (vec!["--svg", &missing], "a.svg"),
        (vec!["--theta-x", "0.1,-1", "--theta-h", "0"], "--theta-x"),
        (vec!["--theta-x", "0.1"], "--theta-h"),
        (vec!["--scale", "nan"], "--scale"),
        (vec!["--model", &models()[0]], "tiny-1"),
        (vec!["--from", "99"], "--from"),
    ] {
        let message = format!("{:#}", sweep(&csv, &more).unwrap_err());
        assert!(message.contains(named), "{named}: {message}");
        assert!(!csv.exists(), "{named}: nothing may be written");
    }
}
