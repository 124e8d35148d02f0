//! Makes an anonymizer database out of networks and what is known of them.

use std::collections::BTreeMap;

use ipnet::IpNet;
use mmdb_writer::{MergeStrategy, Writer};

use super::AnonymizerFlags;
use super::database::SAMPLE_SUFFIX;

/// The type that a database gives itself.
const DATABASE_TYPE: &str = "GeoIP2-Anonymous-IP";

/// Why a database cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("failed to add {network}")]
    Network { network: IpNet, source: mmdb_writer::Error },
    #[error("failed to build the database")]
    Write(#[source] mmdb_writer::Error),
    /// A database that knows nothing says of every proxy that it is none.
    #[error("found no network, but a database needs at least one")]
    Empty,
}

/// A database that is being made.
#[derive(Debug)]
pub struct AnonymizerBuilder {
    writer: Writer,
    networks: usize,
}

impl AnonymizerBuilder {
    /// Begins a database, which says of itself what it is.
    #[must_use]
    pub fn new(description: &str, is_sample: bool) -> Self {
        let suffix = if is_sample { SAMPLE_SUFFIX } else { "" };
        let writer = Writer::builder(format!("{DATABASE_TYPE}{suffix}")).description(&[("en", description)]).build();
        Self { writer, networks: 0 }
    }

    /// Adds flags to whatever the network's addresses bear already.
    ///
    /// # Errors
    /// The network is one of those that lead to IPv4 addresses (6to4, Teredo).
    pub fn add(&mut self, network: IpNet, flags: AnonymizerFlags) -> Result<(), BuildError> {
        let named = [
            ("is_anonymous", flags.is_anonymous || flags.hides()),
            ("is_anonymous_vpn", flags.is_anonymous_vpn),
            ("is_hosting_provider", flags.is_hosting_provider),
            ("is_public_proxy", flags.is_public_proxy),
            ("is_residential_proxy", flags.is_residential_proxy),
            ("is_tor_exit_node", flags.is_tor_exit_node),
        ];
        let set: BTreeMap<&str, bool> = named.into_iter().filter(|(_, is_set)| *is_set).collect();
        self.writer
            .insert_merged(network, &set, MergeStrategy::TopLevelMerge)
            .map_err(|source| BuildError::Network { network, source })?;
        self.networks += 1;
        Ok(())
    }

    /// Returns how many networks were added.
    #[must_use]
    pub const fn networks(&self) -> usize {
        self.networks
    }

    /// Ends the database.
    ///
    /// # Errors
    /// It has no network, or more than the format can hold.
    pub fn finish(&self) -> Result<Vec<u8>, BuildError> {
        if self.networks == 0 {
            return Err(BuildError::Empty);
        }
        self.writer.to_bytes().map_err(BuildError::Write)
    }
}
