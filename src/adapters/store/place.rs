//! Where the open file lies: whether its path still leads to it, and nobody else has cut it.
//!
//! A file that is moved, deleted or replaced while it is open takes every further commit without complaint,
//! and no later start would find them. So each commit asks the file system: two calls, about a microsecond.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::StoreError;

/// What tells one file from another on this machine, whatever their names: device and inode.
type Identity = (u64, u64);

/// The file that was opened first, and the length this process left it with. While it is open its identity is
/// nobody else's. Nothing is known of a store whose bytes are behind a backend.
#[derive(Debug, Default)]
pub(super) struct Place {
    identity: OnceLock<Identity>,
    length: AtomicU64,
}

impl Place {
    /// Keeps what is known of the open file; the first one's identity stays.
    pub(super) fn keep(&self, file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        if let Some(identity) = identity(&metadata) {
            self.identity.get_or_init(|| identity);
        }
        Ok(())
    }

    /// Keeps the length the file has now that this process has written it.
    pub(super) fn keep_length(&self, path: &Path) {
        if let Ok(metadata) = path.metadata()
            && identity(&metadata).as_ref() == self.identity.get()
        {
            self.length.store(metadata.len(), Ordering::Relaxed);
        }
    }

    /// Checks that a path leads to the file that was opened, and that it is as long as this process left it.
    ///
    /// # Errors
    /// The file was moved, deleted, replaced or cut.
    pub(super) fn check(&self, path: &Path) -> Result<(), StoreError> {
        let Some(opened) = self.identity.get() else { return Ok(()) };
        let misplaced = |what| StoreError::Misplaced { path: path.to_path_buf(), what };
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(misplaced(Misplacement::Gone));
            }
            Err(source) => return Err(StoreError::Access { what: "find the file of", source: source.into() }),
        };
        if identity(&metadata).as_ref() != Some(opened) {
            return Err(misplaced(Misplacement::Replaced));
        }
        let (left, found) = (self.length.load(Ordering::Relaxed), metadata.len());
        if found < left {
            return Err(StoreError::Cut { path: path.to_path_buf(), left, found });
        }
        Ok(())
    }
}

/// Where the file that was opened is not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misplacement {
    #[error("there is no file any more: it was moved or deleted")]
    Gone,
    #[error("another file is there now")]
    Replaced,
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
const fn identity(_: &Metadata) -> Option<Identity> {
    None
}
