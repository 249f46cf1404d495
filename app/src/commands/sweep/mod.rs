//! `sweep`: models and thresholds over one drive, to a CSV and a picture; `figures`: the picture again from the CSV.
//!
//! - `plan`: what the command line asks for, checked
//! - `technique`: how a model was trained, in a word
//! - `features`: the drive through the CNN, once for all models that share a trunk
//! - `grid`: the RNNs over those features, models on several threads

mod features;
mod grid;
mod plan;
mod technique;

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::bail;
use deltasteer_data::Inputs;

use self::features::Features;
use self::plan::Plan;
use crate::cli::{FiguresArgs, SweepArgs};
use crate::drive::{interrupted, progress_bar};
use crate::figures::results::{self, Row};
use crate::figures::{lines, picture};
use crate::{output, say};

/// Runs `sweep`.
///
/// # Errors
/// Options that are wrong, a source or model that cannot be opened, a damaged CSV, or a signal; finished rows are kept.
pub fn run(args: &SweepArgs) -> anyhow::Result<()> {
    let read = Inputs::of(&args.source).paths.into_iter().chain(args.model.iter().cloned());
    let outputs = [Some(&args.out), args.svg.as_ref(), args.png.as_ref()].into_iter().flatten();
    output::check(&outputs.map(PathBuf::as_path).collect::<Vec<_>>(), &read.collect::<Vec<_>>())?;
    let mut plan = Plan::of(args)?;
    let mut rows = if args.out.exists() { results::read(&args.out)? } else { Vec::new() };
    forget_stale(&mut rows, &plan)?;
    let wanted: usize = plan.candidates.iter().map(|candidate| candidate.settings.len()).sum();
    for candidate in &mut plan.candidates {
        let done: Vec<&Row> = rows.iter().filter(|row| plan.part.covers(row) && candidate.is_model_of(row)).collect();
        candidate.settings.retain(|thresholds| {
            !done.iter().any(|row| (row.theta_x, row.theta_h) == (thresholds.theta_x, thresholds.theta_h))
        });
    }
    let missing: usize = plan.candidates.iter().map(|candidate| candidate.settings.len()).sum();
    if missing < wanted {
        say!("kept         {} of {wanted} rows in {}", wanted - missing, args.out.display())?;
    }
    plan.candidates.retain(|candidate| !candidate.settings.is_empty());
    if missing > 0 {
        let features = features::compute(&mut plan)?;
        fill(args, &plan, &features, &mut rows, missing)?;
    }
    picture::write(&rows, args.svg.as_deref(), args.png.as_deref())?;
    print(&rows)
}

/// Runs `figures`.
///
/// # Errors
/// A CSV that is missing or damaged, or a picture that cannot be written.
pub fn figures(args: &FiguresArgs) -> anyhow::Result<()> {
    if args.svg.is_none() && args.png.is_none() {
        bail!("expected --svg FILE, --png FILE or both");
    }
    let outputs = [&args.svg, &args.png].into_iter().flatten().map(PathBuf::as_path);
    output::check(&outputs.collect::<Vec<_>>(), std::slice::from_ref(&args.results))?;
    picture::write(&results::read(&args.results)?, args.svg.as_deref(), args.png.as_deref())
}

/// Drops rows of a model of the same name with other weights, and of a drive whose files have changed: they would be drawn as if
/// they were this one's.
fn forget_stale(rows: &mut Vec<Row>, plan: &Plan) -> anyhow::Result<()> {
    let retrained =
        |row: &Row| plan.candidates.iter().any(|model| model.name == row.model && model.weights != row.weights);
    let changed = |row: &Row| row.source == plan.part.source && row.files != plan.part.files;
    for (stale, why) in [
        (&retrained as &dyn Fn(&Row) -> bool, "models that have since been trained anew"),
        (&changed, "this drive, whose files have changed"),
    ] {
        let before = rows.len();
        rows.retain(|row| !stale(row));
        if rows.len() < before {
            say!("dropped      {} rows of {why}", before - rows.len())?;
        }
    }
    Ok(())
}

/// Computes the missing rows. After every finished model, and when interrupted, the file is written.
fn fill(args: &SweepArgs, plan: &Plan, features: &Features, rows: &mut Vec<Row>, missing: usize) -> anyhow::Result<()> {
    let bar = progress_bar(Some(missing)).with_message("thresholds and models");
    let outcome = grid::run(plan, features, &mut |new_rows| {
        bar.inc(new_rows.len() as u64);
        rows.extend(new_rows);
        rows.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
        results::write(&args.out, rows)
    });
    bar.finish_and_clear();
    outcome?;
    if interrupted().load(Ordering::Relaxed) {
        bail!("interrupted; the same command goes on from {}", args.out.display());
    }
    say!("written      {}", args.out.display())?;
    Ok(())
}

/// Sorts rows by technique, size, seed and thresholds.
fn order(row: &Row) -> impl PartialOrd + '_ {
    (&row.technique, row.inputs, row.hidden, row.seed, &row.model, row.theta_x, row.theta_h)
}

/// The points of each line.
fn print(rows: &[Row]) -> anyhow::Result<()> {
    say!("{:<44} {:>5} {:>9} {:>9} {:>17}", "technique", "seeds", "savings", "RMSE rad", "lowest-highest")?;
    for line in lines::lines(rows) {
        for point in &line.path {
            say!(
                "{:<44} {:>5} {:>8.1}x {:>9.4} {:>9.4}-{:.4}",
                line.label,
                line.seeds,
                point.savings,
                point.rmse_rad,
                point.lowest_rad,
                point.highest_rad
            )?;
        }
    }
    Ok(())
}
