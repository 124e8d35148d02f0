//! Puts the parts together: folders become a rule set, databases and a pipeline.

pub(crate) mod certificate;
#[cfg(feature = "kafka")]
pub mod fleet;
mod geo_updates;
mod observers;
pub mod redis_lists;
mod rule_files;
pub mod serve;
mod settings;
mod signals;
mod watching;

use std::sync::Arc;

pub use settings::service_settings;
use thiserror::Error;

use crate::adapters::folders::{Folder, FolderError};
use crate::adapters::geo_files;
use crate::adapters::memory::MemoryStore;
use crate::engine::Engine;
use crate::engine::plan::{Plan, Settings};
use crate::geo::{DatabaseKind, Geo, GeoDatabase, GeoError};
use crate::pipeline::{Limits, Pipeline};
use crate::rules::program::RuleSet;
use crate::rules::{self, Compiled, SourceFile, Vanishing};

/// Why kuzet cannot start with these folders.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The text shows every error of every file.
    #[error("failed to load the rules of {folder}: {count} found\n\n{text}", count = count_of_errors(*errors))]
    Rules { folder: String, errors: usize, text: String },
    #[error(
        "failed to load the rules of {folder}: {lists} of data/lists.yaml come `from: redis`, and only a fleet \
         (source = \"kafka\") has a Redis"
    )]
    NoRedis { folder: String, lists: String },
    #[error("failed to load the rules of {folder}: {}", rules::NO_RULES)]
    NoRules { folder: String },
    #[error("failed to load the rules of {folder}: {cost}")]
    Budget { folder: String, cost: String },
    #[error("failed to open {folder}/{file}")]
    Geo { folder: String, file: &'static str, source: GeoError },
}

fn count_of_errors(count: usize) -> String {
    if count == 1 { String::from("1 error") } else { format!("{count} errors") }
}

/// Returns what the paths of a folder's files begin with.
fn root_of(folder: &Folder) -> String {
    match folder {
        Folder::Path(path) => format!("{}/", path.display()),
        Folder::Embedded(_) => String::new(),
    }
}

/// Reads the files of a rule folder: rules, tests, data, and whatever else lies there.
///
/// # Errors
/// The folder cannot be read.
pub fn rule_sources(folder: &Folder) -> Result<Vec<SourceFile>, FolderError> {
    let root = root_of(folder);
    // All of them: what is no file of a rule set is to be named, not passed over.
    let files = folder.files(|_| true)?;
    let source =
        |file: crate::adapters::folders::FolderFile| SourceFile::of_folder(&root, &file.path, file.bytes.into_owned());
    Ok(files.into_iter().map(source).collect())
}

/// Loads a rule folder. Lists that come from Redis are not read.
///
/// # Errors
/// The folder cannot be read, a file in it is not right, or there is no rule.
pub fn load_rules(folder: &Folder) -> Result<RuleSet, LoadError> {
    load_rules_with(folder, Vanishing::Refused, |_| Vec::new())
}

/// Loads a rule folder, with what `more` adds to its files. A folder without any rule is used only where that
/// was asked for in so many words.
///
/// # Errors
/// The folder cannot be read, a file in it is not right, or there is no rule.
pub fn load_rules_with(
    folder: &Folder,
    vanishing: Vanishing,
    more: impl FnOnce(&[SourceFile]) -> Vec<SourceFile>,
) -> Result<RuleSet, LoadError> {
    let mut sources = rule_sources(folder)?;
    sources.extend(more(&sources));
    compile_rules(&folder.name(), &sources, vanishing)
}

/// Compiles the files of a rule folder; `name` is what errors call it.
///
/// # Errors
/// A file is not right, or there is no rule and nobody said that this is meant.
pub fn compile_rules(name: &str, sources: &[SourceFile], vanishing: Vanishing) -> Result<RuleSet, LoadError> {
    let folder = name.to_owned();
    match rules::compile(sources) {
        Ok(Compiled { rule_set, .. }) if rule_set.rules.is_empty() && vanishing == Vanishing::Refused => {
            Err(LoadError::NoRules { folder })
        }
        Ok(Compiled { rule_set, warnings: _ }) => Ok(rule_set),
        Err(diagnostics) => Err(LoadError::Rules {
            folder,
            errors: diagnostics.iter().filter(|found| found.severity == rules::Severity::Error).count(),
            text: rules::render_refusal(&diagnostics, sources),
        }),
    }
}

/// Loads the databases of a geo folder; either may be absent.
///
/// # Errors
/// A file is there and cannot be read or used.
pub fn load_geo(folder: &Folder) -> Result<Geo, LoadError> {
    let load = |kind| load_geo_database(folder, kind);
    Ok(Geo::new(load(DatabaseKind::Country)?, load(DatabaseKind::Anonymizer)?))
}

/// Loads one database of a geo folder; `None` where there is no such file.
///
/// # Errors
/// The file is there and cannot be read or used.
pub fn load_geo_database(folder: &Folder, kind: DatabaseKind) -> Result<Option<GeoDatabase>, LoadError> {
    let file = geo_files::file_of(kind);
    let Some(bytes) = folder.file(file)? else { return Ok(None) };
    match GeoDatabase::from_bytes(kind, bytes.into_owned()) {
        Ok(database) => Ok(Some(database)),
        Err(source) => Err(LoadError::Geo { folder: folder.name(), file, source }),
    }
}

/// Makes a pipeline that keeps shared state in this process.
#[must_use]
pub fn pipeline(rules: RuleSet, geo: Geo) -> Pipeline<MemoryStore> {
    let plan = Arc::new(Plan::new(Arc::new(rules), Settings::default()));
    Pipeline { engine: Engine::new(plan), geo, store: MemoryStore::default(), limits: Limits::default() }
}
