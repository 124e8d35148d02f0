//! `kuzet rules new`: a rule in shadow with its tests, made from a template.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::adapters::folders::Folder;
use crate::analysis::templates::{self, NotMade, TEMPLATES, Template};
use crate::app;
use crate::cli::check::folder_of;
use crate::cli::exit::{self, UsageError};
use crate::rules::Vanishing;

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
    let template = Template::named(arguments.from.as_deref()).map_err(not_made)?;
    let id = arguments.id.as_deref().ok_or_else(|| usage(String::from("the new rule needs an id")))?;
    templates::check_id(id).map_err(not_made)?;
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
    templates::check_free(id, &sources).map_err(not_made)?;
    let rules = app::compile_rules(&set.name(), &sources, Vanishing::Allowed)?;
    let made = template.make(id, &rules.lists, &format!("{}/", set.name())).map_err(not_made)?;
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

fn not_made(reason: NotMade) -> anyhow::Error {
    UsageError(reason.to_string()).into()
}

/// Writes a file that was not there before.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("failed to write {}", path.display());
    let mut file = File::options().write(true).create_new(true).open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(failed)
}
