//! `kuzet rules`: the life of a rule, from its first text on.

mod diff;
mod fmt;
mod graph;
mod new;
mod rearm;

use std::io::Write;

use clap::{Args, Subcommand};

/// Begin, lay out, compare, draw and re-arm rules
#[derive(Debug, Args)]
#[command(
    about = "Begin, lay out, compare, draw and re-arm rules",
    after_help = "Examples:
  kuzet rules new transfer-over-250k
  kuzet rules new many-transfers --from count-in-window rules/behaviour
  kuzet rules fmt --check
  kuzet rules diff git:HEAD
  kuzet rules rearm structuring-below-100k"
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
    }
}
