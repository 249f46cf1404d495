//! `train`: from drives to a model folder.

mod cnn;
mod own;
mod rnn;
mod shared;

use crate::cli::{TrainArgs, TrainCommand};

/// Runs one of the trainings.
///
/// # Errors
/// As those of the training.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    match &args.research {
        Some(TrainCommand::Cnn(args)) => cnn::run(args),
        Some(TrainCommand::Rnn(args)) => rnn::run(args),
        None => own::run(&args.own),
    }
}
