//! `kuzet rules fmt`: rule files in the layout of all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::adapters::files;
use crate::adapters::folders::{self, Folder};
use crate::app;
use crate::cli::exit::{self, UsageError};
use crate::cli::line_diff;
use crate::rules::layout::{self, NotLaidOut};
use crate::rules::{self, FileKind, SourceFile};

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
    let (mut changed, mut left) = (0_usize, 0_usize);
    let sources = sources(place)?;
    for source in &sources {
        let Ok(text) = std::str::from_utf8(&source.bytes) else {
            left += 1;
            writeln!(out, "{}: not UTF-8, left as it is", source.path)?;
            continue;
        };
        match layout::lay_out(&source.path, text) {
            Ok(laid_out) if laid_out == text => {}
            Ok(laid_out) => {
                changed += 1;
                if arguments.check {
                    out.write_all(line_diff::unified(&source.path, text, &laid_out).as_bytes())?;
                } else {
                    let failed = || format!("failed to write {}", source.path);
                    files::replace(Path::new(&source.path), laid_out.as_bytes()).with_context(failed)?;
                    writeln!(out, "{}", source.path)?;
                }
            }
            Err(NotLaidOut::Unreadable(findings)) => {
                left += 1;
                out.write_all(rules::render_text(&findings, &sources).as_bytes())?;
            }
            Err(NotLaidOut::WouldChange) => {
                left += 1;
                writeln!(out, "{}: left as it is, for it cannot be laid out without changing it", source.path)?;
            }
        }
    }
    let verb = if arguments.check { "would change" } else { "changed" };
    let left_over = if left > 0 { format!(", {left} left as they are") } else { String::new() };
    writeln!(out, "{} rule files, {changed} {verb}{left_over}", sources.len())?;
    Ok(if left > 0 || (arguments.check && changed > 0) { exit::NO } else { exit::OK })
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
