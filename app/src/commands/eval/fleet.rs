//! Many drives at once: a line each in the order in which they were named, and a total.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use crossbeam_channel::{Sender, bounded, unbounded};
use indicatif::ProgressBar;

use super::drives::Asked;
use super::frames::{self, FramesFolder};
use super::outcome::{Outcome, print_json, status};
use super::report::{Report, Run};
use super::results::{Results, stem};
use super::total::Total;
use crate::cli::EvalArgs;
use crate::drive::{self, interrupted, progress_bar};
use crate::fingerprint::Fingerprint;
use crate::model::Model;
use crate::session::Session;
use crate::stdout::StdoutError;
use crate::text::one_line;
use crate::{say, shipped, warn};

/// Columns that a drive's name may take.
const NAME_COLUMNS: usize = 48;

/// Everything that is the same for all drives.
struct Fleet<'a> {
    args: &'a EvalArgs,
    model: Arc<Model>,
    results: Option<Results>,
    frames: Option<FramesFolder>,
}

/// One drive with its files.
struct Named<'a> {
    asked: &'a Asked,
    run: Run,
    /// `None` where its files cannot be looked at: opening it will say why.
    fingerprint: Option<Fingerprint>,
}

/// Runs `eval` on several drives.
///
/// # Errors
/// Options that are wrong, results of another run, a signal. A drive that fails is a line, and an exit status of 3.
pub fn run(args: &EvalArgs, asked: &[Asked]) -> anyhow::Result<ExitCode> {
    let prints: Vec<Option<Fingerprint>> = asked.iter().map(|drive| Fingerprint::of(&drive.spec).ok()).collect();
    let mut places = HashSet::new();
    for (drive, print) in asked.iter().zip(&prints) {
        let place = print.as_ref().map_or_else(|| drive.spec.clone(), |print| stem(print, drive.run.range_s()));
        if !places.insert(place) {
            bail!("{}: named twice; expected each drive once", drive.source);
        }
    }
    let model = Arc::new(Model::load(&model_of_all(args, asked)?)?);
    let all = Run::of(&args.run.options(), &model)?;
    let named = |(asked, fingerprint): (_, Option<Fingerprint>)| Named { asked, run: all.of_drive(asked), fingerprint };
    let drives: Vec<Named<'_>> = asked.iter().zip(prints).map(named).collect();
    let results = args.results.as_deref().map(Results::open).transpose()?;
    let frames = args.parquet.as_deref().map(FramesFolder::open).transpose()?;
    let outcomes = Fleet { args, model, results, frames }.all(&drives)?;
    let reports: Vec<&Report> = outcomes.iter().flatten().collect();
    let total = Total::of(&reports, outcomes.len() - reports.len());
    if args.json {
        print_json(asked, &outcomes, &total)?;
    } else {
        print_total(&total)?;
    }
    Ok(status(&total))
}

/// A total over different models would mean nothing.
fn model_of_all(args: &EvalArgs, drives: &[Asked]) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &args.run.model {
        return Ok(folder.clone());
    }
    let mut folder: Option<(&String, PathBuf)> = None;
    for Asked { source, .. } in drives {
        let fits = shipped::for_source(source)?;
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

impl Named<'_> {
    fn stem(&self) -> Option<String> {
        self.fingerprint.as_ref().map(|fingerprint| stem(fingerprint, self.run.range_s()))
    }
}

