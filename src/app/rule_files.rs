//! Changes of rule files that are asked for over HTTP.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::folders::Folder;
use crate::service::rule_change::WriteRule;

/// Makes what changes files of rules; `None` where the rules are the copy that the program carries.
pub(super) fn writer(folder: &Folder) -> Option<Box<WriteRule>> {
    match folder {
        Folder::Path(root) => {
            let root = root.clone();
            Some(Box::new(move |path, before, after| write(&root, Path::new(path), before, after)))
        }
        Folder::Embedded(_) => None,
    }
}

/// Replaces a file whole, makes it or takes it away, if it still is what was looked at; `None` is no file.
fn write(root: &Path, path: &Path, before: Option<&[u8]>, after: Option<&[u8]>) -> Result<(), String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("failed to write {shown}: {error}");
    let place = match before {
        Some(before) => existing(root, path, before)?,
        None => free(root, path)?,
    };
    match after {
        Some(after) => files::replace(&place, after).map_err(failed),
        // Of a link the link is taken away: what it leads to may be meant by others too.
        None if before.is_some() => fs::remove_file(path).map_err(failed),
        None => Ok(()),
    }
}

/// Finds where a file really lies: a link leads to the file that is meant, and stays a link.
fn existing(root: &Path, path: &Path, before: &[u8]) -> Result<PathBuf, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("failed to read {shown}: {error}");
    let real = inside(root, path)?;
    if fs::read(&real).map_err(failed)? != before {
        return Err(format!("{shown} has just been changed by somebody else"));
    }
    Ok(real)
}

/// Makes the folder for a file that is not there yet.
fn free(root: &Path, path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(_) => return Err(format!("{shown} has just been made by somebody else")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(format!("failed to read {shown}: {error}")),
    }
    let folder = path.parent().unwrap_or(root);
    let near = folder.ancestors().find(|near| near.exists()).unwrap_or(root);
    inside(root, near)?;
    fs::create_dir_all(folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    Ok(path.to_path_buf())
}

/// Follows the links of a path, which must not lead out of the folder of rules.
fn inside(root: &Path, path: &Path) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("failed to read {}: {error}", path.display());
    let real = fs::canonicalize(path).map_err(failed)?;
    if real.starts_with(fs::canonicalize(root).map_err(failed)?) {
        Ok(real)
    } else {
        Err(format!("{} leads out of the folder of rules", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, before: Option<&str>, after: Option<&str>) -> Result<(), String> {
        write(root, &root.join(path), before.map(str::as_bytes), after.map(str::as_bytes))
    }

    #[test]
    fn a_file_that_somebody_else_changed_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (root, path) = (folder.path(), folder.path().join("a.yaml"));
        fs::write(&path, "one").unwrap();
        put(root, "a.yaml", Some("one"), Some("two")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        let error = put(root, "a.yaml", Some("one"), Some("three")).unwrap_err();
        assert!(error.ends_with("has just been changed by somebody else"), "{error}");
        let error = put(root, "a.yaml", None, Some("three")).unwrap_err();
        assert!(error.ends_with("has just been made by somebody else"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert!(put(root, "none", Some(""), Some("x")).unwrap_err().starts_with("failed to read"));
    }

    #[test]
    fn files_are_made_with_their_folder_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, "new/a.yaml", None, Some("one")).unwrap();
        assert_eq!(fs::read_to_string(root.join("new/a.yaml")).unwrap(), "one");
        assert!(put(root, "new/a.yaml", Some("other"), None).is_err());
        put(root, "new/a.yaml", Some("one"), None).unwrap();
        assert!(!root.join("new/a.yaml").exists());
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        use std::os::unix::fs::symlink;
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("rules");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir(outer.path().join("elsewhere")).unwrap();
        fs::write(outer.path().join("elsewhere/a.yaml"), "one").unwrap();
        symlink(outer.path().join("elsewhere"), root.join("link")).unwrap();
        symlink(outer.path().join("elsewhere/a.yaml"), root.join("a.yaml")).unwrap();
        for (path, before) in [("link/a.yaml", Some("one")), ("a.yaml", Some("one")), ("link/b.yaml", None)] {
            let error = put(&root, path, before, Some("two")).unwrap_err();
            assert!(error.ends_with("leads out of the folder of rules"), "{error}");
        }
        assert_eq!(fs::read_to_string(outer.path().join("elsewhere/a.yaml")).unwrap(), "one");
        assert!(!outer.path().join("elsewhere/b.yaml").exists());
    }
}
