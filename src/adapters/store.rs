//! The durable store of the embedded service: one file, one transaction a batch.
//!
//! Streams (operations, decisions, rejected records) and journals are appended a block a batch, under the
//! number of their first item. Groups of wallet records and of shared windows are written again from time
//! to time, so that the journals before them can go. Nothing is acknowledged before its transaction is on
//! the disk. Knows bytes and numbers; what they mean is the service's business.

pub mod block;
mod copy;
pub mod index;
mod notes;
mod opening;
mod place;
pub mod request;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError, TableDefinition,
    WriteTransaction,
};
use thiserror::Error;

use crate::engine::stored::StoredError;
use crate::operation::Time;

use block::Block;
use opening::{builder, make_file, open_database, restrict_to_owner};
use place::Place;

pub use place::Misplacement;

/// The name of the file inside the store's folder.
pub const FILE: &str = "kuzet.redb";
/// Version of the tables; an older program refuses a later one.
const VERSION: u64 = 1;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");
const LAYOUTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("layouts");
const OPERATIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("operations");
const DECISIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("decisions");
const REJECTED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rejected");
const JOURNALS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("journals");
/// The note that names the history; a copy of the store bears none.
const NOTE_EPOCH: &str = "epoch";
/// Hexadecimal digits of the name of a history.
const EPOCH_DIGITS: usize = 16;
const WALLETS: TableDefinition<'_, u32, (u64, &[u8])> = TableDefinition::new("wallets");
const WINDOWS: TableDefinition<'_, u32, (u64, &[u8])> = TableDefinition::new("windows");
/// The index of the decisions: what each segment tells of them as a whole, under the number of its first one.
const SEGMENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("segments");
/// The terms of each segment, in parts.
const TERMS: TableDefinition<'_, (u64, u8), &[u8]> = TableDefinition::new("terms");

/// Why the store cannot do what it was asked for.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("failed to open the store {path}: another process has it open; one store serves one process")]
    InUse { path: PathBuf },
    #[error("failed to open the store {path}: it has version {found}, this program reads version {VERSION}")]
    Version { path: PathBuf, found: u64 },
    #[error(
        "failed to open the store {path}: the file is empty, and no store ever is: what it held is lost; restore a \
         backup, or move the file away to begin with nothing"
    )]
    Emptied { path: PathBuf },
    #[error("failed to open the store {path}")]
    Open { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("failed to commit: the disk is full")]
    DiskFull,
    #[error("failed to {what} the store")]
    Access { what: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("failed to read {what} {number} of the store")]
    Record { what: &'static str, number: u64, source: StoredError },
    #[error(
        "the store {path} is not the file that was opened: {what}; what was acknowledged is in the opened file, which \
         this process holds: put it back and the service goes on"
    )]
    Misplaced { path: PathBuf, what: Misplacement },
    #[error(
        "the store {path} was cut from {left} to {found} bytes by somebody else: what it held is lost; stop the \
         service and restore a backup"
    )]
    Cut { path: PathBuf, left: u64, found: u64 },
    #[error(
        "the store {path} stands at batch {found} where batch {expected} was left: somebody else has written it; stop \
         the service and restore a backup"
    )]
    Astray { path: PathBuf, found: u64, expected: u64 },
    #[error("the store was closed after a failure and is not open again yet")]
    Closed,
}

/// How far the store has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Batches committed.
    pub batch: u64,
    /// The last decision's sequence number.
    pub seq: u64,
    /// Rejected records so far: the next one's offset.
    pub rejected: u64,
}

/// One of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// By the sequence number of the operation's decision.
    Operations,
    /// By sequence number, from 1.
    Decisions,
    /// By offset, from 0.
    Rejected,
}

impl Stream {
    const fn table(self) -> TableDefinition<'static, u64, &'static [u8]> {
        match self {
            Self::Operations => OPERATIONS,
            Self::Decisions => DECISIONS,
            Self::Rejected => REJECTED,
        }
    }

    /// Returns the stream's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Decisions => "decisions",
            Self::Rejected => "rejected",
        }
    }
}

/// Everything one transaction holds.
#[derive(Debug, Default)]
pub struct Commit {
    /// Where the store stands after it.
    pub position: Position,
    /// Blocks to append: the stream, the number of the block's first item, the block.
    pub blocks: Vec<(Stream, u64, Vec<u8>)>,
    /// What the index says of decisions, of this batch and of earlier ones.
    pub segments: Vec<index::Segment>,
    /// What the batch changes.
    pub journal: Option<Vec<u8>>,
    /// Groups of wallet records as they are after this batch.
    pub wallets: Vec<(u32, Vec<u8>)>,
    /// Groups of shared windows as they are after this batch.
    pub windows: Vec<(u32, Vec<u8>)>,
    /// Layouts that were not there before.
    pub layouts: Vec<(u64, Vec<u8>)>,
    /// Small things under a name.
    pub notes: Vec<(String, Vec<u8>)>,
    /// Journals of batches up to this one are not needed any more.
    pub forget_journals: Option<u64>,
    /// Blocks whose successor arrived before this are dropped.
    pub expire: Vec<(Stream, Time)>,
}

