//! `kuzet backtest`: what a rule set, or the change from one to another, would have done to operations of the past.

mod run;

use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::exit::{self, UsageError};
use crate::adapters::files::{self, RecordReader};
use crate::adapters::{folders, git};
use crate::analysis::backtest::{self, Judge, Labels, Limits, Report, Sweep, Tally};
use crate::app;
use crate::geo::Geo;
use crate::rules::program::RuleSet;
use crate::rules::{SourceFile, Vanishing};

const AFTER_HELP: &str = "\
Rules are a folder, or git:REVISION: the folder `rules` as it was in that revision; git:REVISION:PATH names another.
With --against the report tells what changes: which operations are newly held, challenged or refused, or no longer.
Exit code 1 when a limit (--max-…) is exceeded.

Examples:
  kuzet backtest operations.jsonl.gz --rules rules
  kuzet backtest operations.jsonl.gz --rules rules --against git:HEAD --format html --out impact.html
  kuzet backtest operations.jsonl --labels labels.jsonl --sweep transfer-over-100k:100000..300000:10000";

/// Tell what rules would have done to operations of the past
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BacktestArguments {
    /// Operations as JSON lines, plain, gzip or zstd; `-` reads standard input
    #[arg(value_name = "OPS")]
    operations: PathBuf,
    /// The rules to try [default: ./rules, else the embedded ones]
    #[arg(long, value_name = "DIR|git:REV")]
    rules: Option<String>,
    /// The rules to compare them with
    #[arg(long, value_name = "DIR|git:REV")]
    against: Option<String>,
    /// Which operations were fraud, as JSON lines of `op_id` and `label`
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Try one number of a rule at each value of a range
    #[arg(long, value_name = "RULE:FROM..TO:STEP")]
    sweep: Option<String>,
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The language of the HTML report
    #[arg(long, value_enum, default_value_t = Language::En)]
    lang: Language,
    /// Where the report goes [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Folder of country.mmdb and anonymizer.mmdb [default: ./geoip, else the embedded ones]
    #[arg(long, value_name = "DIR")]
    geoip: Option<PathBuf>,
    /// Most operations newly held; without --against, held
    #[arg(long, value_name = "N")]
    max_new_holds: Option<u64>,
    /// Most wallets of which an operation is newly held, challenged or refused
    #[arg(long, value_name = "N")]
    max_new_wallets: Option<u64>,
    /// Most operations that a rule matches on the worst day
    #[arg(long, value_name = "N")]
    max_daily_alerts: Option<u64>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// One page with charts, to be sent and printed.
    Html,
}

/// The language of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    Kk,
    Ru,
    En,
}

/// Rules that were read, and what they are called.
pub(super) struct Set {
    pub(super) name: String,
    sources: Vec<SourceFile>,
    pub(super) rules: Arc<RuleSet>,
}

