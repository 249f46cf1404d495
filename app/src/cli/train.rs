//! Training on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::drive::CameraArgs;

/// `train`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TrainArgs {
    /// A training for research instead.
    #[command(subcommand)]
    pub research: Option<TrainCommand>,
    /// An own model.
    #[command(flatten)]
    pub own: OwnModelArgs,
}

/// `train DRIVE... --out DIR`.
#[derive(Debug, Args)]
pub struct OwnModelArgs {
    /// Drives with steering angles: recordings, videos with a .csv beside them, folders of these, or parts as SOURCE:FROM-TO in
    /// seconds
    #[arg(value_name = "DRIVE", required = true)]
    pub drives: Vec<String>,
    /// The model folder to write; the same command goes on with an interrupted training
    #[arg(long, value_name = "DIR", required = true)]
    pub out: Option<PathBuf>,
    /// A drive that validates and is never trained on, instead of the last fifth of each; may be given more than once
    #[arg(long, value_name = "SOURCE[:FROM-TO]")]
    pub val: Vec<String>,
    /// What matters most
    #[arg(long = "for", value_name = "PURPOSE", value_enum, default_value_t = PurposeArg::Balance)]
    pub purpose: PurposeArg,
    /// How many times fewer multiplications the RNN is to do: 100 for balance and 200 for savings, if not given
    #[arg(long, value_name = "TIMES", allow_negative_numbers = true)]
    pub savings: Option<f64>,
    /// The camera of all these drives.
    #[command(flatten)]
    pub camera: CameraArgs,
    /// Seed of everything that is random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// For research: a setting instead of the purpose's, such as features=128; may be given more than once
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// Replace a finished model in the folder
    #[arg(long)]
    pub force: bool,
    /// Train although labels and pictures seem not to belong together
    #[arg(long)]
    pub trust_labels: bool,
    /// Folder that caches trunk outputs between runs
    #[arg(long, value_name = "DIR", default_value = ".cache")]
    pub cache: PathBuf,
}

/// What an own model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PurposeArg {
    /// The lowest error
    Accuracy,
    /// A low error at a hundredfold less work of the RNN
    Balance,
    /// The same at two hundred times less
    Savings,
}

/// Trainings in which everything is set by hand.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// A whole CNN from scratch on single frames, for comparison: the front end of the delta network paper
    Cnn(ResearchArgs),
    /// The (delta) GRU and its steering head, on sequences of the frozen features
    Rnn(TrainRnnArgs),
}

/// What these trainings need.
#[derive(Debug, Clone, Args)]
pub struct ResearchArgs {
    /// A drive to train on, or its part from FROM to TO seconds; may be given more than once
    #[arg(long, value_name = "SOURCE[:FROM-TO]", required = true)]
    pub train: Vec<String>,
    /// A drive that selects the checkpoint and is never trained on; may be given more than once
    #[arg(long, value_name = "SOURCE[:FROM-TO]")]
    pub val: Vec<String>,
    /// Settings that differ from the defaults, as JSON
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// One setting, such as phases.0.rnn.optimiser.learning_rate=0.001; may be given more than once
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// Seed of everything that is random, instead of the recipe's seeds
    #[arg(long)]
    pub seed: Option<u64>,
    /// The model folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Keep each phase's checkpoint in DIR/.training; another training with the same phases can start from a copy
    #[arg(long)]
    pub keep_checkpoints: bool,
    /// Folder that caches trunk outputs between runs
    #[arg(long, value_name = "DIR", default_value = ".cache")]
    pub cache: PathBuf,
}

/// `train rnn`.
#[derive(Debug, Args)]
pub struct TrainRnnArgs {
    /// Drives, seed, settings, output.
    #[command(flatten)]
    pub common: ResearchArgs,
    /// Model folder whose frozen features are the inputs
    #[arg(long, value_name = "DIR", conflicts_with = "trunk")]
    pub features: Option<PathBuf>,
    /// The converted trunk, or a model folder to take it from: the feature layer is trained together with the RNN
    #[arg(long, value_name = "FILE|DIR")]
    pub trunk: Option<PathBuf>,
}
