//! `kuzet rejected redrive`: records that were refused and have been repaired are sent again.

#[cfg(feature = "kafka")]
mod topic;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::asking;
use super::config::environment;
use super::exit::{self, ConfigurationError};
use crate::adapters::files::RecordReader;
use crate::adapters::service_client::ServiceClient;
use crate::config::{self, Source};
use crate::operation::decode::{Rejection, decode};

/// So many records are sent in one request, and so many bytes.
const RECORDS_MAX: usize = 500;
const BYTES_MAX: usize = 1 << 20;
/// The answer had no more room for the decision: it was made all the same.
const LEFT_OUT: &str = "answer_too_large";

const REDRIVE_HELP: &str = "\
FILE has one record in a line: the repaired operation, or the entry of refused records (as GET /v1/rejected and kuzet
replay --rejected write it) whose `raw` was repaired. A record that still cannot be understood is not sent, and the
reason is told with its number. Sending twice does no harm: an operation is decided once by its op_id.

Sent to the running service; where the configuration says `source = \"kafka\"`, to the topic of operations, whose
decisions and refusals then are where all others are.

Exit code 1 when a record is rejected again or the input ends early; 64 when the service or Kafka does not answer: the
same command goes on.

Examples:
  kuzet rejected redrive repaired.jsonl
  KUZET_TOKEN=kzt_… kuzet rejected redrive repaired.jsonl --url https://kuzet:8480
  kuzet rejected redrive repaired.jsonl --config kuzet.toml";

/// Send repaired records again
#[derive(Debug, Args)]
#[command(
    about = "Send repaired records again",
    after_help = "Example:\n  kuzet rejected redrive repaired.jsonl --url http://127.0.0.1:8480"
)]
pub struct RejectedArguments {
    #[command(subcommand)]
    command: RejectedCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum RejectedCommand {
    Redrive(RedriveArguments),
}

/// Send records that were refused and have been repaired
#[derive(Debug, Args)]
#[command(after_help = REDRIVE_HELP)]
struct RedriveArguments {
    /// Records as JSON lines, plain, gzip or zstd; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The running service [default: as the configuration says]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token with the role ledger [default: the variable KUZET_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The configuration [default: ./kuzet.toml, which may be missing]
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
}

/// A record that can be understood.
#[derive(Debug)]
struct Repaired {
    /// From one; blank lines have no number.
    number: u64,
    /// What the topic's key is made of.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "only topics have keys"))]
    wallet_id: String,
    bytes: Vec<u8>,
}

/// What became of the records so far.
#[derive(Debug, Default)]
struct Tally {
    taken: u64,
    rejected: u64,
}

/// Takes records that can be understood, some at a time.
trait Target {
    /// Sends them and counts what became of each.
    fn send(&self, records: &[Repaired], tally: &mut Tally, out: &mut dyn Write) -> anyhow::Result<()>;
    /// What happens to a record that is taken.
    fn taken(&self) -> &'static str;
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// The file or the configuration cannot be read, or whoever takes the records does not answer.
pub fn run(arguments: &RejectedArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    let RejectedCommand::Redrive(arguments) = &arguments.command;
    let mut reader = RecordReader::open(&arguments.file)?;
    let target = target(arguments)?;
    let mut tally = Tally::default();
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    let ended = loop {
        let record = match reader.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let number = record.index + 1;
        let repaired = if record.is_truncated { Err(String::from("the line is too long")) } else { read(record.bytes) };
        match repaired {
            Ok((wallet_id, record)) => {
                bytes += record.len();
                waiting.push(Repaired { number, wallet_id, bytes: record });
            }
            Err(reason) => reject(number, &reason, &mut tally, out)?,
        }
        if waiting.len() >= RECORDS_MAX || bytes >= BYTES_MAX {
            send(&*target, &mut waiting, &mut tally, out)?;
            bytes = 0;
        }
    };
    send(&*target, &mut waiting, &mut tally, out)?;
    writeln!(out, "{} {}, {} rejected again", tally.taken, target.taken(), tally.rejected)?;
    // What came before the end of the input has been sent.
    ended?;
    Ok(if tally.rejected == 0 { exit::OK } else { exit::NO })
}

fn send(
    target: &dyn Target,
    waiting: &mut Vec<Repaired>,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    let sent = target.send(waiting, tally, out);
    if sent.is_err() {
        writeln!(out, "{} {} so far, {} rejected again", tally.taken, target.taken(), tally.rejected)?;
    }
    waiting.clear();
    sent
}

fn target(arguments: &RedriveArguments) -> anyhow::Result<Box<dyn Target>> {
    if arguments.url.is_none() {
        let variables = environment().filter(|(name, _)| name != asking::TOKEN_VARIABLE);
        let config = config::load(arguments.config.as_deref(), variables)?;
        if config.source == Source::Kafka {
            #[cfg(feature = "kafka")]
            return Ok(Box::new(topic::Topic::new(&config)?));
            #[cfg(not(feature = "kafka"))]
            anyhow::bail!(ConfigurationError(String::from("this program was built without Kafka")));
        }
    }
    let client = match &arguments.url {
        Some(url) => asking::client(Some(url), arguments.token.as_deref())?,
        None => asking::client_of(arguments.config.as_deref(), arguments.token.as_deref())?,
    };
    Ok(Box::new(Requests(client)))
}

/// Takes a line apart: the wallet, and the record as it is to be sent.
fn read(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let record = match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(entry)) if entry.contains_key("raw") && entry.contains_key("error") => match &entry["raw"] {
            Value::String(raw) => raw.clone().into_bytes(),
            _ => return Err(String::from("its `raw` is no text")),
        },
        _ => line.to_vec(),
    };
    match decode(&record) {
        Ok(operation) => {
            let wallet_id = operation.wallet_id.to_string();
            drop(operation);
            Ok((wallet_id, record))
        }
        Err(Rejection { code, field, message }) => {
            Err(described(code.name(), field.as_deref().unwrap_or_default(), &message))
        }
    }
}

