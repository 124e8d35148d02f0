//! `kuzet rules diff`: what changes in meaning from one rule set to another.

use std::io::Write;

use clap::Args;

use crate::analysis::rule_diff::{self, SetDiff};
use crate::cli::backtest::load;
use crate::cli::exit;
use crate::cli::format::Format;

const AFTER_HELP: &str = "\
Each set is a folder, or git:REVISION: the folder `rules` as it was in that revision; git:REVISION:PATH names another.
Layout, comments and moved files are no difference. Whom a change would have touched, kuzet backtest tells.

Exit codes: 0 when both mean the same, 1 when they differ.

Examples:
  kuzet rules diff git:HEAD
  kuzet rules diff git:v1.4 git:HEAD --format json
  kuzet rules diff git:HEAD~3:rules rules";

/// Show what changes in meaning from one rule set to another
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct DiffArguments {
    /// The rules before the change
    #[arg(value_name = "A")]
    before: String,
    /// The rules after it [default: ./rules, else the embedded ones]
    #[arg(value_name = "B")]
    after: Option<String>,
    /// How the difference is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Compares the sets; returns the exit code.
///
/// # Errors
/// Rules cannot be read or do not load, or the answer cannot be written.
pub(super) fn run(arguments: &DiffArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let before = load(Some(&arguments.before))?;
    let after = load(arguments.after.as_deref())?;
    let diff = SetDiff::of((&before.name, &before.rules), (&after.name, &after.rules))
        .with_backtest(&before.name, arguments.after.as_deref());
    match arguments.format {
        Format::Text => out.write_all(rule_diff::text(&diff).as_bytes())?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&diff)?)?,
    }
    Ok(if diff.is_empty() { exit::OK } else { exit::NO })
}
