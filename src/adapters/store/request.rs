//! A backup asked of the process that has the store open: by a file in the store's own folder, which
//! only its owner can write.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Asks for a backup into this folder.
const REQUEST: &str = "backup.request";
/// Says how it ended.
const RESULT: &str = "backup.result";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRequest {
    /// An absolute path: the two processes may be in different folders.
    pub to: PathBuf,
}

/// How a backup ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupResult {
    pub to: PathBuf,
    pub error: Option<String>,
}

/// Writes a request into a store's folder; an older result goes.
///
/// # Errors
/// The folder cannot be written.
pub fn ask(store: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_file(store.join(RESULT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let request = BackupRequest { to: std::path::absolute(to)? };
    write_whole(&store.join(REQUEST), &serde_json::to_vec(&request)?)
}

/// Takes the request that waits in a store's folder. One that cannot be read is dropped.
#[must_use]
pub fn take(store: &Path) -> Option<BackupRequest> {
    let path = store.join(REQUEST);
    let bytes = fs::read(&path).ok()?;
    fs::remove_file(&path).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Says how a backup ended.
///
/// # Errors
/// The folder cannot be written.
pub fn answer(store: &Path, result: &BackupResult) -> io::Result<()> {
    write_whole(&store.join(RESULT), &serde_json::to_vec(result)?)
}

/// Returns how the backup ended, once it has.
#[must_use]
pub fn result(store: &Path) -> Option<BackupResult> {
    serde_json::from_slice(&fs::read(store.join(RESULT)).ok()?).ok()
}

/// Whoever reads the file finds all of it or nothing.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(&part, path)
}
