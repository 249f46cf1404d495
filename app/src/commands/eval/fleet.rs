//! Many drives at once: a line each in the order in which they were named, and a total.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use crossbeam_channel::{Sender, bounded, unbounded};
use indicatif::ProgressBar;
use serde::Serialize;

use super::refuse_live;
use super::report::{Report, Run};
use super::results::Results;
use super::total::Total;
use crate::cli::EvalArgs;
use crate::drive::{self, interrupted, progress_bar};
use crate::model::{self, Model};
use crate::session::{Session, check_threshold};

/// The exit status when some drive could not be evaluated; the others were.
const SOME_FAILED: u8 = 3;
/// Columns that a drive's name may take.
const NAME_COLUMNS: usize = 48;

/// A drive's figures, or why there are none.
type Outcome = Result<Report, String>;

/// One drive in the printed JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Done(&'a Report),
    Failed { source: &'a str, error: &'a str },
}

/// Runs `eval` on several drives.
///
/// # Errors
/// Options that are wrong, results of another run, Ctrl-C. A drive that fails is a line, and an exit status of 3.
pub fn run(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    check_threshold("--theta-x", args.run.theta_x)?;
    check_threshold("--theta-h", args.run.theta_h)?;
    let mut names = HashSet::new();
    if let Some(twice) = args.sources.iter().find(|source| !names.insert(source.as_str())) {
        bail!("{twice}: named twice; expected each drive once");
    }
    let model = Arc::new(Model::load(&model_of_all(args)?)?);
    let results = args.results.as_deref().map(Results::open).transpose()?;
    let outcomes = all(args, &model, results.as_ref())?;
    let reports: Vec<&Report> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    let total = Total::of(&reports, outcomes.len() - reports.len());
    if args.json {
        print_json(args, &outcomes, &total)?;
    } else {
        print_total(&total);
    }
    Ok(if total.failed > 0 { ExitCode::from(SOME_FAILED) } else { ExitCode::SUCCESS })
}

/// A total over different models would mean nothing.
fn model_of_all(args: &EvalArgs) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &args.run.model {
        return Ok(folder.clone());
    }
    let mut folder: Option<(&String, PathBuf)> = None;
    for source in &args.sources {
        let fits = model::shipped(source)?;
        match &folder {
            Some((other, first)) if *first != fits => bail!(
                "{} is the model for {other} and {} the one for {source}; expected --model DIR, one for all drives",
                first.display(),
                fits.display()
            ),
            Some(_) => {}
            None => folder = Some((source, fits)),
        }
    }
    folder.map(|(_, folder)| folder).context("expected a drive")
}

/// What is known of every drive, in the order of the command line; lines are printed as soon as all before them are.
fn all(args: &EvalArgs, model: &Arc<Model>, results: Option<&Results>) -> anyhow::Result<Vec<Outcome>> {
    let run = Run::of(&args.run, model)?;
    let mut outcomes: Vec<Option<Outcome>> = Vec::new();
    for source in &args.sources {
        let kept = match results {
            Some(results) => results.find(&args.run.camera.spec(source), &run)?,
            None => None,
        };
        outcomes.push(kept.map(Ok));
    }
    let missing: Vec<usize> = (0..outcomes.len()).filter(|&drive| outcomes[drive].is_none()).collect();
    let bar = progress_bar(Some(args.sources.len())).with_message("drives");
    bar.inc((args.sources.len() - missing.len()) as u64);
    let mut printer = Printer { args, bar: &bar, next: 0 };
    if !args.json {
        bar.suspend(|| println!("{:<NAME_COLUMNS$}  frames  RMSE rad   dense    zero  savings", "drive"));
    }
    printer.print_ready(&outcomes);
    on_threads(args, model, results, &missing, |drive, outcome| {
        outcomes[drive] = Some(outcome);
        bar.inc(1);
        printer.print_ready(&outcomes);
    })?;
    bar.finish_and_clear();
    let done: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    if interrupted().load(Ordering::Relaxed) {
        let kept = results.map_or("", |_| "; what is finished is kept");
        bail!("interrupted before all {} drives were done{kept}", args.sources.len());
    }
    Ok(done)
}

