//! The files that a rule set is made of.

/// What the keys of lists in Redis begin with, and the paths of sources that stand for them.
pub const REDIS_SET: &str = "kuzet:list:";
/// Largest rule file in bytes.
pub const FILE_BYTES_MAX: usize = 64 * 1024;

/// One file of a rule folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As it is shown to people; `/` between folders.
    pub path: String,
    pub bytes: Vec<u8>,
    /// How many bytes of the path name the folder itself: what a file is follows from the rest.
    folder: usize,
}

impl SourceFile {
    /// Makes a file whose path is inside the folder.
    #[must_use]
    pub fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: bytes.into(), folder: 0 }
    }

    /// Makes a file of a folder; `folder` is shown before the path inside it.
    #[must_use]
    pub fn of_folder(folder: &str, inside: &str, bytes: Vec<u8>) -> Self {
        Self { path: format!("{folder}{inside}"), bytes, folder: folder.len() }
    }

    /// Returns the path inside the folder.
    #[must_use]
    pub fn inside(&self) -> &str {
        self.path.get(self.folder..).unwrap_or(&self.path)
    }
}
