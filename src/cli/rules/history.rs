//! `kuzet rules history`: when the rules changed, who changed them and what it changed.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::asking;
use crate::cli::config::environment;
use crate::cli::exit::{self, UsageError};
use crate::cli::format::Format;
use crate::cli::store::open;
use crate::config;
use crate::service::rule_log;

const AFTER_HELP: &str = "\
Newest first. Who it was is the name of the token; a change of files that the service noticed by itself has nobody's
name. The store keeps the texts of every rule set that decided something, so that the difference to the one before is
shown; sets of the time before changes were recorded are listed without one.
Exit code 1 when the service refuses; 64 when it does not answer.

Examples:
  kuzet rules history --store kuzet-data
  KUZET_TOKEN=kzt_… kuzet rules history --url https://kuzet:8480 --limit 5
  kuzet rules history --store kuzet-data --format json";

/// Show when the rules changed, who changed them and what it changed
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct HistoryArguments {
    /// The store's folder; the service must not be running [default: `path` in [store] of ./kuzet.toml]
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    store: Option<PathBuf>,
    /// Ask the running service instead
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token with the role support or analyst [default: the variable KUZET_TOKEN]
    #[arg(long, value_name = "TOKEN", requires = "url")]
    token: Option<String>,
    /// How many changes at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Writes the history; returns the exit code.
///
/// # Errors
/// The store or the configuration cannot be read, the service does not answer, or the output cannot be written.
pub(super) fn run(arguments: &HistoryArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let limit = arguments.limit.to_string();
    let history = match &arguments.url {
        Some(url) => {
            let client = asking::client(Some(url), arguments.token.as_deref())?;
            match asking::answered(client.get("/v1/rules/history", &[("limit", &limit)]))? {
                Ok(history) => history,
                Err(refusal) => {
                    writeln!(out, "refused: {refusal}")?;
                    return Ok(exit::NO);
                }
            }
        }
        None if arguments.token.is_some() => {
            return Err(UsageError(String::from("--token needs --url")).into());
        }
        None => {
            let folder = match &arguments.store {
                Some(folder) => folder.clone(),
                None => config::load(None, environment())?.store.path,
            };
            json!({"history": rule_log::history(&open(&folder)?, usize::from(arguments.limit))?})
        }
    };
    match arguments.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&history)?)?,
        Format::Text => {
            for change in history["history"].as_array().into_iter().flatten() {
                show(change, out)?;
            }
        }
    }
    Ok(exit::OK)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn show(change: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let at = change["at"].as_str().unwrap_or("time unknown");
    let by = change["by"].as_str().map(|by| format!(" by {by}")).unwrap_or_default();
    let cause = match text(&change["cause"]) {
        "" => String::new(),
        "start" => String::from(", at the start of the service"),
        "files" => String::from(", files changed"),
        "mode" => String::from(", another mode"),
        "save" => String::from(", files saved"),
        other => format!(", {other}"),
    };
    writeln!(out, "{at}  rule set {}{cause}{by}", text(&change["ruleset"]))?;
    if let Some(comment) = change["comment"].as_str() {
        writeln!(out, "  comment: {comment}")?;
    }
    if let Some(missing) = change["missing"].as_str() {
        writeln!(out, "  no difference is shown: {missing}")?;
    }
    let changes = &change["changes"];
    for word in ["added", "removed"] {
        for rule in changes[word].as_array().into_iter().flatten() {
            writeln!(out, "  {word} {}, {}", text(&rule["rule"]), text(&rule["mode"]))?;
        }
    }
    for rule in changes["changed"].as_array().into_iter().flatten() {
        for part in rule["parts"].as_array().into_iter().flatten() {
            show_part(text(&rule["rule"]), part, out)?;
        }
    }
    for list in changes["lists"].as_array().into_iter().flatten() {
        let count = |word: &str| list[word]["count"].as_u64().unwrap_or(0);
        let (added, removed, changed) = (count("added"), count("removed"), count("changed"));
        writeln!(out, "  list {}: {added} values added, {removed} removed, {changed} changed", text(&list["list"]))?;
    }
    for row in changes["mrp"].as_array().into_iter().flatten() {
        let value = |word: &str| row[word].as_str().unwrap_or("none").to_owned();
        writeln!(out, "  MRP from {}: {} → {}", text(&row["from"]), value("before"), value("after"))?;
    }
    Ok(())
}

/// A part of a rule in one line, of a condition what differs in it.
fn show_part(rule: &str, part: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let value = |of: &Value| {
        let text = of.as_str().unwrap_or("none").split_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().count() > 60 { format!("{}…", text.chars().take(60).collect::<String>()) } else { text }
    };
    let details = part["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    if details.is_empty() {
        let (before, after) = (value(&part["before"]), value(&part["after"]));
        return writeln!(out, "  changed {rule}, {}: {before} → {after}", text(&part["part"]));
    }
    for detail in details {
        let of = detail["of"].as_str().map(|of| format!(" of {of}")).unwrap_or_default();
        let (before, after) = (value(&detail["before"]), value(&detail["after"]));
        writeln!(out, "  changed {rule}, {}{of}: {before} → {after}", text(&detail["what"]))?;
    }
    Ok(())
}
