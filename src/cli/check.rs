//! `kuzet check`: validates every rule, test and data file of a folder and shows all errors at once.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::adapters::folders;
use crate::app;
use crate::cli::exit;
use crate::rules::diagnostic::render;
use crate::rules::program::{Mode, RuleSet};
use crate::rules::{self, Diagnostic, FileKind, Severity, SourceFile, test_file};

/// Arguments of `kuzet check`.
#[derive(Debug, Args)]
#[command(
    about = "Check all rule and data files and show every error with its place",
    after_help = "Exit codes: 0 when the rules load, 1 when there are errors.

Examples:
  kuzet check
  kuzet check rules --format sarif > check.sarif"
)]
pub struct CheckArguments {
    /// Folder of rules; `./rules` or the built-in rules when not given
    #[arg(value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people, the way rustc writes.
    Text,
    /// One JSON document, for editors.
    Json,
    /// SARIF 2.1.0, for CI.
    Sarif,
}

/// Checks the folder and writes findings; returns the exit code.
///
/// # Errors
/// The folder cannot be read, or the output cannot be written.
pub fn run(arguments: &CheckArguments, color: bool, out: &mut impl Write) -> anyhow::Result<i32> {
    let folder = folders::rules_folder(arguments.rules.as_deref())?;
    let files = app::rule_sources(&folder)?;
    let (rule_set, diagnostics) = check(&files);
    let text = match arguments.format {
        CheckFormat::Text if color => render::render_colored(&diagnostics, &files),
        CheckFormat::Text => rules::render_text(&diagnostics, &files),
        CheckFormat::Json => rules::render_json(&diagnostics, &files),
        CheckFormat::Sarif => rules::render_sarif(&diagnostics, &files),
    };
    out.write_all(text.as_bytes())?;
    let errors = count(&diagnostics, Severity::Error);
    if arguments.format == CheckFormat::Text {
        let warnings = count(&diagnostics, Severity::Warning);
        match &rule_set {
            Some(rule_set) if errors == 0 => writeln!(out, "{}", summary(rule_set, warnings))?,
            _ => writeln!(out, "{errors} errors, {warnings} warnings in {} files", files.len())?,
        }
    }
    out.flush()?;
    Ok(if errors == 0 { exit::OK } else { exit::NO })
}

/// Compiles the rules and parses their tests. The rule set is there when the rules load.
#[must_use]
pub fn check(files: &[SourceFile]) -> (Option<RuleSet>, Vec<Diagnostic>) {
    let (rule_set, mut diagnostics) = match rules::compile(files) {
        Ok(compiled) => (Some(compiled.rule_set), compiled.warnings),
        Err(diagnostics) => (None, diagnostics),
    };
    for file in files.iter().filter(|file| FileKind::of(&file.path) == FileKind::Test) {
        diagnostics.extend(test_file::read(file).err().unwrap_or_default());
    }
    diagnostics.sort_by(|a, b| (&a.path, a.span.start).cmp(&(&b.path, b.span.start)));
    (rule_set, diagnostics)
}

fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|found| found.severity == severity).count()
}

fn summary(rule_set: &RuleSet, warnings: usize) -> String {
    let of_mode = |mode: Mode| rule_set.rules.iter().filter(|rule| rule.mode == mode).count();
    format!(
        "{} rules load: {} enforce, {} shadow, {} off; {} lists, {warnings} warnings, rule set {}",
        rule_set.rules.len(),
        of_mode(Mode::Enforce),
        of_mode(Mode::Shadow),
        of_mode(Mode::Off),
        rule_set.lists.len(),
        rule_set.hash,
    )
}
