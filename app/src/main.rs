//! The command `deltasteer`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match deltasteer::commands::run(deltasteer::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deltasteer: {error:#}");
            ExitCode::FAILURE
        }
    }
}
