//! `kuzet store`: looking after the durable store.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::config::environment;
use super::exit::{self, UsageError};
use crate::adapters::store::{FILE, Store, StoreError, request};
use crate::config;

/// How often the result of a backup by another process is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Memory for pages.
const CACHE_BYTES: usize = 64 << 20;

/// Check, count, compact, back up or restore the store of the service
#[derive(Debug, Args)]
#[command(
    about = "Check, count, compact, back up or restore the store of the service",
    after_help = "Examples:
  kuzet store stats --store kuzet-data
  kuzet store backup --store kuzet-data --to backups/2026-11-23"
)]
pub struct StoreArguments {
    #[command(subcommand)]
    command: StoreCommand,
}

/// Where the store is.
#[derive(Debug, Args)]
struct Place {
    /// The store's folder [default: `path` in [store] of ./kuzet.toml]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Read everything: checksums, blocks, numbers without gaps; the service must not be running
    #[command(after_help = "Example:\n  kuzet store verify --store kuzet-data")]
    Verify(Place),
    /// Count what is in it; the service must not be running
    #[command(after_help = "Example:\n  kuzet store stats --store kuzet-data")]
    Stats(Place),
    /// Give unused space back to the file system; the service must not be running
    #[command(after_help = "Example:\n  kuzet store compact --store kuzet-data")]
    Compact(Place),
    /// Copy it as it is at one moment into a new folder, also while the service runs
    #[command(after_help = "Example:\n  kuzet store backup --store kuzet-data --to backups/2026-11-23")]
    Backup {
        #[command(flatten)]
        place: Place,
        /// The new folder
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// How long the running service may take, in seconds
        #[arg(long, value_name = "S", default_value_t = 3_600)]
        timeout: u64,
    },
    /// Make a store from a backup; there must be none in its place
    #[command(after_help = "Example:\n  kuzet store restore --store kuzet-data --from backups/2026-11-23")]
    Restore {
        #[command(flatten)]
        place: Place,
        /// The backup's folder
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// The store cannot be used, or the output cannot be written.
pub fn run(arguments: &StoreArguments, out: &mut dyn Write) -> anyhow::Result<i32> {
    match &arguments.command {
        StoreCommand::Verify(place) => verify(&place.folder()?, out),
        StoreCommand::Stats(place) => stats(&place.folder()?, out),
        StoreCommand::Compact(place) => compact(&place.folder()?, out),
        StoreCommand::Backup { place, to, timeout } => backup(&place.folder()?, to, Duration::from_secs(*timeout), out),
        StoreCommand::Restore { place, from } => restore(&place.folder()?, from, out),
    }
}

impl Place {
    fn folder(&self) -> anyhow::Result<PathBuf> {
        match &self.store {
            Some(folder) => Ok(folder.clone()),
            None => Ok(config::load(None, environment())?.store.path),
        }
    }
}

/// Opens a store that is there: looking at one does not make one.
pub(super) fn open(folder: &Path) -> anyhow::Result<Store> {
    if !folder.join(FILE).is_file() {
        return Err(UsageError(format!("failed to find a store in {}: there is no {FILE}", folder.display())).into());
    }
    Ok(Store::open(folder, CACHE_BYTES)?)
}

/// Opens a store that is there and that nobody else has open, to read the history in it.
///
/// # Errors
/// There is none, it is in use, or it cannot be read.
pub(super) fn open_unused(folder: &Path) -> anyhow::Result<Store> {
    open(folder).map_err(|error| match error.downcast_ref() {
        Some(StoreError::InUse { path }) => UsageError(format!(
            "the store {} is in use: copy it by `kuzet store backup --store {} --to DIR`, and give --store DIR",
            path.display(),
            folder.display(),
        ))
        .into(),
        _ => error,
    })
}

fn verify(folder: &Path, out: &mut dyn Write) -> anyhow::Result<i32> {
    let store = open(folder)?;
    let are_pages_sound = store.check_pages()?;
    let verified = store.verify()?;
    writeln!(out, "pages       {}", if are_pages_sound { "sound" } else { "were damaged, and repaired" })?;
    writeln!(out, "operations  {:>12}", verified.operations)?;
    writeln!(out, "decisions   {:>12}", verified.decisions)?;
    writeln!(out, "rejected    {:>12}", verified.rejected)?;
    for fault in &verified.faults {
        writeln!(out, "fault       {fault}")?;
    }
    let is_sound = are_pages_sound && verified.faults.is_empty();
    writeln!(out, "{}", if is_sound { "the store is sound" } else { "the store is damaged" })?;
    Ok(if is_sound { exit::OK } else { exit::NO })
}

fn stats(folder: &Path, out: &mut dyn Write) -> anyhow::Result<i32> {
    let store = open(folder)?;
    let position = store.position()?;
    writeln!(out, "decisions {}, batches {}, rejected {}\n", position.seq, position.batch, position.rejected)?;
    writeln!(out, "{:<12}{:>12}{:>16}{:>16}", "table", "entries", "stored bytes", "other bytes")?;
    for table in store.stats()? {
        let (name, entries) = (table.name, table.entries);
        writeln!(out, "{name:<12}{entries:>12}{:>16}{:>16}", table.stored_bytes, table.other_bytes)?;
    }
    writeln!(out, "{:<12}{:>12}{:>16}", "file", "", store.file_bytes())?;
    Ok(exit::OK)
}

fn compact(folder: &Path, out: &mut dyn Write) -> anyhow::Result<i32> {
    let store = open(folder)?;
    let before = store.file_bytes();
    // One pass moves what it can; what it freed may let the next move more.
    while store.compact()? {}
    writeln!(out, "{before} bytes before, {} bytes now", store.file_bytes())?;
    Ok(exit::OK)
}

fn backup(folder: &Path, to: &Path, timeout: Duration, out: &mut dyn Write) -> anyhow::Result<i32> {
    let bytes = match open(folder) {
        Ok(store) => {
            store.backup(to)?;
            fs::metadata(to.join(FILE)).map_or(0, |metadata| metadata.len())
        }
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse { .. })) => ask(folder, to, timeout)?,
        Err(error) => return Err(error),
    };
    writeln!(out, "{} bytes in {}", bytes, to.display())?;
    Ok(exit::OK)
}

/// Has the running service make the backup.
fn ask(folder: &Path, to: &Path, timeout: Duration) -> anyhow::Result<u64> {
    request::ask(folder, to).with_context(|| format!("failed to write into {}", folder.display()))?;
    let wanted = std::path::absolute(to)?;
    let looks = timeout.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..=looks {
        if let Some(result) = request::result(folder).filter(|result| result.to == wanted) {
            return match result.error {
                None => Ok(fs::metadata(to.join(FILE)).map_or(0, |metadata| metadata.len())),
                Some(error) => Err(anyhow::anyhow!("failed to back up: the service says: {error}")),
            };
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Err(anyhow::anyhow!("failed to back up: the process that has the store open did not answer in {timeout:?}"))
}

fn restore(folder: &Path, from: &Path, out: &mut dyn Write) -> anyhow::Result<i32> {
    if folder.join(FILE).exists() {
        let text = format!("failed to restore into {}: a store is there already", folder.display());
        return Err(UsageError(text).into());
    }
    let backup = open(from)?;
    let verified = backup.verify()?;
    if let Some(fault) = verified.faults.first() {
        return Err(anyhow::anyhow!("failed to restore: the backup is damaged: {fault}"));
    }
    backup.backup(folder)?;
    writeln!(out, "{} decisions in {}", verified.decisions, folder.display())?;
    Ok(exit::OK)
}
