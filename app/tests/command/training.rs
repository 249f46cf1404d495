//! Training by the command: repeatable, resumable, and its model runs as its validation said.

use std::path::Path;

use crate::common::*;

/// A training of seconds on the built-in road. `features` is a model whose frozen features are used instead of the trunk.
fn arguments(out: &Path, cache: &Path, features: Option<&Path>) -> Vec<String> {
    let mut all: Vec<String> =
        ["train", "rnn", "--train", "road:1,seconds=8,size=160x120", "--train", "road:4,seconds=6,size=160x120:1-5"]
            .into_iter()
            .chain(["--val", "road:2,seconds=5,size=160x120", "--seed", "3"])
            .map(str::to_owned)
            .collect();
    match features {
        Some(model) => all.extend(["--features".to_owned(), text(model)]),
        None => all.extend(["--trunk".to_owned(), text(&trunk())]),
    }
    for set in [
        "drives.versions=3",
        "drives.components=24",
        "features=12",
        "phases.0.rnn.hidden_size=10",
        "phases.0.rnn.steps=40",
        "phases.0.rnn.batch=4",
        "phases.0.rnn.window=32",
        "phases.0.rnn.validation.interval=10",
        r#"phases.0.rnn.thresholds=[{"theta_x":0.2,"theta_h":0.1}]"#,
    ] {
        all.extend(["--set".to_owned(), set.to_owned()]);
    }
    all.extend(["--out".to_owned(), text(out), "--cache".to_owned(), text(cache)]);
    all
}

fn run(arguments: &[String]) -> String {
    stdout_of(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_same_seed_gives_the_same_weights_and_eval_finds_the_same_error() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second, cache) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("cache"));
    let arguments = |out: &Path, cache: &Path, features: Option<&Path>| {
        let motion =
            ["--set", "motion={}", "--set", "phases.0.layer.dropout=0.2", "--set", "phases.0.rnn.input_dropout=0"];
        [arguments(out, cache, features), motion.map(str::to_owned).into()].concat()
    };
    run(&arguments(&first, &cache, None));
    // The second time everything is computed anew.
    run(&arguments(&second, &folder.path().join("other cache"), None));
    let weights = |model: &Path| std::fs::read(model.join("model.safetensors")).unwrap();
    assert!(weights(&first) == weights(&second), "two trainings with one seed differ");
    assert!(!first.join(".training").exists(), "a finished training leaves no checkpoints");

    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(first.join("config.json")).unwrap()).unwrap();
    let entry = &config["training"][0];
    assert!(entry["command"].as_str().unwrap().starts_with("deltasteer train rnn --train road:1"));
    let report = eval_of(&["road:2,seconds=5,size=160x120", "--model", &text(&first)]);
    let (trained, found) =
        (entry["reached"]["validation_rmse_rad"].as_f64().unwrap(), report["rmse_rad"].as_f64().unwrap());
    // Training sees 16-bit trunk outputs, so a value near its threshold may fall on the other side of it.
    assert!((trained - found).abs() < 0.03 * found, "trained {trained}, found {found}");
    let information = stdout_of(&["info", &text(&first)]);
    assert!(information.contains("12 features and 3 motion values"), "{information}");
    let scale = config["perception"]["motion"]["scale"].as_array().unwrap();
    assert!(scale.len() == 3 && scale.iter().all(|scale| scale.as_f64().unwrap() > 1.0), "{scale:?}");

    // A second training on the frozen features of the first.
    let third = folder.path().join("c");
    run(&arguments(&third, &cache, Some(&first)));
    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(third.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["training"].as_array().unwrap().len(), 2, "both trainings are noted");
}

