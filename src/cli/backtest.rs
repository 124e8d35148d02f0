//! `kuzet backtest`: what a rule set, or the change from one to another, would have done to operations of the past.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::config::environment;
use super::exit::{self, UsageError};
use super::store::open_unused;
use crate::adapters::files::{self, RecordReader};
use crate::adapters::{folders, git};
use crate::analysis::backtest::{self, Backtest, Labels, Limits, Means, Progress, Report, Span, Sweep};
use crate::app;
use crate::config;
use crate::operation::Time;
use crate::rules::program::RuleSet;
use crate::rules::{SourceFile, Vanishing};
use crate::service::history::StoreHistory;

const AFTER_HELP: &str = "\
Rules are a folder, or git:REVISION: the folder `rules` as it was in that revision; git:REVISION:PATH names another.
The store of a service must not be in use: take a copy with `kuzet store backup`, or ask the service itself by
`POST /v1/backtests`. With --against the report tells what changes: which operations are newly held, challenged or refused, or no longer.
Exit code 1 when a limit (--max-…) is exceeded.

Examples:
  kuzet backtest operations.jsonl.gz --rules rules
  kuzet backtest operations.jsonl.gz --rules rules --against git:HEAD --format html --out impact.html
  kuzet backtest --store backups/2026-11-23 --from 2026-11-16T00:00:00+05:00 --rules rules --against git:HEAD
  kuzet backtest operations.jsonl --labels labels.jsonl --sweep transfer-over-100k:100000..300000:10000";

/// Tell what rules would have done to operations of the past
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BacktestArguments {
    /// Operations as JSON lines, plain, gzip or zstd; `-` reads standard input
    #[arg(value_name = "OPS", required_unless_present = "store", conflicts_with = "store")]
    operations: Option<PathBuf>,
    /// The folder of a service's store, or of a copy of it, instead of a file: its operations, as long as they are kept
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The configuration of the service whose store it is [default: ./kuzet.toml, where it is there]
    #[arg(long, value_name = "FILE", requires = "store")]
    config: Option<PathBuf>,
    /// Count only operations that occurred at this time or later; those before it are decided too
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Count only operations that occurred before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
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
    let swept = swept.map_err(|error| usage(&error))?;
    let backtest = Backtest {
        rules: (rules.name, rules.rules),
        against: against.map(|set| (set.name, set.rules)),
        labels: arguments.labels.as_deref().map(read_labels).transpose()?,
        sweep: sweep.map(|sweep| sweep.rule).zip(swept),
        span: span(arguments)?,
        limits: Limits {
            new_holds: arguments.max_new_holds,
            new_wallets: arguments.max_new_wallets,
            daily_alerts: arguments.max_daily_alerts,
        },
    };
    let progress = Progress::default();
    let report = match (&arguments.operations, &arguments.store) {
        (Some(operations), _) => {
            let means = Means::with_defaults(app::load_geo(&folders::geoip_folder(arguments.geoip.as_deref())?)?);
            backtest.run(&mut RecordReader::open(operations)?, &means, &progress)?
        }
        (None, Some(folder)) => {
            let config = config::load(arguments.config.as_deref(), environment())?;
            let store = open_unused(folder)?;
            let geo_folder = arguments.geoip.as_deref().or(config.geoip.folder.as_deref());
            let geo = app::load_geo(&folders::geoip_folder(geo_folder)?)?;
            let settings = app::service_settings(&config);
            let means = Means { geo: Arc::new(geo), settings: settings.engine, limits: settings.limits };
            backtest.run(&mut StoreHistory::new(&store)?, &means, &progress)?
        }
        (None, None) => {
            anyhow::bail!(UsageError("found neither OPS nor --store, but one of them is accepted".to_owned()));
        }
    };
    show(&report, arguments, out)?;
    Ok(if report.breaches.is_empty() { exit::OK } else { exit::NO })
}

/// Reads which operations are counted.
fn span(arguments: &BacktestArguments) -> Result<Span, UsageError> {
    let time = |name: &str, text: &Option<String>| match text.as_deref().map(Time::parse_rfc3339) {
        None => Ok(None),
        Some(Ok(time)) => Ok(Some(time)),
        Some(Err(_)) => Err(UsageError(format!(
            "found \"{}\" as --{name}, but an RFC 3339 time with an offset, such as 2026-11-22T00:00:00+05:00, is accepted",
            text.as_deref().unwrap_or_default(),
        ))),
    };
    let span = Span { from: time("from", &arguments.from)?, to: time("to", &arguments.to)? };
    match (span.from, span.to) {
        (Some(from), Some(to)) if to < from => {
            Err(UsageError(format!("found {to} as --to, but what is not before --from, {from}, is accepted")))
        }
        _ => Ok(span),
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
