//! Records out of a file or a stream, decisions into one.
//!
//! Knows JSONL framing and compression; must not know what a record means. Memory is bounded whatever
//! the input: one batch, and one line of at most [`LINE_BYTES_MAX`].

mod reader;
mod writer;

pub use reader::{Batch, LINE_BYTES_MAX, Position, ReadError, Record, RecordReader};
pub use writer::{DecisionWriter, WriteError};

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Writes a file whole: beside its place, then renamed, so that a reader sees the old file or the new one, also
/// after the power has failed.
///
/// # Errors
/// It cannot be written; what was there before is still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let mut file = fs::File::create(&beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is left of it would only confuse; the first error is the one to tell.
        fs::remove_file(&beside).unwrap_or(());
        return written;
    }
    #[cfg(unix)]
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Tries whether [`replace`] could write the file now: writes an empty one beside it and takes that away.
///
/// # Errors
/// It could not.
pub fn try_replace(path: &Path) -> io::Result<()> {
    let beside = beside(path);
    fs::File::create(&beside)?;
    fs::remove_file(&beside)
}

/// The file that is written whole before it takes another's place.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    PathBuf::from(beside)
}

/// Tells whether two paths lead to one regular file, so that writing the second would destroy the
/// first. Devices and pipes are never the same file in this sense.
#[must_use]
pub fn is_same_regular_file(one: &Path, other: &Path) -> bool {
    let (Ok(one_metadata), Ok(other_metadata)) = (fs::metadata(one), fs::metadata(other)) else { return false };
    if !one_metadata.is_file() || !other_metadata.is_file() {
        return false;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        one_metadata.dev() == other_metadata.dev() && one_metadata.ino() == other_metadata.ino()
    }
    #[cfg(not(unix))]
    {
        matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_under_two_names_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let (one, link, other) = (folder.path().join("one"), folder.path().join("link"), folder.path().join("other"));
        fs::write(&one, "x").unwrap();
        fs::write(&other, "x").unwrap();
        fs::hard_link(&one, &link).unwrap();
        assert!(is_same_regular_file(&one, &link));
        assert!(!is_same_regular_file(&one, &other));
        assert!(!is_same_regular_file(&one, &folder.path().join("missing")));
        assert!(!is_same_regular_file(Path::new("/dev/null"), Path::new("/dev/null")));
    }
}
