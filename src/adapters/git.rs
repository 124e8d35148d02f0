//! Files of an earlier revision, read by the `git` command.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use thiserror::Error;

/// Git cannot give the files.
#[derive(Debug, Error)]
pub enum GitError {
    #[error("failed to run git; it has to be installed to read rules of a revision")]
    Run(#[from] io::Error),
    #[error("failed to read {path} of the revision {revision}: {reason}")]
    Refused { revision: String, path: String, reason: String },
}

/// Reads all files below a folder as they were in a revision, by their paths inside it. `folder` is the repository's,
/// or one inside it; `path` counts from there.
///
/// # Errors
/// There is no git, no repository, no such revision or folder.
pub fn files(folder: &Path, revision: &str, path: &str) -> Result<Vec<(String, Vec<u8>)>, GitError> {
    let refused = |reason: &str| GitError::Refused {
        revision: revision.to_owned(),
        path: path.to_owned(),
        reason: reason.trim().trim_start_matches("fatal: ").to_owned(),
    };
    if revision.is_empty() || revision.starts_with('-') || revision.contains(':') {
        return Err(refused("not a revision"));
    }
    let git = || {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder);
        command
    };
    let tree = format!("{revision}:./{}", path.trim_end_matches('/'));
    let listed = git().args(["ls-tree", "-r", "-z", "--format=%(objectname) %(path)", &tree]).output()?;
    if !listed.status.success() {
        return Err(refused(&String::from_utf8_lossy(&listed.stderr)));
    }
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let entries: Vec<(&str, &str)> = listed.split('\0').filter_map(|entry| entry.split_once(' ')).collect();
    let mut reading = git()
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let names: String = entries.iter().flat_map(|(object, _)| [*object, "\n"]).collect();
    let mut stdin = reading.stdin.take();
    // Written beside the reading: git answers while it is asked.
    let asking = std::thread::spawn(move || stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(names.as_bytes())));
    let answer = reading.wait_with_output()?;
    asking.join().map_err(|_| refused("git was not asked"))??;
    let mut rest = answer.stdout.as_slice();
    let mut files = Vec::new();
    for (_, path) in entries {
        let (bytes, after) = blob(rest).ok_or_else(|| refused("git gave less than it listed"))?;
        files.push((path.to_owned(), bytes.to_vec()));
        rest = after;
    }
    Ok(files)
}

/// Takes one answer of `cat-file --batch` apart: `<object> blob <size>`, the bytes, an end of line.
fn blob(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let size: usize = std::str::from_utf8(&answer[..end]).ok()?.rsplit(' ').next()?.parse().ok()?;
    let bytes = answer.get(end + 1..end + 1 + size)?;
    Some((bytes, answer.get(end + 2 + size..)?))
}
