//! `kuzet digest`: the most telling decisions of a file in plain sentences.

use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::adapters::files::RecordReader;
use crate::analysis::digest::digest;

/// Explains the most telling decisions of a replay in plain sentences.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kuzet digest --operations ops.jsonl.gz --decisions decisions.jsonl")]
pub struct Args {
    /// The operations as JSON lines, plain, gzip or zstd
    #[arg(long, value_name = "FILE")]
    operations: PathBuf,
    /// The decisions on them as JSON lines, plain, gzip or zstd
    #[arg(long, value_name = "FILE")]
    decisions: PathBuf,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// When a file cannot be read or holds something else than JSON lines.
pub fn run(args: &Args) -> anyhow::Result<i32> {
    let open = |path: &PathBuf| RecordReader::open(path).map(RecordReader::into_input);
    let mut out = io::stdout().lock();
    digest(open(&args.operations)?, open(&args.decisions)?, &mut out)?;
    writeln!(out, "\noperations  {}\ndecisions   {}", args.operations.display(), args.decisions.display())?;
    Ok(0)
}
