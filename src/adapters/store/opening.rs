//! Opening the store's file, making it where none is, and keeping it from other people.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableTable, StorageError, WriteTransaction};

use super::place::Place;
use super::{
    DECISIONS, JOURNALS, LAYOUTS, META, NOTES, OPERATIONS, OpenDatabase, REJECTED, SEGMENTS, StoreError, TERMS,
    VERSION, WALLETS, WINDOWS, access, full_or,
};

pub(super) fn builder(cache_bytes: usize) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    builder
}

/// Opens the file of a store that is there, and keeps which one it was.
pub(super) fn open_known(path: &Path, cache_bytes: usize, place: &Place) -> Result<Database, DatabaseError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(StorageError::Io)?;
    if file.metadata().map_err(StorageError::Io)?.len() == 0 {
        // What opens files would make a new database of it.
        return Err(StorageError::Io(io::ErrorKind::UnexpectedEof.into()).into());
    }
    place.keep(&file).map_err(StorageError::Io)?;
    builder(cache_bytes).create_with_backend(FileBackend::new(file)?)
}

/// Makes the file of a new store under another name: one that a crash left half made has no beginning,
/// and must not be taken for a store that is damaged.
pub(super) fn make_file(path: &Path, cache_bytes: usize) -> Result<(), StoreError> {
    let failed = |source: io::Error| StoreError::Open { path: path.to_path_buf(), source: source.into() };
    let half_made = path.with_extension("half-made");
    let file = half_made.clone();
    let open: OpenDatabase = Box::new(move || builder(cache_bytes).create(&file));
    let database = match open_database(&half_made, &open) {
        Err(StoreError::Open { .. }) => {
            // Nothing was ever acknowledged from it.
            std::fs::remove_file(&half_made).map_err(failed)?;
            open_database(&half_made, &open)?
        }
        opened => opened?,
    };
    drop(database);
    // A link never takes the place of a store that another process made meanwhile.
    match std::fs::hard_link(&half_made, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => std::fs::rename(&half_made, path),
        Ok(()) | Err(_) => std::fs::remove_file(&half_made),
    }
    .map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Makes the file's name durable; its bytes are by every commit.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

pub(super) fn open_database(path: &Path, open: &OpenDatabase) -> Result<Database, StoreError> {
    let database = open().map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path.to_path_buf() },
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::StorageFull => {
            StoreError::DiskFull
        }
        _ if path.metadata().is_ok_and(|found| found.len() == 0) => StoreError::Emptied { path: path.to_path_buf() },
        other => StoreError::Open { path: path.to_path_buf(), source: Box::new(other) },
    })?;
    if path.exists() {
        let failed = |source: io::Error| StoreError::Open { path: path.to_path_buf(), source: source.into() };
        restrict_to_owner(path).map_err(failed)?;
    }
    let transaction = database.begin_write().map_err(access("write"))?;
    let found = make_tables(&transaction).map_err(|error| full_or("write", error))?;
    if found == VERSION {
        // Of an existing store at most the index was missing, which an earlier program did not make.
        transaction.commit().map_err(|error| full_or("write", error.into()))?;
        Ok(database)
    } else {
        Err(StoreError::Version { path: path.to_path_buf(), found })
    }
}

/// Makes the tables of a new store, and those that an earlier program did not know; returns the store's version.
fn make_tables(transaction: &WriteTransaction) -> Result<u64, redb::Error> {
    let mut meta = transaction.open_table(META)?;
    let found = meta.get("version")?.map(|value| value.value());
    if let Some(found) = found {
        if found == VERSION {
            transaction.open_table(SEGMENTS)?;
            transaction.open_table(TERMS)?;
        }
        return Ok(found);
    }
    meta.insert("version", VERSION)?;
    for table in [LAYOUTS, OPERATIONS, DECISIONS, REJECTED, JOURNALS, SEGMENTS] {
        transaction.open_table(table)?;
    }
    transaction.open_table(NOTES)?;
    transaction.open_table(WALLETS)?;
    transaction.open_table(WINDOWS)?;
    transaction.open_table(TERMS)?;
    Ok(VERSION)
}

/// The store holds personal data: nobody but its owner reads it.
pub(super) fn restrict_to_owner(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
