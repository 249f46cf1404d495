//! What the command answers to bad input: one clear error that names the thing, or frames skipped, counted and named.

use crate::common::*;

#[test]
fn a_folder_that_is_not_there_is_named() {
    let message = error_of(&["replay", "/no/such/drive"]);
    assert!(message.contains("/no/such/drive") && message.contains("no such"), "{message}");
}

#[test]
fn a_folder_in_no_known_layout_lists_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "nothing").unwrap();
    let message = error_of(&["replay", &text(folder.path())]);
    assert!(message.contains(&text(folder.path())), "{message}");
    for looked_for in ["Udacity", "CH2_final_evaluation.csv", "interpolated.csv"] {
        assert!(message.contains(looked_for), "{looked_for} is not in: {message}");
    }
}

#[test]
fn pictures_without_labels_replay_without_error_figures_and_refuse_eval() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, model) = (folder.path().join("drive"), model_in(folder.path()));
    write_drive(&drive, &ANGLES);
    std::fs::remove_file(drive.join("CH2_final_evaluation.csv")).unwrap();
    // Plain pictures, as someone would copy them.
    let pictures = text(&drive.join("center"));
    let out = stdout_of(&["replay", &pictures, "--model", &model]);
    assert!(out.contains("no true angles are known") && out.contains("frames       12"), "{out}");
    let message = error_of(&["eval", &pictures, "--model", &model]);
    assert!(message.contains("no frame has a true angle"), "{message}");
}

#[test]
fn missing_damaged_and_empty_pictures_are_skipped_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, model) = (folder.path().join("drive"), model_in(folder.path()));
    write_drive(&drive, &ANGLES);
    std::fs::remove_file(picture_path(&drive, 2)).unwrap();
    std::fs::write(picture_path(&drive, 5), b"").unwrap();
    std::fs::write(picture_path(&drive, 7), b"\xff\xd8\xff\xe0 no picture").unwrap();
    let csv = folder.path().join("out.csv");
    let out = stdout_of(&["replay", &text(&drive), "--model", &model, "--csv", &text(&csv)]);
    assert!(out.contains("frames       9"), "{out}");
    assert!(out.contains("skipped      3 frames"), "{out}");
    for index in [2, 5, 7] {
        assert!(out.contains(&frame_id(index).to_string()), "frame {index} is not named: {out}");
    }
    let lines = std::fs::read_to_string(csv).unwrap();
    let times: Vec<&str> = lines.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    let expected = [0, 1, 3, 4, 6, 8, 9, 10, 11].map(|index| format!("{:.6}", index as f64 * 0.05));
    assert_eq!(times, expected, "what is left keeps its time");
}

#[test]
fn a_drive_whose_pictures_are_all_damaged_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, model) = (folder.path().join("drive"), model_in(folder.path()));
    write_drive(&drive, &ANGLES[..3]);
    (0..3).for_each(|index| std::fs::write(picture_path(&drive, index), b"").unwrap());
    let message = error_of(&["replay", &text(&drive), "--model", &model]);
    assert!(message.contains("at least one readable image") && message.contains("is empty"), "{message}");
}

#[test]
fn label_lines_with_text_or_nan_leave_their_frames_without_a_label() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, model) = (folder.path().join("drive"), model_in(folder.path()));
    let mut angles = ANGLES;
    (angles[3], angles[6]) = ("left", "NaN");
    write_drive(&drive, &angles);
    let out = stdout_of(&["replay", &text(&drive), "--model", &model]);
    assert!(out.contains("frames       12"), "{out}");
    assert!(out.contains("over 10 labelled frames"), "{out}");
    let info = stdout_of(&["info", &text(&drive)]);
    assert!(info.contains("10 of 12 frames"), "{info}");
}

#[test]
fn spoilt_weights_name_the_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    let eval = |model: &std::path::Path| error_of(&["eval", "road:1,seconds=1", "--model", &text(model)]);

    write_model(&model, |tensors| drop(tensors.remove("feature.bias")));
    let message = eval(&model);
    assert!(message.contains("feature.bias") && message.contains("missing"), "{message}");

    write_model(&model, |tensors| {
        let tensor = tensors.get_mut("feature.weight").unwrap();
        *tensor = tensor.clone().reversed_axes().as_standard_layout().into_owned();
    });
    let message = eval(&model);
    assert!(message.contains("feature.weight") && message.contains("shape"), "{message}");

    write_model(&model, |tensors| {
        tensors.get_mut("trunk.stem.weight").unwrap().as_slice_mut().unwrap()[5] = f32::NAN;
    });
    let message = eval(&model);
    assert!(message.contains("trunk.stem.weight") && message.contains("NaN"), "{message}");
    assert!(message.contains("model.safetensors"), "{message}");
}

#[test]
fn a_config_of_other_sizes_or_with_unknown_fields_names_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    write_model(&model, |_| {});
    let path = model.join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    let eval = || error_of(&["eval", "road:1,seconds=1", "--model", &text(&model)]);

    std::fs::write(&path, config.replace("\"input_size\": 8", "\"input_size\": 9")).unwrap();
    let message = eval();
    assert!(message.contains("temporal.input_size is 9") && message.contains('8'), "{message}");

    std::fs::write(&path, config.replace("\"input_width\"", "\"input_widht\"")).unwrap();
    let message = eval();
    assert!(message.contains("config.json") && message.contains("input_widht"), "{message}");

    std::fs::remove_file(&path).unwrap();
    let message = eval();
    assert!(message.contains("config.json"), "{message}");
}

#[test]
fn thresholds_below_zero_or_nan_are_refused_by_name() {
    for (option, value) in [("--theta-x", "-0.1"), ("--theta-h", "NaN"), ("--theta-x", "inf")] {
        let message = error_of(&["eval", "road:1,seconds=1", option, value]);
        assert!(message.contains(option) && message.contains("zero or more"), "{message}");
    }
}

#[test]
fn times_past_the_end_and_empty_ranges_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let eval = |args: &[&str]| {
        let all: Vec<&str> = ["eval", "road:1,seconds=2", "--model", &model].iter().chain(args).copied().collect();
        error_of(&all)
    };
    let message = eval(&["--from", "500"]);
    assert!(
        message.contains("--from 500") && message.contains("past the end") && message.contains("1.950"),
        "{message}"
    );
    let message = eval(&["--from", "1", "--to", "1"]);
    assert!(message.contains("--to 1") && message.contains("no frame"), "{message}");
    let message = eval(&["--from", "-3"]);
    assert!(message.contains("--from is -3"), "{message}");
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    // No such source either: the output is looked at first.
    let message = error_of(&["replay", "/no/such/drive", "--csv", "/no/such/folder/out.csv"]);
    assert!(message.contains("/no/such/folder/out.csv"), "{message}");
    let message = error_of(&["replay", "road:1,seconds=1", "--csv", &text(folder.path())]);
    assert!(message.contains("is a folder"), "{message}");
    let twice = text(&folder.path().join("out"));
    let message = error_of(&["replay", "road:1,seconds=1", "--csv", &twice, "--mcap", &twice]);
    assert!(message.contains("named twice"), "{message}");
}

#[test]
fn a_run_that_fails_leaves_the_old_output_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, model) = (folder.path().join("drive"), model_in(folder.path()));
    write_drive(&drive, &ANGLES[..2]);
    (0..2).for_each(|index| std::fs::write(picture_path(&drive, index), b"").unwrap());
    let csv = folder.path().join("out.csv");
    std::fs::write(&csv, "old").unwrap();
    error_of(&["replay", &text(&drive), "--model", &model, "--csv", &text(&csv)]);
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "old");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}
