//! Makes the anonymizer database out of its sources: fetches each list, checks it, and replaces the database only if
//! every list is good.
//!
//! What a source gave last is kept beside the database, in `.sources`: for the answer "not modified", and to see that
//! a list has shrunk.

mod fetch;
mod sources;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files;
use crate::geo::build::{AnonymizerBuilder, BuildError};
use crate::geo::list::{self, Fault, ListError, Networks};
use crate::geo::{DatabaseKind, GeoDatabase, GeoError};

pub use fetch::FetchError;
pub use sources::{Place, Source, Sources, SourcesError};

/// The folder beside the database that holds what each source gave last.
const KEPT_FOLDER: &str = ".sources";

/// What to make, and of what.
#[derive(Debug, Clone)]
pub struct Request {
    /// The file that names the sources.
    pub sources: PathBuf,
    /// The database.
    pub out: PathBuf,
    /// Take lists that have less than half of the networks that they had.
    pub accept_shrink: bool,
}

/// What became of one source.
#[derive(Debug)]
pub struct SourceReport {
    pub name: String,
    pub result: Result<Taken, SourceError>,
}

/// A list that was taken.
#[derive(Debug)]
pub struct Taken {
    pub networks: usize,
    /// The source said that it had not changed, and what it gave last was taken.
    pub is_unchanged: bool,
    /// Bad lines that were left out: few enough for a list.
    pub fault_count: usize,
    pub faults: Vec<Fault>,
}

/// Why a source was refused.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error("found {now} networks, but the last time there were {before}: less than half (see --accept-shrink)")]
    Shrunken { now: usize, before: usize },
}

/// What an update came to.
#[derive(Debug)]
pub struct Report {
    pub sources: Vec<SourceReport>,
    /// What was written; nothing if a source was refused.
    pub written: Option<Written>,
}

/// The new database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub networks: usize,
    pub bytes: usize,
}

/// Why no database could be made, though the sources may be good.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error(transparent)]
    Sources(#[from] SourcesError),
    #[error("failed to make the database")]
    Build(#[from] BuildError),
    #[error("the new database is of no use")]
    Useless(#[source] GeoError),
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// What a source gave last, and what it said of it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Kept {
    /// Where it came from: another place has nothing to do with it.
    place: String,
    etag: Option<String>,
    last_modified: Option<String>,
    networks: usize,
}

/// A list that was read, with its text where that is new.
struct Read {
    found: Networks,
    kept: Kept,
    bytes: Option<Vec<u8>>,
}

/// Fetches every source, and replaces the database if each is good.
///
/// # Errors
/// The file of sources is wrong, or the database cannot be written. Refused sources are in the report.
pub fn update(request: &Request) -> Result<Report, UpdateError> {
    let sources = Sources::read(&request.sources)?;
    let folder = request.out.parent().unwrap_or(Path::new("")).join(KEPT_FOLDER);
    let mut reports = Vec::new();
    let mut reads = Vec::new();
    for source in &sources.list {
        let read = read_source(source, &folder, request.accept_shrink);
        let result = read.map(|read| {
            let found = &read.found;
            let taken = Taken {
                networks: found.networks.len(),
                is_unchanged: read.bytes.is_none(),
                fault_count: found.fault_count,
                faults: found.faults.clone(),
            };
            reads.push((source, read));
            taken
        });
        reports.push(SourceReport { name: source.name.clone(), result });
    }
    if reports.iter().any(|report| report.result.is_err()) {
        return Ok(Report { sources: reports, written: None });
    }
    let mut builder = AnonymizerBuilder::new(&sources.description, false);
    for (network, flags) in reads.iter().flat_map(|(_, read)| &read.found.networks) {
        builder.add(*network, *flags)?;
    }
    let bytes = builder.finish()?;
    GeoDatabase::from_bytes(DatabaseKind::Anonymizer, bytes.clone()).map_err(UpdateError::Useless)?;
    let written = Written { networks: builder.networks(), bytes: bytes.len() };
    files::replace(&request.out, &bytes).map_err(|source| UpdateError::Write { path: request.out.clone(), source })?;
    for (source, read) in &reads {
        keep(&folder, &source.name, read).map_err(|source| UpdateError::Write { path: folder.clone(), source })?;
    }
    Ok(Report { sources: reports, written: Some(written) })
}

fn read_source(source: &Source, folder: &Path, accept_shrink: bool) -> Result<Read, SourceError> {
    let before = last_kept(folder, source);
    let fetched = fetch::fetch(source, before.as_ref().map(|(kept, _)| kept))?;
    let (bytes, mut kept, is_new) = match (fetched, before.clone()) {
        (fetch::Fetched::Unchanged, Some((kept, bytes))) => (bytes, kept, false),
        (fetch::Fetched::Unchanged, None) => return Err(FetchError::Status(304).into()),
        (fetch::Fetched::New { bytes, etag, last_modified }, _) => {
            (bytes, Kept { place: source.place.to_string(), etag, last_modified, networks: 0 }, true)
        }
    };
    let found = list::read(&source.format, source.flags, &bytes)?;
    found.check()?;
    kept.networks = found.networks.len();
    if let Some((before, _)) = before
        && !accept_shrink
        && kept.networks * 2 < before.networks
    {
        return Err(SourceError::Shrunken { now: kept.networks, before: before.networks });
    }
    Ok(Read { found, kept, bytes: is_new.then_some(bytes) })
}

/// Returns what the source gave last, if it came from the same place and is whole.
fn last_kept(folder: &Path, source: &Source) -> Option<(Kept, Vec<u8>)> {
    let text = fs::read(folder.join(format!("{}.json", source.name))).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    let bytes = fs::read(folder.join(&source.name)).ok()?;
    (kept.place == source.place.to_string()).then_some((kept, bytes))
}

/// Keeps what a source gave: first the list, then what is known of it.
fn keep(folder: &Path, name: &str, read: &Read) -> io::Result<()> {
    let Some(bytes) = &read.bytes else { return Ok(()) };
    fs::create_dir_all(folder)?;
    let known = folder.join(format!("{name}.json"));
    match fs::remove_file(&known) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    files::replace(&folder.join(name), bytes)?;
    files::replace(&known, &serde_json::to_vec(&read.kept)?)
}
