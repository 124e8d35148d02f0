//! One database in memory, checked when it is loaded: what kind it is, whether it is whole, whether it is a sample.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;

use super::record::Probe;

/// What the type in the metadata of a sample ends with.
pub(super) const SAMPLE_SUFFIX: &str = "-Sample";

/// The networks that RFC 5737, 3849 and 9637 reserve for documentation: no client has an address in them.
const DOCUMENTATION: [IpNet; 5] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20)),
];

/// What a database is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// Countries of addresses.
    Country,
    /// Which addresses hide their user.
    Anonymizer,
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Country => "a country database, such as GeoIP2-Country or DBIP-Country-Lite",
            Self::Anonymizer => "an anonymizer database, such as GeoIP2-Anonymous-IP",
        })
    }
}

/// Why bytes are of no use as a database.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// No metadata, which stand at the end, or of a format that is not read.
    #[error("not a readable MaxMind database, or one whose end is missing")]
    Unreadable(#[source] MaxMindDbError),
    /// The metadata are there, and something before them is not as they say.
    #[error("the database is damaged")]
    Damaged(#[source] MaxMindDbError),
    /// It is whole, and knows no address.
    #[error("the database holds no record")]
    Empty,
    /// Its records say something else.
    #[error("found {found}, but only {expected} is accepted here")]
    WrongKind { found: String, expected: DatabaseKind },
}

/// One database in memory.
pub struct GeoDatabase {
    reader: Reader<Cow<'static, [u8]>>,
    is_sample: bool,
}

impl GeoDatabase {
    /// Reads the metadata, walks over all networks and reads each record once, whole: what loads has no part that
    /// cannot be read. It takes time in proportion to the bytes, whatever they say.
    ///
    /// # Errors
    /// What is wrong with the bytes: no database, a damaged one, one without records, one of another kind.
    pub fn from_bytes(kind: DatabaseKind, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, GeoError> {
        let reader = Reader::from_source(bytes.into()).map_err(GeoError::Unreadable)?;
        let survey = Survey::of(&reader)?;
        check_whole(&reader)?;
        let database_type = &reader.metadata().database_type;
        if survey.records == 0 {
            return Err(GeoError::Empty);
        }
        let found = survey.kind();
        if found != Some(kind) {
            let named = format!("a database of the type \"{}\"", short(database_type));
            let found = match found {
                Some(DatabaseKind::Country) => format!("{named}, which holds countries"),
                Some(DatabaseKind::Anonymizer) => format!("{named}, which holds anonymizers"),
                None => format!("{named}, which holds neither countries nor anonymizers"),
            };
            return Err(GeoError::WrongKind { found, expected: kind });
        }
        let is_sample = database_type.ends_with(SAMPLE_SUFFIX) || survey.is_documentation;
        Ok(Self { reader, is_sample })
    }

    /// Returns the type that the database gives itself.
    #[must_use]
    pub fn database_type(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// Returns the English description, where there is one.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.reader.metadata().description.get("en").map(String::as_str)
    }

    /// Returns when it was built, in seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn build_epoch_seconds(&self) -> u64 {
        self.reader.metadata().build_epoch
    }

    /// Tells whether this is a sample, which knows no real client's address: its metadata say so, or it holds
    /// networks for documentation only.
    #[must_use]
    pub const fn is_sample(&self) -> bool {
        self.is_sample
    }

    /// Lists the networks with their records, each decoded.
    ///
    /// # Errors
    /// The database is damaged, or a record is not of this form.
    pub(super) fn records<'a, T: Deserialize<'a>>(&'a self) -> Result<Vec<(IpNet, T)>, MaxMindDbError> {
        let mut out = Vec::new();
        for found in self.reader.networks(WithinOptions::default())? {
            let found = found?;
            if let Some(record) = found.decode()? {
                let network = found.network()?;
                out.extend(IpNet::new(network.ip(), network.prefix()).ok().map(|network| (network, record)));
            }
        }
        Ok(out)
    }

    /// Finds and decodes only the wanted fields of an address's record.
    pub(super) fn record<'a, T: Deserialize<'a>>(&'a self, address: IpAddr) -> Result<Option<T>, MaxMindDbError> {
        // Some files hold IPv4 networks only in their IPv4 place.
        let address = address.to_canonical();
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        self.reader.lookup(address)?.decode()
    }
}

impl fmt::Debug for GeoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeoDatabase")
            .field("database_type", &self.database_type())
            .field("build_epoch_seconds", &self.build_epoch_seconds())
            .finish_non_exhaustive()
    }
}

/// Reads all of the tree and of every record, the fields that nobody asks for too.
fn check_whole(reader: &Reader<Cow<'static, [u8]>>) -> Result<(), GeoError> {
    let metadata = reader.metadata();
    // The check wants both named, which readers do not need and some makers leave out.
    if metadata.database_type.is_empty() || metadata.description.is_empty() {
        return Ok(());
    }
    reader.verify().map_err(GeoError::Damaged)
}

/// What a walk over a whole database found.
#[derive(Debug)]
struct Survey {
    /// Different records.
    records: usize,
    has_countries: bool,
    has_anonymizers: bool,
    /// No network outside those for documentation.
    is_documentation: bool,
}

impl Survey {
    /// Walks over every network and reads each record once.
    fn of(reader: &Reader<Cow<'static, [u8]>>) -> Result<Self, GeoError> {
        let mut survey = Self { records: 0, has_countries: false, has_anonymizers: false, is_documentation: true };
        let mut seen = HashSet::new();
        // A tree of so many nodes has no more ends; where nodes lead back to earlier ones there is no end at all.
        let mut ends_left = u64::from(reader.metadata().node_count).saturating_mul(3);
        let options = WithinOptions::default().include_networks_without_data();
        for found in reader.networks(options).map_err(GeoError::Damaged)? {
            let found = found.map_err(GeoError::Damaged)?;
            ends_left = ends_left.checked_sub(1).ok_or_else(|| {
                GeoError::Damaged(MaxMindDbError::invalid_database("its tree leads back into itself"))
            })?;
            let Some(offset) = found.offset() else { continue };
            if survey.is_documentation {
                let network = found.network().map_err(GeoError::Damaged)?;
                let network = IpNet::new(network.ip(), network.prefix());
                let is_inside = |known: &IpNet| network.as_ref().is_ok_and(|network| known.contains(network));
                survey.is_documentation = DOCUMENTATION.iter().any(is_inside);
            }
            if seen.insert(offset) {
                let probe: Option<Probe<'_>> = found.decode().map_err(GeoError::Damaged)?;
                let probe = probe.unwrap_or_default();
                survey.has_countries |= probe.country().is_some();
                survey.has_anonymizers |= probe.names_anonymizers();
            }
        }
        survey.records = seen.len();
        Ok(survey)
    }

    /// Databases of anonymizers may name countries too; those of countries say nothing of anonymizers.
    const fn kind(&self) -> Option<DatabaseKind> {
        match (self.has_anonymizers, self.has_countries) {
            (true, _) => Some(DatabaseKind::Anonymizer),
            (false, true) => Some(DatabaseKind::Country),
            (false, false) => None,
        }
    }
}

/// A type as far as it is worth showing.
fn short(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
