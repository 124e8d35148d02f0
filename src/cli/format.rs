//! How a command writes its answer.

use clap::ValueEnum;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a terminal.
    Text,
    /// For programs, as the service answers.
    Json,
}