impl Fleet<'_> {
    /// What is known of every drive, in the order of the command line; lines are printed as soon as all before them are.
    fn all(&self, drives: &[Named<'_>]) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        for drive in drives {
            let kept = match (&self.results, &drive.fingerprint) {
                (Some(results), Some(fingerprint)) if self.has_frames(drive) => {
                    results.find(&drive.asked.source, fingerprint, &drive.run)?
                }
                _ => None,
            };
            outcomes.push(kept.map(Ok));
        }
        let missing: Vec<usize> = (0..outcomes.len()).filter(|&drive| outcomes[drive].is_none()).collect();
        let bar = progress_bar(Some(drives.len())).with_message("drives");
        bar.inc((drives.len() - missing.len()) as u64);
        let mut printer = Printer { json: self.args.json, drives, bar: &bar, next: 0 };
        if !self.args.json {
            bar.suspend(|| say!("{:<NAME_COLUMNS$}  frames  RMSE rad   dense    zero  savings", "drive"))?;
            self.model.remark().map_or(Ok(()), |remark| bar.suspend(|| say!("  model {remark}")))?;
        }
        printer.print_ready(&outcomes)?;
        self.on_threads(drives, &missing, |drive, outcome| {
            outcomes[drive] = Some(outcome);
            bar.inc(1);
            printer.print_ready(&outcomes)
        })?;
        bar.finish_and_clear();
        let done: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        if interrupted().load(Ordering::Relaxed) {
            let kept = self.results.as_ref().map_or("", |_| "; what is finished is kept");
            bail!("interrupted before all {} drives were done{kept}", drives.len());
        }
        Ok(done)
    }

    /// Whether the file of the drive's frames is there, where one is asked for.
    fn has_frames(&self, drive: &Named<'_>) -> bool {
        let written = |folder: &FramesFolder| drive.stem().is_some_and(|stem| folder.path(&stem).exists());
        self.frames.as_ref().is_none_or(written)
    }

    /// Evaluates the `missing` drives on `--jobs` threads; `each` gets every one as it is finished.
    fn on_threads(
        &self,
        drives: &[Named<'_>],
        missing: &[usize],
        mut each: impl FnMut(usize, Outcome) -> Result<(), StdoutError>,
    ) -> anyhow::Result<()> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.args.jobs.map_or(cores, usize::from).min(missing.len());
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
                        let outcome = self.evaluate(&drives[drive]);
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
                each(drive, outcome?)?;
            }
            Ok(())
        })
    }

    /// One drive from its first frame to its kept report. The outer error concerns all drives: results cannot be kept.
    fn evaluate(&self, drive: &Named<'_>) -> anyhow::Result<Outcome> {
        let (outcome, written) = match self.report(drive) {
            Ok((report, written)) => (Ok(report), written),
            Err(error) => (Err(format!("{error:#}")), Ok(())),
        };
        written?;
        // What a signal broke off has not failed.
        if let (Some(results), false) = (&self.results, interrupted().load(Ordering::Relaxed)) {
            if let (Ok(report), Some(fingerprint)) = (&outcome, &drive.fingerprint) {
                results.keep(fingerprint, report)?;
            }
            results.note(drive.asked, outcome.as_ref().err().map(String::as_str))?;
        }
        Ok(outcome)
    }

    /// The report, and whether the file of its frames was written.
    fn report(&self, drive: &Named<'_>) -> anyhow::Result<(Report, anyhow::Result<()>)> {
        let session = Session::open_with(&drive.asked.spec, &drive.asked.run, self.model.clone())?.for_numbers();
        session.refuse_live()?;
        let info = session.info.clone();
        let (mut exports, mut written) = (None, Ok(()));
        if let (Some(folder), Some(stem)) = (&self.frames, drive.stem()) {
            match folder.create(&stem, &info, &self.model) {
                Ok(file) => exports = Some(file),
                Err(error) => written = Err(error),
            }
        }
        let done = drive::run_quietly(session, |frame| {
            exports.iter_mut().for_each(|exports| exports.frame(frame));
            Ok(())
        })?;
        let files = drive.fingerprint.as_ref().map_or(String::new(), |fingerprint| fingerprint.content.clone());
        let report = Report::of(&info, files, drive.run.clone(), &self.model, &done)?;
        if let Some(exports) = exports {
            written = frames::finish(exports, &done);
        }
        Ok((report, written))
    }
}

/// Prints each drive's line when those before it are out.
struct Printer<'a> {
    json: bool,
    drives: &'a [Named<'a>],
    bar: &'a ProgressBar,
    next: usize,
}

impl Printer<'_> {
    fn print_ready(&mut self, outcomes: &[Option<Outcome>]) -> Result<(), StdoutError> {
        while let Some(Some(outcome)) = outcomes.get(self.next) {
            let source = &self.drives[self.next].asked.source;
            if !self.json {
                self.bar.suspend(|| print_line(source, outcome))?;
            }
            if let Err(error) = outcome {
                self.bar.suspend(|| warn!("deltasteer: {} failed: {error}", one_line(source)));
            }
            self.next += 1;
        }
        Ok(())
    }
}

fn print_line(source: &str, outcome: &Outcome) -> Result<(), StdoutError> {
    // The end of a long path tells more than its beginning.
    let source = one_line(source);
    let count = source.chars().count();
    let shown: String = source.chars().skip(count.saturating_sub(NAME_COLUMNS)).collect();
    let Ok(report) = outcome else { return say!("{shown:<NAME_COLUMNS$}  failed") };
    let of = &report.figures;
    let skipped = match report.skipped_frames + report.refused_frames {
        0 => String::new(),
        frames => format!("  {frames} frames unreadable"),
    };
    let unit = report.full_scale_rad.map_or(String::new(), |full| {
        let own = of.rmse_rad / f64::from(full);
        format!("  not an angle: {own:.4} of full lock, left out of the total's errors")
    });
    say!(
        "{shown:<NAME_COLUMNS$} {:>7}  {:>8.4} {:>7.4} {:>7.4} {:>7.1}x{skipped}{unit}",
        of.frames,
        of.rmse_rad,
        of.dense.rmse_rad,
        of.zero_rmse_rad,
        of.rnn.savings
    )?;
    // The notes of a made-up road tell its style; nothing can be wrong with it.
    let notes = report.notes.iter().filter(|_| !source.starts_with("road:"));
    notes.into_iter().try_for_each(|note| say!("  note: {}", one_line(note)))
}

fn print_total(total: &Total) -> Result<(), StdoutError> {
    let drives = if total.drives == 1 { "drive" } else { "drives" };
    let name = match total.failed {
        0 => format!("total of {} {drives}", total.drives),
        failed => format!("total of {} {drives} ({failed} failed)", total.drives),
    };
    let rad = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    say!(
        "{name:<NAME_COLUMNS$} {:>7}  {:>8} {:>7} {:>7} {:>8}",
        total.frames,
        rad(total.rmse_rad),
        rad(total.dense_rmse_rad),
        rad(total.zero_rmse_rad),
        total.savings.map_or("-".to_owned(), |savings| format!("{savings:.1}x")),
    )?;
    if total.network.macs_delta > 0 {
        say!(
            "whole network {:.4}x fewer MACs: the RNN is {:.2}% of the dense work",
            total.network.macs_dense as f64 / total.network.macs_delta as f64,
            100.0 * total.rnn.macs_dense as f64 / total.network.macs_dense as f64
        )?;
    }
    Ok(())
}