/// Evaluates the `missing` drives on `--jobs` threads; `each` gets every one as it is finished.
fn on_threads(
    args: &EvalArgs,
    model: &Arc<Model>,
    results: Option<&Results>,
    missing: &[usize],
    mut each: impl FnMut(usize, Outcome),
) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = args.jobs.map_or(cores, usize::from).min(missing.len());
    let (job_sender, jobs) = unbounded::<usize>();
    for &drive in missing {
        job_sender.send(drive).context("queue of drives")?;
    }
    drop(job_sender);
    let (sender, finished) = bounded::<(usize, anyhow::Result<Outcome>)>(workers.max(1));
    std::thread::scope(|scope| -> anyhow::Result<()> {
        for worker in 0..workers {
            let (jobs, sender): (_, Sender<_>) = (jobs.clone(), sender.clone());
            let work = move || {
                for drive in jobs {
                    let outcome = evaluate(&args.sources[drive], args, model, results);
                    // Nobody listens any more once something went wrong for all drives.
                    if interrupted().load(Ordering::Relaxed) || sender.send((drive, outcome)).is_err() {
                        return;
                    }
                }
            };
            std::thread::Builder::new()
                .name(format!("eval-{worker}"))
                .spawn_scoped(scope, work)
                .context("a thread for a drive")?;
        }
        drop(sender);
        for (drive, outcome) in finished {
            each(drive, outcome?);
        }
        Ok(())
    })
}

/// One drive from its first frame to its kept report. The outer error concerns all drives: results cannot be kept.
fn evaluate(source: &str, args: &EvalArgs, model: &Arc<Model>, results: Option<&Results>) -> anyhow::Result<Outcome> {
    let report = || -> anyhow::Result<Report> {
        let session = Session::open_with(source, &args.run, model.clone())?;
        refuse_live(&session)?;
        let info = session.info.clone();
        let drive = drive::run_quietly(session, |_| Ok(()))?;
        Report::of(&info, &args.run, model, &drive)
    };
    match report() {
        Ok(report) => {
            if let Some(results) = results {
                results.keep(&report)?;
            }
            Ok(Ok(report))
        }
        Err(error) => Ok(Err(format!("{error:#}"))),
    }
}

/// Prints each drive's line when those before it are out.
struct Printer<'a> {
    args: &'a EvalArgs,
    bar: &'a ProgressBar,
    next: usize,
}

impl Printer<'_> {
    fn print_ready(&mut self, outcomes: &[Option<Outcome>]) {
        while let Some(Some(outcome)) = outcomes.get(self.next) {
            let source = &self.args.sources[self.next];
            if !self.args.json {
                self.bar.suspend(|| println!("{}", line(source, outcome)));
            }
            if let Err(error) = outcome {
                self.bar.suspend(|| eprintln!("deltasteer: {source} failed: {error}"));
            }
            self.next += 1;
        }
    }
}

fn line(source: &str, outcome: &Outcome) -> String {
    // The end of a long path tells more than its beginning.
    let count = source.chars().count();
    let shown: String = source.chars().skip(count.saturating_sub(NAME_COLUMNS)).collect();
    match outcome {
        Err(_) => format!("{shown:<NAME_COLUMNS$}  failed"),
        Ok(report) => {
            let of = &report.figures;
            let skipped = match report.skipped_frames + report.refused_frames {
                0 => String::new(),
                frames => format!("  {frames} frames unreadable"),
            };
            let unit = report.full_scale_rad.map_or(String::new(), |full| {
                format!(
                    "  not an angle: {:.4} of full lock, left out of the total's errors",
                    report.figures.rmse_rad / f64::from(full)
                )
            });
            format!(
                "{shown:<NAME_COLUMNS$} {:>7}  {:>8.4} {:>7.4} {:>7.4} {:>7.1}x{skipped}{unit}",
                of.frames, of.rmse_rad, of.dense.rmse_rad, of.zero_rmse_rad, of.rnn.savings
            )
        }
    }
}

fn print_total(total: &Total) {
    let drives = if total.drives == 1 { "drive" } else { "drives" };
    let name = match total.failed {
        0 => format!("total of {} {drives}", total.drives),
        failed => format!("total of {} {drives} ({failed} failed)", total.drives),
    };
    let rad = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    println!(
        "{name:<NAME_COLUMNS$} {:>7}  {:>8} {:>7} {:>7} {:>8}",
        total.frames,
        rad(total.rmse_rad),
        rad(total.dense_rmse_rad),
        rad(total.zero_rmse_rad),
        total.savings.map_or("-".to_owned(), |savings| format!("{savings:.1}x")),
    );
    if total.network.macs_delta > 0 {
        println!(
            "whole network {:.4}x fewer MACs: the RNN is {:.2}% of the dense work",
            total.network.macs_dense as f64 / total.network.macs_delta as f64,
            100.0 * total.rnn.macs_dense as f64 / total.network.macs_dense as f64
        );
    }
}

fn print_json(args: &EvalArgs, outcomes: &[Outcome], total: &Total) -> anyhow::Result<()> {
    let drives: Vec<Line<'_>> = args
        .sources
        .iter()
        .zip(outcomes)
        .map(|(source, outcome)| match outcome {
            Ok(report) => Line::Done(report),
            Err(error) => Line::Failed { source, error },
        })
        .collect();
    println!("{}", serde_json::to_string(&serde_json::json!({ "drives": drives, "total": total }))?);
    Ok(())
}
