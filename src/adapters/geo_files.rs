//! The two databases of a geo folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::geo::{DatabaseKind, Geo, GeoDatabase, GeoError};

/// The names in any geo folder.
pub const COUNTRY_FILE: &str = "country.mmdb";
pub const ANONYMIZER_FILE: &str = "anonymizer.mmdb";

/// Returns the name of a database's file in any geo folder.
#[must_use]
pub const fn file_of(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Country => COUNTRY_FILE,
        DatabaseKind::Anonymizer => ANONYMIZER_FILE,
    }
}

/// A file is there but is of no use. A missing file is no error: rules say what then happens.
#[derive(Debug, thiserror::Error)]
pub enum GeoFileError {
    #[error("failed to read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("failed to open {}", path.display())]
    Broken { path: PathBuf, source: GeoError },
}

/// Loads what the folder holds.
///
/// # Errors
/// The first file that is there and cannot be used, with its path and the reason.
pub fn load(folder: &Path) -> Result<Geo, GeoFileError> {
    let load = |kind| load_file(kind, &folder.join(file_of(kind)));
    Ok(Geo::new(load(DatabaseKind::Country)?, load(DatabaseKind::Anonymizer)?))
}

/// Loads one database; `None` when there is no such file.
///
/// # Errors
/// The file is there and cannot be used.
pub fn load_file(kind: DatabaseKind, path: &Path) -> Result<Option<GeoDatabase>, GeoFileError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(GeoFileError::Unreadable { path: path.to_owned(), source }),
    };
    match GeoDatabase::from_bytes(kind, bytes) {
        Ok(database) => Ok(Some(database)),
        Err(source) => Err(GeoFileError::Broken { path: path.to_owned(), source }),
    }
}
