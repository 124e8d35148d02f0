//! `kuzet rules promote` and `kuzet rules demote`: a rule acts from now on, or only watches.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::adapters::files;
use crate::adapters::folders::Folder;
use crate::adapters::service_client::path_segment;
use crate::analysis::rule_tests;
use crate::app;
use crate::cli::asking;
use crate::cli::exit::{self, UsageError};
use crate::cli::test::rule_of_tests;
use crate::rules::program::Mode;
use crate::rules::{self, SourceFile, Vanishing, test_file};

pub(super) const PROMOTE_HELP: &str = "\
Sets `mode: enforce` in the rule's file, everything else as it is. With --url the running service does it in the file
that it reads, decides by it from the next operation on, and records who did it and why (kuzet rules history). Without,
the file of the folder is changed; a service that watches it takes it over, and records no name.

The rule's tests say `shadow:` where it was only watched: those that fail now are counted, to be changed by hand.

Exit code 1 when the rules do not load with the mode, or the service refuses; 64 when it does not answer.

Examples:
  kuzet rules promote structuring-below-100k
  KUZET_TOKEN=kzt_… kuzet rules promote structuring-below-100k --url https://kuzet:8480 --comment \"12 of 12 confirmed\"";

pub(super) const DEMOTE_HELP: &str = "\
Sets `mode: shadow` in the rule's file, everything else as it is. With --url the running service does it in the file
that it reads, decides by it from the next operation on, and records who did it and why (kuzet rules history). Without,
the file of the folder is changed; a service that watches it takes it over, and records no name.

What the rule placed stays in force: kuzet withdraw lifts it.

Exit code 1 when the rules do not load with the mode, or the service refuses; 64 when it does not answer.

Examples:
  kuzet rules demote structuring-below-100k
  KUZET_TOKEN=kzt_… kuzet rules demote structuring-below-100k --url https://kuzet:8480 --comment \"too many holds\"";

/// Which rule, and where.
#[derive(Debug, Args)]
pub(super) struct ModeArguments {
    /// The rule
    id: String,
    /// Folder of rules [default: ./rules]
    #[arg(value_name = "DIR", conflicts_with = "url")]
    folder: Option<PathBuf>,
    /// Ask the running service instead
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token with the role analyst [default: the variable KUZET_TOKEN]
    #[arg(long, value_name = "TOKEN", requires = "url")]
    token: Option<String>,
    /// Why; the service records it
    #[arg(long, value_name = "TEXT", requires = "url")]
    comment: Option<String>,
    /// Who does it, where the service has no tokens; otherwise it is the token's name
    #[arg(long, value_name = "NAME", requires = "url")]
    actor: Option<String>,
}

/// Gives the rule the mode; returns the exit code.
///
/// # Errors
/// There is no such rule, its file cannot be read or written, or the service does not answer.
pub(super) fn run(arguments: &ModeArguments, mode: Mode, out: &mut dyn Write) -> anyhow::Result<i32> {
    match &arguments.url {
        Some(url) => in_service(arguments, url, mode, out),
        None => in_file(&arguments.id, arguments.folder.as_deref().unwrap_or(Path::new("rules")), mode, out),
    }
}

fn in_service(arguments: &ModeArguments, url: &str, mode: Mode, out: &mut dyn Write) -> anyhow::Result<i32> {
    let client = asking::client(Some(url), arguments.token.as_deref())?;
    let mut body = json!({"mode": mode.name()});
    for (name, value) in [("comment", &arguments.comment), ("actor", &arguments.actor)] {
        if let Some(value) = value {
            body[name] = value.as_str().into();
        }
    }
    let path = format!("/v1/rules/{}/mode", path_segment(&arguments.id));
    match asking::answered(client.post_json(&path, body.to_string().as_bytes()))? {
        Ok(answer) => {
            let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            let (before, mode) = (text("before"), text("mode"));
            if before == mode {
                writeln!(out, "{}: {mode} already", text("rule"))?;
            } else {
                writeln!(out, "{}: {before} → {mode}, rule set {}", text("rule"), text("ruleset"))?;
            }
            Ok(exit::OK)
        }
        Err(refusal) => {
            writeln!(out, "refused: {refusal}")?;
            Ok(exit::NO)
        }
    }
}

fn in_file(id: &str, folder: &Path, mode: Mode, out: &mut dyn Write) -> anyhow::Result<i32> {
    let folder = Folder::Path(folder.to_path_buf());
    let mut sources = app::rule_sources(&folder)?;
    let before = app::compile_rules(&folder.name(), &sources, Vanishing::Refused)?;
    let found = before.rules.iter().find(|rule| *rule.id == *id);
    let rule = found.ok_or_else(|| UsageError(format!("no rule of {} is named {id}", folder.name())))?;
    if rule.mode == mode {
        writeln!(out, "{id}: {} already", mode.name())?;
        return Ok(exit::OK);
    }
    let text = rules::with_mode(&rule.source, mode);
    let text = text.ok_or_else(|| UsageError(format!("{} has no mode that could be replaced", rule.path)))?;
    for source in sources.iter_mut().filter(|source| source.path == rule.path) {
        source.bytes = text.clone().into_bytes();
    }
    let after = match rules::compile(&sources) {
        Ok(compiled) => compiled.rule_set,
        Err(found) => {
            out.write_all(rules::render_text(&found, &sources).as_bytes())?;
            writeln!(out, "{id}: {} as before, for the rules do not load with {}", rule.mode.name(), mode.name())?;
            return Ok(exit::NO);
        }
    };
    files::replace(Path::new(&rule.path), text.as_bytes()).with_context(|| format!("failed to write {}", rule.path))?;
    writeln!(out, "{id}: {} → {}, rule set {}", rule.mode.name(), mode.name(), after.hash)?;
    let failed = sources
        .iter()
        .filter(|source| rule_of_tests(&source.path) == Some(id))
        .filter_map(|source| Some((source, test_file::read(source).ok()?)))
        .map(|(source, tests)| (source, failing(&after, id, &tests)));
    for (source, failed) in failed.filter(|(_, failed)| *failed > 0) {
        let SourceFile { path, .. } = source;
        writeln!(out, "{failed} tests of {path} expect the other mode: kuzet test {} --only {id}", folder.name())?;
    }
    Ok(exit::OK)
}

fn failing(rules: &rules::program::RuleSet, id: &str, tests: &test_file::TestFile) -> usize {
    tests.tests.iter().filter(|test| !rule_tests::run(rules, id, test).mismatches.is_empty()).count()
}
