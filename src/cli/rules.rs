//! `kuzet rules`: the life of a rule, from its first text on.

mod diff;
mod fmt;
mod graph;
mod history;
mod mode;
mod new;
mod rearm;

use std::io::Write;

use clap::{Args, Subcommand};

use crate::rules::program::Mode;

/// Begin, lay out, compare, draw, promote and re-arm rules; show how they changed
#[derive(Debug, Args)]
#[command(
    about = "Begin, lay out, compare, draw, promote and re-arm rules; show how they changed",
    after_help = "Examples:
  kuzet rules new transfer-over-250k
  kuzet rules new many-transfers --from count-in-window rules/behaviour
  kuzet rules fmt --check
  kuzet rules diff git:HEAD
  kuzet rules rearm structuring-below-100k
  kuzet rules history --store kuzet-data"
)]
pub struct RulesArguments {
    #[command(subcommand)]
    command: RulesCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum RulesCommand {
    New(new::NewArguments),
    Fmt(fmt::FmtArguments),
    Diff(diff::DiffArguments),
    Graph(graph::GraphArguments),
    Rearm(rearm::RearmArguments),
    History(history::HistoryArguments),
    /// Let a rule act that was only watched: mode enforce
    #[command(after_help = mode::PROMOTE_HELP)]
    Promote(mode::ModeArguments),
    /// Let a rule only be watched: mode shadow
    #[command(after_help = mode::DEMOTE_HELP)]
    Demote(mode::ModeArguments),
}

/// Runs the command.
///
/// # Errors
/// Rules cannot be read or written, or the answer cannot be.
pub fn run(arguments: &RulesArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    match &arguments.command {
        RulesCommand::New(arguments) => new::run(arguments, out),
        RulesCommand::Fmt(arguments) => fmt::run(arguments, out),
        RulesCommand::Diff(arguments) => diff::run(arguments, out),
        RulesCommand::Graph(arguments) => graph::run(arguments, out),
        RulesCommand::Rearm(arguments) => rearm::run(arguments, out),
        RulesCommand::History(arguments) => history::run(arguments, out),
        RulesCommand::Promote(arguments) => mode::run(arguments, Mode::Enforce, out),
        RulesCommand::Demote(arguments) => mode::run(arguments, Mode::Shadow, out),
    }
}
