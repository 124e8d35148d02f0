//! `kuzet check`: validates every rule, test and data file of a folder and shows all errors at once.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use clap::{Args, ValueEnum};

use crate::adapters::clock;
use crate::adapters::folders::{self, Folder};
use crate::analysis::budget::Cost;
pub use crate::analysis::check::check;
use crate::app;
use crate::cli::exit::{self, UsageError};
use crate::geo::{DatabaseKind, SAMPLE_WARNING};
use crate::rules::diagnostic::{Code, render};
use crate::rules::program::{Inputs, Mode, Rule, RuleSet};
use crate::rules::{self, Diagnostic, Severity};

/// Check all rule and data files and show every error with its place
#[derive(Debug, Args)]
#[command(
    about = "Check all rule and data files and show every error with its place",
    after_help = "Exit codes: 0 when the rules load, 1 when there are errors.

Examples:
  kuzet check
  kuzet check rules/section7/transfer-over-100k.yaml
  kuzet check rules --format sarif > check.sarif
  kuzet check --explain money-without-unit"
)]
pub struct CheckArguments {
    /// Folder of rules, or one file of it; `./rules` or the built-in rules when not given
    #[arg(value_name = "DIR|FILE")]
    pub rules: Option<PathBuf>,
    /// Folder of country.mmdb and anonymizer.mmdb [default: ./geoip, else the embedded ones]
    #[arg(long, value_name = "DIR")]
    pub geoip: Option<PathBuf>,
    /// Accept a folder without any rule
    #[arg(long)]
    pub allow_empty: bool,
    /// Tell what a code of a finding means, with an example and what to write instead; all codes when none is named
    #[arg(long, value_name = "CODE", num_args = 0..=1, conflicts_with_all = ["rules", "geoip", "allow_empty", "notes", "today"])]
    pub explain: Option<Option<String>>,
    /// Show the notes too: what is not wrong, and good to know
    #[arg(long)]
    pub notes: bool,
    /// The day that the MRP table is looked at for, in Almaty [default: today]
    #[arg(long, value_name = "DATE")]
    pub today: Option<NaiveDate>,
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
/// The folder cannot be read, no finding has the code to be explained, or the output cannot be written.
pub fn run(arguments: &CheckArguments, color: bool, out: &mut impl Write) -> anyhow::Result<i32> {
    if let Some(code) = &arguments.explain {
        return explain(code.as_deref(), out);
    }
    let one = arguments.rules.as_deref().filter(|path| path.is_file());
    let folder = match one {
        Some(file) => Folder::Path(folder_of(file)),
        None => folders::rules_folder(arguments.rules.as_deref())?,
    };
    let files = app::rule_sources(&folder)?;
    let today = arguments.today.unwrap_or_else(|| clock::now().almaty_date());
    let (rule_set, mut diagnostics) = check(&files, today);
    let elsewhere = one.map_or(0, |file| keep_findings_of(file, &mut diagnostics));
    if rule_set.as_ref().is_some_and(|rule_set| rule_set.rules.is_empty()) && !arguments.allow_empty {
        diagnostics.push(no_rules(&folder.name()));
    }
    let shows_notes = arguments.notes || arguments.format != CheckFormat::Text;
    let notes = count(&diagnostics, Severity::Note);
    diagnostics.retain(|found| shows_notes || found.severity != Severity::Note);
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
            Some(rule_set) if errors == 0 => {
                writeln!(out, "{}", summary(rule_set, warnings))?;
                writeln!(out, "{}", Cost::of(&Arc::new(rule_set.clone())))?;
                if let Some(warning) = geo_warning(rule_set, arguments.geoip.as_deref())? {
                    writeln!(out, "warning: {warning}")?;
                }
            }
            _ => {
                let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
                let place = one.map_or_else(|| counted(files.len(), "file"), |file| file.display().to_string());
                writeln!(out, "{errors}, {warnings} in {place}")?;
            }
        }
        if elsewhere > 0 {
            let (found, folder) = (counted(elsewhere, "finding"), folder.name());
            writeln!(out, "{found} in other files: `kuzet check {folder}` shows all")?;
        }
        if notes > 0 && !shows_notes {
            let (notes, folder) = (counted(notes, "note"), folder.name());
            writeln!(out, "{notes}: `kuzet check {folder} --notes` shows what is good to know")?;
        }
        if let Some(more) = rules::more_about(&diagnostics) {
            writeln!(out, "{more}")?;
        }
    }
    out.flush()?;
    Ok(if errors == 0 { exit::OK } else { exit::NO })
}