/// Runs the command.
///
/// # Errors
/// Rules, labels or operations cannot be read, or the report cannot be written.
pub fn run(arguments: &BacktestArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let rules = load(arguments.rules.as_deref())?;
    let against = arguments.against.as_deref().map(|name| load(Some(name))).transpose()?;
    if against.is_none() && arguments.max_new_wallets.is_some() {
        anyhow::bail!(UsageError("--max-new-wallets needs --against: without it no wallet is new".to_owned()));
    }
    let usage = |error: &dyn std::fmt::Display| UsageError(error.to_string());
    let sweep = arguments.sweep.as_deref().map(Sweep::parse).transpose().map_err(|error| usage(&error))?;
    let swept = sweep.as_ref().map(|sweep| sweep.sets(&rules.sources, &rules.rules)).transpose();
    let swept = swept.map_err(|error| usage(&error))?.unwrap_or_default();
    let labels = arguments.labels.as_deref().map(read_labels).transpose()?;
    let geo = Arc::new(app::load_geo(&folders::geoip_folder(arguments.geoip.as_deref())?)?);
    let reader = RecordReader::open(&arguments.operations)?;

    let mut counted: Vec<String> = rules.rules.rules.iter().map(|rule| rule.id.to_string()).collect();
    counted.extend(against.iter().flat_map(|set| &set.rules.rules).map(|rule| rule.id.to_string()));
    counted.sort();
    counted.dedup();
    let mut runs = vec![rules.judge(&geo, &counted, labels.as_ref())];
    runs.extend(against.iter().map(|set| set.judge(&geo, &counted, labels.as_ref())));
    let of_sweep: Vec<String> = sweep.iter().map(|sweep| sweep.rule.clone()).collect();
    for (_, rules) in &swept {
        runs.push(Judge::new(Arc::new(rules.clone()), Arc::clone(&geo), &of_sweep, labels.clone()));
    }
    let mut tally = Tally::new(counted, against.is_some(), labels.clone());
    let mut sweeps: Vec<(String, Tally)> =
        swept.iter().map(|(value, _)| (value.clone(), Tally::new(of_sweep.clone(), false, labels.clone()))).collect();
    let compared = usize::from(against.is_some());
    run::all(reader, runs, &mut |answers| {
        tally.add(answers[0], answers.get(1).copied().filter(|_| compared == 1));
        for ((_, tally), answer) in sweeps.iter_mut().zip(&answers[1 + compared..]) {
            tally.add(answer, None);
        }
    })?;

    let limits = Limits {
        new_holds: arguments.max_new_holds,
        new_wallets: arguments.max_new_wallets,
        daily_alerts: arguments.max_daily_alerts,
    };
    let of_set = |set: &'_ Set| -> (String, Arc<RuleSet>) { (set.name.clone(), Arc::clone(&set.rules)) };
    let (with, other) = (of_set(&rules), against.as_ref().map(of_set));
    let report = Report::of(
        &tally,
        (&with.0, &with.1),
        other.as_ref().map(|(name, rules)| (name.as_str(), &**rules)),
        sweep.as_ref().map(|sweep| (sweep.rule.as_str(), sweeps.as_slice())),
        limits,
    );
    show(&report, arguments, out)?;
    Ok(if report.breaches.is_empty() { exit::OK } else { exit::NO })
}

impl Set {
    fn judge(&self, geo: &Arc<Geo>, counted: &[String], labels: Option<&Arc<Labels>>) -> Judge {
        Judge::new(Arc::clone(&self.rules), Arc::clone(geo), counted, labels.cloned())
    }
}

/// Reads a rule set: a folder, `git:REVISION`, or the folder of rules that is near.
pub(super) fn load(wanted: Option<&str>) -> anyhow::Result<Set> {
    let (name, sources) = match wanted.and_then(|wanted| wanted.strip_prefix("git:")) {
        Some(wanted_revision) => {
            let (revision, path) = wanted_revision.split_once(':').unwrap_or((wanted_revision, "rules"));
            let files = git::files(Path::new("."), revision, path)?;
            let name = format!("git:{wanted_revision}");
            let source =
                |(inside, bytes): (String, Vec<u8>)| SourceFile::of_folder(&format!("{name}/"), &inside, bytes);
            (name.clone(), files.into_iter().map(source).collect())
        }
        None => {
            let folder = folders::rules_folder(wanted.map(Path::new))?;
            (folder.name(), app::rule_sources(&folder)?)
        }
    };
    let rules = Arc::new(app::compile_rules(&name, &sources, Vanishing::Refused)?);
    Ok(Set { name, sources, rules })
}

fn read_labels(path: &Path) -> anyhow::Result<Arc<Labels>> {
    let file = File::open(path).with_context(|| format!("failed to open {}", path.display()))?;
    Ok(Arc::new(Labels::read(BufReader::new(file)).with_context(|| format!("failed to read {}", path.display()))?))
}

fn show(report: &Report, arguments: &BacktestArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let text = match arguments.format {
        Format::Text => backtest::text(report),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        Format::Html => backtest::html(report, arguments.lang.code()),
    };
    match &arguments.out {
        Some(path) => {
            files::replace(path, text.as_bytes()).with_context(|| format!("failed to write {}", path.display()))?;
            if std::io::stderr().is_terminal() {
                writeln!(std::io::stderr(), "the report is in {}", path.display())?;
            }
        }
        None => out.write_all(text.as_bytes())?,
    }
    // Where the report itself is for programs, or elsewhere, the reason for the exit code is still told.
    if arguments.format != Format::Text || arguments.out.is_some() {
        for breach in &report.breaches {
            writeln!(std::io::stderr(), "--{} is {}, found {}", breach.limit, breach.allowed, breach.found)?;
        }
    }
    Ok(())
}

impl Language {
    const fn code(self) -> &'static str {
        match self {
            Self::Kk => "kk",
            Self::Ru => "ru",
            Self::En => "en",
        }
    }
}
