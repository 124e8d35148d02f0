//! `kuzet rules`: the life of a rule, as a person sees it.

mod diff;
mod fmt;
mod mode;
mod new;

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

/// Runs the program in a folder.
fn kuzet(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = crate::command::kuzet();
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).output().expect("the binary has been built")
}

/// Runs it, holds its exit code to the expected one, and returns what it wrote.
fn told(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = kuzet(folder, arguments);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{error}");
    format!("{out}{error}")
}

/// Writes files below a folder.
fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}
