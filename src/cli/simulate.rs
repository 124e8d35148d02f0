//! `kuzet simulate`: writes simulated operations, and which of them a rule must match.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::DateTime;

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
    let mut simulation = Simulation::new(Parameters {
        wallets: args.wallets,
        operations: args.ops,
        seed: args.seed,
        start,
        days: args.days,
        fraud_per_mille: args.fraud,
    })?;
    if let Some(path) = &args.labels {
        write_labels(&simulation, path).with_context(|| format!("failed to write {}", path.display()))?;
    }
    match &args.out {
        Some(path) => {
            let written = File::create(path).and_then(|mut file| write_operations(&mut simulation, &mut file));
            written.with_context(|| format!("failed to write {}", path.display()))?;
        }
        None => match write_operations(&mut simulation, &mut io::stdout().lock()) {
            // `kuzet simulate … | head` is no failure.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.context("failed to write to standard output")?,
        },
    }
    Ok(0)
}

fn parse_start(text: &str) -> anyhow::Result<Time> {
    let instant = DateTime::parse_from_rfc3339(text)
        .with_context(|| format!("--start {text} is not a time like 2026-03-02T00:00:00+05:00"))?;
    let nanos = instant.timestamp_nanos_opt().context("--start is out of range")?;
    Ok(Time::from_nanos(nanos))
}

fn write_operations(simulation: &mut Simulation, out: &mut impl Write) -> io::Result<()> {
    simulation.write_all(|lines| out.write_all(lines))?;
    out.flush()
}

fn write_labels(simulation: &Simulation, path: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut line = Vec::with_capacity(256);
    for label in simulation.labels() {
        line.clear();
        label.write_into(&mut line);
        out.write_all(&line)?;
    }
    out.flush()
}
