//! `replay`: a drive through a model, frame by frame into files.

use deltasteer_data::Inputs;

use crate::cli::ReplayArgs;
use crate::commands::summary;
use crate::export::Exports;
use crate::session::Session;
use crate::{drive, output, say};

/// Runs `replay`.
///
/// # Errors
/// A drive that cannot be run, or an output that could not be written; the others are complete.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let (spec, run, outputs) = (args.drive.spec(), args.drive.run.options(), args.export.outputs());
    let read: Vec<_> = Inputs::of(&spec).paths.into_iter().chain(run.model.clone()).collect();
    output::check(&outputs.paths(), &read)?;
    let session = Session::open(&spec, &run)?;
    let session = if outputs.show_pictures() { session } else { session.for_numbers() };
    let (info, model) = (session.info.clone(), session.model.clone());
    let mut exports = Exports::open(&outputs, &info, &model)?;
    let drive = drive::run(session, |result| {
        exports.frame(result);
        Ok(())
    })?;
    let written = exports.finish(&drive);
    summary::print(&info, &model, &drive)?;
    for path in &written.complete {
        say!("written      {} ({} frames)", path.display(), drive.frames)?;
    }
    if !written.lost.is_empty() {
        anyhow::bail!("{} of {} outputs could not be written", written.lost.len(), outputs.paths().len());
    }
    Ok(())
}
