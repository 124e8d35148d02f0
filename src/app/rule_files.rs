//! Changes of rule files that are asked for over HTTP.

use std::fs;
use std::path::Path;

use crate::adapters::files;
use crate::adapters::folders::Folder;
use crate::service::rule_change::WriteRule;

/// Makes what replaces a rule's file; `None` where the rules are the copy that the program carries.
pub(super) fn writer(folder: &Folder) -> Option<Box<WriteRule>> {
    match folder {
        Folder::Path(_) => Some(Box::new(|path, before, after| replace(Path::new(path), before, after))),
        Folder::Embedded(_) => None,
    }
}

/// Replaces a file whole, if it still has the text that was looked at.
fn replace(path: &Path, before: &str, after: &str) -> Result<(), String> {
    let shown = path.display();
    let present = fs::read(path).map_err(|error| format!("failed to read {shown}: {error}"))?;
    if present != before.as_bytes() {
        return Err(format!("{shown} has just been changed by somebody else"));
    }
    // A link leads to the file that is meant: it stays a link.
    let real = fs::canonicalize(path).map_err(|error| format!("failed to read {shown}: {error}"))?;
    files::replace(&real, after.as_bytes()).map_err(|error| format!("failed to write {shown}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_else_changed_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "one").unwrap();
        replace(&path, "one", "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        let error = replace(&path, "one", "three").unwrap_err();
        assert!(error.ends_with("has just been changed by somebody else"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert!(replace(&folder.path().join("none"), "", "x").unwrap_err().starts_with("failed to read"));
    }
}
