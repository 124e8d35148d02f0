//! `kuzet explain`: why an operation of a file, or of a store, is decided as it is.

mod stored;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit::{self, UsageError};
use super::format::Format;
use crate::adapters::files::{Batch, RecordReader};
use crate::adapters::folders;
use crate::adapters::memory::MemoryStore;
use crate::analysis::explain::examination::{Examination, Explained};
use crate::analysis::explain::report::{self, Languages, Reader};
use crate::app;
use crate::operation::decode::{self, Rejection};
use crate::operation::localized::Language;
use crate::pipeline::{Pipeline, Record};

/// How many records before the operation are decided at a time.
const BATCH_RECORDS_MAX: usize = 256;

const AFTER_HELP: &str = "\
Of a file, decides the operations up to that one; of a store, those that bear on it, by the rules that decided then,
with the geo databases of today. The store must not be in use: take a copy with `kuzet store backup`. Then shows every rule that fired on it or lacked one condition only, rules
in shadow too: each condition with its value, when it would not hold, when the oldest of what it counts leaves the
window, and what is in force afterwards and who lifts it. A rule of a single condition that does not hold is not shown.
Exit code 1 when there is no such operation, or its record is refused.

Examples:
  kuzet explain operations.jsonl.gz --op op-1042
  kuzet explain operations.jsonl --op op-1042 --lang kk --for client
  zstd -dc operations.jsonl.zst | kuzet explain - --op op-1042 --format json
  kuzet explain --store backups/2026-11-23 --decision 7ef3ad63-be72-5957-83e3-28d73cb07535";

/// Tell why an operation of a file or a store is decided as it is
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ExplainArguments {
    /// Operations as JSON lines, plain, gzip or zstd; `-` reads standard input
    #[arg(value_name = "OPS", required_unless_present = "store", conflicts_with = "store")]
    operations: Option<PathBuf>,
    /// The operation's id; the first operation of this id is explained
    #[arg(long, value_name = "OP_ID", required_unless_present = "decision")]
    op: Option<String>,
    /// The operation's wallet, where operations of several wallets have this id
    #[arg(long, value_name = "WALLET_ID")]
    wallet: Option<String>,
    /// The folder of a service's store, or of a copy of it, instead of a file
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The decision's id, or its number, instead of the operation's id
    #[arg(long, value_name = "DECISION_ID", requires = "store", conflicts_with_all = ["op", "wallet"])]
    decision: Option<String>,
    /// The configuration of the service whose store it is [default: ./kuzet.toml, where it is there]
    #[arg(long, value_name = "FILE", requires = "store")]
    config: Option<PathBuf>,
    /// Folder of rules [default: ./rules, else the embedded ones]; of a store, for a decision by the rules of today
    /// that it has no note of
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Folder of country.mmdb and anonymizer.mmdb [default: ./geoip, else the embedded ones]
    #[arg(long, value_name = "DIR")]
    geoip: Option<PathBuf>,
    /// Language of the text
    #[arg(long, value_enum, default_value_t = Lang::En)]
    lang: Lang,
    /// For whom: support sees no text of rules, the client nothing of rules
    #[arg(long = "for", value_enum, value_name = "READER", default_value_t = For::Analyst)]
    reader: For,
    /// A text, or JSON with all three languages
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A language of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lang {
    /// Kazakh
    Kk,
    /// Russian
    Ru,
    /// English
    En,
}

/// Who reads the explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum For {
    /// Everything
    Analyst,
    /// What rules found, and not how they are written
    Support,
    /// The verdict, the messages, and what lifts the restrictions
    Client,
}

impl Lang {
    const fn language(self) -> Language {
        match self {
            Self::Kk => Language::Kazakh,
            Self::Ru => Language::Russian,
            Self::En => Language::English,
        }
    }
}

impl For {
    const fn reader(self) -> Reader {
        match self {
            Self::Analyst => Reader::Analyst,
            Self::Support => Reader::Support,
            Self::Client => Reader::Client,
        }
    }
}

