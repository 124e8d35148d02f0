//! Address in, country and "does it hide its user" out, from databases in MaxMind's format.
//!
//! Pure: databases come as bytes, and a new one is a new [`Geo`] that the caller swaps in. Nothing here
//! knows files or the rules that ask.

pub mod build;
mod database;
pub mod list;
mod record;

use std::net::IpAddr;

use serde::Serialize;

pub use database::{DatabaseKind, GeoDatabase, GeoError};

use record::{AnonymizerRecord, CountryRecord};

/// What people are told while the anonymizer database is a sample.
pub const SAMPLE_WARNING: &str = "sample anonymizer database: rule 7.15 on proxies cannot fire";

/// What one database says of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<T> {
    /// There is no database, or its record is broken: the input is missing and a decision is degraded.
    DatabaseMissing,
    /// The database has no answer for this address.
    Unknown,
    Known(T),
}

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
            Ok(Some(record)) => record.code().map_or(Lookup::Unknown, Lookup::Known),
        }
    }

    /// Tells whether the anonymizer database is a sample: it answers, but no real client's address is in it.
    #[must_use]
    pub fn is_anonymizer_sample(&self) -> bool {
        self.anonymizer.as_ref().is_some_and(GeoDatabase::is_sample)
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
        match database.record::<AnonymizerRecord<'_>>(address) {
            Err(_) => Lookup::DatabaseMissing,
            Ok(None) => Lookup::Unknown,
            Ok(Some(record)) => Lookup::Known(record.flags()),
        }
    }
}

/// What a database says of one anonymizer, by the names of GeoIP2-Anonymous-IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
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

    /// Returns the flags that either has.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            is_anonymous: self.is_anonymous || other.is_anonymous,
            is_anonymous_vpn: self.is_anonymous_vpn || other.is_anonymous_vpn,
            is_hosting_provider: self.is_hosting_provider || other.is_hosting_provider,
            is_public_proxy: self.is_public_proxy || other.is_public_proxy,
            is_residential_proxy: self.is_residential_proxy || other.is_residential_proxy,
            is_tor_exit_node: self.is_tor_exit_node || other.is_tor_exit_node,
        }
    }
}
