//! `sources.toml`: where the lists of anonymizers come from, and what each is.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::geo::AnonymizerFlags;
use crate::geo::list::{Column, Format};

const MEBIBYTE: u64 = 1024 * 1024;
const MEBIBYTES: u64 = 64;
const TIMEOUT_SECONDS: u64 = 60;
const NAME_LENGTH_MAX: usize = 64;

const FLAGS: [&str; 5] = ["vpn", "tor", "public_proxy", "residential_proxy", "hosting"];
const FORMATS: [&str; 6] = ["list", "csv", "maxmind-csv", "ip2proxy-csv", "mmdb", "tor-exits"];

/// Why the file of sources cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {reason}", path.display())]
    Syntax { path: PathBuf, reason: String },
    #[error("{}: source \"{name}\": {reason}", path.display())]
    Source { path: PathBuf, name: String, reason: String },
    #[error("{}: found no source, but at least one [[source]] is needed", path.display())]
    None { path: PathBuf },
}

/// The sources of a database.
#[derive(Debug)]
pub struct Sources {
    /// What the database says it is.
    pub description: String,
    pub list: Vec<Source>,
}

/// One list.
#[derive(Debug)]
pub struct Source {
    pub name: String,
    pub place: Place,
    pub format: Format,
    /// What its networks are, where the records do not say so themselves.
    pub flags: AnonymizerFlags,
    pub checksum: Option<Checksum>,
    pub bytes_max: u64,
    pub timeout: Duration,
}