/// Writes the explanation of one code, or the list of all.
fn explain(code: Option<&str>, out: &mut impl Write) -> anyhow::Result<i32> {
    let text = match code {
        None => Code::list(),
        Some(name) => {
            let code = Code::from_name(name).ok_or_else(|| unknown_code(name))?;
            code.explained()
        }
    };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(exit::OK)
}

fn unknown_code(name: &str) -> UsageError {
    let meant = Code::nearest_to(name).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    UsageError(format!("no finding has the code `{name}`{meant} (`kuzet check --explain` lists all)"))
}

/// Finds the folder of rules that holds a file: the nearest above it that has the data of rules, or is named `rules`;
/// else the one it lies in. What a rule means depends on the others and on the lists.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    let lies_in = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let has_data =
        |folder: &Path| ["mrp.yaml", "lists.yaml"].iter().any(|name| folder.join("data").join(name).is_file());
    let is_whole = |folder: &&Path| has_data(folder) || folder.file_name().is_some_and(|name| name == "rules");
    lies_in.ancestors().find(is_whole).unwrap_or(lies_in).to_path_buf()
}

/// Leaves the findings of one file; returns how many there were of others.
fn keep_findings_of(file: &Path, diagnostics: &mut Vec<Diagnostic>) -> usize {
    let all = diagnostics.len();
    let is_it = |path: &str| match (Path::new(path).canonicalize(), file.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => Path::new(path) == file,
    };
    diagnostics.retain(|found| is_it(&found.path));
    all - diagnostics.len()
}

fn no_rules(folder: &str) -> Diagnostic {
    Diagnostic {
        code: Code::NoRules.name(),
        severity: Severity::Error,
        message: format!("failed to load the rules of {folder}: {}", rules::NO_RULES),
        path: folder.to_owned(),
        span: 0..0,
        label: String::from("no file named ID.yaml"),
        help: Vec::new(),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|found| found.severity == severity).count()
}

/// Names the lists whose values only a running fleet reads.
fn unread(rule_set: &RuleSet) -> String {
    let unread: Vec<&str> = rule_set.lists.iter().filter(|list| !list.is_read()).map(|list| &*list.name).collect();
    if unread.is_empty() {
        String::new()
    } else {
        format!("\nnot looked at, for they come from Redis: {}", unread.join(", "))
    }
}

/// Says what the geo databases keep the rules from: of anonymizers only, and only if a rule asks for them.
fn geo_warning(rule_set: &RuleSet, geoip: Option<&Path>) -> anyhow::Result<Option<String>> {
    let asks = |rule: &Rule| rule.mode != Mode::Off && rule.needs.contains(Inputs::GEOIP_ANONYMIZER);
    if !rule_set.rules.iter().any(asks) {
        return Ok(None);
    }
    let folder = folders::geoip_folder(geoip)?;
    Ok(match app::load_geo_database(&folder, DatabaseKind::Anonymizer) {
        Ok(Some(database)) if database.is_sample() => Some(format!("{SAMPLE_WARNING} ({})", folder.name())),
        Ok(_) => None,
        Err(error) => Some(format!("{:#}", anyhow::Error::new(error))),
    })
}

fn summary(rule_set: &RuleSet, warnings: usize) -> String {
    let of_mode = |mode: Mode| rule_set.rules.iter().filter(|rule| rule.mode == mode).count();
    format!(
        "{} rules load: {} enforce, {} shadow, {} off; {} lists, {}, rule set {}",
        rule_set.rules.len(),
        of_mode(Mode::Enforce),
        of_mode(Mode::Shadow),
        of_mode(Mode::Off),
        rule_set.lists.len(),
        counted(warnings, "warning"),
        rule_set.hash,
    ) + &unread(rule_set)
}
