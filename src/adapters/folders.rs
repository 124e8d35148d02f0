//! The folders of rules and of geo databases: named, found beside the user, or embedded.
//!
//! Knows where files lie; must not know what is in them.

mod regular;

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rust_embed::{EmbeddedFile, RustEmbed};
use thiserror::Error;

/// How deep folders may lie in one another; a link that leads back up ends here.
const DEPTH_MAX: usize = 8;

/// How many files a folder may hold.
const FILES_MAX: usize = 10_000;
/// How many bytes one file of several may hold: a list of a few million rows.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// How many bytes all files of a folder may hold together.
const FOLDER_BYTES_MAX: u64 = 256 << 20;
/// How many bytes a file may hold that is asked for by its name: a database of addresses.
const NAMED_BYTES_MAX: u64 = 2 << 30;

#[derive(RustEmbed)]
#[folder = "rules/"]
#[allow_missing = true]
struct EmbeddedRules;

#[derive(RustEmbed)]
#[folder = "geoip/"]
#[allow_missing = true]
struct EmbeddedGeoip;

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    #[error("failed to find the {what} folder {}: not a folder", path.display())]
    NotAFolder { what: &'static str, path: PathBuf },
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to read {}: more than {FILES_MAX} files, or folders more than {DEPTH_MAX} deep", path.display())]
    TooMuch { path: PathBuf },
    #[error("failed to read {}: found {found}, but only regular files are read", path.display())]
    NotRegular { path: PathBuf, found: &'static str },
    #[error("failed to read {}: the link leads out of the folder; put the file itself there", path.display())]
    Outside { path: PathBuf },
    #[error("failed to read {}: more than {max} bytes", path.display())]
    TooLong { path: PathBuf, max: u64 },
    #[error("failed to read {}: its files hold more than {FOLDER_BYTES_MAX} bytes together", path.display())]
    TooHeavy { path: PathBuf },
}

/// A folder on disk, or a copy that the binary carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    Path(PathBuf),
    Embedded(Embedded),
}

/// Which copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedded {
    Rules,
    Geoip,
}

/// A file with its path inside the folder, parts separated by `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFile {
    pub path: String,
    pub bytes: Cow<'static, [u8]>,
}

/// Chooses the folder of rules: the option, else `./rules`, else the embedded copy.
///
/// # Errors
/// The option names no folder.
pub fn rules_folder(option: Option<&Path>) -> Result<Folder, FolderError> {
    choose("rules", option, Path::new("rules"), Embedded::Rules)
}

/// Chooses the folder of geo databases: the option, else `./geoip`, else the embedded copy.
///
/// # Errors
/// The option names no folder.
pub fn geoip_folder(option: Option<&Path>) -> Result<Folder, FolderError> {
    choose("geoip", option, Path::new("geoip"), Embedded::Geoip)
}

fn choose(what: &'static str, option: Option<&Path>, near: &Path, copy: Embedded) -> Result<Folder, FolderError> {
    match option {
        Some(path) if path.is_dir() => Ok(Folder::Path(path.to_path_buf())),
        Some(path) => Err(FolderError::NotAFolder { what, path: path.to_path_buf() }),
        None if near.is_dir() => Ok(Folder::Path(near.to_path_buf())),
        None => Ok(Folder::Embedded(copy)),
    }
}

impl Folder {
    /// Returns the path, or `embedded rules`, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Embedded(Embedded::Rules) => String::from("embedded rules"),
            Self::Embedded(Embedded::Geoip) => String::from("embedded geoip"),
        }
    }

    /// Reads every file whose path inside the folder is wanted, in path order. Names that begin with
    /// a dot are left out: among them are the folders behind a mounted Kubernetes ConfigMap, which
    /// would show each file twice.
    ///
    /// Links are followed within the folder: that is how Kubernetes mounts a ConfigMap.
    ///
    /// # Errors
    /// A file or folder cannot be read, is no regular file, lies outside, or there is too much of them.
    pub fn files(&self, wants: impl Fn(&str) -> bool) -> Result<Vec<FolderFile>, FolderError> {
        match self {
            Self::Path(root) => files_on_disk(root, &wants),
            Self::Embedded(copy) => Ok(embedded_files(*copy, &wants)),
        }
    }

    /// Reads one file by its path inside the folder; `None` when there is none.
    ///
    /// # Errors
    /// The file is there and cannot be read, is no regular file, or lies outside the folder.
    pub fn file(&self, path: &str) -> Result<Option<Cow<'static, [u8]>>, FolderError> {
        match self {
            Self::Path(root) => {
                let path = root.join(path);
                let Some(inside) = regular::resolve(root, &path)? else { return Ok(None) };
                regular::read(&path, &inside, NAMED_BYTES_MAX).map(|bytes| Some(Cow::Owned(bytes)))
            }
            Self::Embedded(copy) => Ok(copy.file(path).map(|file| file.data)),
        }
    }
}

