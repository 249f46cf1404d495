//! `replay`: a drive through a model, frame by frame into files.

use crate::cli::ReplayArgs;
use crate::commands::summary;
use crate::drive;
use crate::export::Exports;
use crate::session::Session;

/// Runs `replay`.
///
/// # Errors
/// In words for the user.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    args.export.check()?;
    let session = Session::open(&args.drive)?;
    let (info, model) = (session.info.clone(), session.model.clone());
    let mut exports = Exports::open(&args.export, &info, &model)?;
    let drive = drive::run(session, |result| exports.frame(result))?;
    let written = exports.finish(&drive)?;
    summary::print(&info, &model, &drive);
    for path in written {
        println!("written      {} ({} frames)", path.display(), drive.rows.len());
    }
    Ok(())
}
