//! `kuzet rules new`: a rule in shadow with its tests, made from a template.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::adapters::folders::Folder;
use crate::analysis::templates::{TEMPLATES, Template};
use crate::app;
use crate::cli::check::folder_of;
use crate::cli::exit::{self, UsageError};
use crate::rules::program::RuleSet;
use crate::rules::{self, SourceFile, Vanishing};

const AFTER_HELP: &str = "\
The rule is in shadow, loads as it is, and its tests notice every small change of it. Change the numbers in both files,
and reword its texts. Nothing is ever overwritten: an id that the rules have already is refused.

Examples:
  kuzet rules new --from list
  kuzet rules new transfer-over-250k
  kuzet rules new many-transfers --from count-in-window rules/behaviour";

/// Write a new rule in shadow with its tests, from a template
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct NewArguments {
    /// The id of the rule, and the name of its files
    #[arg(required_unless_present = "from")]
    id: Option<String>,
    /// Folder the files are put into: the folder of rules or one inside it [default: ./rules]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The template [default: transfer-amount]; `list` lists all
    #[arg(long, value_name = "TEMPLATE")]
    from: Option<String>,
}

/// Writes the files, or lists the templates.
///
/// # Errors
/// The id cannot be used or is taken, there is no such template, the rules that are there do not load, or the files
/// cannot be written.
pub(super) fn run(arguments: &NewArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let usage = |text: String| anyhow::Error::new(UsageError(text));
    if arguments.from.as_deref() == Some("list") {
        for template in &TEMPLATES {
            writeln!(out, "{:<16} {}", template.name, template.about)?;
        }
        return Ok(exit::OK);
    }
    let template = match &arguments.from {
        None => &TEMPLATES[0],
        Some(name) => Template::named(name).ok_or_else(|| {
            let known: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
            usage(format!("there is no template {name}; there are {}", known.join(", ")))
        })?,
    };
    let id = arguments.id.as_deref().ok_or_else(|| usage(String::from("the new rule needs an id")))?;
    if !rules::is_id(id) {
        return Err(usage(format!("`{id}` cannot be a rule id: {}", rules::IDS)));
    }
    let folder = arguments.folder.as_deref().unwrap_or(Path::new("rules"));
    if !folder.is_dir() {
        return Err(usage(format!(
            "failed to find the folder {}: name the one the rule is put into",
            folder.display()
        )));
    }
    let (rule_path, test_path) = (folder.join(format!("{id}.yaml")), folder.join(format!("{id}.test.yaml")));
    let set = Folder::Path(folder_of(&rule_path));
    let sources = app::rule_sources(&set)?;
    refuse_taken(id, &sources).map_err(usage)?;
    let rules = app::compile_rules(&set.name(), &sources, Vanishing::Allowed)?;
    let made = template.fill(id, &rules.lists).ok_or_else(|| usage(no_list(template, &set, &rules)))?;
    write_new(&rule_path, &made.rule)?;
    if let Err(error) = write_new(&test_path, &made.tests) {
        // A rule without its tests is half of what was asked for; the first error is the one to tell.
        fs::remove_file(&rule_path).unwrap_or(());
        return Err(error);
    }
    let set = set.name();
    writeln!(out, "wrote {} and {}", rule_path.display(), test_path.display())?;
    writeln!(out, "\nChange both, then:")?;
    writeln!(out, "  kuzet check {set}")?;
    writeln!(out, "  kuzet test {set} --mutate --only {id}")?;
    writeln!(out, "  kuzet backtest operations.jsonl --rules {set}")?;
    Ok(exit::OK)
}

/// A rule, or tests, of this id anywhere in the set.
fn refuse_taken(id: &str, sources: &[SourceFile]) -> Result<(), String> {
    let names = [format!("{id}.yaml"), format!("{id}.test.yaml")];
    let is_taken = |source: &&SourceFile| {
        let name = source.inside().rsplit(['/', '\\']).next().unwrap_or_default();
        names.iter().any(|taken| name.eq_ignore_ascii_case(taken))
    };
    match sources.iter().find(is_taken) {
        Some(taken) => Err(format!("there is already {}; choose another id", taken.path)),
        None => Ok(()),
    }
}

fn no_list(template: &Template, set: &Folder, rules: &RuleSet) -> String {
    let known: Vec<&str> = rules.lists.iter().map(|list| &*list.name).collect();
    let found = if known.is_empty() { String::from("none") } else { known.join(", ") };
    format!(
        "the template {} needs a list of the type `wallet` in {}/data/lists.yaml, such as \
         `flagged: {{type: wallet, file: flagged.csv}}`; lists found: {found}",
        template.name,
        set.name()
    )
}

/// Writes a file that was not there before.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("failed to write {}", path.display());
    let mut file = File::options().write(true).create_new(true).open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(failed)
}
