//! Sums over drives, and the results folder.

use super::report::{Cnn, Dense, Figures, Macs, Report, Rnn, Run};
use super::results::Results;
use super::total::Total;
use crate::fingerprint::Fingerprint;

fn report(source: &str, labelled_frames: usize, rmse_rad: f64) -> Report {
    Report {
        figures: figures(source, rmse_rad),
        run: Run {
            weights: "0123456789ab".into(),
            from_s: None,
            to_s: Some(2.5),
            thresholds: [0.3, 0.1],
            device: deltasteer_perception::Device::Cpu,
            schedule: deltasteer_perception::CnnSchedule::default(),
        },
        files: "one".into(),
        version: crate::VERSION.into(),
        labelled_frames,
        skipped_frames: 1,
        refused_frames: 0,
        full_scale_rad: None,
        notes: Vec::new(),
    }
}

fn figures(source: &str, rmse_rad: f64) -> Figures {
    Figures {
        source: source.into(),
        model: "models/x".into(),
        frames: 10,
        zero_rmse_rad: 2.0 * rmse_rad,
        rmse_rad,
        mae_rad: rmse_rad,
        eva: None,
        rms_step_deg: None,
        by_angle: Vec::new(),
        dense: Dense { rmse_rad: 3.0 * rmse_rad },
        rnn: Rnn {
            theta_x: 0.3,
            theta_h: 0.1,
            macs_dense: 1000,
            macs_delta: 10,
            savings: 100.0,
            occupancy_x: 0.01,
            occupancy_h: 0.01,
            weight_bytes_dense: 4000,
            weight_bytes_delta: 40,
            step_us_dense: None,
            step_us_delta: None,
        },
        cnn: Cnn { macs_per_frame: 5, ms_per_frame: 1.0, looked_frames: 1 },
        network: Macs { macs_dense: 1050, macs_delta: 60 },
    }
}

#[test]
fn errors_are_pooled_over_frames_and_savings_are_sums_divided() {
    let (short, mut long) = (report("a", 1, 0.4), report("b", 3, 0.0));
    long.figures.rnn.macs_delta = 90;
    let total = Total::of(&[&short, &long], 2);
    assert_eq!((total.drives, total.failed, total.frames, total.skipped_frames), (2, 2, 20, 2));
    assert!((total.rmse_rad.unwrap() - 0.2).abs() < 1e-12 && (total.zero_rmse_rad.unwrap() - 0.4).abs() < 1e-12);
    assert_eq!(total.savings, Some(20.0));
    assert_eq!(total.network, Macs { macs_dense: 2100, macs_delta: 120 });
}

#[test]
fn a_command_of_unknown_scale_stays_out_of_the_errors_but_not_of_the_work() {
    let (angles, mut command) = (report("a", 4, 0.1), report("b", 4, 0.9));
    command.full_scale_rad = Some(6.0);
    let total = Total::of(&[&angles, &command], 0);
    assert!((total.rmse_rad.unwrap() - 0.1).abs() < 1e-12);
    assert_eq!((total.labelled_frames, total.drives_without_radians, total.rnn.macs_dense), (4, 1, 2000));
    let none = Total::of(&[], 1);
    assert_eq!((none.rmse_rad, none.savings), (None, None));
}

#[test]
fn a_kept_drive_is_found_again_and_another_run_of_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let results = Results::open(&folder.path().join("new/folder")).unwrap();
    let print = |place: &str, content: &str| Fingerprint {
        name: "one".into(),
        place: place.into(),
        content: content.into(),
        sizes: String::new(),
    };
    let (kept, twin) = (report("drives/one", 4, 0.1), report("other/one", 4, 0.2));
    let (first, second) = (print("a", "one"), print("b", "one"));
    assert_eq!(results.find("drives/one", &first, &kept.run).unwrap(), None);
    results.keep(&first, &kept).unwrap();
    results.keep(&second, &twin).unwrap();
    assert_eq!(results.find("drives/one", &first, &kept.run).unwrap(), Some(kept.clone()));
    // From another folder the same drive has another name.
    let renamed = results.find("../other/one", &second, &twin.run).unwrap().unwrap();
    assert_eq!((renamed.figures.rmse_rad, renamed.figures.source.as_str()), (0.2, "../other/one"));
    assert_eq!(results.find("drives/one", &print("a", "changed"), &kept.run).unwrap(), None);
    let other = Run { thresholds: [0.5, 0.1], ..kept.run.clone() };
    let message = results.find("drives/one", &first, &other).unwrap_err().to_string();
    assert!(message.contains("thresholds") && message.contains("0.3") && message.contains("0.5"), "{message}");
}

#[test]
fn a_record_that_is_cut_or_of_another_version_is_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let results = Results::open(folder.path()).unwrap();
    let print = Fingerprint { name: "one".into(), place: "a".into(), content: "one".into(), sizes: String::new() };
    let find = |report: &Report| results.find("one", &print, &report.run).unwrap();
    let mut kept = report("one", 4, 0.1);
    kept.version = "0.0.1".into();
    results.keep(&print, &kept).unwrap();
    assert_eq!(find(&kept), None);
    kept.version = crate::VERSION.into();
    results.keep(&print, &kept).unwrap();
    assert_eq!(find(&kept), Some(kept.clone()));
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&file).unwrap();
    for cut in [0, 1, text.len() / 2, text.len() - 1] {
        std::fs::write(&file, &text[..cut]).unwrap();
        assert_eq!(find(&kept), None, "{cut} bytes");
    }
    std::fs::write(&file, "[1, 2]").unwrap();
    assert!(results.find("one", &print, &kept.run).is_err(), "a file of someone else");
}

#[test]
fn two_stretches_of_one_drive_have_two_records() {
    let folder = tempfile::tempdir().unwrap();
    let results = Results::open(folder.path()).unwrap();
    let print = Fingerprint { name: "one".into(), place: "a".into(), content: "one".into(), sizes: String::new() };
    let (first, mut second) = (report("one", 4, 0.1), report("one", 4, 0.2));
    second.run.from_s = Some(2.5);
    second.run.to_s = None;
    results.keep(&print, &first).unwrap();
    results.keep(&print, &second).unwrap();
    assert_eq!(results.find("one", &print, &first.run).unwrap(), Some(first));
    assert_eq!(results.find("one", &print, &second.run).unwrap(), Some(second));
}