/// How many blocks of a stream one commit lets go at most: expiry keeps up, and never stalls.
const EXPIRED_PER_COMMIT: usize = 16;

/// Opens the database wherever its bytes are.
type OpenDatabase = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// The open store. Reading and writing may go on side by side; there is one writer.
pub struct Store {
    path: PathBuf,
    open: OpenDatabase,
    place: Arc<Place>,
    database: RwLock<Option<Arc<Database>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of a folder, which is made if it is missing.
    ///
    /// # Errors
    /// The folder or file cannot be used, is of a later version, or another process has it.
    pub fn open(folder: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let failed = |source: io::Error| StoreError::Open { path: path.clone(), source: source.into() };
        std::fs::create_dir_all(folder).map_err(failed)?;
        restrict_to_owner(folder).map_err(failed)?;
        if !path.exists() {
            make_file(&path, cache_bytes)?;
        }
        let (file, place) = (path.clone(), Arc::new(Place::default()));
        let known = Arc::clone(&place);
        // Never makes a file: where the one that was opened is gone, a new one would take its place unnoticed.
        Self::opened_by(path, place, Box::new(move || opening::open_known(&file, cache_bytes, &known)))
    }

    /// Opens a store whose bytes are behind a backend: a disk that fails when it is told to.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with_backend(backend: impl StorageBackend + Clone, cache_bytes: usize) -> Result<Self, StoreError> {
        let open = move || builder(cache_bytes).create_with_backend(backend.clone());
        Self::opened_by(PathBuf::from(FILE), Arc::default(), Box::new(open))
    }

    fn opened_by(path: PathBuf, place: Arc<Place>, open: OpenDatabase) -> Result<Self, StoreError> {
        let database = open_database(&path, &open)?;
        place.keep_length(&path);
        Ok(Self { path, open, place, database: RwLock::new(Some(Arc::new(database))) })
    }

    /// Closes and opens the file again: after a failed write nothing else helps. A file that is not the one
    /// that was opened is left alone, and the one that was opened stays open: closed, it could be gone for good.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::check_place`].
    pub fn reopen(&self) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if database.is_some() {
            self.check_place()?;
        }
        *database = None;
        let opened = open_database(&self.path, &self.open)?;
        self.place.keep_length(&self.path);
        self.place.check(&self.path)?;
        *database = Some(Arc::new(opened));
        Ok(())
    }

    /// Checks that the store's path leads to the file that is open, and that nobody has cut it.
    ///
    /// # Errors
    /// The file was moved, deleted, replaced or cut: what is committed from now on no later start would find.
    pub fn check_place(&self) -> Result<(), StoreError> {
        self.place.check(&self.path)
    }

    /// Closes the file: from now on nothing can be read or written.
    pub fn close(&self) {
        *self.database.write().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    fn database(&self) -> Result<Arc<Database>, StoreError> {
        let database = self.database.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        database.clone().ok_or(StoreError::Closed)
    }

    /// Returns how far the store has come.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn position(&self) -> Result<Position, StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let meta = read.open_table(META).map_err(access("read"))?;
        let word = |name: &str| -> Result<u64, StoreError> {
            Ok(meta.get(name).map_err(access("read"))?.map_or(0, |value| value.value()))
        };
        Ok(Position { batch: word("batch")?, seq: word("seq")?, rejected: word("rejected")? })
    }

    /// Commits a batch: all of it, durably and where the next start looks for it, or nothing.
    ///
    /// # Errors
    /// The disk is full or fails, or the file is not in its place any more; whether the batch is in the store is
    /// known after [`Self::reopen`].
    pub fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        self.check_place()?;
        let transaction = self.database()?.begin_write().map_err(access("write"))?;
        write(&transaction, commit).map_err(|error| full_or("write", error))?;
        transaction.commit().map_err(|error| match error {
            redb::CommitError::Storage(error) => full_or("commit to", error.into()),
            other => StoreError::Access { what: "commit to", source: Box::new(other) },
        })?;
        self.place.keep_length(&self.path);
        self.check_place()
    }

    /// Opens the file again after a commit that failed, and tells whether it is in the store all the same.
    ///
    /// # Errors
    /// As [`Self::reopen`], or the store stands where this commit cannot follow.
    pub fn settle(&self, commit: &Commit) -> Result<bool, StoreError> {
        self.reopen()?;
        let (found, is_batch) = (self.position()?.batch, commit.journal.is_some());
        let expected = commit.position.batch - u64::from(is_batch);
        if found == expected {
            return Ok(false);
        }
        if is_batch && found == commit.position.batch {
            return Ok(true);
        }
        Err(StoreError::Astray { path: self.path.clone(), found, expected })
    }

    /// Reads items of a stream in order, from `from` on, at most `limit` of them or until `bytes_max`
    /// bytes were read. Items that retention dropped are passed over.
    ///
    /// # Errors
    /// The file cannot be read, or a block is damaged.
    pub fn read(
        &self,
        stream: Stream,
        from: u64,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let mut items = Vec::new();
        let mut bytes = 0;
        self.each_block(stream, from, |first, block| {
            for (index, number) in (0..block.len()).zip(first..) {
                if number >= from
                    && let Some(item) = block.get(index)
                {
                    if items.len() >= limit || (bytes >= bytes_max && !items.is_empty()) {
                        return Ok(false);
                    }
                    bytes += item.len();
                    items.push((number, item.to_vec()));
                }
            }
            Ok(items.len() < limit)
        })?;
        Ok(items)
    }

    /// Reads one item.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn item(&self, stream: Stream, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let items = self.read(stream, number, 1, usize::MAX)?;
        Ok(items.into_iter().next().filter(|(found, _)| *found == number).map(|(_, item)| item))
    }

    /// Walks the blocks of a stream in order, beginning with the one that holds `from`. The walk ends
    /// when the visitor says so.
    ///
    /// # Errors
    /// The file cannot be read, a block is damaged, or the visitor fails.
    pub fn each_block(
        &self,
        stream: Stream,
        from: u64,
        mut visit: impl FnMut(u64, &Block) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(stream.table()).map_err(access("read"))?;
        let before = table.range(..=from).map_err(access("read"))?.next_back();
        let start = before.transpose().map_err(access("read"))?.map_or(from, |(key, _)| key.value());
        for entry in table.range(start..).map_err(access("read"))? {
            let (key, value) = entry.map_err(access("read"))?;
            let number = key.value();
            let block = Block::read(value.value()).map_err(|source| StoreError::Record {
                what: stream.name(),
                number,
                source,
            })?;
            if !visit(number, &block)? {
                break;
            }
        }
        Ok(())
    }

    /// Walks the blocks of a stream as they are stored, in order, until the visitor says so.
    ///
    /// # Errors
    /// The file cannot be read, or the visitor fails.
    pub fn each_raw_block(
        &self,
        stream: Stream,
        mut visit: impl FnMut(u64, &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(stream.table()).map_err(access("read"))?;
        for entry in table.iter().map_err(access("read"))? {
            let (key, value) = entry.map_err(access("read"))?;
            if !visit(key.value(), value.value())? {
                break;
            }
        }
        Ok(())
    }

    /// Reads the block that holds an item, with the number of its first.
    ///
    /// # Errors
    /// The file cannot be read, or the block is damaged.
    pub fn block_of(&self, stream: Stream, number: u64) -> Result<Option<(u64, Block)>, StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(stream.table()).map_err(access("read"))?;
        let found = table.range(..=number).map_err(access("read"))?.next_back();
        let Some((key, value)) = found.transpose().map_err(access("read"))? else { return Ok(None) };
        let first = key.value();
        let block = Block::read(value.value()).map_err(|source| StoreError::Record {
            what: stream.name(),
            number: first,
            source,
        })?;
        Ok(Some((first, block)))
    }

    /// Returns the number after a stream's last item; `None` while it is empty.
    ///
    /// # Errors
    /// The file cannot be read, or the last block is damaged.
    pub fn end(&self, stream: Stream) -> Result<Option<u64>, StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(stream.table()).map_err(access("read"))?;
        let Some((key, value)) = table.last().map_err(access("read"))? else { return Ok(None) };
        let number = key.value();
        let failed = |source| StoreError::Record { what: stream.name(), number, source };
        let block = Block::read(value.value()).map_err(failed)?;
        Ok(Some(number + u64::try_from(block.len()).unwrap_or(u64::MAX)))
    }

    /// Reads a note.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(NOTES).map_err(access("read"))?;
        Ok(table.get(name).map_err(access("read"))?.map(|value| value.value().to_vec()))
    }

    /// Returns the name of this store's history, and gives it one where it has none: a new store, and one made
    /// from a backup, which may part from the history it was copied from.
    ///
    /// # Errors
    /// The file cannot be read, or not be written.
    pub fn epoch(&self) -> Result<String, StoreError> {
        if let Some(epoch) = self.note(NOTE_EPOCH)? {
            return Ok(String::from_utf8_lossy(&epoch).into_owned());
        }
        let mut epoch = uuid::Uuid::new_v4().simple().to_string();
        epoch.truncate(EPOCH_DIGITS);
        let notes = vec![(NOTE_EPOCH.to_owned(), epoch.clone().into_bytes())];
        self.commit(&Commit { position: self.position()?, notes, ..Commit::default() })?;
        Ok(epoch)
    }

    /// Lists the layouts.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn layouts(&self) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(LAYOUTS).map_err(access("read"))?;
        let entries = table.iter().map_err(access("read"))?;
        let entry = |entry: Result<(redb::AccessGuard<'_, u64>, redb::AccessGuard<'_, &[u8]>), StorageError>| {
            let (key, value) = entry.map_err(access("read"))?;
            Ok((key.value(), value.value().to_vec()))
        };
        entries.map(entry).collect()
    }

    /// Walks the groups of wallet records: group, the batch after which it was written, bytes.
    ///
    /// # Errors
    /// The file cannot be read, or the visitor fails.
    pub fn each_wallet_group(
        &self,
        visit: impl FnMut(u32, u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_group(WALLETS, visit)
    }

    /// Walks the groups of shared windows like [`Self::each_wallet_group`].
    ///
    /// # Errors
    /// The file cannot be read, or the visitor fails.
    pub fn each_window_group(
        &self,
        visit: impl FnMut(u32, u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_group(WINDOWS, visit)
    }

    fn each_group(
        &self,
        table: TableDefinition<'_, u32, (u64, &'static [u8])>,
        mut visit: impl FnMut(u32, u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(table).map_err(access("read"))?;
        for entry in table.iter().map_err(access("read"))? {
            let (key, value) = entry.map_err(access("read"))?;
            let (batch, bytes) = value.value();
            visit(key.value(), batch, bytes)?;
        }
        Ok(())
    }

    /// Walks the journals of the batches after `batch` in order.
    ///
    /// # Errors
    /// The file cannot be read, or the visitor fails.
    pub fn each_journal(
        &self,
        after: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(JOURNALS).map_err(access("read"))?;
        for entry in table.range(after + 1..).map_err(access("read"))? {
            let (key, value) = entry.map_err(access("read"))?;
            visit(key.value(), value.value())?;
        }
        Ok(())
    }

    /// Returns the bytes of the store's file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Returns the bytes that this process may still write to the store's file system; `None` when the
    /// file system does not say.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        let figures = rustix::fs::statvfs(&self.path).ok()?;
        Some(figures.f_bavail.saturating_mul(figures.f_frsize))
    }
}

