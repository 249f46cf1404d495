//! Taking things away: exports in the formats of `replay`, and the clipboard.

use deltasteer::pipeline::FrameRange;
use deltasteer::window::command::{Command, Copied};
use deltasteer::window::export::Kind;
use egui::{Key, Modifiers, OutputCommand};
use egui_kittest::kittest::Queryable;

use crate::bench::Bench;
use crate::whatif::full_run_32;

/// The folder in the bench's folder whose name holds `part`.
fn folder_with(bench: &Bench, part: &str) -> std::path::PathBuf {
    let mut entries = std::fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.to_string_lossy().contains(part)).unwrap_or_else(|| panic!("no {part}"))
}

#[test]
fn a_range_is_exported_in_every_format_as_the_full_run_gives_it() {
    let mut bench = Bench::ready();
    bench.ask(Command::SetRange(Some(FrameRange { first: 130, end: 136 })));
    bench.press(Key::E, Modifiers::NONE);
    bench.harness.step();
    bench.harness.step();
    bench.harness.get_by_label_contains("6 frames, 0:06.50 to 0:06.75");
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_available()) {
        if !bench.window().settings().export_kinds.contains(&kind) {
            bench.click(kind.words().0);
        }
    }
    bench.click("Write the files");
    bench.until("the export", |view| view.notices.iter().any(|n| n.text.starts_with("Exported")));
    let folder = folder_with(&bench, "-frames-130-135");
    let table = std::fs::read_to_string(folder.join("drive.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 7, "{table}");
    let column = rows[0].iter().position(|name| *name == "steering_rad").unwrap();
    let angles = full_run_32(&bench, bench.view().main.thresholds);
    for (row, frame) in rows[1..].iter().zip(130..) {
        assert_eq!(row[0], frame.to_string());
        assert!((row[column].parse::<f32>().unwrap() - angles[frame]).abs() < 2e-6, "frame {frame}");
        assert!(folder.join(format!("frames/{frame:06}.png")).is_file());
    }
    for name in ["drive.parquet", "drive.mcap", "drive.html"] {
        assert!(std::fs::metadata(folder.join(name)).unwrap().len() > 500, "{name}");
    }
    assert_eq!(folder.join("drive.mp4").is_file(), cfg!(feature = "opencv"));
    // Half an export leaves nothing: a folder that cannot be written is told by name.
    bench.ask(Command::SetExportFolder("/no/such/folder".into()));
    bench.ask(Command::Export);
    bench.until("the refusal", |view| view.notices.iter().any(|n| n.bad && n.text.contains("/no/such/folder")));
}

#[test]
fn a_chart_says_all_values_and_they_can_be_copied() {
    let mut bench = Bench::played();
    let chart = bench.harness.get_by_label("angles chart").rect();
    bench.harness.hover_at(chart.center());
    bench.harness.step();
    let words = deltasteer::window::readout(bench.view(), 6.0, true);
    for part in ["frame 120", "driver: ", "delta RNN: ", "dense RNN: ", "off by", "multiplications"] {
        assert!(words.contains(part), "{part} in {words}");
    }
    let copied = |bench: &mut Bench, what: Copied, index: usize| {
        let ctx = bench.harness.ctx.clone();
        bench.harness.state_mut().perform(&ctx, Command::Copy(what, Some(index)));
        let texts = ctx.output(|output| {
            let texts = output.commands.iter().map(|command| match command {
                OutputCommand::CopyText(text) => text.clone(),
                OutputCommand::CopyImage(image) => format!("{}x{}", image.size[0], image.size[1]),
                _ => String::new(),
            });
            texts.collect::<Vec<_>>()
        });
        bench.harness.step();
        texts.last().cloned().unwrap_or_default()
    };
    let angle = bench.view().main.answer(120).unwrap().steering_rad.to_degrees();
    let said: f32 = copied(&mut bench, Copied::Angle, 120).parse().unwrap();
    assert!((said - angle).abs() < 1e-3);
    let row = copied(&mut bench, Copied::Row, 120);
    let lines: Vec<&str> = row.lines().collect();
    assert!(lines[0].starts_with("frame,time_s,") && lines[1].starts_with("120,6.0"), "{row}");
    assert_eq!(copied(&mut bench, Copied::Picture, 120), "320x160");
    bench.ask(Command::Seek(60));
    bench.until("frame 60", |view| view.index() == 60);
    let line = copied(&mut bench, Copied::CommandLine, 0);
    let model = bench.folder.path().join("model");
    assert_eq!(line, format!("deltasteer view road:3,seconds=12 --model {} --at 3.000 --paused", model.display()));
}