fn described(code: &str, field: &str, message: &str) -> String {
    let of = if field.is_empty() { String::new() } else { format!(" {field}") };
    format!("{code}{of}: {message}")
}

fn reject(number: u64, reason: &str, tally: &mut Tally, out: &mut dyn Write) -> std::io::Result<()> {
    tally.rejected += 1;
    writeln!(out, "record {number}: {reason}")
}

/// A service that takes operations in requests.
struct Requests(ServiceClient);

impl Target for Requests {
    fn send(&self, records: &[Repaired], tally: &mut Tally, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut body = vec![b'['];
        for (at, record) in records.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&record.bytes);
        }
        body.push(b']');
        let answer = asking::answered(self.0.post_json("/v1/operations", &body))?;
        let answer = answer.map_err(ConfigurationError)?;
        let items = answer.as_array().filter(|items| items.len() == records.len());
        let items = items.context("the service did not answer with one item for each record")?;
        for (record, item) in records.iter().zip(items) {
            let text = |name: &str| item["error"][name].as_str().unwrap_or_default();
            match text("code") {
                "" | LEFT_OUT => tally.taken += 1,
                code => reject(record.number, &described(code, text("field"), text("message")), tally, out)?,
            }
        }
        Ok(())
    }

    fn taken(&self) -> &'static str {
        "taken"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_record_or_an_entry_of_refused_ones() {
        let record =
            r#"{"op_id":"a","type":"login","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"w","outcome":"success"}"#;
        let entry = serde_json::json!({"error": {"code": "missing_field"}, "offset": 1, "partition": 0, "raw": record});
        for line in [record.to_owned(), entry.to_string()] {
            assert_eq!(read(line.as_bytes()), Ok((String::from("w"), record.as_bytes().to_vec())));
        }
        assert_eq!(read(br#"{"error":{},"raw":null}"#), Err(String::from("its `raw` is no text")));
        let without = record.replace(r#""outcome":"success""#, r#""ip":"1.1.1.1""#);
        let reason = read(without.as_bytes()).expect_err("a field is missing");
        assert!(reason.starts_with("missing_field outcome: "), "{reason}");
        assert!(read(b"{").expect_err("no JSON").starts_with("malformed_json: "));
    }
}
