//! `kuzet ledger-check`: proves that a stream of decisions is whole and fits together.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

#[cfg(feature = "kafka")]
use anyhow::Context as _;
use clap::Args;

#[cfg(not(feature = "kafka"))]
use super::exit::ConfigurationError;
use super::exit::{self, UsageError};
use crate::adapters::files::{LINE_BYTES_MAX, RecordReader};
use crate::adapters::kafka::read_properties;
#[cfg(feature = "kafka")]
use crate::adapters::kafka::topic::TopicReader;
use crate::adapters::kcat;
use crate::ledger::{Beginning, Checker, Finding, Place, Record, Totals};
use crate::operation::decision::CommandKind;
use crate::operation::decision::read::PageRecord;

const AFTER_HELP: &str = "\
What is proved: the numbers of each shard have no gap and belong to one history, no decision and no command
comes twice, keys and headers belong to their decisions, and what is told about each wallet and operation fits
together.
Findings go to standard output, one a line, then a summary. Exit code 1 when there is a finding, 64 when
Kafka cannot be reached.

Examples:
  kuzet ledger-check --brokers kafka:9092 --topic wallet.decisions
  kuzet ledger-check --brokers kafka:9093 --command-config client.properties
  kcat -C -e -J -X isolation.level=read_committed -b kafka:9092 -t wallet.decisions | kuzet ledger-check -
  kuzet replay operations.jsonl | kuzet ledger-check -";

/// Prove that a stream of decisions is whole and fits together
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LedgerCheckArguments {
    /// Records as `kcat -J` writes them, decisions, or pages of `/v1/decisions`, as JSON lines; `-` reads standard input
    #[arg(value_name = "FILE", required_unless_present = "brokers", conflicts_with = "brokers")]
    file: Option<PathBuf>,
    /// Kafka brokers to begin with, as host:port, separated by commas
    #[arg(long, value_name = "HOST:PORT,…")]
    brokers: Option<String>,
    /// The topic of decisions
    #[arg(long, value_name = "TOPIC", default_value = "wallet.decisions", requires = "brokers")]
    topic: String,
    /// A setting of librdkafka, or a file of such settings, one a line; for SASL and TLS
    #[arg(long, value_name = "KEY=VALUE|FILE", requires = "brokers")]
    command_config: Vec<String>,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// The input cannot be opened or read, or the output cannot be written.
pub fn run(arguments: &LedgerCheckArguments, out: &mut impl Write) -> anyhow::Result<i32> {
    let mut report = Report { out, checker: Checker::default(), found: Vec::new(), by_code: BTreeMap::new() };
    match (&arguments.file, &arguments.brokers) {
        (Some(file), _) => read_file(RecordReader::open(file)?, &mut report)?,
        (None, Some(brokers)) => {
            let settings = settings(&arguments.command_config)?;
            read_topic(brokers, &arguments.topic, &settings, &mut report)?;
        }
        (None, None) => return Err(UsageError("give a file of records, or --brokers".to_owned()).into()),
    }
    report.finish()
}

fn settings(given: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    for argument in given {
        // A file's name may hold a "=" as well; then it is named by a path that begins with "./".
        if let Some((name, value)) = argument.split_once('=').filter(|(name, _)| !name.contains('/')) {
            settings.push((name.trim().to_owned(), value.trim().to_owned()));
            continue;
        }
        let text = fs::read_to_string(argument).map_err(|error| {
            UsageError(format!("--command-config {argument} is neither key=value nor a file: {error}"))
        })?;
        // The line may hold a password: it is not shown.
        let wrong = |line| UsageError(format!("{argument}:{line}: found no =, a line is key=value"));
        settings.extend(read_properties(&text).map_err(wrong)?);
    }
    Ok(settings)
}

/// Gathers findings and shows them as they come.
struct Report<'o, W> {
    out: &'o mut W,
    checker: Checker,
    found: Vec<Finding>,
    by_code: BTreeMap<&'static str, u64>,
}

