//! `kuzet rules graph`: which rules read what, as a picture.

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::analysis::rule_graph::{self, Language};
use crate::cli::backtest::load;
use crate::cli::exit::{self, UsageError};

const AFTER_HELP: &str = "\
Arrows lead from what is read to the rule that reads it: lists, the table of the MRP, geo databases, windows (those that
wallets share as hexagons), and the matches of other rules. Rules in shadow are dashed, those that are off are dotted.

Examples:
  kuzet rules graph rules > rules.mmd
  kuzet rules graph --only repeated-suspicion-block
  kuzet rules graph --format dot | dot -Tsvg > rules.svg";

/// Draw which rules read what: lists, tables, windows, matches
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct GraphArguments {
    /// The rules [default: ./rules, else the embedded ones]
    #[arg(value_name = "DIR|git:REV")]
    rules: Option<String>,
    /// Draw one rule with what it reads
    #[arg(long, value_name = "RULE")]
    only: Option<String>,
    /// The language of the picture
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
}

/// The language of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Shown by GitHub and GitLab in documents.
    Mermaid,
    /// Of Graphviz.
    Dot,
}

/// Draws the picture; returns the exit code.
///
/// # Errors
/// Rules cannot be read or do not load, there is no such rule, or the answer cannot be written.
pub(super) fn run(arguments: &GraphArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let set = load(arguments.rules.as_deref())?;
    let language = match arguments.format {
        Format::Mermaid => Language::Mermaid,
        Format::Dot => Language::Dot,
    };
    let drawn = rule_graph::draw(&set.rules, arguments.only.as_deref(), language);
    out.write_all(drawn.map_err(|error| UsageError(error.to_string()))?.as_bytes())?;
    Ok(exit::OK)
}
