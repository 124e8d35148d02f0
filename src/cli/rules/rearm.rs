//! `kuzet rules rearm`: lets a rule act again that has exceeded its budget, by asking the running service.

use std::io::Write;

use clap::Args;

use crate::adapters::service_client::path_segment;
use crate::cli::asking::{self, AskingArguments};
use crate::cli::exit;

const AFTER_HELP: &str = "\
A rule that exceeded its budget only watches until somebody lets it act again. That is an operation like any other, with
the actor's name: it is recorded, and a replay comes to the same. What the rule stopped before is not counted any more.
In a fleet one such operation goes to each shard, and does nothing where the rule has not exceeded its budget.
Look first at what the rule stopped, and take it back where it was wrong (`kuzet withdraw`).
Exit code 1 when the service refuses; 64 when it does not answer.

Examples:
  kuzet rules rearm structuring-below-100k
  KUZET_TOKEN=kzt_… kuzet rules rearm structuring-below-100k --url https://kuzet:8480";

/// Let a rule act again that has exceeded its budget
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct RearmArguments {
    /// The rule's id
    id: String,
    #[command(flatten)]
    asking: AskingArguments,
}

/// Asks the service.
///
/// # Errors
/// An argument is not right, the service does not answer, or the output cannot be written.
pub(super) fn run(arguments: &RearmArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let RearmArguments { id, asking } = arguments;
    let path = format!("/v1/rules/{}/rearm", path_segment(id));
    let query: Vec<(&str, &str)> = asking.actor.as_deref().map(|actor| ("actor", actor)).into_iter().collect();
    match asking::post(&asking.client()?, &path, &query)? {
        Ok(done) => {
            match done["op_ids"].as_array() {
                Some(sent) => writeln!(out, "{id} acts again as soon as {} shards have decided it", sent.len())?,
                None => writeln!(out, "{id} acts again since decision {}", done["seq"])?,
            }
            Ok(exit::OK)
        }
        Err(problem) => {
            writeln!(out, "refused: {problem}")?;
            Ok(exit::NO)
        }
    }
}
