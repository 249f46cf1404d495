//! `eval` over many drives, through the command.

use crate::common::*;
use serde_json::Value;

const DRIVES: [&str; 3] = ["road:1,seconds=2", "road:2,seconds=1", "road:3,seconds=1.5"];

fn eval(model: &str, more: &[&str]) -> Vec<String> {
    ["eval", "--model", model].iter().chain(more).map(ToString::to_string).collect()
}

fn json_of(model: &str, more: &[&str]) -> Value {
    let args = eval(model, more);
    let args: Vec<&str> = args.iter().map(String::as_str).chain(["--json"]).collect();
    serde_json::from_str(&stdout_of(&args)).unwrap()
}

#[test]
fn many_drives_give_what_each_gives_alone_in_the_order_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let alone: Vec<Value> = DRIVES.iter().map(|drive| eval_of(&[drive, "--model", &model])).collect();
    for jobs in ["1", "3"] {
        let fleet = json_of(&model, &[DRIVES[0], DRIVES[1], DRIVES[2], "--jobs", jobs]);
        for (drive, alone) in fleet["drives"].as_array().unwrap().iter().zip(&alone) {
            for field in ["source", "frames", "mae_rad", "rmse_rad", "zero_rmse_rad", "by_angle", "network"] {
                assert_eq!(drive[field], alone[field], "{field}");
            }
            assert_eq!(drive["rnn"]["macs_delta"], alone["rnn"]["macs_delta"]);
        }
        let sum = |field: &str| alone.iter().map(|drive| drive["rnn"][field].as_u64().unwrap()).sum::<u64>();
        assert_eq!(fleet["total"]["rnn"]["macs_delta"], sum("macs_delta"));
        assert_eq!(fleet["total"]["rnn"]["macs_dense"], sum("macs_dense"));
        assert_eq!(fleet["total"]["frames"], 40 + 20 + 30);
    }
    let list = folder.path().join("drives.txt");
    std::fs::write(&list, format!("# two drives\n{}\n\n  {}\n", DRIVES[1], DRIVES[2])).unwrap();
    let listed = json_of(&model, &[DRIVES[0], "--drives", &text(&list)]);
    assert_eq!(listed["total"]["frames"], 40 + 20 + 30);
    std::fs::write(&list, "# nothing\n").unwrap();
    let message = error_of(&["eval", "--model", &model, "--drives", &text(&list)]);
    assert!(message.contains("--drives") && message.contains("one a line"), "{message}");
}

#[test]
fn finished_drives_are_kept_and_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let results = text(&folder.path().join("results"));
    let keep = |drives: &[&str]| json_of(&model, &[drives, &["--results", &results]].concat());
    keep(&DRIVES[..1]);
    // What is kept is what counts from now on: a changed file shows whether the drive was run again.
    let file = std::fs::read_dir(&results).unwrap().next().unwrap().unwrap().path();
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    kept["frames"] = 12345.into();
    std::fs::write(&file, kept.to_string()).unwrap();
    let all = keep(&DRIVES);
    assert_eq!(all["drives"][0]["frames"], 12345);
    assert_eq!(all["drives"][1]["frames"], 20);
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 3, "one file a drive and nothing else");

    let args = eval(&model, &[DRIVES[0], "--results", &results, "--theta-x", "0.7"]);
    let message = error_of(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(message.contains("thresholds") && message.contains("--results"), "{message}");
}

#[test]
fn a_drive_that_fails_is_named_and_the_others_are_done() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let output = deltasteer(&["eval", "--model", &model, DRIVES[0], "/no/such/drive", DRIVES[1]]);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(3), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[1].starts_with(DRIVES[0]) && lines[2].contains("failed") && lines[3].starts_with(DRIVES[1]), "{out}");
    assert!(lines[4].contains("2 drives (1 failed)"), "{out}");
    assert!(err.contains("/no/such/drive failed") && err.contains("no such file"), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn one_drive_has_the_same_schema_as_many_also_when_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (one, two) = (json_of(&model, &[DRIVES[1]]), json_of(&model, &[DRIVES[1], DRIVES[2]]));
    assert_eq!((keys(&one), keys(&one["total"])), (keys(&two), keys(&two["total"])));
    for part in ["/drives/0", "/drives/0/rnn", "/drives/0/cnn"] {
        assert_eq!(keys(one.pointer(part).unwrap()), keys(two.pointer(part).unwrap()), "{part}");
    }
    assert!(one["drives"][0]["rnn"]["step_us_delta"].is_f64() && two["drives"][0]["rnn"]["step_us_delta"].is_null());
    let output = deltasteer(&["eval", "--model", &model, "/no/such/drive", "--json"]);
    let (out, err) = texts(&output);
    let failed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((output.status.code(), failed["total"]["failed"].as_u64()), (Some(3), Some(1)), "{err}");
    assert!(failed["drives"][0]["error"].as_str().unwrap().contains("no such file") && err.contains("/no/such/drive"));
}

