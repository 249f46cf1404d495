//! The subcommands, one file each.

pub mod bench;
mod demo;
mod eval;
mod info;
mod replay;
mod summary;
mod sweep;
mod train;
mod view;

use std::process::ExitCode;

use crate::cli::{Cli, Command};

/// Carries out what the command line asks for; the process's exit status.
///
/// # Errors
/// In words for the user.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Eval(args) => return eval::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Figures(args) => sweep::figures(&args),
        Command::Train(command) => train::run(&command),
        Command::View(args) => view::run(&args),
        Command::Bench(command) => bench::run(&command),
    }?;
    Ok(ExitCode::SUCCESS)
}
