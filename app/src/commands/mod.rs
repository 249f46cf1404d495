//! The subcommands, one file each.

pub mod bench;
mod demo;
mod eval;
mod info;
mod replay;
mod summary;
mod sweep;
mod train;
#[cfg(feature = "window")]
mod view;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::interrupt::interrupted;

/// Carries out what the command line asks for; the process's exit status.
///
/// # Errors
/// What went wrong, naming the file or option.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if !matches!(cli.command, Command::Info(_) | Command::Demo(_) | Command::View(_)) {
        // From here on a signal ends the work at a safe place; the window is closed by its first signal.
        interrupted();
    }
    match cli.command {
        Command::Eval(args) => return eval::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Figures(args) => sweep::figures(&args),
        Command::Train(args) => train::run(&args),
        #[cfg(feature = "window")]
        Command::View(args) => view::run(&args),
        #[cfg(not(feature = "window"))]
        Command::View(_) => anyhow::bail!("view: this build has no window; build with the default features"),
        Command::Bench(command) => bench::run(&command),
    }?;
    Ok(ExitCode::SUCCESS)
}
