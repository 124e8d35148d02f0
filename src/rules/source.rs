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
}
