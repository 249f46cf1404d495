//! What replay and eval hand out, on small drives.

use crate::common::*;

#[test]
fn the_csv_has_exactly_the_promised_columns_and_every_frame() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let csv = folder.path().join("out.csv");
    stdout_of(&["replay", "road:3,seconds=3", "--model", &model, "--csv", &text(&csv)]);
    let written = std::fs::read_to_string(&csv).unwrap();
    let mut lines = written.lines();
    assert_eq!(
        lines.next().unwrap(),
        "frame,time_s,steering_true_rad,steering_rad,steering_dense_rad,columns_x,columns_h,macs_delta,macs_dense,cnn_looked,cnn_macs"
    );
    let rows: Vec<Vec<f64>> = lines.map(|line| line.split(',').map(|value| value.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), 60);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row[0], index as f64);
        assert!((row[1] - index as f64 * 0.05).abs() < 1e-6);
        // Each column sent is multiplied with its 3 * hidden weights, and nothing else is.
        assert_eq!(row[7], (row[5] + row[6]) * 3.0 * SIZE as f64);
        assert_eq!(row[8], (2 * SIZE * 3 * SIZE) as f64);
    }
}

#[test]
fn eval_prints_one_object_with_exactly_the_promised_fields() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, model) = (folder.path().join("drive"), model_in(folder.path()));
    write_drive(&drive, &ANGLES);
    let report = eval_of(&[&text(&drive), "--model", &model]);
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(
        keys(&report),
        "by_angle cnn dense device eva files frames from_s full_scale_rad labelled_frames mae_rad model network notes \
         refused_frames rms_step_deg rmse_rad rnn schedule skipped_frames source thresholds to_s version weights \
         zero_rmse_rad"
    );
    assert_eq!(keys(&report["by_angle"][0]), "band_deg frames rmse_rad");
    assert_eq!(keys(&report["dense"]), "rmse_rad");
    assert_eq!(
        keys(&report["rnn"]),
        "macs_delta macs_dense occupancy_h occupancy_x savings step_us_delta step_us_dense theta_h theta_x \
         weight_bytes_delta weight_bytes_dense"
    );
    assert_eq!(keys(&report["cnn"]), "looked_frames macs_per_frame ms_per_frame");
    assert_eq!(keys(&report["network"]), "macs_delta macs_dense");
    assert_eq!(report["frames"], 12);
    let zero = (ANGLES.iter().map(|angle| angle.parse::<f64>().unwrap().powi(2)).sum::<f64>() / 12.0).sqrt();
    assert!((report["zero_rmse_rad"].as_f64().unwrap() - zero).abs() < 1e-6);
    assert_eq!(report["rnn"]["macs_dense"], 12 * 2 * SIZE * 3 * SIZE);
}

#[test]
fn the_cnns_blocks_add_up_to_its_work() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let printed = stdout_of(&["bench", "cnn", "--model", &model, "--json"]);
    let found: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let blocks = found["blocks"].as_array().unwrap();
    let sum: u64 = blocks.iter().map(|block| block["macs"].as_u64().unwrap()).sum();
    let eval = eval_of(&["road:5,seconds=1", "--model", &model]);
    assert_eq!((blocks.len(), Some(sum + 2560 * SIZE as u64)), (5, eval["cnn"]["macs_per_frame"].as_u64()));
    assert!(blocks.iter().all(|block| block["median_us"].as_f64().unwrap() > 0.0), "{found}");
}

#[test]
fn at_theta_zero_the_delta_gru_steers_as_the_dense_one() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let csv = folder.path().join("out.csv");
    let args =
        ["replay", "road:5,seconds=4", "--model", &model, "--theta-x", "0", "--theta-h", "0", "--csv", &text(&csv)];
    stdout_of(&args);
    let mut reader = csv::Reader::from_path(&csv).unwrap();
    let mut moved = 0.0f64;
    for row in reader.deserialize() {
        let row: std::collections::HashMap<String, f64> = row.unwrap();
        assert!((row["steering_rad"] - row["steering_dense_rad"]).abs() <= 2e-5, "{row:?}");
        moved = moved.max(row["steering_rad"].abs());
    }
    assert!(moved > 1e-3, "a network that always says zero proves nothing");
}

#[test]
fn a_part_of_a_drive_starts_cold_and_counts_its_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let csv = folder.path().join("out.csv");
    stdout_of(&[
        "replay",
        "road:3,seconds=3",
        "--model",
        &model,
        "--from",
        "1",
        "--to",
        "2",
        "--theta-x",
        "0.3",
        "--csv",
        &text(&csv),
    ]);
    let written = std::fs::read_to_string(&csv).unwrap();
    let rows: Vec<Vec<&str>> = written.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 20);
    assert_eq!((rows[0][0], rows[19][0]), ("20", "39"));
    // From a cold start the hidden state and its reference are zero: nothing of it can be sent in the first frame.
    assert_eq!(rows[0][6], "0");
    assert_ne!(rows[0][5], "0");
}

#[test]
fn the_horizon_is_looked_for_in_whole_pictures_of_drives() {
    let out = stdout_of(&["info", "road:3,seconds=20,size=320x240", "--find-horizon"]);
    assert!(out.contains("horizon  row ") && !out.contains("--fov DEG"), "this camera is known: {out}");
    let message = error_of(&["info", "built-in:ch2", "--find-horizon"]);
    assert!(message.contains("built-in:ch2: is a model"), "{message}");
    // A row of the part that is cut out would be taken for a row of the picture.
    let message = error_of(&["info", "road:3", "--find-horizon", "--fov", "60"]);
    assert!(message.contains("--fov"), "{message}");
    // Pictures of two sizes are no pair.
    let folder = tempfile::tempdir().unwrap();
    write_drive(folder.path(), &ANGLES);
    let mut pictures: Vec<_> =
        std::fs::read_dir(folder.path().join("center")).unwrap().map(|e| e.unwrap().path()).collect();
    pictures.sort();
    image::RgbImage::new(80, 60).save(&pictures[5]).unwrap();
    assert!(stdout_of(&["info", &text(folder.path()), "--find-horizon"]).contains("horizon  not found"));
}

#[test]
fn info_tells_what_a_source_and_a_model_are() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, model) = (folder.path().join("drive"), model_in(folder.path()));
    write_drive(&drive, &ANGLES);
    let out = stdout_of(&["info", &text(&drive)]);
    for part in ["Udacity", "frames   12", "20.00 Hz", "12 of 12 frames", "positive is left", "gaps     0"] {
        assert!(out.contains(part), "{part:?} is not in {out}");
    }
    let built_in = stdout_of(&["info", "built-in:ch2"]);
    assert!(built_in.contains("every:12") && built_in.contains("can steer no car"), "{built_in}");
    let out = stdout_of(&["info", &model]);
    for part in ["8 features -> GRU 8", "theta_x 0.3 theta_h 0.1", "MACs on each frame that it runs on: every:1"] {
        assert!(out.contains(part), "{part:?} is not in {out}");
    }
}
