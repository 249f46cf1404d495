//! `train`: from drives to a model folder.

mod cnn;
mod rnn;
mod shared;

use crate::cli::TrainCommand;

/// Runs one of the trainings.
///
/// # Errors
/// As those of the training.
pub fn run(command: &TrainCommand) -> anyhow::Result<()> {
    match command {
        TrainCommand::Cnn(args) => cnn::run(args),
        TrainCommand::Rnn(args) => rnn::run(args),
    }
}