impl<W: Write> Report<'_, W> {
    fn show(&mut self) -> std::io::Result<()> {
        for finding in self.found.drain(..) {
            *self.by_code.entry(finding.code).or_default() += 1;
            writeln!(self.out, "{finding}")?;
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<i32> {
        let totals = std::mem::take(&mut self.checker).finish(&mut self.found);
        self.show()?;
        summary(self.out, &totals, &self.by_code)?;
        Ok(if self.by_code.is_empty() { exit::OK } else { exit::NO })
    }
}

fn read_file(mut reader: RecordReader, report: &mut Report<'_, impl Write>) -> anyhow::Result<()> {
    // Offsets of a partition begin at 0, unless its beginning is gone or belongs to an aborted transaction.
    let mut first_offsets: BTreeMap<i32, i64> = BTreeMap::new();
    while let Some(record) = reader.next_record()? {
        if record.is_truncated {
            let line = record.index + 1;
            anyhow::bail!(UsageError(format!("record {line} is longer than {LINE_BYTES_MAX} bytes")));
        }
        match kcat::record(record.bytes) {
            None => check_line(record.index + 1, record.bytes, report),
            Some(record) => {
                let first = *first_offsets.entry(record.partition).or_insert(record.offset);
                let headers: Vec<(&str, &[u8])> =
                    record.headers.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
                let record = Record {
                    place: Place::Topic { partition: record.partition, offset: record.offset },
                    key: record.key.as_deref(),
                    value: record.value.as_deref(),
                    headers: &headers,
                    beginning: if first == 0 { Beginning::Whole } else { Beginning::Removed },
                    is_settled: true,
                };
                report.checker.check(&record, &mut report.found);
            }
        }
        report.show()?;
    }
    Ok(())
}

/// Checks a line that no topic is the origin of: a decision, or a page of them as the service answers.
fn check_line(line: u64, bytes: &[u8], report: &mut Report<'_, impl Write>) {
    let Some(page) = PageRecord::decode(bytes) else {
        return report.checker.check_bare(line, bytes, None, &mut report.found);
    };
    for decision in &page.decisions {
        report.checker.check_bare(line, decision.get().as_bytes(), Some(&page.epoch), &mut report.found);
    }
}

#[cfg(not(feature = "kafka"))]
fn read_topic(_: &str, _: &str, _: &[(String, String)], _: &mut Report<'_, impl Write>) -> anyhow::Result<()> {
    let error = "this kuzet is built without Kafka (feature `kafka`): give it a file that `kcat -J` wrote";
    Err(ConfigurationError(error.to_owned()).into())
}

#[cfg(feature = "kafka")]
fn read_topic(
    brokers: &str,
    topic: &str,
    settings: &[(String, String)],
    report: &mut Report<'_, impl Write>,
) -> anyhow::Result<()> {
    let mut written = Ok(());
    TopicReader::open(brokers, topic, settings)?.read(|record| {
        if written.is_err() {
            return;
        }
        let record = Record {
            place: Place::Topic { partition: record.partition, offset: record.offset },
            key: record.key,
            value: record.value,
            headers: record.headers,
            beginning: if record.is_cut { Beginning::Removed } else { Beginning::Whole },
            is_settled: record.is_settled,
        };
        report.checker.check(&record, &mut report.found);
        written = report.show();
    })?;
    written.context("failed to write the findings")
}

fn summary(out: &mut impl Write, totals: &Totals, by_code: &BTreeMap<&'static str, u64>) -> std::io::Result<()> {
    writeln!(out, "{} records of {} wallets in {} shards", totals.records, totals.wallets, totals.shards.len())?;
    for shard in &totals.shards {
        let (name, first, last, count) = (&shard.name, shard.first, shard.last, shard.count);
        let cut = if shard.is_cut { "; retention has removed what was before" } else { "" };
        writeln!(out, "  shard {name}: seq {first}–{last}, {count} decisions{cut}")?;
    }
    let counted = CommandKind::NAMES.iter().zip(totals.commands).filter(|(_, count)| *count > 0);
    let commands: Vec<String> = counted.map(|(name, count)| format!("{name} {count}")).collect();
    writeln!(out, "commands: {}", if commands.is_empty() { "none".to_owned() } else { commands.join(", ") })?;
    writeln!(
        out,
        "at the end {} operations wait, {} restrictions of wallets are in force",
        totals.waiting, totals.restrictions
    )?;
    if totals.from_before > 0 {
        let count = totals.from_before;
        writeln!(out, "not judged: {count} commands that speak of what retention has removed")?;
    }
    if by_code.is_empty() {
        return writeln!(out, "no findings");
    }
    let codes: Vec<String> = by_code.iter().map(|(code, count)| format!("{code} {count}")).collect();
    writeln!(out, "{} findings: {}", by_code.values().sum::<u64>(), codes.join(", "))
}