/// What looking for the operation came to.
enum Found {
    Explained(Box<Examination>),
    Rejected(Rejection),
    /// After so many records.
    Nothing(u64),
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// The input or a folder cannot be used, or the answer cannot be written.
pub fn run(arguments: &ExplainArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    if arguments.op.as_deref() == Some("") {
        anyhow::bail!(UsageError("found an empty --op, but the id of an operation is accepted".to_owned()));
    }
    if let Some(folder) = &arguments.store {
        return stored::run(arguments, folder, out);
    }
    let Some(operations) = &arguments.operations else {
        anyhow::bail!(UsageError("found neither OPS nor --store, but one of them is accepted".to_owned()));
    };
    let rules = folders::rules_folder(arguments.rules.as_deref())?;
    let geoip = folders::geoip_folder(arguments.geoip.as_deref())?;
    let mut reader = RecordReader::open(operations)?;
    let mut pipeline = app::pipeline(app::load_rules(&rules)?, app::load_geo(&geoip)?);
    match look(&mut reader, &mut pipeline, arguments)? {
        Found::Explained(examination) => {
            show(&examination, arguments, out)?;
            Ok(exit::OK)
        }
        Found::Rejected(rejection) => {
            let field = rejection.field.as_ref().map_or_else(String::new, |field| format!(" in {field}"));
            let op = arguments.op.as_deref().unwrap_or_default();
            writeln!(out, "{op} is refused: {}{field}: {}", rejection.code.name(), rejection.message)?;
            Ok(exit::NO)
        }
        Found::Nothing(records) => {
            let wallet = arguments.wallet.as_ref().map_or_else(String::new, |wallet| format!(" of wallet {wallet}"));
            let (op, from) = (arguments.op.as_deref().unwrap_or_default(), reader.name());
            writeln!(out, "no operation {op}{wallet} among the {records} records of {from}")?;
            Ok(exit::NO)
        }
    }
}

/// Decides records until the operation comes. A refused record with its id is told only where no other one follows.
fn look(
    reader: &mut RecordReader,
    pipeline: &mut Pipeline<MemoryStore>,
    arguments: &ExplainArguments,
) -> anyhow::Result<Found> {
    let (mut batch, mut records, mut refused) = (Batch::default(), 0, None);
    loop {
        reader.fill(&mut batch, BATCH_RECORDS_MAX)?;
        if batch.is_empty() {
            return Ok(refused.map_or(Found::Nothing(records), Found::Rejected));
        }
        let mut before = Vec::new();
        for record in batch.records() {
            records += 1;
            let record = Record { bytes: record.bytes, arrived_at: None };
            if !is_meant(record.bytes, arguments) {
                before.push(record);
                continue;
            }
            pipeline.process(&std::mem::take(&mut before))?;
            match Examination::of(pipeline, record)? {
                Explained::Decided(examination) => return Ok(Found::Explained(examination)),
                Explained::Rejected(rejection) => refused = Some(rejection),
                Explained::Duplicate => {}
            }
        }
        pipeline.process(&before)?;
    }
}

/// Tells whether a record is of the operation: also one that is refused, as long as its id can be read.
fn is_meant(record: &[u8], arguments: &ExplainArguments) -> bool {
    let is_of = |op: &str, wallet: &str| {
        arguments.op.as_ref().is_some_and(|wanted| wanted == op)
            && arguments.wallet.as_ref().is_none_or(|wanted| wanted == wallet)
    };
    match decode::decode(record) {
        Ok(operation) => is_of(&operation.op_id, &operation.wallet_id),
        Err(_) => serde_json::from_slice::<serde_json::Value>(record).is_ok_and(|record| {
            is_of(record["op_id"].as_str().unwrap_or(""), record["wallet_id"].as_str().unwrap_or(""))
        }),
    }
}

fn show(examination: &Examination, arguments: &ExplainArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let (reader, language) = (arguments.reader.reader(), arguments.lang.language());
    match arguments.format {
        Format::Text => out.write_all(report::text(examination, language, reader).as_bytes())?,
        Format::Json => writeln!(out, "{}", report::json(examination, reader, Languages::All))?,
    }
    Ok(())
}