#[test]
fn an_rnn_learns_on_a_cnn_from_scratch() {
    let folder = tempfile::tempdir().unwrap();
    let (cnn, whole, cache) = (folder.path().join("cnn"), folder.path().join("rnn"), folder.path().join("cache"));
    let mut train: Vec<String> =
        ["train", "cnn", "--train", "road:1,seconds=2,size=160x120", "--val"].map(str::to_owned).into();
    train.push("road:2,seconds=1,size=160x120".to_owned());
    for set in ["features=10", "steps=4", "batch=4", "validate_every=2"] {
        train.extend(["--set".to_owned(), set.to_owned()]);
    }
    train.extend(["--out".to_owned(), text(&cnn)]);
    assert!(run(&train).contains("written"));
    assert!(cnn.join("model.safetensors").exists() && !cnn.join(".training").exists());
    run(&arguments(&whole, &cache, Some(&cnn)));
    let source = "road:2,seconds=2,size=160x120";
    let report = eval_of(&[source, "--model", &text(&whole)]);
    // The three convolutions, and a feature layer over all of their output.
    assert_eq!(report["cnn"]["macs_per_frame"].as_u64(), Some(14_548_992 + 6144 * 10));
    let message = error_of(&["eval", source, "--model", &text(&whole), "--device", "cuda:0"]);
    assert!(message.contains("device cuda:0"), "{message}");
    let message =
        error_of(&["train", "cnn", "--train", source, "--set", "batch=0", "--out", &text(&folder.path().join("x"))]);
    assert!(message.contains("batch"), "{message}");
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken, cache) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("cache"));
    let long = |out: &Path| {
        let mut all = arguments(out, &cache, None);
        all.extend(["--set".to_owned(), "phases.0.rnn.steps=400".to_owned()]);
        all
    };
    run(&long(&whole));
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_deltasteer"))
        .args(long(&broken))
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // The first checkpoint lies there after ten steps.
    let checkpoint = broken.join(".training/phase0.safetensors");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "it was done before it could be interrupted");
    assert!(!broken.join("model.safetensors").exists(), "half a training is no model");
    run(&long(&broken));
    let weights = |model: &Path| std::fs::read(model.join("model.safetensors")).unwrap();
    assert!(weights(&whole) == weights(&broken), "the resumed training came out differently");
}

#[test]
fn the_example_of_set_in_the_help_works() {
    let folder = tempfile::tempdir().unwrap();
    let help = stdout_of(&["train", "rnn", "--help"]);
    let example = help.split_whitespace().find(|word| word.contains(".learning_rate=")).expect("an example");
    let (out, trunk) = (text(&folder.path().join("model")), text(&trunk()));
    let words = ["train", "rnn", "--trunk", &trunk, "--out", &out, "--train", "/no/such/drive", "--set"];
    // The settings are read before the drives.
    let message = error_of(&[&words[..], &[example.trim_end_matches(';')]].concat());
    assert!(message.contains("/no/such/drive") && !message.contains("--set"), "{message}");
}

#[test]
fn bad_training_options_are_named_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(&folder.path().join("model"));
    let trunk = text(&trunk());
    let train = |extra: &[&str]| {
        let base = ["train", "rnn", "--trunk", &trunk, "--out", &out];
        error_of(&base.iter().chain(extra).copied().collect::<Vec<_>>())
    };
    let message =
        train(&["--train", "road:1,seconds=3", "--set", r#"phases.0.rnn.thresholds=[{"theta_x":-1,"theta_h":0}]"#]);
    assert!(message.contains("theta_x") && message.contains("zero or above"), "{message}");
    let message = train(&["--train", "road:1,seconds=3:5-9"]);
    assert!(message.contains("past the end"), "{message}");
    let message = train(&["--train", "/no/such/drive"]);
    assert!(message.contains("/no/such/drive"), "{message}");
    let message = error_of(&["train", "rnn", "--train", "road:1,seconds=3", "--out", &out]);
    assert!(message.contains("--features") && message.contains("--trunk"), "{message}");
    let message = error_of(&["train", "rnn", "--trunk", &trunk, "--train", "road:1,seconds=3", "--out", "/proc/none"]);
    assert!(message.contains("/proc/none"), "{message}");
}

#[test]
fn another_cut_and_another_picture_are_another_drive_to_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let drive = write_drive(&folder.path().join("drive"), &["0.1"; 24]);
    let cache = folder.path().join("cache");
    let files = |spec: &str| {
        let settings =
            ["drives.versions=1", "drives.components=2", "features=4", "motion={}", "phases.0.rnn.hidden_size=4"];
        let steps = ["phases.0.rnn.steps=1", "phases.0.rnn.batch=2", "phases.0.rnn.window=8"];
        let mut words = ["train", "rnn", "--train", spec].map(str::to_owned).to_vec();
        words.extend(settings.iter().chain(&steps).flat_map(|set| ["--set".to_owned(), (*set).to_owned()]));
        for (option, path) in [("--trunk", &trunk()), ("--out", &folder.path().join("model")), ("--cache", &cache)] {
            words.extend([option.to_owned(), text(path)]);
        }
        run(&words);
        std::fs::read_dir(&cache).unwrap().count()
    };
    // Trunk outputs and motion.
    assert_eq!((files(&drive), files(&drive)), (2, 2));
    let cut = format!("crop=10:10:120:90,source={drive}");
    assert_eq!((files(&cut), files(&cut)), (4, 4));
    let (first, other) = (picture_path(&folder.path().join("drive"), 3), picture_path(&folder.path().join("drive"), 9));
    std::fs::copy(other, first).unwrap();
    assert_eq!((files(&drive), files(&drive)), (6, 6));
}
