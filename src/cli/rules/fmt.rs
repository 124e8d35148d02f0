//! `kuzet rules fmt`: rule files in the layout of all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::adapters::files;
use crate::adapters::folders::{self, Folder};
use crate::analysis::formatting::{self, Outcome, Tally};
use crate::app;
use crate::cli::exit::{self, UsageError};
use crate::rules::{FileKind, SourceFile};

const AFTER_HELP: &str = "\
Keys come in the order of the rule reference, indentation is two blanks, and between the words of a condition there is
one. Comments are kept, and so is what the rules mean: their hash stays the same. Tests and data are left alone.

Exit code 1 when with --check a file would change, or a file cannot be laid out.

Examples:
  kuzet rules fmt
  kuzet rules fmt rules/section7/transfer-over-100k.yaml
  kuzet rules fmt --check";

/// Write rule files in the layout of all, comments kept
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct FmtArguments {
    /// Folder of rules, or one rule file [default: ./rules]
    #[arg(value_name = "DIR|FILE")]
    rules: Option<PathBuf>,
    /// Change nothing, and show what would change
    #[arg(long)]
    check: bool,
}

/// Lays out the files; returns the exit code.
///
/// # Errors
/// A file cannot be read or written, or the answer cannot be written.
pub(super) fn run(arguments: &FmtArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let place = arguments.rules.as_deref().unwrap_or(Path::new("rules"));
    let mut tally = Tally::default();
    for source in &sources(place)? {
        let outcome = formatting::lay_out(source);
        if let Outcome::Changed(text) = &outcome
            && !arguments.check
        {
            let failed = || format!("failed to write {}", source.path);
            files::replace(Path::new(&source.path), text.as_bytes()).with_context(failed)?;
        }
        tally.add(&outcome);
        out.write_all(formatting::told(source, &outcome, arguments.check).as_bytes())?;
    }
    out.write_all(tally.told(!arguments.check).as_bytes())?;
    Ok(if tally.left > 0 || (arguments.check && tally.changed > 0) { exit::NO } else { exit::OK })
}

/// Reads the rule files of a folder, or one.
fn sources(place: &Path) -> anyhow::Result<Vec<SourceFile>> {
    if place.is_file() {
        let bytes = fs::read(place).with_context(|| format!("failed to read {}", place.display()))?;
        let file = SourceFile::new(place.display().to_string(), bytes);
        if FileKind::of(&file) != FileKind::Rule {
            anyhow::bail!(UsageError(format!("{} is no rule file: those are named ID.yaml", place.display())));
        }
        return Ok(vec![file]);
    }
    let Folder::Path(folder) = folders::rules_folder(Some(place))? else { return Ok(Vec::new()) };
    let mut sources = app::rule_sources(&Folder::Path(folder))?;
    sources.retain(|source| FileKind::of(source) == FileKind::Rule);
    Ok(sources)
}
