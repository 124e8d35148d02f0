//! The files that a configuration names: opened, held against each other, and looked at for who may read them.

use crate::adapters::clock;
use crate::adapters::tls::{self, readable_by_others};
use crate::app::certificate;
use crate::config::Config;

/// Opens the files; returns what can be used and is hardly meant, a sentence each.
///
/// # Errors
/// A file cannot be read, or the key is not the certificate's.
pub(super) fn check(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut warnings = Vec::new();
    if let Some(files) = &config.http.tls {
        let pair = tls::read(&files.certificate, &files.key)?;
        warnings.extend(pair.validity.and_then(|validity| certificate::warning(validity, clock::now())));
        warnings.extend(readable_by_others(&files.key));
    }
    if let Some(file) = &config.kafka.properties_file {
        properties(config)?;
        warnings.extend(readable_by_others(file));
    }
    Ok(warnings)
}

#[cfg(feature = "kafka")]
fn properties(config: &Config) -> anyhow::Result<()> {
    crate::app::fleet::read_properties_file(&config.kafka)?;
    Ok(())
}

#[cfg(not(feature = "kafka"))]
fn properties(_: &Config) -> anyhow::Result<()> {
    Ok(())
}
