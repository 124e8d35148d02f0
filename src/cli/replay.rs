//! `kuzet replay`: decides a file of operations in order, one decision per line.
//!
//! Knows files, the terminal and the shape of the loop; how a batch is decided is behind [`Replayer`].

mod decider;
mod far_ahead;
mod summary;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub use summary::{Observed, Summary};

use super::LogFormat;
use super::exit::{self, UsageError};
use crate::adapters::files::{Batch, DecisionWriter, Record, RecordReader, is_same_regular_file};
use crate::adapters::folders::{self, Folder};
use crate::app;

/// How many records are decided at a time.
const BATCH_RECORDS_MAX: usize = 256;

const AFTER_HELP: &str = "\
The summary goes to standard error; --log-format json makes it one JSON object.
Exit code 1 also when there were records and every one of them was refused.
Output files are overwritten. A reader that goes away, as `head` does, ends the run with exit code 1.

Examples:
  kuzet replay operations.jsonl.gz --out decisions.jsonl --rejected rejected.jsonl
  zstd -dc operations.jsonl.zst | kuzet replay - --rules rules > decisions.jsonl";

/// Decide a file of operations in order, one decision per line
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ReplayArguments {
    /// Operations as JSON lines, plain, gzip or zstd; `-` reads standard input
    #[arg(value_name = "OPS")]
    operations: PathBuf,
    /// Where decisions go [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where refused records go [default: they are only counted]
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    /// Folder of rules [default: ./rules, else the embedded ones]
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Folder of country.mmdb and anonymizer.mmdb [default: ./geoip, else the embedded ones]
    #[arg(long, value_name = "DIR")]
    geoip: Option<PathBuf>,
}

/// Decides batches of records.
pub trait Replayer {
    /// Decides a batch: appends one JSON line per decision to `decisions` and one per refused record
    /// to `rejected`, in input order, and counts each record in `summary`.
    ///
    /// # Errors
    /// A fault that must end the run; a record that cannot be understood is none.
    fn decide_batch(
        &mut self,
        records: &[Record<'_>],
        decisions: &mut Vec<u8>,
        rejected: &mut Vec<u8>,
        summary: &mut Summary,
    ) -> anyhow::Result<()>;
}

/// Runs the command.
///
/// # Errors
/// The input, an output or a folder cannot be used, or the input or an output ends early.
pub fn run(arguments: &ReplayArguments, log_format: LogFormat) -> anyhow::Result<i32> {
    let rules = folders::rules_folder(arguments.rules.as_deref())?;
    let geoip = folders::geoip_folder(arguments.geoip.as_deref())?;
    let mut reader = RecordReader::open(&arguments.operations)?;
    let mut replayer = load_replayer(&rules, &geoip)?;
    let mut outputs = open_outputs(arguments)?;
    let bar = progress_bar(&reader, arguments.out.is_none());

    let started = Instant::now();
    let mut summary = Summary::default();
    let result = replay(&mut reader, replayer.as_mut(), &mut outputs, &mut summary, &bar);
    bar.finish_and_clear();
    // Also after a failure: it tells what was done before it.
    show_summary(&summary, started.elapsed(), log_format);
    result?;
    if summary.is_all_refused() {
        super::log(
            log_format,
            "error",
            "every record was refused: nothing was decided; --rejected FILE keeps the reasons",
        );
        return Ok(exit::NO);
    }
    Ok(exit::OK)
}

fn load_replayer(rules: &Folder, geoip: &Folder) -> anyhow::Result<Box<dyn Replayer>> {
    Ok(Box::new(app::pipeline(app::load_rules(rules)?, app::load_geo(geoip)?)))
}

/// Where the lines of a run go.
pub struct Outputs {
    pub decisions: DecisionWriter,
    /// Refused records are only counted where this is missing.
    pub rejected: Option<DecisionWriter>,
}

/// Opens the outputs, after making sure that none of them overwrites the input or the other.
fn open_outputs(arguments: &ReplayArguments) -> anyhow::Result<Outputs> {
    let (out, rejected) = (arguments.out.as_deref(), arguments.rejected.as_deref());
    for path in [out, rejected].into_iter().flatten() {
        refuse_same(&arguments.operations, path)?;
    }
    let decisions = DecisionWriter::open(out, "decisions")?;
    if let (Some(out), Some(rejected)) = (out, rejected) {
        refuse_same(out, rejected)?;
    }
    let rejected = rejected.map(|path| DecisionWriter::open(Some(path), "rejected records")).transpose()?;
    Ok(Outputs { decisions, rejected })
}

fn refuse_same(one: &Path, other: &Path) -> Result<(), UsageError> {
    if is_same_regular_file(one, other) {
        let (one, other) = (one.display(), other.display());
        return Err(UsageError(format!("failed to open {other} for writing: it is the same file as {one}")));
    }
    Ok(())
}

/// Decides every record of the input and writes what comes of it. What was decided before a failure
/// has been written when this returns, unless the writing itself failed.
///
/// # Errors
/// The input, an output or the replayer failed.
pub fn replay(
    reader: &mut RecordReader,
    replayer: &mut dyn Replayer,
    outputs: &mut Outputs,
    summary: &mut Summary,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let position = reader.position();
    let (mut batch, mut decisions, mut rejected) = (Batch::default(), Vec::new(), Vec::new());
    let read = loop {
        if let Err(error) = reader.fill(&mut batch, BATCH_RECORDS_MAX) {
            break Err(error);
        }
        if batch.is_empty() {
            break Ok(());
        }
        decisions.clear();
        rejected.clear();
        replayer.decide_batch(&batch.records(), &mut decisions, &mut rejected, summary)?;
        outputs.decisions.write_lines(&decisions)?;
        if let Some(writer) = &mut outputs.rejected {
            writer.write_lines(&rejected)?;
        }
        if reader.is_interactive() {
            flush(outputs)?;
        }
        bar.set_position(position.bytes());
        bar.set_message(summary.progress(bar.elapsed()));
    };
    flush(outputs)?;
    Ok(read?)
}

fn flush(outputs: &mut Outputs) -> anyhow::Result<()> {
    outputs.decisions.flush()?;
    if let Some(writer) = &mut outputs.rejected {
        writer.flush()?;
    }
    Ok(())
}

/// Makes a bar for a person who watches: not into a file, and not between decisions on the same screen.
fn progress_bar(reader: &RecordReader, is_out_stdout: bool) -> ProgressBar {
    if !io::stderr().is_terminal() || (is_out_stdout && io::stdout().is_terminal()) {
        return ProgressBar::hidden();
    }
    let (bar, template) = match reader.stored_bytes() {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:30} {percent:>3} %  {msg}  {elapsed} elapsed, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed} elapsed"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show_summary(summary: &Summary, elapsed: Duration, log_format: LogFormat) {
    match log_format {
        // When standard error is closed there is nobody left to tell.
        LogFormat::Text => drop(io::stderr().write_all(summary.text(elapsed).as_bytes())),
        LogFormat::Json => {
            let mut line = summary.json(elapsed);
            line["level"] = "info".into();
            line["message"] = "replay ended".into();
            drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests;