#[test]
fn a_drive_that_changed_is_run_again_and_one_from_another_folder_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let results = folder.path().join("results");
    for place in ["a", "b"] {
        write_drive(&folder.path().join(place).join("drive"), &ANGLES[..if place == "a" { 12 } else { 6 }]);
    }
    let frames = |place: &str, drive: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_deltasteer"));
        command.current_dir(folder.path().join(place)).args(["eval", drive, "--model", &model, "--json", "--results"]);
        let (out, err) = texts(&command.arg(&results).output().unwrap());
        let object: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(object["drives"][0]["source"], drive);
        (object["drives"][0]["frames"].as_u64().unwrap(), err)
    };
    assert_eq!(frames("a", "drive").0, 12);
    assert_eq!(frames("b", "drive").0, 6, "the same relative path from another folder");
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 2);
    assert_eq!(frames("b", "../a/drive").0, 12);
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 2, "one drive by two names");
    std::fs::remove_file(picture_path(&folder.path().join("a/drive"), 3)).unwrap();
    let (count, err) = frames("a", "drive");
    assert!(count == 11 && err.contains("changed"), "{count}: {err}");
}

#[test]
fn what_makes_no_sense_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let refused = |more: &[&str]| {
        let args = eval(&model, more);
        error_of(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(refused(&[DRIVES[0], DRIVES[1], DRIVES[0]]).contains("named twice"));
    assert!(refused(&[DRIVES[0], DRIVES[1], "--theta-h", "-1"]).contains("--theta-h"));
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    assert!(refused(&[DRIVES[0], "--results", &text(&file)]).contains("--results"));
    let message = error_of(&["eval", DRIVES[0], &text(folder.path())]);
    assert!(message.contains("--model"), "{message}");
}

#[test]
fn a_foreign_camera_is_cut_and_its_results_are_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let results = text(&folder.path().join("results"));
    let alone = eval_of(&[DRIVES[1], "--model", &model, "--horizon", "150", "--fov", "70"]);
    assert_ne!(alone["rmse_rad"], eval_of(&[DRIVES[1], "--model", &model])["rmse_rad"]);
    for _ in 0..2 {
        let kept = json_of(&model, &[DRIVES[1], "--horizon", "150", "--fov", "70", "--results", &results]);
        assert_eq!(kept["drives"][0]["rmse_rad"], alone["rmse_rad"]);
        assert_eq!(std::fs::read_dir(&results).unwrap().count(), 1);
    }
    let spec = format!("fov=70,horizon=150,source={}", DRIVES[1]);
    assert_eq!(eval_of(&[&spec, "--model", &model])["rmse_rad"], alone["rmse_rad"]);
    let info = stdout_of(&["info", DRIVES[1], "--crop", "-10:20:320:240"]);
    assert!(info.contains("320x240 at column -10"), "{info}");
    let message = error_of(&["eval", DRIVES[1], "--model", &model, "--fov", "5"]);
    assert!(message.contains("fov") && message.contains("10 to 170"), "{message}");
}

#[test]
fn a_manifest_gives_each_drive_its_stretch_and_frames_are_written_in_the_same_pass() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let manifest = folder.path().join("drives.csv");
    std::fs::write(&manifest, "id,path,from,to\n7,road:1,\"\",1\n8,\"road:1,seconds=2\",1,\n").unwrap();
    let (results, frames) = (folder.path().join("results"), folder.path().join("new/frames"));
    let (list, kept) = (text(&manifest), text(&results));
    let wanted = ["--drives", &list, "--results", &kept, "--parquet", &text(&frames)].map(ToString::to_string);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let all = json_of(&model, &wanted);
    assert_eq!((all["drives"][0]["frames"].as_u64(), all["drives"][1]["frames"].as_u64()), (Some(20), Some(20)));
    assert_eq!(all["drives"][1]["from_s"], 1.0);
    let files = || std::fs::read_dir(&frames).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    assert_eq!(files().len(), 2, "{:?}", files());
    assert!(files().iter().all(|file| std::fs::read(file).unwrap().starts_with(b"PAR1")));
    // A drive is finished when its frames are there as well.
    std::fs::remove_file(&files()[0]).unwrap();
    assert_eq!(json_of(&model, &wanted)["total"]["frames"], 40);
    assert_eq!(files().len(), 2);
    // One drive by itself writes them, too.
    let alone = text(&folder.path().join("alone"));
    json_of(&model, &[DRIVES[1], "--parquet", &alone]);
    assert_eq!(std::fs::read_dir(&alone).unwrap().count(), 1);
}

#[test]
fn what_failed_is_listed_until_it_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_in(folder.path());
    let (missing, results) = (text(&folder.path().join("late")), text(&folder.path().join("results")));
    let run = |more: &[&str]| {
        let output = deltasteer(&[&["eval", "--model", &model, "--results", &results], more].concat());
        let (out, err) = texts(&output);
        (output.status.code(), out, err)
    };
    assert_eq!(run(&["--failed"]).0, Some(1), "no such folder yet");
    assert_eq!(run(&[DRIVES[1], &missing]).0, Some(3));
    let (code, out, _) = run(&["--failed"]);
    assert_eq!(code, Some(3));
    assert!(out.contains("late: ") && out.contains("no such file") && out.contains("1 failed, 0 not"), "{out}");
    let (_, out, _) = run(&["--failed", "--json", DRIVES[1], DRIVES[2], &missing]);
    let open: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&open["failed"][0]["source"], &open["missing"][0]), (&missing.as_str().into(), &DRIVES[2].into()));
    write_drive(&folder.path().join("late"), &ANGLES[..6]);
    let (code, _, err) = run(&[&missing]);
    assert_eq!(code, Some(0), "{err}");
    let (code, out, _) = run(&["--failed", DRIVES[1], &missing]);
    assert_eq!((code, out.as_str()), (Some(0), "0 failed, 0 not evaluated yet\n"));
}
