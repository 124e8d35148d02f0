//! `kuzet digest`: the most telling decisions of a file in plain sentences.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::analysis::digest::digest;

/// Explains the most telling decisions of a replay in plain sentences.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kuzet digest --operations ops.jsonl --decisions decisions.jsonl")]
pub struct Args {
    /// The operations, as JSON lines
    #[arg(long, value_name = "FILE")]
    operations: PathBuf,
    /// The decisions on them, as JSON lines
    #[arg(long, value_name = "FILE")]
    decisions: PathBuf,
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// When a file cannot be read or holds something else than JSON lines.
pub fn run(args: &Args) -> anyhow::Result<i32> {
    let open = |path: &PathBuf| {
        File::open(path).map(BufReader::new).with_context(|| format!("failed to open {}", path.display()))
    };
    let mut out = io::stdout().lock();
    digest(open(&args.operations)?, open(&args.decisions)?, &mut out)?;
    writeln!(out, "\noperations  {}\ndecisions   {}", args.operations.display(), args.decisions.display())?;
    Ok(0)
}