impl Embedded {
    fn paths(self) -> Vec<String> {
        match self {
            Self::Rules => EmbeddedRules::iter().map(Cow::into_owned).collect(),
            Self::Geoip => EmbeddedGeoip::iter().map(Cow::into_owned).collect(),
        }
    }

    fn file(self, path: &str) -> Option<EmbeddedFile> {
        match self {
            Self::Rules => EmbeddedRules::get(path),
            Self::Geoip => EmbeddedGeoip::get(path),
        }
    }
}

fn embedded_files(copy: Embedded, wants: &impl Fn(&str) -> bool) -> Vec<FolderFile> {
    let mut paths = copy.paths();
    paths.retain(|path| wants(path) && !path.split('/').any(|part| part.starts_with('.')));
    paths.sort();
    let files = paths.into_iter().filter_map(|path| copy.file(&path).map(|file| FolderFile { path, bytes: file.data }));
    files.collect()
}

fn files_on_disk(root: &Path, wants: &impl Fn(&str) -> bool) -> Result<Vec<FolderFile>, FolderError> {
    let (mut files, mut bytes_left) = (Vec::new(), FOLDER_BYTES_MAX);
    let mut folders = vec![(root.to_path_buf(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        if depth > DEPTH_MAX {
            return Err(FolderError::TooMuch { path: root.to_path_buf() });
        }
        let failed = |source| FolderError::Read { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let (path, inside) = (entry.path(), format!("{prefix}{name}"));
            if path.is_dir() {
                if entry.file_type().map_err(failed)?.is_symlink() {
                    regular::resolve(root, &path)?;
                }
                folders.push((path, format!("{inside}/"), depth + 1));
            } else if wants(&inside) {
                let Some(real) = regular::resolve(root, &path)? else {
                    let source =
                        io::Error::new(io::ErrorKind::NotFound, "the link leads nowhere, or the file has just gone");
                    return Err(FolderError::Read { path, source });
                };
                let bytes = regular::read(&path, &real, FILE_BYTES_MAX.min(bytes_left))
                    .map_err(|error| too_heavy(error, root, bytes_left))?;
                bytes_left -= u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(bytes_left);
                files.push(FolderFile { path: inside, bytes: Cow::Owned(bytes) });
            }
            if files.len() + folders.len() > FILES_MAX {
                return Err(FolderError::TooMuch { path: root.to_path_buf() });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// What is too long only because of the files before it is no fault of its own.
fn too_heavy(error: FolderError, root: &Path, bytes_left: u64) -> FolderError {
    match error {
        FolderError::TooLong { .. } if bytes_left < FILE_BYTES_MAX => {
            FolderError::TooHeavy { path: root.to_path_buf() }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn files_come_in_path_order_without_hidden_ones() {
        let folder = folder_with(&[("b/x.yaml", "1"), ("a.yaml", "2"), (".hidden/y.yaml", "3"), ("b/.z.yaml", "4")]);
        let files = Folder::Path(folder.path().to_path_buf()).files(|path| path.ends_with(".yaml")).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a.yaml", "b/x.yaml"]);
        assert_eq!(files[0].bytes.as_ref(), b"2");
    }

    #[test]
    fn what_is_not_wanted_is_not_read() {
        let folder = folder_with(&[("a.yaml", "1"), ("big.bin", "2")]);
        let files = Folder::Path(folder.path().to_path_buf()).files(|path| path == "a.yaml").unwrap();
        assert_eq!(files.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_back_up_is_an_error_not_a_loop() {
        let folder = folder_with(&[("a.yaml", "1")]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        let error = Folder::Path(folder.path().to_path_buf()).files(|_| true).unwrap_err();
        assert!(matches!(error, FolderError::TooMuch { .. }));
    }

    /// A link to a password would show it in an error of syntax; a pipe or /dev/zero would be read for ever.
    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_of_the_folder_is_an_error_without_its_content() {
        use std::os::unix::fs::symlink;
        let outer = folder_with(&[("secret", "password: hunter2"), ("elsewhere/b.yaml", "hunter2")]);
        let pipe = |path: &Path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap()
        };
        let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        let out = "the link leads out of the folder; put the file itself there";
        type Put<'a> = &'a dyn Fn(&Path);
        let cases: [(Put<'_>, &str); 7] = [
            (&|path| symlink(outer.path().join("secret"), path).unwrap(), out),
            (&|path| symlink("../secret", path).unwrap(), out),
            (&|path| symlink("/dev/zero", path).unwrap(), out),
            (&|path| symlink(outer.path().join("elsewhere"), path).unwrap(), out),
            (&|path| symlink("nothing", path).unwrap(), "the link leads nowhere"),
            (&|path| pipe(path), "found a pipe, but only regular files are read"),
            (&|path| socket(path), "found a socket, but only regular files are read"),
        ];
        for (number, (put, expected)) in cases.iter().enumerate() {
            let root = outer.path().join(format!("rules{number}"));
            fs::create_dir_all(&root).unwrap();
            put(&root.join("x.yaml"));
            let error = Folder::Path(root.clone()).files(|_| true).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let text = format!("{error}: {source}");
            assert!(text.contains("x.yaml: ") && text.contains(expected), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
            if !(3..=4).contains(&number) {
                assert!(Folder::Path(root).file("x.yaml").is_err(), "{expected}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_files_of_a_kubernetes_config_map_are_read_once() {
        use std::os::unix::fs::symlink;
        let folder = folder_with(&[("rules/..2026_11_30/x.yaml", "1"), ("rules/..2026_11_30/data/l.csv", "2")]);
        let root = folder.path().join("rules");
        symlink("..2026_11_30", root.join("..data")).unwrap();
        symlink("..data/x.yaml", root.join("x.yaml")).unwrap();
        symlink("..data/data", root.join("data")).unwrap();
        // The folder may itself be reached by a link.
        symlink("rules", folder.path().join("link")).unwrap();
        for root in [root, folder.path().join("link")] {
            let files = Folder::Path(root.clone()).files(|_| true).unwrap();
            let read: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.bytes.as_ref())).collect();
            assert_eq!(read, [("data/l.csv", &b"2"[..]), ("x.yaml", b"1")]);
            assert_eq!(Folder::Path(root).file("x.yaml").unwrap().as_deref(), Some(&b"1"[..]));
        }
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let folder = folder_with(&[("a.yaml", "1"), ("b.yaml", "1")]);
        let path = folder.path().join("b.yaml");
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        let error = Folder::Path(folder.path().to_path_buf()).files(|_| true).unwrap_err();
        assert!(error.to_string().ends_with("b.yaml: more than 67108864 bytes"), "{error}");
    }

    #[test]
    fn the_option_wins_and_must_be_a_folder() {
        let folder = folder_with(&[("rules/a.yaml", "1")]);
        let option = folder.path().join("rules");
        assert_eq!(rules_folder(Some(&option)).unwrap(), Folder::Path(option.clone()));
        let error = geoip_folder(Some(&option.join("a.yaml"))).unwrap_err();
        assert!(error.to_string().ends_with("rules/a.yaml: not a folder"), "{error}");
    }

    #[test]
    fn else_the_near_folder_else_the_copy() {
        let folder = folder_with(&[("rules/a.yaml", "1")]);
        let (near, far) = (folder.path().join("rules"), folder.path().join("none"));
        assert_eq!(choose("rules", None, &near, Embedded::Rules).unwrap(), Folder::Path(near.clone()));
        assert_eq!(choose("rules", None, &far, Embedded::Rules).unwrap(), Folder::Embedded(Embedded::Rules));
    }

    #[test]
    fn a_missing_file_is_none() {
        let folder = folder_with(&[("country.mmdb", "x")]);
        let folder = Folder::Path(folder.path().to_path_buf());
        assert_eq!(folder.file("country.mmdb").unwrap().as_deref(), Some(&b"x"[..]));
        assert_eq!(folder.file("anonymizer.mmdb").unwrap(), None);
        assert_eq!(Folder::Embedded(Embedded::Geoip).file("no such file").unwrap(), None);
    }

    /// The binary must carry what the repository holds, or it decides otherwise in another folder.
    #[test]
    fn embedded_copies_are_the_folders() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, copy) in [("rules", Embedded::Rules), ("geoip", Embedded::Geoip)] {
            if !root.join(name).is_dir() {
                continue;
            }
            let on_disk = Folder::Path(root.join(name)).files(|_| true).unwrap();
            assert_eq!(Folder::Embedded(copy).files(|_| true).unwrap(), on_disk, "{name}");
        }
    }
}