fn write(transaction: &WriteTransaction, commit: &Commit) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    meta.insert("batch", commit.position.batch)?;
    meta.insert("seq", commit.position.seq)?;
    meta.insert("rejected", commit.position.rejected)?;
    for (stream, number, block) in &commit.blocks {
        transaction.open_table(stream.table())?.insert(number, &block[..])?;
    }
    if let Some(journal) = &commit.journal {
        transaction.open_table(JOURNALS)?.insert(commit.position.batch, &journal[..])?;
    }
    for (definition, groups) in [(WALLETS, &commit.wallets), (WINDOWS, &commit.windows)] {
        if !groups.is_empty() {
            let mut table = transaction.open_table(definition)?;
            for (group, bytes) in groups {
                table.insert(group, (commit.position.batch, &bytes[..]))?;
            }
        }
    }
    for (id, layout) in &commit.layouts {
        transaction.open_table(LAYOUTS)?.insert(id, &layout[..])?;
    }
    for (name, bytes) in &commit.notes {
        transaction.open_table(NOTES)?.insert(&name[..], &bytes[..])?;
    }
    if let Some(batch) = commit.forget_journals {
        transaction.open_table(JOURNALS)?.retain_in(..=batch, |_, _| false)?;
    }
    for (stream, before) in &commit.expire {
        expire(transaction, *stream, *before)?;
    }
    index::write(transaction, &commit.segments)
}

/// Drops blocks all of whose items arrived before an instant: the next block began before it too. The
/// clock may have been set back meanwhile, so the block itself is asked as well.
fn expire(transaction: &WriteTransaction, stream: Stream, before: Time) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(stream.table())?;
    for _ in 0..EXPIRED_PER_COMMIT {
        let mut first = table.iter()?;
        let (Some(oldest), Some(next)) = (first.next().transpose()?, first.next().transpose()?) else { break };
        let is_young = |block: &[u8]| block::first_arrival(block).is_ok_and(|at| at >= before);
        if is_young(oldest.1.value()) || is_young(next.1.value()) {
            break;
        }
        let number = oldest.0.value();
        drop((oldest, next, first));
        table.remove(number)?;
    }
    Ok(())
}

fn access<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl Fn(E) -> StoreError {
    move |source| StoreError::Access { what, source: Box::new(source) }
}

/// Tells a full disk from everything else: it is the one failure an operator ends without us.
fn full_or(what: &'static str, error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => StoreError::DiskFull,
        other => StoreError::Access { what, source: Box::new(other) },
    }
}
