//! `train`: from drives to a model folder.

mod features;
mod rnn;
mod shared;

use crate::cli::TrainCommand;

/// Runs `train features` or `train rnn`.
///
/// # Errors
/// In words for the user.
pub fn run(command: &TrainCommand) -> anyhow::Result<()> {
    match command {
        TrainCommand::Features(args) => features::run(args),
        TrainCommand::Rnn(args) => rnn::run(args),
    }
}
