//! Reading a file only if it is one: regular, inside its folder, and no longer than it may be.

use std::fs::{self, File, FileType};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::FolderError;

/// Follows the links of a path; `None` where it leads nowhere.
///
/// # Errors
/// What it leads to lies outside the folder, or cannot be looked at.
pub(super) fn resolve(root: &Path, path: &Path) -> Result<Option<PathBuf>, FolderError> {
    let read = |source| FolderError::Read { path: path.to_path_buf(), source };
    let found = match fs::canonicalize(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(read(source)),
    };
    if found.starts_with(fs::canonicalize(root).map_err(read)?) {
        Ok(Some(found))
    } else {
        Err(FolderError::Outside { path: path.to_path_buf() })
    }
}

/// Reads a file that [`resolve`] found; errors name the path by which it was asked for.
///
/// # Errors
/// It is no regular file, is too long, or cannot be read.
pub(super) fn read(path: &Path, found: &Path, max: u64) -> Result<Vec<u8>, FolderError> {
    let failed = |source| FolderError::Read { path: path.to_path_buf(), source };
    let refuse = |kind| FolderError::NotRegular { path: path.to_path_buf(), found: kind };
    // Asked before it is opened, for opening a device may do something; and after, for it may be another by now.
    if let Some(kind) = irregular(fs::symlink_metadata(found).map_err(failed)?.file_type()) {
        return Err(refuse(kind));
    }
    let file = open(found).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if let Some(kind) = irregular(metadata.file_type()) {
        return Err(refuse(kind));
    }
    let too_long = || FolderError::TooLong { path: path.to_path_buf(), max };
    if metadata.len() > max {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(too_long());
    }
    Ok(bytes)
}

/// Opens a file without waiting for whoever might write into it, and without following a link.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Names what is no regular file.
fn irregular(kind: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return Some("a pipe");
        } else if kind.is_socket() {
            return Some("a socket");
        } else if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    if kind.is_dir() {
        Some("a folder")
    } else if kind.is_symlink() {
        Some("a link")
    } else {
        (!kind.is_file()).then_some("something else")
    }
}