/// Where a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    Url(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// What the SHA-256 of a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// 64 hexadecimal digits in small letters.
    Given(String),
    /// They stand at the beginning of this page.
    At(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    description: Option<String>,
    #[serde(default)]
    source: Vec<RawSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    name: String,
    url: Option<String>,
    file: Option<PathBuf>,
    format: String,
    flag: Option<String>,
    /// For people: under what conditions the list may be used.
    licence: String,
    column: Option<RawColumn>,
    separator: Option<char>,
    sha256: Option<String>,
    sha256_url: Option<String>,
    max_mib: Option<u64>,
    timeout_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawColumn {
    Number(usize),
    Name(String),
}

impl Sources {
    /// Reads the file; paths in it are relative to its folder.
    ///
    /// # Errors
    /// It cannot be read, or the first thing in it that is wrong.
    pub fn read(path: &Path) -> Result<Self, SourcesError> {
        let text = fs::read_to_string(path).map_err(|source| SourcesError::Read { path: path.to_owned(), source })?;
        let raw: RawFile = toml::from_str(&text).map_err(|error| SourcesError::Syntax {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut list: Vec<Source> = Vec::new();
        for raw in raw.source {
            let name = raw.name.clone();
            let source = source(raw, folder)
                .and_then(|source| {
                    if list.iter().any(|known| known.name == source.name) {
                        Err(String::from("found this name twice, but each source has its own"))
                    } else {
                        Ok(source)
                    }
                })
                .map_err(|reason| SourcesError::Source { path: path.to_owned(), name, reason })?;
            list.push(source);
        }
        if list.is_empty() {
            return Err(SourcesError::None { path: path.to_owned() });
        }
        let names: Vec<&str> = list.iter().map(|source| source.name.as_str()).collect();
        let description = raw.description.unwrap_or_else(|| format!("Anonymizers of {}", names.join(", ")));
        Ok(Self { description, list })
    }
}

fn source(raw: RawSource, folder: &Path) -> Result<Source, String> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if raw.name.is_empty() || raw.name.len() > NAME_LENGTH_MAX || !raw.name.chars().all(is_name) {
        return Err(format!("a name has 1 to {NAME_LENGTH_MAX} small letters, digits and hyphens"));
    }
    if raw.licence.trim().is_empty() {
        return Err(String::from("found no licence, but a note of one word at least is needed"));
    }
    let format = format_of(&raw)?;
    let place = match (&raw.url, &raw.file) {
        (Some(url), None) => Place::Url(checked_url(url)?),
        (None, Some(file)) => Place::File(folder.join(file)),
        _ => return Err(String::from("one of `url` and `file` is needed, and only one")),
    };
    let flags = match (&raw.flag, format.has_flags()) {
        (Some(flag), false) => flags_of(flag)?,
        (None, true) => AnonymizerFlags::default(),
        (None, false) => return Err(format!("found no `flag`, but one of {} is needed", FLAGS.join(", "))),
        (Some(_), true) => {
            return Err(String::from("found a `flag`, but the records of this format say themselves what they are"));
        }
    };
    let checksum = match (raw.sha256, raw.sha256_url) {
        (None, None) => None,
        (Some(sum), None) if sum.len() == 64 && sum.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            Some(Checksum::Given(sum.to_ascii_lowercase()))
        }
        (Some(_), None) => return Err(String::from("`sha256` has 64 hexadecimal digits")),
        (None, Some(url)) => Some(Checksum::At(checked_url(&url)?)),
        (Some(_), Some(_)) => return Err(String::from("only one of `sha256` and `sha256_url` is accepted")),
    };
    let bytes_max = match raw.max_mib.unwrap_or(MEBIBYTES) {
        max @ 1..=1024 => max * MEBIBYTE,
        max => return Err(format!("found `max_mib` {max}, but 1 to 1024 is accepted")),
    };
    let timeout = match raw.timeout_seconds.unwrap_or(TIMEOUT_SECONDS) {
        seconds @ 1..=3600 => Duration::from_secs(seconds),
        seconds => return Err(format!("found `timeout_seconds` {seconds}, but 1 to 3600 is accepted")),
    };
    Ok(Source { name: raw.name, place, format, flags, checksum, bytes_max, timeout })
}

fn format_of(raw: &RawSource) -> Result<Format, String> {
    if raw.format != "csv" && (raw.column.is_some() || raw.separator.is_some()) {
        return Err(String::from("`column` and `separator` are for the format \"csv\""));
    }
    match raw.format.as_str() {
        "list" => Ok(Format::List),
        "maxmind-csv" => Ok(Format::MaxMindCsv),
        "ip2proxy-csv" => Ok(Format::Ip2ProxyCsv),
        "mmdb" => Ok(Format::Mmdb),
        "tor-exits" => Ok(Format::TorExits),
        "csv" => {
            let column = match &raw.column {
                Some(RawColumn::Name(name)) => Column::Named(name.clone()),
                Some(RawColumn::Number(number)) if *number > 0 => Column::Numbered(*number),
                _ => return Err(String::from("`column` is needed: a name of the first line, or a number from 1 on")),
            };
            Ok(Format::Csv { column, separator: raw.separator.unwrap_or(',') })
        }
        other => Err(format!("found the format \"{other}\", but one of {} is accepted", FORMATS.join(", "))),
    }
}

fn flags_of(flag: &str) -> Result<AnonymizerFlags, String> {
    let mut flags = AnonymizerFlags { is_anonymous: true, ..AnonymizerFlags::default() };
    match flag {
        "vpn" => flags.is_anonymous_vpn = true,
        "tor" => flags.is_tor_exit_node = true,
        "public_proxy" => flags.is_public_proxy = true,
        "residential_proxy" => flags.is_residential_proxy = true,
        "hosting" => flags.is_hosting_provider = true,
        other => return Err(format!("found the flag \"{other}\", but one of {} is accepted", FLAGS.join(", "))),
    }
    Ok(flags)
}

/// Whoever can change a list on its way can let anybody pass: it comes over TLS, or from this machine.
fn checked_url(url: &str) -> Result<String, String> {
    let parsed: ureq::http::Uri = url.parse().map_err(|_| String::from("the address is not one that can be asked"))?;
    let host = parsed.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match parsed.scheme_str() {
        Some("https") if !host.is_empty() => Ok(url.to_owned()),
        Some("http") if is_here => Ok(url.to_owned()),
        _ => Err(String::from("an address begins with https://; http:// is accepted for this machine only")),
    }
}
