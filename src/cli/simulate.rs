//! `kuzet simulate`: writes simulated operations, and which of them a rule must match.

use std::path::PathBuf;

use chrono::DateTime;

use super::exit::{self, UsageError};
use crate::adapters::files::{DecisionWriter, WriteError};
use crate::operation::Time;
use crate::simulate::{DEFAULT_START, Parameters, Simulation};

/// Writes realistic simulated operations as JSON lines, the same for the same seed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kuzet simulate --wallets 1000 --ops 100000 --seed 7 --out ops.jsonl --labels labels.jsonl"
)]
pub struct Args {
    /// How many ordinary wallets there are
    #[arg(long, value_name = "N")]
    wallets: u64,
    /// How many operations to write
    #[arg(long, value_name = "N")]
    ops: u64,
    /// The same seed gives the same bytes
    #[arg(long, value_name = "S")]
    seed: u64,
    /// When the simulated time begins [default: 2026-03-02T00:00:00+05:00]
    #[arg(long, value_name = "RFC3339")]
    start: Option<String>,
    /// How many days it lasts [default: about four operations of a wallet a day, at least 21 days]
    #[arg(long, value_name = "D")]
    days: Option<u64>,
    /// Where the operations go [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where to write which operations a rule must match, or just not match
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// How many of a thousand operations belong to labelled patterns; 0 for none
    #[arg(long, value_name = "PER_MILLE", default_value_t = 5)]
    fraud: u64,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// When the parameters are outside their limits or a file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<i32> {
    let start = args.start.as_deref().map_or(Ok(DEFAULT_START), parse_start)?;
    let parameters = Parameters {
        wallets: args.wallets,
        operations: args.ops,
        seed: args.seed,
        start,
        days: args.days,
        fraud_per_mille: args.fraud,
    };
    let mut simulation = Simulation::new(parameters).map_err(|error| UsageError(error.to_string()))?;
    if let (Some(out), Some(labels)) = (&args.out, &args.labels)
        && out == labels
    {
        return Err(UsageError(format!("--out and --labels are both {}", out.display())).into());
    }
    if let Some(path) = &args.labels {
        let mut labels = DecisionWriter::open(Some(path), "labels")?;
        write_labels(&simulation, &mut labels)?;
    }
    let mut out = DecisionWriter::open(args.out.as_deref(), "operations")?;
    match simulation.write_all(|lines| out.write_lines(lines)).and_then(|()| out.flush()) {
        // `kuzet simulate … | head` is no failure.
        Err(WriteError::Closed { .. }) if args.out.is_none() => {}
        written => written?,
    }
    Ok(exit::OK)
}

fn parse_start(text: &str) -> Result<Time, UsageError> {
    let instant = DateTime::parse_from_rfc3339(text);
    let instant =
        instant.map_err(|_| UsageError(format!("--start {text} is not a time like 2026-03-02T00:00:00+05:00")))?;
    let nanos = instant.timestamp_nanos_opt().ok_or_else(|| UsageError(format!("--start {text} is out of range")))?;
    Ok(Time::from_nanos(nanos))
}

fn write_labels(simulation: &Simulation, out: &mut DecisionWriter) -> Result<(), WriteError> {
    let mut line = Vec::with_capacity(256);
    for label in simulation.labels() {
        line.clear();
        label.write_into(&mut line);
        out.write_lines(&line)?;
    }
    out.flush()
}
