//! One list from its place: a file, or HTTPS with a limit of time and size.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode, header};

use super::Kept;
use super::sources::{Checksum, Place, Source};

/// A page of checksums is no longer than this.
const CHECKSUM_BYTES_MAX: u64 = 64 * 1024;
const REDIRECTS_MAX: u32 = 5;

/// Why a list was not fetched. Never holds a part of the address that may be a key.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("failed to read {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is no regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("found more than {max} bytes, which is the limit")]
    TooLarge { max: u64 },
    #[error("found nothing: the list is empty")]
    Empty,
    #[error("found a web page in place of a list")]
    WebPage,
    #[error("the server answered with status {0}, but 200 or 304 is accepted")]
    Status(u16),
    #[error("it did not answer in time")]
    Timeout,
    #[error("the answer ended before its end")]
    Truncated,
    #[error("found the SHA-256 {found}, but {expected} is accepted")]
    Checksum { found: String, expected: String },
    #[error("the page of the checksum does not begin with 64 hexadecimal digits")]
    NoChecksum,
    #[error("the request failed: {0}")]
    Request(String),
}

/// What a place gave.
pub(super) enum Fetched {
    /// The same as last time.
    Unchanged,
    New {
        bytes: Vec<u8>,
        etag: Option<String>,
        last_modified: Option<String>,
    },
}

/// Fetches a list, asking only for what has changed since the last time.
pub(super) fn fetch(source: &Source, before: Option<&Kept>) -> Result<Fetched, FetchError> {
    let fetched = match &source.place {
        Place::File(path) => {
            Fetched::New { bytes: read_file(path, source.bytes_max)?, etag: None, last_modified: None }
        }
        Place::Url(url) => get(source, url, source.bytes_max, before)?,
    };
    if let Fetched::New { bytes, .. } = &fetched {
        if bytes.is_empty() {
            return Err(FetchError::Empty);
        }
        check(source, bytes)?;
    }
    Ok(fetched)
}

fn read_file(path: &Path, max: u64) -> Result<Vec<u8>, FetchError> {
    let failed = |source| FetchError::File { path: path.to_owned(), source };
    // A pipe or a device may never end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FetchError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max) {
        return Err(FetchError::TooLarge { max });
    }
    Ok(bytes)
}

fn get(source: &Source, url: &str, max: u64, before: Option<&Kept>) -> Result<Fetched, FetchError> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(source.timeout))
        .https_only(url.starts_with("https:"))
        .max_redirects(REDIRECTS_MAX)
        .http_status_as_error(false)
        .user_agent(concat!("kuzet/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut request = agent.get(url);
    if let Some(before) = before {
        let conditions = [(header::IF_NONE_MATCH, &before.etag), (header::IF_MODIFIED_SINCE, &before.last_modified)];
        for (name, value) in conditions {
            request = match value {
                Some(value) => request.header(name, value),
                None => request,
            };
        }
    }
    let mut answer = request.call().map_err(|error| failed(&error, max))?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if before.is_some() => return Ok(Fetched::Unchanged),
        status => return Err(FetchError::Status(status.as_u16())),
    }
    let text = |headers: &HeaderMap, name| headers.get(name).and_then(|value| value.to_str().ok().map(str::to_owned));
    let headers = answer.headers();
    let kind = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("text/html") {
        return Err(FetchError::WebPage);
    }
    let (etag, last_modified) = (text(headers, header::ETAG), text(headers, header::LAST_MODIFIED));
    // One byte more than the limit tells that there is more.
    let mut bytes = Vec::new();
    let reader = answer.body_mut().with_config().limit(max.saturating_add(2)).reader();
    reader.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| broken(error, max))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max) {
        return Err(FetchError::TooLarge { max });
    }
    Ok(Fetched::New { bytes, etag, last_modified })
}

fn broken(error: io::Error, max: u64) -> FetchError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => FetchError::Truncated,
        io::ErrorKind::TimedOut => FetchError::Timeout,
        _ => match error.downcast::<ureq::Error>() {
            Ok(error) => failed(&error, max),
            Err(error) => FetchError::Request(error.to_string()),
        },
    }
}

fn failed(error: &ureq::Error, max: u64) -> FetchError {
    match error {
        ureq::Error::Timeout(_) => FetchError::Timeout,
        ureq::Error::BodyExceedsLimit(_) => FetchError::TooLarge { max },
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => FetchError::Truncated,
        ureq::Error::BadUri(_) => FetchError::Request(String::from("the address is not one that can be asked")),
        ureq::Error::RequireHttpsOnly(_) => {
            FetchError::Request(String::from("it leads to an address without TLS, but only https is accepted"))
        }
        error => FetchError::Request(error.to_string()),
    }
}

/// Compares the checksum that the source names, or that stands at an address of its own.
fn check(source: &Source, bytes: &[u8]) -> Result<(), FetchError> {
    let expected = match &source.checksum {
        None => return Ok(()),
        Some(Checksum::Given(expected)) => expected.clone(),
        Some(Checksum::At(url)) => match get(source, url, CHECKSUM_BYTES_MAX, None)? {
            Fetched::Unchanged => return Err(FetchError::Status(304)),
            Fetched::New { bytes, .. } => {
                let digits: String = String::from_utf8_lossy(&bytes).trim_start().chars().take(64).collect();
                if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(FetchError::NoChecksum);
                }
                digits.to_ascii_lowercase()
            }
        },
    };
    let found = Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    if found == expected { Ok(()) } else { Err(FetchError::Checksum { found, expected }) }
}
