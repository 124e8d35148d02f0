//! Looking after a store: checking it, counting it, copying it while it is used.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::{
    DECISIONS, JOURNALS, LAYOUTS, META, NOTE_EPOCH, NOTES, OPERATIONS, REJECTED, SEGMENTS, Store, StoreError, Stream,
    TERMS, WALLETS, WINDOWS, access,
};

/// What one table of the store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStats {
    pub name: &'static str,
    pub entries: u64,
    /// Bytes of keys and values.
    pub stored_bytes: u64,
    /// Bytes of pages, and of what is unused in them.
    pub other_bytes: u64,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    pub operations: u64,
    pub decisions: u64,
    pub rejected: u64,
    /// One sentence each.
    pub faults: Vec<String>,
}

impl Store {
    /// Counts what each table holds.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn stats(&self) -> Result<Vec<TableStats>, StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let mut all = Vec::new();
        macro_rules! stats {
            ($name:literal, $table:expr) => {{
                let table = read.open_table($table).map_err(access("read"))?;
                let stats = table.stats().map_err(access("read"))?;
                let entries = table.len().map_err(access("read"))?;
                let other_bytes = stats.metadata_bytes() + stats.fragmented_bytes();
                all.push(TableStats { name: $name, entries, stored_bytes: stats.stored_bytes(), other_bytes });
            }};
        }
        stats!("operations", OPERATIONS);
        stats!("decisions", DECISIONS);
        stats!("rejected", REJECTED);
        stats!("journals", JOURNALS);
        stats!("wallets", WALLETS);
        stats!("windows", WINDOWS);
        stats!("layouts", LAYOUTS);
        stats!("notes", NOTES);
        stats!("segments", SEGMENTS);
        stats!("terms", TERMS);
        Ok(all)
    }

    /// Reads everything: blocks can be read, numbers have no gap, the counts are the position's.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        let position = self.position()?;
        let mut verified = Verified::default();
        let ends = [
            (Stream::Operations, position.seq + 1),
            (Stream::Decisions, position.seq + 1),
            (Stream::Rejected, position.rejected),
        ];
        for (stream, end) in ends {
            let mut next = None;
            let mut count = 0;
            let read = self.each_block(stream, 0, |first, block| {
                if next.is_some_and(|next| next != first) {
                    let expected = next.unwrap_or(0);
                    verified.faults.push(format!("{}: {expected} is followed by {first}", stream.name()));
                }
                let length = u64::try_from(block.len()).unwrap_or(u64::MAX);
                count += length;
                next = Some(first + length);
                Ok(true)
            });
            if let Err(error) = read {
                verified.faults.push(with_sources(&error));
            } else if next.is_some_and(|next| next != end) {
                let (name, found) = (stream.name(), next.unwrap_or(0));
                verified.faults.push(format!("{name}: ends before {found}, but the store stands at {end}"));
            }
            match stream {
                Stream::Operations => verified.operations = count,
                Stream::Decisions => verified.decisions = count,
                Stream::Rejected => verified.rejected = count,
            }
        }
        Ok(verified)
    }

    /// Checks the checksums of every page, and repairs what can be repaired. Nobody else may use the
    /// store meanwhile.
    ///
    /// # Errors
    /// The file cannot be read, or the store is in use in this process.
    pub fn check_pages(&self) -> Result<bool, StoreError> {
        self.exclusively(|database| database.check_integrity().map_err(access("check")))
    }

    /// Gives unused pages back to the file system; tells whether there were any.
    ///
    /// # Errors
    /// The file cannot be written, or the store is in use in this process.
    pub fn compact(&self) -> Result<bool, StoreError> {
        self.exclusively(|database| database.compact().map_err(access("compact")))
    }

    fn exclusively<T>(&self, work: impl FnOnce(&mut Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut database = self.database.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let alone = database.as_mut().and_then(std::sync::Arc::get_mut).ok_or(StoreError::Closed)?;
        let done = work(alone);
        self.place.keep_length(&self.path);
        done
    }

    /// Copies the store as it is at this moment into a new folder. Others may go on using it. The copy is the
    /// beginning of another history: [`Store::epoch`] names it anew.
    ///
    /// # Errors
    /// The folder holds a store already or cannot be written, or the store cannot be read.
    pub fn backup(&self, folder: &Path) -> Result<(), StoreError> {
        let path = folder.join(super::FILE);
        if path.exists() {
            let source = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "a store is there already");
            return Err(StoreError::Open { path, source: source.into() });
        }
        let target = Self::open(folder, 64 << 20)?;
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let target_database = target.database()?;
        let write = target_database.begin_write().map_err(access("write"))?;
        {
            let source = read.open_table(META).map_err(access("read"))?;
            let mut copy = write.open_table(META).map_err(access("write"))?;
            for entry in source.iter().map_err(access("read"))? {
                let (key, value) = entry.map_err(access("read"))?;
                copy.insert(key.value(), value.value()).map_err(access("write"))?;
            }
            let source = read.open_table(NOTES).map_err(access("read"))?;
            let mut copy = write.open_table(NOTES).map_err(access("write"))?;
            for entry in source.iter().map_err(access("read"))? {
                let (key, value) = entry.map_err(access("read"))?;
                // What is decided on the copy is another history than what follows here.
                if key.value() != NOTE_EPOCH {
                    copy.insert(key.value(), value.value()).map_err(access("write"))?;
                }
            }
        }
        for table in [LAYOUTS, OPERATIONS, DECISIONS, REJECTED, JOURNALS, SEGMENTS] {
            copy_table(&read, &write, table)?;
        }
        for table in [WALLETS, WINDOWS] {
            let source = read.open_table(table).map_err(access("read"))?;
            let mut copy = write.open_table(table).map_err(access("write"))?;
            for entry in source.iter().map_err(access("read"))? {
                let (key, value) = entry.map_err(access("read"))?;
                copy.insert(key.value(), value.value()).map_err(access("write"))?;
            }
        }
        {
            let source = read.open_table(TERMS).map_err(access("read"))?;
            let mut copy = write.open_table(TERMS).map_err(access("write"))?;
            for entry in source.iter().map_err(access("read"))? {
                let (key, value) = entry.map_err(access("read"))?;
                copy.insert(key.value(), value.value()).map_err(access("write"))?;
            }
        }
        write.commit().map_err(access("commit to"))
    }
}

fn copy_table(
    read: &redb::ReadTransaction,
    write: &redb::WriteTransaction,
    table: TableDefinition<'_, u64, &'static [u8]>,
) -> Result<(), StoreError> {
    let source = read.open_table(table).map_err(access("read"))?;
    let mut copy = write.open_table(table).map_err(access("write"))?;
    for entry in source.iter().map_err(access("read"))? {
        let (key, value) = entry.map_err(access("read"))?;
        copy.insert(key.value(), value.value()).map_err(access("write"))?;
    }
    Ok(())
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
