//! `train` on own drives: found, checked, trained, chosen, reported.

use std::path::Path;

use crate::common::*;

/// A training of seconds; settings by hand make it small.
fn train(drives: &[&str], out: &Path, cache: &Path, more: &[&str]) -> Vec<String> {
    let small = ["drives.versions=2", "drives.components=24", "features=12"];
    let each = ["hidden_size=12", "steps=16", "batch=4", "window=32", "validation.interval=8"];
    let each = (0..4).flat_map(|phase| each.map(|set| format!("phases.{phase}.rnn.{set}")));
    let all: Vec<String> = small.map(str::to_owned).into_iter().chain(each).collect();
    let set = all.iter().flat_map(|set| ["--set", set]);
    let words = ["train"].into_iter().chain(drives.iter().copied()).chain(set).chain(more.iter().copied());
    let files = ["--out".to_owned(), text(out), "--cache".to_owned(), text(cache)];
    words.map(str::to_owned).chain(files).collect()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn drives_become_a_model_with_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let (out, cache) = (folder.path().join("m"), folder.path().join("cache"));
    let drives = ["road:3,seconds=24,size=160x120", "road:5,seconds=16,size=160x120:1-15"];
    let arguments = train(&drives, &out, &cache, &["--savings", "3"]);
    let printed = stdout_of(&words(&arguments));
    for part in [
        "they follow the picture",
        "always zero",
        "the CNN alone",
        "your model",
        "advice",
        "report.html",
        "view road:3",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("config.json")).unwrap()).unwrap();
    let entry = &config["training"][0];
    assert_eq!(entry["train"], serde_json::json!(drives), "the last training is on whole drives");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("road:3,seconds=24,size=160x120:0.00-17.96"), "the report says what was measured");
    assert!((config["view"]["aspect"].as_f64().unwrap() - 4.0 / 3.0).abs() < 1e-3);
    assert!(page.contains("<svg") && page.contains("<td>kept</td>"), "the page has curves and the choice");
    assert!(std::fs::read_to_string(out.join("CARD.md")).unwrap().contains("road:5"));
    assert!(!out.join(".training").exists());

    // The model runs as the training said, on the frames that validated.
    let report = eval_of(&[drives[0], "--model", &text(&out), "--from", "19.16"]);
    assert!(report["rmse_rad"].as_f64().unwrap() < 2.0 * entry["reached"]["validation_rmse_rad"].as_f64().unwrap());
    let message = error_of(&words(&arguments));
    assert!(message.contains("finished model") && message.contains("--force"), "{message}");
    // Another view than the model's is told.
    let wide = stdout_of(&["replay", "road:3,seconds=1,size=320x160", "--model", &text(&out)]);
    assert!(wide.contains("2.00:1") && wide.contains("squeezed"), "{wide}");
}

#[test]
fn labels_that_do_not_fit_end_it_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let (out, cache) = (folder.path().join("m"), folder.path().join("cache"));
    let drive = folder.path().join("drive");
    let write = |angle: &dyn Fn(f32) -> f32, time_s: &dyn Fn(f64) -> f64| {
        let mut source = deltasteer_data::open("road:3,seconds=30,size=160x120,rate=10").unwrap();
        std::fs::create_dir_all(&drive).unwrap();
        let mut labels = "file,time_s,steering_rad\n".to_owned();
        while let Some(frame) = source.next_frame().unwrap() {
            let name = format!("{:04}.jpg", frame.index);
            let (height, width, _) = frame.image.dim();
            let bytes = frame.image.as_slice().unwrap().to_vec();
            let picture = image::RgbImage::from_raw(width as u32, height as u32, bytes).unwrap();
            picture.save(drive.join(&name)).unwrap();
            let truth = frame.steering_true_rad.unwrap();
            labels += &format!("{name},{},{}\n", time_s(frame.time_s), angle(truth));
        }
        std::fs::write(drive.join("labels.csv"), labels).unwrap();
    };
    let drives = [text(&drive)];
    let refused = |more: &[&str]| {
        let arguments = train(&[&drives[0]], &out, &cache, more);
        let output = deltasteer(&words(&arguments));
        let message = texts(&output).1;
        assert!(!output.status.success() && !out.exists(), "nothing was begun: {message}");
        message
    };
    write(&|angle| -angle, &|time_s| time_s);
    let message = refused(&[]);
    assert!(message.contains("positive to the right") && message.contains("--trust-labels"), "{message}");
    write(&f32::to_degrees, &|time_s| time_s);
    let message = refused(&[]);
    // Most of them are more than a wheel can be turned; the reader says so.
    assert!(message.contains("steering_deg") || message.contains("unit must be another"), "{message}");
    write(&|_| 0.1, &|time_s| time_s);
    let message = refused(&[]);
    assert!(message.contains("not the steering angle"), "{message}");
    let message = refused(&["--val", &drives[0]]);
    assert!(message.contains("share frames"), "{message}");
    for (more, named) in [(["--savings", "0"], "--savings"), (["--val", "/no/such"], "/no/such")] {
        let message = refused(&more);
        assert!(message.contains(named), "{message}");
    }
}
