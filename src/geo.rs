//! Address in, country and "does it hide its user" out, from databases in MaxMind's format.
//!
//! Pure: databases come as bytes, and a new one is a new [`Geo`] that the caller swaps in. Nothing here
//! knows files or the rules that ask.

use std::borrow::Cow;
use std::net::IpAddr;

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

/// What one database says of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<T> {
    /// There is no database, or its record is broken: the input is missing and a decision is degraded.
    DatabaseMissing,
    /// The database has no answer for this address.
    Unknown,
    Known(T),
}

/// A text is no database, or names a format that is not read.
#[derive(Debug, thiserror::Error)]
#[error("not a readable MaxMind database")]
pub struct GeoError(#[from] MaxMindDbError);

/// The two databases; either may be absent.
#[derive(Debug, Default)]
pub struct Geo {
    country: Option<GeoDatabase>,
    anonymizer: Option<GeoDatabase>,
}

impl Geo {
    /// Joins the databases that there are.
    #[must_use]
    pub const fn new(country: Option<GeoDatabase>, anonymizer: Option<GeoDatabase>) -> Self {
        Self { country, anonymizer }
    }

    /// Returns the country database.
    #[must_use]
    pub const fn country_database(&self) -> Option<&GeoDatabase> {
        self.country.as_ref()
    }

    /// Returns the anonymizer database.
    #[must_use]
    pub const fn anonymizer_database(&self) -> Option<&GeoDatabase> {
        self.anonymizer.as_ref()
    }

    /// Finds the ISO 3166-1 code of the country where an address is used (not where it is registered).
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Lookup<[u8; 2]> {
        let Some(database) = &self.country else { return Lookup::DatabaseMissing };
        match database.record::<CountryRecord<'_>>(address) {
            Err(_) => Lookup::DatabaseMissing,
            Ok(None) => Lookup::Unknown,
            Ok(Some(record)) => {
                let nested = record.country.and_then(|country| country.iso_code);
                nested.or(record.country_code).and_then(iso_code).map_or(Lookup::Unknown, Lookup::Known)
            }
        }
    }

    /// Tells whether an address hides its user. No record means no: such databases list only what
    /// they know of. A data centre's address (`is_hosting_provider`) hides nobody by itself.
    #[must_use]
    pub fn anonymizer(&self, address: IpAddr) -> Lookup<bool> {
        match self.anonymizer_flags(address) {
            Lookup::DatabaseMissing => Lookup::DatabaseMissing,
            Lookup::Unknown => Lookup::Known(false),
            Lookup::Known(flags) => Lookup::Known(flags.hides()),
        }
    }

    /// Finds the flags of an address, for display.
    #[must_use]
    pub fn anonymizer_flags(&self, address: IpAddr) -> Lookup<AnonymizerFlags> {
        let Some(database) = &self.anonymizer else { return Lookup::DatabaseMissing };
        match database.record::<AnonymizerFlags>(address) {
            Err(_) => Lookup::DatabaseMissing,
            Ok(None) => Lookup::Unknown,
            Ok(Some(flags)) => Lookup::Known(flags),
        }
    }
}

/// The record of a GeoIP2-Anonymous-IP database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize)]
#[serde(default)]
pub struct AnonymizerFlags {
    pub is_anonymous: bool,
    pub is_anonymous_vpn: bool,
    pub is_hosting_provider: bool,
    pub is_public_proxy: bool,
    pub is_residential_proxy: bool,
    pub is_tor_exit_node: bool,
}

impl AnonymizerFlags {
    /// Tells whether one of the flags that hide a user is set. `is_anonymous` is not asked: it may be set
    /// for hosting alone.
    #[must_use]
    pub const fn hides(self) -> bool {
        self.is_anonymous_vpn || self.is_public_proxy || self.is_residential_proxy || self.is_tor_exit_node
    }
}

/// One database in memory.
pub struct GeoDatabase {
    reader: Reader<Cow<'static, [u8]>>,
}

impl GeoDatabase {
    /// Reads the metadata. The records are not checked up front: the format's own check refuses some
    /// good files, and a broken record is found when it is asked for.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, GeoError> {
        Ok(Self { reader: Reader::from_source(bytes.into())? })
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

    /// Finds and decodes only the wanted fields of an address's record.
    fn record<'a, T: Deserialize<'a>>(&'a self, address: IpAddr) -> Result<Option<T>, MaxMindDbError> {
        // Some files hold IPv4 networks only in their IPv4 place.
        let address = address.to_canonical();
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        self.reader.lookup(address)?.decode()
    }
}

impl std::fmt::Debug for GeoDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeoDatabase")
            .field("database_type", &self.database_type())
            .field("build_epoch_seconds", &self.build_epoch_seconds())
            .finish_non_exhaustive()
    }
}

/// Both schemas: MaxMind's `country.iso_code` and the flat `country_code`.
#[derive(Deserialize)]
struct CountryRecord<'a> {
    #[serde(borrow, default)]
    country: Option<CountryPart<'a>>,
    #[serde(default)]
    country_code: Option<&'a str>,
}

#[derive(Deserialize)]
struct CountryPart<'a> {
    #[serde(default)]
    iso_code: Option<&'a str>,
}

fn iso_code(text: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = text.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_alphabetic).then(|| code.map(|letter| letter.to_ascii_uppercase()))
}
